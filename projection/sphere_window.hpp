// SPDX-License-Identifier: Apache-2.0
// Equirectangular pictures: which part of the sphere a picture covers, and pixel <-> direction.
#pragma once

#include <Eigen/Core>

namespace vergence::projection {

// The whole sphere as a picture of full_width x full_height pixels, of which the picture at hand is
// the rectangle [left, left + width) x [top, top + height) (GPano's FullPano and CroppedArea). A
// window may reach past the right edge of the sphere's picture (left + width > full_width):
// longitude wraps.
struct SphereWindow {
  int full_width = 0;
  int full_height = 0;
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;

  // A picture that covers everything; 2:1 for square pixels, but any size is allowed.
  [[nodiscard]] static SphereWindow whole(int width, int height);

  // Covers all longitudes: its left and right borders are neighbours.
  [[nodiscard]] bool wraps() const { return width >= full_width; }

  [[nodiscard]] bool is_whole() const { return wraps() && top == 0 && height == full_height; }

  // The same part of the sphere for a picture of another width (the height follows, at least 1
  // pixel).
  [[nodiscard]] SphereWindow resized(int new_width) const;

  bool operator==(const SphereWindow&) const = default;
};

// Unit direction of a point of the picture in pixels (centres at +0.5):
// lon = (left + x) / full_width * 2 pi - pi, lat = pi/2 - (top + y) / full_height * pi.
[[nodiscard]] Eigen::Vector3d direction_at(const SphereWindow& window, double x, double y);

// Unit direction for a longitude (0 = -Z, grows towards +X) and a latitude, radians.
[[nodiscard]] Eigen::Vector3d direction_from_lon_lat(double longitude, double latitude);

// The point of the picture, in pixels, that shows `direction` (any length > 0). x is chosen in
// [-(full_width - width)/2, full_width) around the window, so that points just outside its left
// border get a small negative x; the result may lie outside [0, width) x [0, height).
[[nodiscard]] Eigen::Vector2d pixel_of(const SphereWindow& window,
                                       const Eigen::Vector3d& direction);

}  // namespace vergence::projection
