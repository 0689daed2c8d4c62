// SPDX-License-Identifier: Apache-2.0
// Where directions lie on pictures of all kinds: equirectangular, flat, fisheye, cube maps. The
// models and their words are those of FFmpeg's filter v360, so that it can judge ours.
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

// The words of `input.projection` and `vr.projection` stand in brackets.
enum class PictureKind {
  kEquirectangular,      // [equirectangular] the whole sphere, or a window of it
  kHalfEquirectangular,  // [half_equirectangular] the hemisphere about -Z (VR180), or less
  kFlat,                 // [flat] a pinhole camera
  kFisheye,              // [fisheye] equidistant: the angle to the axis grows with the radius
  kDualFisheye,          // [dual_fisheye] two of them side by side, front and back
  kCubemap,              // [cubemap] 3 x 2 faces of 90 degrees: right left up / down front back
  kEquiangularCubemap,   // [eac] 3 x 2 as YouTube has them: left front right / down back up
};

[[nodiscard]] std::string_view to_string(PictureKind kind);
[[nodiscard]] std::optional<PictureKind> picture_kind_from_string(std::string_view word);

// How the directions of a frame (-Z forward, +X right, +Y up) lie on a picture of a certain size.
// An immutable value; copies are cheap.
class PictureModel {
 public:
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

  // The part of the sphere of an equirectangular or half-equirectangular picture.
  [[nodiscard]] std::optional<SphereWindow> window() const;

  // The same view on a picture of another size.
  [[nodiscard]] PictureModel resized(cv::Size size) const;

  // Unit direction of a point of the picture in pixels (centres at +0.5); nothing where a picture
  // shows nothing (beside a fisheye's circle, outside of the picture).
  [[nodiscard]] std::optional<Eigen::Vector3d> direction_at(double x, double y) const;

  // The point of the picture that shows a direction (any length > 0), in pixels; nothing where it
  // is not in the picture. Of a dual fisheye the lens that looks there more directly.
  [[nodiscard]] std::optional<Eigen::Vector2d> pixel_of(const Eigen::Vector3d& direction) const;

  // Both for many at once, fast. NaN stands for nothing. `points`: pixels, as above.
  // `directions` and `points` have one length. Throws std::invalid_argument otherwise.
  void directions_at(std::span<const cv::Point2f> points, std::span<cv::Point3f> directions) const;
  void pixels_of(std::span<const cv::Point3f> directions, std::span<cv::Point2f> points) const;

  // Unit directions of all pixels' centres, CV_32FC3 [height, width].
  [[nodiscard]] cv::Mat direction_table() const;

 private:
  struct Model;
  explicit PictureModel(std::shared_ptr<const Model> model);
  std::shared_ptr<const Model> model_;
};

}  // namespace vergence::projection
