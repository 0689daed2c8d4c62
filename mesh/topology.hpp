// SPDX-License-Identifier: Apache-2.0
// Index work that several parts of this room share.
#pragma once

#include "mesh/mesh.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace vergence::mesh {

// For each position the index of the first one that is bit-equal (+0 and -0 count as equal).
[[nodiscard]] std::vector<std::uint32_t> first_at_same_position(
    std::span<const Eigen::Vector3f> positions);

// The mesh of `triangles` (indices into `mesh`) with only the vertices that they use, in their
// order.
[[nodiscard]] Mesh compact(const Mesh& mesh, std::vector<Triangle> triangles);

// Area-weighted vertex normals; vertices with the same `representative` share theirs.
void compute_normals(Mesh& mesh, std::span<const std::uint32_t> representative);

}  // namespace vergence::mesh
