// SPDX-License-Identifier: Apache-2.0
// One picture of any model and its distances become one VR frame: what photos and videos have in
// common.
#pragma once

#include "core/angle.hpp"
#include "core/depth.hpp"
#include "media/video.hpp"
#include "pipeline/frame_maker.hpp"
#include "projection/picture_model.hpp"
#include "stereo/depth_stabilizer.hpp"
#include "stereo/sphere_stereo.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// How both eyes lie in the frame; the words of `vr.layout` stand in brackets.
enum class VrLayout {
  kSideBySide,  // [sbs] left eye on the left
  kTopBottom,   // [tb] left eye on top
  kMono,        // [mono] one eye in the middle between both: needs no distances
};

[[nodiscard]] std::optional<VrLayout> vr_layout_from_string(std::string_view word);

// What the eyes see, and how it is stored.
struct VrFrameOptions {
  // Of each eye: half equirectangular (VR180), equirectangular (360-3D), fisheye or flat.
  projection::PictureKind projection = projection::PictureKind::kHalfEquirectangular;
  // From edge to edge; of a fisheye its circle, of an equirectangular picture always 360 degrees.
  // Half equirectangular pictures are so wide, and 180 degrees high whatever it is.
  Radians fov = Radians::from_degrees(180);
  int eye_px = 0;              // height of each eye's picture; 0 = as fine as the input ...
  int max_eye_px = 4096;       // ... but no higher than this
  double aspect = 16.0 / 9.0;  // width / height of flat eyes
  VrLayout layout = VrLayout::kSideBySide;

  double ipd_m = 0.063;    // distance between the eyes
  double nearest_m = 0.0;  // stereo::SphereStereoOptions::nearest_m
  Radians yaw;             // where the eyes look, as core/rotation.hpp has it
  Radians pitch;
  Radians roll;
  // Directions in the input from those of the world that these angles count in.
  Eigen::Matrix3d source_from_world = Eigen::Matrix3d::Identity();
  projection::SphereInterpolation interpolation = projection::SphereInterpolation::kBilinear;
  stereo::Surround surround = stereo::Surround::kBlack;
  bool refine_rims = true;
};

// The model of one eye's picture for an input of this model: its size is even, and a multiple of 16
// where it follows from the input's. Throws Error(kUsage) for a field of view that the projection
// cannot have.
[[nodiscard]] projection::PictureModel eye_model(const VrFrameOptions& options,
                                                 const projection::PictureModel& source);

// What players are told of each eye's picture; nothing where it is flat, or a fisheye (only Apple's
// boxes know one: see media::SphericalTag).
[[nodiscard]] std::optional<media::SphericalTag> spherical_tag(const VrFrameOptions& options);

[[nodiscard]] media::StereoTag stereo_tag(const VrFrameOptions& options);

// What the raw maps of a video (raw_nearness() of stereo_frame.hpp) say about distances.
struct VideoDepthMeaning {
  DepthKind kind = DepthKind::kDisparity;
  bool in_metres = false;
  double median_m = 2.0;  // of what is not in metres, steady over a shot
  double factor = 1.0;    // on all distances at the end
};

// Distances of a frame from its raw map: kinds without a scale or an offset get those of the shot,
// so that they do not flicker, by the rules of flat_depth.hpp with the decision's range for the
// farthest (of planar_depth_affine the nearest) and its median. Flat models turn depth along the
// axis into distance along the ray; of others the map holds distances along the rays already.
[[nodiscard]] RayDistance video_distance(const cv::Mat& raw, const stereo::FrameDecision& decision,
                                         const VideoDepthMeaning& meaning,
                                         const projection::PictureModel& model);

// What pictures of a size show.
using SourceModel = std::function<projection::PictureModel(cv::Size picture)>;

// The eyes of pictures of one size after another.
class VrFrameMaker final : public FrameMaker {
 public:
  // `meaning`: of the maps of a video. frame_size() and make() throw Error(kUsage) as eye_model()
  // does, and for eyes that are not apart.
  VrFrameMaker(const VrFrameOptions& options, SourceModel source,
               const VideoDepthMeaning& meaning = {});
  ~VrFrameMaker() override;
  VrFrameMaker(VrFrameMaker&&) noexcept;
  VrFrameMaker& operator=(VrFrameMaker&&) noexcept;

  [[nodiscard]] cv::Size frame_size(cv::Size picture) const override;
  void make(std::span<const StereoMoment> window, std::size_t current, cv::Mat& frame) override;

  // The same from distances (NaN = not known, 1e9 and more = infinitely far) that cover the picture
  // at any size; empty for mono.
  void make(const cv::Mat& picture, const RayDistance& distance, cv::Mat& frame);

  // The eyes of the last frame; one and the same for mono.
  [[nodiscard]] const cv::Mat& left() const;
  [[nodiscard]] const cv::Mat& right() const;

  // stereo::SphereStereo::share_inside() of the last frame; 0 for mono.
  [[nodiscard]] double share_inside() const;

  // The greatest parallax counts from infinity.
  [[nodiscard]] stereo::ComfortReport comfort() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::pipeline
