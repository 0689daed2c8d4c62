// SPDX-License-Identifier: Apache-2.0
#include "mesh/topology.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include <Eigen/Geometry>

namespace vergence::mesh {
namespace {

constexpr auto kNone = UINT32_MAX;

std::size_t hash_of(const Eigen::Vector3f& position) {
  std::uint64_t hash = 0x9E3779B97F4A7C15U;
  for (const float coordinate : position) {
    // Adding +0 turns -0 into it.
    hash = (hash ^ std::bit_cast<std::uint32_t>(coordinate + 0.0F)) * 0xFF51AFD7ED558CCDU;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace

std::vector<std::uint32_t> first_at_same_position(std::span<const Eigen::Vector3f> positions) {
  std::vector<std::uint32_t> first(positions.size());
  const std::size_t num_slots = std::bit_ceil(positions.size() * 2 + 1);
  std::vector<std::uint32_t> slots(num_slots, kNone);
  for (std::uint32_t i = 0; i < positions.size(); ++i) {
    std::size_t slot = hash_of(positions[i]) & (num_slots - 1);
    while (slots[slot] != kNone && positions[slots[slot]] != positions[i]) {
      slot = (slot + 1) & (num_slots - 1);
    }
    if (slots[slot] == kNone) slots[slot] = i;
    first[i] = slots[slot];
  }
  return first;
}

Mesh compact(const Mesh& mesh, std::vector<Triangle> triangles) {
  std::vector<std::uint32_t> new_index(mesh.positions.size(), kNone);
  for (const auto& triangle : triangles) {
    for (const auto vertex : triangle) new_index[vertex] = 0;
  }
  Mesh result;
  std::uint32_t count = 0;
  for (auto& index : new_index) {
    if (index != kNone) index = count++;
  }
  const auto copy_used = [&](const auto& from, auto& to) {
    if (from.empty()) return;
    to.reserve(count);
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (new_index[i] != kNone) to.push_back(from[i]);
    }
  };
  copy_used(mesh.positions, result.positions);
  copy_used(mesh.normals, result.normals);
  copy_used(mesh.uvs, result.uvs);
  for (auto& triangle : triangles) {
    for (auto& vertex : triangle) vertex = new_index[vertex];
  }
  result.triangles = std::move(triangles);
  return result;
}

void compute_normals(Mesh& mesh, std::span<const std::uint32_t> representative) {
  auto& normals = mesh.normals;
  normals.assign(mesh.positions.size(), Eigen::Vector3f::Zero());
  for (const auto& [a, b, c] : mesh.triangles) {
    const Eigen::Vector3f& origin = mesh.positions[a];
    const Eigen::Vector3f twice_area =
        (mesh.positions[b] - origin).cross(mesh.positions[c] - origin);
    for (const auto vertex : {a, b, c}) normals[representative[vertex]] += twice_area;
  }
  for (std::size_t i = 0; i < normals.size(); ++i) {
    if (representative[i] != i) continue;
    const float length = normals[i].norm();
    // Collapsed triangles leave no normal: look at the camera instead.
    normals[i] = length > 0.0F ? Eigen::Vector3f(normals[i] / length)
                               : Eigen::Vector3f(-mesh.positions[i].normalized());
  }
  for (std::size_t i = 0; i < normals.size(); ++i) normals[i] = normals[representative[i]];
}

}  // namespace vergence::mesh
