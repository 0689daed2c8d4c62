// SPDX-License-Identifier: Apache-2.0
// Tangent (gnomonic) views of the sphere and the sets of them that cover it.
#pragma once

#include "core/angle.hpp"

#include <optional>
#include <string>
#include <vector>

#include <Eigen/Core>

namespace vergence::projection {

// A pinhole camera at the sphere's centre that looks along its own -Z, +X right, +Y up. Pixel (i,
// j) is the ray ((2(i+.5)/width - 1) tan(fov_x/2), (1 - 2(j+.5)/height) tan(fov_y/2), -1).
struct TangentView {
  std::string name;  // "view_00"
  int width = 0;
  int height = 0;
  Radians fov_x;  // full angles, below 180 degrees
  Radians fov_y;
  Eigen::Matrix3d world_from_view = Eigen::Matrix3d::Identity();

  // Focal length in pixels along x.
  [[nodiscard]] double focal_px() const;

  // The same camera with another picture size.
  [[nodiscard]] TangentView resized(int new_width, int new_height) const;
};

// Ray of a point of the view's picture in pixels (centres at +0.5), in the view's frame, with z =
// -1; its length is ray distance / planar depth = 1 / cos(angle to the axis).
[[nodiscard]] Eigen::Vector3d ray_at(const TangentView& view, double x, double y);

// The point of the picture, in pixels, that shows the world direction `direction`; nothing if it is
// behind the camera or outside the picture.
[[nodiscard]] std::optional<Eigen::Vector2d> project(const TangentView& view,
                                                     const Eigen::Vector3d& direction);

// Square views that cover the sphere, named view_00, view_01, ... from the top down and to the
// right:
//   20: the face centres of an icosahedron,  12: its vertices (two views look straight up and
//   down),
//    6: the faces of a cube, level.
// `fov` is the full angle of a side, `size_px` the side. Throws Error(kUsage) for another count or
// a field of view too small to leave no gaps.
[[nodiscard]] std::vector<TangentView> covering_views(int count, Radians fov, int size_px);

// The smallest field of view with which covering_views(count) has no gap.
[[nodiscard]] Radians smallest_covering_fov(int count);

}  // namespace vergence::projection
