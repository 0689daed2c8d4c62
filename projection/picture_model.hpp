// SPDX-License-Identifier: Apache-2.0
// What direction each pixel of a picture looks at: panoramas, VR180, lenses, cube maps. The models
// are those of FFmpeg's filter v360, so that it can judge ours.
#pragma once

#include "core/angle.hpp"
#include "projection/sphere_window.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <Eigen/Core>
#include <opencv2/core.hpp>

namespace vergence::projection {

// The words of `input.projection` and `vr.projection` stand in brackets, and behind them v360's.
enum class PictureKind {
  kEquirectangular,       // [equirectangular] the whole sphere, or a window of it; e
  kHalfEquirectangular,   // [half_equirectangular] the hemisphere about -Z (VR180), or less; he
  kFlat,                  // [flat] a pinhole camera; flat
  kFisheye,               // [fisheye] equidistant: the angle to the axis grows with the radius
  kDualFisheye,           // [dual_fisheye] two of them side by side, back and front; dfisheye
  kStereographic,         // [stereographic] a fisheye with radius tan(angle / 2); sg
  kEquisolid,             // [equisolid] sin(angle / 2), as most lenses are built; also ball
  kOrthographic,          // [orthographic] sin(angle), a hemisphere at most; og
  kCubemap,               // [cubemap] 3 x 2 faces of 90 degrees: right left up / down front back
  kCubemapRow,            // [cubemap_6x1] the same in one row: right left up down front back; c6x1
  kCubemapColumn,         // [cubemap_1x6] in one column; c1x6
  kEquiangularCubemap,    // [eac] 3 x 2 as YouTube has them: left front right / down back up, the
                          // lower three turned, 2 pixels of padding around each row
  kCylindrical,           // [cylindrical] longitude by tan(latitude)
  kCylindricalEqualArea,  // [cylindrical_equal_area] longitude by sin(latitude); cylindricalea
  kMercator,              // [mercator] longitude by asinh(tan(latitude))
  kPannini,               // [pannini] stereographic cylinder (d = 1), for wide rooms
  kSinusoidal,            // [sinusoidal] longitude * cos(latitude) by latitude
  kHammer,                // [hammer] the whole sphere in an ellipse
};

[[nodiscard]] std::string_view to_string(PictureKind kind);
[[nodiscard]] std::optional<PictureKind> picture_kind_from_string(std::string_view word);
[[nodiscard]] std::span<const PictureKind> all_picture_kinds();

// How the directions of a frame (-Z forward, +X right, +Y up) lie on a picture of a certain size.
// An immutable value; copies are cheap.
class PictureModel {
 public:
  // A picture of any kind by its full angles from edge to edge. Without them: 360 x 180 degrees
  // (equirectangular, sinusoidal, hammer), 180 x 180 (half-equirectangular, fisheyes), 190 x 190
  // (each lens of a dual fisheye), 90 wide (flat, cylindrical 360 wide, pannini 180; square
  // pixels); cube maps have none. `fov_y` without `fov_x` is not looked at; `fov_x` without `fov_y`
  // means square pixels, or of fisheyes a circle (an ellipse where the picture is not square).
  // Throws std::invalid_argument for an empty size and for angles that are not within (0, 180) for
  // flat and (vertically) cylindrical, mercator and pannini pictures, (0, 180] for
  // half-equirectangular (both) and orthographic ones, (0, 360] otherwise; for sinusoidal and
  // hammer pictures no other than 360 x 180.
  [[nodiscard]] static PictureModel of(PictureKind kind, cv::Size size,
                                       std::optional<Radians> fov_x = std::nullopt,
                                       std::optional<Radians> fov_y = std::nullopt);

  // A window of the sphere, of the window's own size.
  [[nodiscard]] static PictureModel equirectangular(const SphereWindow& window);

  // `fov_x` by `fov_y` of longitude and latitude about -Z; both at most 180 degrees.
  [[nodiscard]] static PictureModel half_equirectangular(
      cv::Size size, Radians fov_x = Radians::from_degrees(180),
      Radians fov_y = Radians::from_degrees(180));

  // Full angles from edge to edge, below 180 degrees.
  [[nodiscard]] static PictureModel flat(cv::Size size, Radians fov_x, Radians fov_y);

  // A circle inscribed in the picture (an ellipse where it is not square) that is `fov` wide, up to
  // 360 degrees.
  [[nodiscard]] static PictureModel fisheye(cv::Size size, Radians fov);
  [[nodiscard]] static PictureModel dual_fisheye(cv::Size size, Radians fov);

  [[nodiscard]] static PictureModel cubemap(cv::Size size);
  [[nodiscard]] static PictureModel equiangular_cubemap(cv::Size size);

  [[nodiscard]] PictureKind kind() const;
  [[nodiscard]] cv::Size size() const;

  // The part of the sphere of an equirectangular or half-equirectangular picture; nothing where its
  // borders do not lie on whole pixels of the whole sphere's picture.
  [[nodiscard]] std::optional<SphereWindow> window() const;

  // The same view on a picture of another size.
  [[nodiscard]] PictureModel resized(cv::Size size) const;

  // Pixels per radian where the view's middle (-Z) is, or would be on its equator: the geometric
  // mean of both axes.
  [[nodiscard]] double pixels_per_radian() const;

  // Unit direction of a point of the picture in pixels (centres at +0.5); nothing where a picture
  // shows nothing (beside a fisheye's circle, outside of the picture).
  [[nodiscard]] std::optional<Eigen::Vector3d> direction_at(double x, double y) const;

  // The point of the picture that shows a direction (any length > 0), in pixels; nothing where it
  // is not in the picture. Of a dual fisheye the lens that looks there more directly.
  [[nodiscard]] std::optional<Eigen::Vector2d> pixel_of(const Eigen::Vector3d& direction) const;

  // Both for many at once, fast, to within 0.003 pixels at 8192 pixels per turn. NaN stands for
  // nothing. `points`: pixels, as above. `directions` and `points` have one length. Throws
  // std::invalid_argument otherwise.
  void directions_at(std::span<const cv::Point2f> points, std::span<cv::Point3f> directions) const;
  void pixels_of(std::span<const cv::Point3f> directions, std::span<cv::Point2f> points) const;

  // Unit directions of all pixels' centres, CV_32FC3 [height, width]; NaN = nothing.
  [[nodiscard]] cv::Mat direction_table() const;

 private:
  friend class SphereSampler;
  struct Model;
  explicit PictureModel(std::shared_ptr<const Model> model);
  std::shared_ptr<const Model> model_;
};

}  // namespace vergence::projection
