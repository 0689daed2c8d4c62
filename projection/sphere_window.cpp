// SPDX-License-Identifier: Apache-2.0
#include "projection/sphere_window.hpp"

#include "core/angle.hpp"

#include <algorithm>
#include <cmath>

namespace vergence::projection {

SphereWindow SphereWindow::whole(int width, int height) {
  return {.full_width = width,
          .full_height = height,
          .left = 0,
          .top = 0,
          .width = width,
          .height = height};
}

SphereWindow SphereWindow::resized(int new_width) const {
  const double factor = static_cast<double>(new_width) / width;
  const auto scaled = [&](int value) { return static_cast<int>(std::lround(value * factor)); };
  SphereWindow result{.full_width = std::max(new_width, scaled(full_width)),
                      .full_height = std::max(1, scaled(full_height)),
                      .left = scaled(left),
                      .top = scaled(top),
                      .width = new_width,
                      .height = std::max(1, scaled(height))};
  result.full_height = std::max(result.full_height, result.top + result.height);
  return result;
}

Eigen::Vector3d direction_from_lon_lat(double longitude, double latitude) {
  const double ring = std::cos(latitude);
  return {ring * std::sin(longitude), std::sin(latitude), -ring * std::cos(longitude)};
}

Eigen::Vector3d direction_at(const SphereWindow& window, double x, double y) {
  return direction_from_lon_lat((window.left + x) / window.full_width * 2.0 * kPi - kPi,
                                kPi / 2.0 - (window.top + y) / window.full_height * kPi);
}

Eigen::Vector2d pixel_of(const SphereWindow& window, const Eigen::Vector3d& direction) {
  const double longitude = std::atan2(direction.x(), -direction.z());
  const double latitude = std::atan2(direction.y(), std::hypot(direction.x(), direction.z()));
  double x = (longitude + kPi) / (2.0 * kPi) * window.full_width - window.left;
  const double lowest = -0.5 * (window.full_width - window.width);
  if (x < lowest) x += window.full_width;
  if (x >= lowest + window.full_width) x -= window.full_width;
  return {x, (kPi / 2.0 - latitude) / kPi * window.full_height - window.top};
}

}  // namespace vergence::projection
