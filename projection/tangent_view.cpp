// SPDX-License-Identifier: Apache-2.0
#include "projection/tangent_view.hpp"

#include "core/error.hpp"
#include "core/rotation.hpp"
#include "projection/sphere_window.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace vergence::projection {
namespace {

using Eigen::Vector3d;

// `count` directions evenly around the circle of latitude `latitude`, the first at
// `first_longitude`.
void add_ring(std::vector<Vector3d>& directions, int count, double latitude,
              double first_longitude) {
  for (int k = 0; k < count; ++k) {
    directions.push_back(direction_from_lon_lat(first_longitude + 2.0 * kPi * k / count, latitude));
  }
}

// An icosahedron with two vertices on the poles: its other vertices lie at latitude +-atan(1/2).
std::vector<Vector3d> icosahedron_vertices() {
  const double ring = std::atan(0.5);
  std::vector<Vector3d> directions{Vector3d::UnitY()};
  add_ring(directions, 5, ring, 0.0);
  add_ring(directions, 5, -ring, kPi / 5.0);
  directions.emplace_back(-Vector3d::UnitY());
  return directions;
}

// Centres of the faces of the same icosahedron: five around each pole, ten around the equator.
std::vector<Vector3d> icosahedron_faces() {
  // Latitudes of the centroids of (pole, ring, ring) and (ring, ring, other ring).
  const double sin_ring = 1.0 / std::sqrt(5.0);
  const double cos_ring = 2.0 / std::sqrt(5.0);
  const double cap = std::atan2(1.0 + 2.0 * sin_ring, 2.0 * cos_ring * std::cos(kPi / 5.0));
  const double belt = std::atan2(sin_ring, cos_ring * (2.0 * std::cos(kPi / 5.0) + 1.0));
  std::vector<Vector3d> directions;
  add_ring(directions, 5, cap, kPi / 5.0);
  add_ring(directions, 5, belt, kPi / 5.0);
  add_ring(directions, 5, -belt, 0.0);
  add_ring(directions, 5, -cap, 0.0);
  return directions;
}

std::vector<Vector3d> cube_faces() {
  std::vector<Vector3d> directions{Vector3d::UnitY()};
  add_ring(directions, 4, 0.0, 0.0);
  directions.emplace_back(-Vector3d::UnitY());
  return directions;
}

std::vector<Vector3d> covering_directions(int count) {
  switch (count) {
    case 20:
      return icosahedron_faces();
    case 12:
      return icosahedron_vertices();
    case 6:
      return cube_faces();
    default:
      throw Error(ErrorCode::kUsage, fmt::format("there is no set of {} views", count))
          .hint("choose 20, 12 or 6");
  }
}

}  // namespace

double TangentView::focal_px() const {
  return 0.5 * width / std::tan(fov_x.value() / 2.0);
}

TangentView TangentView::resized(int new_width, int new_height) const {
  TangentView view = *this;
  view.width = new_width;
  view.height = new_height;
  return view;
}

Vector3d ray_at(const TangentView& view, double x, double y) {
  return {(2.0 * x / view.width - 1.0) * std::tan(view.fov_x.value() / 2.0),
          (1.0 - 2.0 * y / view.height) * std::tan(view.fov_y.value() / 2.0), -1.0};
}

std::optional<Eigen::Vector2d> project(const TangentView& view, const Vector3d& direction) {
  const Vector3d ray = view.world_from_view.transpose() * direction;
  if (ray.z() >= 0.0) return std::nullopt;
  const double x = (ray.x() / -ray.z() / std::tan(view.fov_x.value() / 2.0) + 1.0) / 2.0;
  const double y = (1.0 - ray.y() / -ray.z() / std::tan(view.fov_y.value() / 2.0)) / 2.0;
  if (!(x >= 0.0 && x <= 1.0 && y >= 0.0 && y <= 1.0)) return std::nullopt;
  return Eigen::Vector2d{x * view.width, y * view.height};
}

Radians smallest_covering_fov(int count) {
  if (count == 6) return Radians::from_degrees(90.0);
  // The faces of the icosahedron, and the cells around its vertices, all have the
  // circumradius 37.38 degrees; a square view holds the circle of half its field of view.
  return Radians(2.0 * std::acos(std::sqrt((5.0 + 2.0 * std::sqrt(5.0)) / 15.0)));
}

std::vector<TangentView> covering_views(int count, Radians fov, int size_px) {
  const auto directions = covering_directions(count);
  // A degree is shown with one digit, rounded up, so that what is suggested is also accepted.
  const double least = std::ceil(smallest_covering_fov(count).degrees() * 10.0 - 1e-6) / 10.0;
  if (fov.degrees() < least - 1e-9 || fov.degrees() >= 179.0) {
    throw Error(ErrorCode::kUsage,
                fmt::format("{} views of {} degrees do not cover the sphere", count, fov.degrees()))
        .hint(fmt::format("set views.fov_deg between {} and 179", least));
  }
  std::vector<TangentView> views;
  for (std::size_t i = 0; i < directions.size(); ++i) {
    views.push_back({.name = fmt::format("view_{:02}", i),
                     .width = size_px,
                     .height = size_px,
                     .fov_x = fov,
                     .fov_y = fov,
                     .world_from_view = rotation_looking_at(directions[i])});
  }
  return views;
}

}  // namespace vergence::projection
