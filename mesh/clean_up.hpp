// SPDX-License-Identifier: Apache-2.0
// Making meshes and clouds smaller and cleaner, and saying what a mesh's topology is.
#pragma once

#include "mesh/mesh.hpp"

#include <cstddef>
#include <cstdint>

namespace vergence::mesh {

// The mesh without the connected pieces that have fewer than `min_triangles`; vertices at the same
// position are one (a piece across the seam is one piece). Vertices without a triangle go too.
[[nodiscard]] Mesh remove_small_components(const Mesh& mesh, std::size_t min_triangles);

// A mesh of at most about `target_triangles`, by collapsing edges onto existing vertices
// (meshoptimizer), so that uvs, normals, the closed seam and, if the target leaves room, the rims
// of cuts stay. Errors are weighed as the camera at the origin sees them, relative in distance and
// in direction, so that the picture does not swim on large triangles either. A closed sphere stays
// closed and manifold. A mesh that is small enough comes back as it is; the fans at the poles keep
// about four triangles per column of the grid.
[[nodiscard]] Mesh decimate(const Mesh& mesh, std::size_t target_triangles);

// Joins vertices at bit-equal positions and drops triangles that collapse by it: topology without
// the seams that texture coordinates need. The result has no normals and no uvs.
[[nodiscard]] Mesh weld(const Mesh& mesh);

struct MeshTopology {
  bool edge_manifold = true;    // every edge has one or two triangles
  bool vertex_manifold = true;  // the triangles around every vertex form one fan
  bool oriented = true;    // the two triangles of an edge run through it in opposite directions
  std::int64_t euler = 0;  // vertices - edges + triangles, of what triangles use
  std::size_t boundary_edges = 0;
  double signed_volume = 0.0;  // m3; negative when front faces look inward
  double area = 0.0;           // m2
};

// Describes a mesh as it is indexed; weld() it first to see through seams.
[[nodiscard]] MeshTopology analyse(const Mesh& mesh);

struct OutlierOptions {
  int neighbours = 20;
  double std_ratio = 2.0;  // larger = keeps more
};

// Statistical outlier removal: drops the points whose mean distance to their nearest neighbours is
// more than std_ratio standard deviations above the cloud's mean. Loads Open3D on first use. Throws
// Error when that is impossible.
[[nodiscard]] PointCloud remove_outliers(const PointCloud& cloud,
                                         const OutlierOptions& options = {});

}  // namespace vergence::mesh
