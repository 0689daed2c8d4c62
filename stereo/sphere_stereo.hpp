// SPDX-License-Identifier: Apache-2.0
// Both eyes' views of a whole sphere, a hemisphere or a flat picture with known distances: VR180 as
// two parallel eyes, 360-3D as omnidirectional stereo.
//
// The warp engine (scanline_warp.hpp) works on rows along which parallax moves pixels. Radius is
// half the distance between the eyes, rho the distance of a point from the middle between them.
//
// Two parallel eyes: the rows are great circles through the points to their left and right, those
// of an equirectangular picture whose poles lie on the axis through the eyes (the transverse
// aspect; Snyder, "Map Projections: A Working Manual", USGS 1395, 1987, section 5). A point at the
// angle theta from the right end of that axis stays in its half plane and moves by
//   atan2(q sin(theta), 1 -+ q cos(theta)), q = radius / rho
// to the left for the right eye (-) and to the right for the left eye (+): exactly what moving the
// eye by the radius does, for any direction.
//
// Omnidirectional stereo (Peleg, Ben-Ezra & Pritch, "Omnistereo: Panoramic Stereo Imaging", PAMI
// 2001): the eyes look along the tangents of a circle. The rows are those of the equirectangular
// picture itself; a point at latitude phi moves by a = asin(q / cos(phi)), to the right for the
// left eye, and seen from the circle its elevation is greater: tan(elevation) = tan(phi) / cos(a).
// From 75 degrees of latitude on the radius is multiplied by u^2 (3 - 2 u), u = cos(phi) / cos(75
// degrees), so that a falls to nothing at the poles without a step or a bend.
//
// Only where pixels come from is found out in these domains; each pixel of an eye's picture is then
// sampled from the source once. Where it shows several surfaces or what the source did not see, it
// is a blend of a sample of each, and of fills that are made in the domain (fill_pass.hpp).
#pragma once

#include "core/depth.hpp"
#include "core/eye.hpp"
#include "projection/picture_model.hpp"
#include "projection/sphere_sampler.hpp"
#include "stereo/scanline_warp.hpp"

#include <memory>

#include <Eigen/Core>
#include <opencv2/core.hpp>

namespace vergence::stereo {

enum class EyeGeometry {
  kParallel,         // two cameras side by side that look the same way: VR180, flat views
  kOmnidirectional,  // one pair for every longitude (ODS): 360-3D
};

// What is seen where the source shows nothing (around a flat picture, behind a hemisphere).
enum class Surround {
  kBlack,   // [black]
  kBlur,    // [blur] the picture's border, carried on and softened more and more
  kMirror,  // [mirror] the picture mirrored at its border, softened likewise
};

struct SphereStereoOptions {
  EyeGeometry geometry = EyeGeometry::kParallel;
  double ipd_m = 0.063;  // distance between the eyes, in the distances' unit; > 0
  // Nothing has more parallax than at this distance (a comfort cap near the camera): from 1.25
  // times the distance on, what is nearer comes softly up to it. 0 = no cap but the one that keeps
  // the geometry sound: q stays below 0.95.
  double nearest_m = 0.0;
  // Where the eyes look: direction in the source's frame = source_from_eyes * direction in the
  // eyes' frame (-Z forward, +X from the left eye to the right one).
  Eigen::Matrix3d source_from_eyes = Eigen::Matrix3d::Identity();
  projection::PictureModel eye;  // of each eye's picture; omnidirectional: equirectangular
  projection::SphereInterpolation interpolation = projection::SphereInterpolation::kBilinear;
  Surround surround = Surround::kBlack;
  bool refine_rims = true;         // as ScanlineOptions
  float fill_smoothing_px = 3.0F;  // as ScanlineOptions
};

// Makes views of sources of one size and model after another, keeping its tables and memory. For
// one thread at a time (it uses all threads itself).
class SphereStereo {
 public:
  // Throws std::invalid_argument for an ipd that is not > 0, or an omnidirectional eye that is not
  // equirectangular.
  explicit SphereStereo(const SphereStereoOptions& options);
  ~SphereStereo();
  SphereStereo(SphereStereo&&) noexcept;
  SphereStereo& operator=(SphereStereo&&) noexcept;

  // Takes a picture and its distances in, once for both eyes. `picture`: CV_8U, CV_16U or CV_32F of
  // 1, 3 or 4 channels, of `model`'s size; kept by reference until the last view is made.
  // `distance`: along the rays, covers the same as the picture at any size; NaN, 0 and less = not
  // known (as far as the farther of the known ones beside it), 1e9 and more = infinitely far (sky).
  // Beyond the picture's border the distances there go on. Throws std::invalid_argument for a
  // picture of another type or size than the model's, and for no distances.
  void set_source(const cv::Mat& picture, const projection::PictureModel& model,
                  const RayDistance& distance);

  // One eye's view, of the eye model's size and the picture's type. `visibility`, if given, becomes
  // CV_8UC1 of that size (Visibility; kOutside is what the source does not show: its surround).
  // Where the eye's picture shows nothing (beside a fisheye's circle) it is 0. Throws
  // std::logic_error before set_source.
  void render(Eye eye, cv::Mat& view, cv::Mat* visibility = nullptr);

  // The greatest parallax of the source as an angle between both eyes' rays, after the cap.
  [[nodiscard]] Radians greatest_parallax() const;

  // Share of the sphere (of what the eyes see) that is nearer than half the distance between the
  // eyes: the camera stands inside of something.
  [[nodiscard]] double share_inside() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::stereo
