// SPDX-License-Identifier: Apache-2.0
// Maps of known scenes, and what a mesh shows to an eye at the origin.
#pragma once

#include "mesh/mesh_from_depth.hpp"

#include <cstdint>
#include <functional>
#include <optional>

namespace vergence::mesh::test {

// The map of a function of the unit ray, over the whole sphere.
[[nodiscard]] RayDistance panorama_of(int width, int height,
                                      const std::function<double(const Eigen::Vector3d& ray)>& f);

[[nodiscard]] PictureRays whole_sphere();

// An empty room of 6 x 3 x 8 m seen from its centre.
[[nodiscard]] double room_distance(const Eigen::Vector3d& ray);

// That room with a pillar of radius 0.3 m from floor to ceiling; 1 in `hit_pillar` where it is hit.
[[nodiscard]] double pillar_room_distance(const Eigen::Vector3d& ray, bool& hit_pillar);

// A smooth random star-shaped surface, 1-3 m away.
[[nodiscard]] RayDistance random_star(std::uint32_t seed, int width, int height);

// Texture coordinates of what a ray from the origin meets first, u in [0, 1); nothing if it misses.
[[nodiscard]] std::optional<Eigen::Vector2d> uv_seen(const Mesh& mesh, const Eigen::Vector3d& ray);

// A PNG whose red is u and whose green is v, 0..255 from the top left.
[[nodiscard]] Texture uv_texture(int width, int height);

}  // namespace vergence::mesh::test
