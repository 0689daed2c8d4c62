// SPDX-License-Identifier: Apache-2.0
#include "mesh/clean_up.hpp"

#include "core/error.hpp"
#include "core/module.hpp"
#include "mesh/open3d_module.hpp"
#include "mesh/topology.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include <Eigen/Geometry>
#include <fmt/format.h>
#include <meshoptimizer.h>

namespace vergence::mesh {
namespace {

// Disjoint sets of indices (union by smaller root, path halving).
class DisjointSets {
 public:
  explicit DisjointSets(std::size_t count) {
    parent_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) parent_.push_back(static_cast<std::uint32_t>(i));
  }

  std::uint32_t root(std::uint32_t item) {
    while (parent_[item] != item) {
      parent_[item] = parent_[parent_[item]];
      item = parent_[item];
    }
    return item;
  }

  void join(std::uint32_t a, std::uint32_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::uint32_t> parent_;
};

// One side of a triangle: its undirected edge, and the corners of the triangle at its lower and
// higher vertex.
struct Side {
  std::uint64_t edge = 0;
  std::uint32_t low_corner = 0;
  std::uint32_t high_corner = 0;
  bool ascends = false;  // the triangle runs from the lower to the higher vertex

  bool operator<(const Side& other) const { return edge < other.edge; }
};

std::vector<Side> sorted_sides(const Mesh& mesh) {
  std::vector<Side> sides;
  sides.reserve(mesh.triangles.size() * 3);
  for (std::uint32_t t = 0; t < mesh.triangles.size(); ++t) {
    for (std::uint32_t k = 0; k < 3; ++k) {
      const std::uint32_t next = (k + 1) % 3;
      const std::uint64_t from = mesh.triangles[t][k];
      const std::uint64_t to = mesh.triangles[t][next];
      const bool ascends = from < to;
      const std::uint32_t from_corner = 3 * t + k;
      const std::uint32_t to_corner = 3 * t + next;
      sides.push_back({std::min(from, to) << 32 | std::max(from, to),
                       ascends ? from_corner : to_corner, ascends ? to_corner : from_corner,
                       ascends});
    }
  }
  std::sort(sides.begin(), sides.end());
  return sides;
}

// Calls body(sides) for the sides of each edge.
template <typename Body>
void for_each_edge(std::span<const Side> sorted, const Body& body) {
  for (std::size_t first = 0; first < sorted.size();) {
    std::size_t last = first + 1;
    while (last < sorted.size() && sorted[last].edge == sorted[first].edge) ++last;
    body(sorted.subspan(first, last - first));
    first = last;
  }
}

// Whether the corners at every vertex were joined into one set.
bool one_fan_per_vertex(const Mesh& mesh, DisjointSets& fans) {
  constexpr auto kNone = UINT32_MAX;
  std::vector<std::uint32_t> fan_of(mesh.positions.size(), kNone);
  for (std::uint32_t corner = 0; corner < mesh.triangles.size() * 3; ++corner) {
    auto& fan = fan_of[mesh.triangles[corner / 3][corner % 3]];
    const auto root = fans.root(corner);
    if (fan == kNone) fan = root;
    if (fan != root) return false;
  }
  return true;
}

std::size_t num_used_vertices(const Mesh& mesh) {
  std::vector<bool> used(mesh.positions.size(), false);
  for (const auto& triangle : mesh.triangles) {
    for (const auto vertex : triangle) used[vertex] = true;
  }
  return static_cast<std::size_t>(std::count(used.begin(), used.end(), true));
}

void measure(const Mesh& mesh, MeshTopology& topology) {
  for (const auto& [a, b, c] : mesh.triangles) {
    const Eigen::Vector3d pa = mesh.positions[a].cast<double>();
    const Eigen::Vector3d pb = mesh.positions[b].cast<double>();
    const Eigen::Vector3d pc = mesh.positions[c].cast<double>();
    topology.signed_volume += pa.dot(pb.cross(pc)) / 6;
    topology.area += (pb - pa).cross(pc - pa).norm() / 2;
  }
}

// Positions in which lengths are what the camera at the origin sees: a step along a ray counts as
// its relative change of distance (less far away), a step across as an angle. The distance runs
// backwards, as in an inversion, which turns planes into spheres: nothing that is flat in space
// stays flat, where it would collapse into large triangles that cannot carry the picture's
// projection. Circles of latitude are widened from cos to cos^(1/8) for the same reason: around a
// pole, texture coordinates do not interpolate between vertices of very different longitude.
std::vector<Eigen::Vector3f> as_seen_from_origin(const Mesh& mesh) {
  constexpr float kWidth = 0.125F;
  constexpr float kFar = 8.0F;     // times the median distance: from here on depth counts less
  constexpr float kRadius = 2.0F;  // of the farthest
  std::vector<float> distances;
  distances.reserve(mesh.positions.size());
  for (const auto& position : mesh.positions) distances.push_back(position.norm());
  auto sorted = distances;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  const float far = kFar * *middle;
  std::vector<Eigen::Vector3f> seen;
  seen.reserve(mesh.positions.size());
  for (std::size_t i = 0; i < distances.size(); ++i) {
    const float distance = std::max(distances[i], 1e-6F * far);
    Eigen::Vector3f direction = mesh.positions[i] / distance;
    const float cosine = std::hypot(direction.x(), direction.z());
    const float widening = cosine > 1e-6F ? std::pow(cosine, kWidth - 1) : 0.0F;
    direction.x() *= widening;
    direction.z() *= widening;
    seen.emplace_back(direction * (kRadius + std::log1p(far / distance)));
  }
  return seen;
}

std::vector<Triangle> simplified(const Mesh& mesh, const std::vector<Eigen::Vector3f>& positions,
                                 std::size_t target_triangles, unsigned int options) {
  constexpr float kAnyError = 1e9F;
  std::vector<Triangle> triangles(mesh.triangles.size());
  const std::size_t num_indices =
      meshopt_simplify(triangles.data()->data(), mesh.triangles.data()->data(),
                       mesh.triangles.size() * 3, positions.data()->data(), positions.size(),
                       sizeof(Eigen::Vector3f), target_triangles * 3, kAnyError, options, nullptr);
  triangles.resize(num_indices / 3);
  return triangles;
}

// Drops what decimation pinched off. A collapse that violates the link condition (meshoptimizer
// does not check it) leaves an edge with four triangles, two of which belong to a pocket of a few
// triangles that is closed but for such edges.
std::vector<Triangle> without_pockets(const Mesh& mesh, std::vector<Triangle> triangles) {
  constexpr std::uint32_t kLargestPocket = 64;
  const auto place = first_at_same_position(mesh.positions);
  Mesh joined;
  joined.triangles = triangles;
  for (auto& triangle : joined.triangles) {
    for (auto& vertex : triangle) vertex = place[vertex];
  }
  DisjointSets pieces(triangles.size());
  std::vector<std::uint32_t> at_pinch;  // triangles at edges of more than two
  for_each_edge(sorted_sides(joined), [&](std::span<const Side> sides) {
    if (sides.size() == 2) pieces.join(sides[0].low_corner / 3, sides[1].low_corner / 3);
    if (sides.size() <= 2) return;
    for (const auto& side : sides) at_pinch.push_back(side.low_corner / 3);
  });
  if (at_pinch.empty()) return triangles;
  std::vector<std::uint32_t> size_of(triangles.size(), 0);
  for (std::uint32_t t = 0; t < triangles.size(); ++t) ++size_of[pieces.root(t)];
  std::vector<bool> is_pocket(triangles.size(), false);
  for (const auto t : at_pinch) {
    is_pocket[pieces.root(t)] = size_of[pieces.root(t)] <= kLargestPocket;
  }
  std::vector<Triangle> kept;
  kept.reserve(triangles.size());
  for (std::uint32_t t = 0; t < triangles.size(); ++t) {
    if (!is_pocket[pieces.root(t)]) kept.push_back(triangles[t]);
  }
  return kept;
}

}  // namespace

Mesh remove_small_components(const Mesh& mesh, std::size_t min_triangles) {
  const auto place = first_at_same_position(mesh.positions);
  DisjointSets pieces(mesh.positions.size());
  for (const auto& [a, b, c] : mesh.triangles) {
    pieces.join(place[a], place[b]);
    pieces.join(place[b], place[c]);
  }
  std::vector<std::size_t> size_of(mesh.positions.size(), 0);
  for (const auto& triangle : mesh.triangles) ++size_of[pieces.root(place[triangle[0]])];
  std::vector<Triangle> kept;
  kept.reserve(mesh.triangles.size());
  for (const auto& triangle : mesh.triangles) {
    if (size_of[pieces.root(place[triangle[0]])] >= min_triangles) kept.push_back(triangle);
  }
  return compact(mesh, std::move(kept));
}

Mesh decimate(const Mesh& mesh, std::size_t target_triangles) {
  if (mesh.triangles.size() <= target_triangles) return mesh;
  // Rims that stay as they are leave little for surfaces where there are many: then they are
  // straightened as well.
  constexpr std::size_t kMostOfTarget = 6;
  const bool keep_rims = analyse(weld(mesh)).boundary_edges <= target_triangles / kMostOfTarget;
  auto triangles = simplified(mesh, as_seen_from_origin(mesh), target_triangles,
                              keep_rims ? meshopt_SimplifyLockBorder : 0);
  return compact(mesh, without_pockets(mesh, std::move(triangles)));
}

Mesh weld(const Mesh& mesh) {
  const auto place = first_at_same_position(mesh.positions);
  Mesh welded;
  welded.positions = mesh.positions;
  std::vector<Triangle> triangles;
  triangles.reserve(mesh.triangles.size());
  for (const auto& triangle : mesh.triangles) {
    const auto a = place[triangle[0]];
    const auto b = place[triangle[1]];
    const auto c = place[triangle[2]];
    if (a != b && b != c && c != a) triangles.push_back({a, b, c});
  }
  return compact(welded, std::move(triangles));
}

MeshTopology analyse(const Mesh& mesh) {
  MeshTopology topology;
  DisjointSets fans(mesh.triangles.size() * 3);
  std::int64_t num_edges = 0;
  for_each_edge(sorted_sides(mesh), [&](std::span<const Side> sides) {
    ++num_edges;
    if (sides.size() == 1) ++topology.boundary_edges;
    if (sides.size() > 2) topology.edge_manifold = false;
    if (sides.size() >= 2 && sides[0].ascends == sides[1].ascends) topology.oriented = false;
    for (const auto& side : sides.subspan(1)) {
      fans.join(sides[0].low_corner, side.low_corner);
      fans.join(sides[0].high_corner, side.high_corner);
    }
  });
  topology.vertex_manifold = one_fan_per_vertex(mesh, fans);
  topology.euler = static_cast<std::int64_t>(num_used_vertices(mesh)) - num_edges +
                   static_cast<std::int64_t>(mesh.triangles.size());
  measure(mesh, topology);
  return topology;
}

PointCloud remove_outliers(const PointCloud& cloud, const OutlierOptions& options) {
  if (cloud.positions.empty()) return cloud;
  // The C interface of the module keeps Open3D's types (and its half second) out of this library.
  const auto find_inliers =
      reinterpret_cast<FindInliers>(module_symbol("open3d", kFindInliersSymbol));
  std::vector<std::uint8_t> keep(cloud.positions.size(), 0);
  std::array<char, 512> failure{};
  const InlierQuery query{cloud.positions.data()->data(), cloud.positions.size(),
                          options.neighbours, options.std_ratio, keep.data()};
  if (!find_inliers(&query, failure.data(), failure.size())) {
    throw Error(fmt::format("cannot remove outliers from {} points: {}", cloud.positions.size(),
                            failure.data()))
        .hint("use at least 1 neighbour and a ratio above 0, or leave them in");
  }
  PointCloud result;
  const auto copy_kept = [&](const auto& from, auto& to) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (keep[i] != 0) to.push_back(from[i]);
    }
  };
  copy_kept(cloud.positions, result.positions);
  copy_kept(cloud.normals, result.normals);
  copy_kept(cloud.colors, result.colors);
  return result;
}

}  // namespace vergence::mesh
