// SPDX-License-Identifier: Apache-2.0
#include "mesh/mesh_from_depth.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "mesh/depth_grid.hpp"
#include "mesh/topology.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace vergence::mesh {
namespace {

// A vertex that a triangle may use: its index, distance (NaN = hole) and segment.
struct Corner {
  std::uint32_t index = 0;
  float distance = 0.0F;
  std::uint8_t segment = 0;
};

// The triangles of a cell: two, or what an edge or a hole leaves of them.
struct Split {
  std::array<std::array<Corner, 3>, 2> triangles;
  double fold = 0.0;  // how much inverse distance changes along the diagonal
};

class SurfaceBuilder {
 public:
  SurfaceBuilder(const DepthGrid& grid, const MeshOptions& options, const EdgeRule& rule)
      : grid_(grid),
        options_(options),
        rule_(rule) {}

  Mesh build() {
    place_cells();
    place_pole(grid_.north, 0, 0.0);
    place_pole(grid_.south, grid_.rows() - 1, 1.0);
    join_cells();
    if (options_.normals) compute_normals(mesh_, representative_);
    return compact(mesh_, std::move(mesh_.triangles));
  }

 private:
  // A closed sphere repeats column 0 behind the last one.
  [[nodiscard]] int columns() const { return grid_.columns() + (grid_.closed ? 1 : 0); }

  [[nodiscard]] std::uint32_t index_of(int row, int column) const {
    return static_cast<std::uint32_t>(row) * static_cast<std::uint32_t>(columns()) +
           static_cast<std::uint32_t>(column);
  }

  [[nodiscard]] Corner corner(int row, int column) const {
    const int x = column % grid_.columns();
    return {index_of(row, column), grid_.at(row, x),
            grid_.segments.empty() ? std::uint8_t{0} : grid_.segments.at<std::uint8_t>(row, x)};
  }

  void place_cells() {
    const std::size_t count =
        static_cast<std::size_t>(grid_.rows()) * static_cast<std::size_t>(columns());
    mesh_.positions.resize(count);
    mesh_.uvs.resize(count);
    representative_.resize(count);
    parallel_for(0, grid_.rows(), [&](int first, int last) {
      for (int row = first; row < last; ++row) {
        for (int column = 0; column < columns(); ++column) place_cell(row, column);
      }
    });
  }

  void place_cell(int row, int column) {
    const int x = column % grid_.columns();
    const auto i = index_of(row, column);
    mesh_.positions[i] = (grid_.ray_of_cell(row, x) * grid_.at(row, x)).cast<float>();
    // The repeated column would be at u = 1 + half a cell; within [0, 1] every sampler and editor
    // shows the picture, and the half cell missing is less than what one cell smooths.
    const double u = std::min((column + 0.5) / grid_.columns(), 1.0);
    mesh_.uvs[i] = Eigen::Vector2d(u, (row + 0.5) / grid_.rows()).cast<float>();
    representative_[i] = index_of(row, x);
  }

  // One vertex per column at the pole, joined with the ring next to it by a fan.
  void place_pole(bool reached, int ring, double v) {
    if (!reached) return;
    const auto middle = median_corner(ring);
    if (!middle) return;
    const auto first = static_cast<std::uint32_t>(mesh_.positions.size());
    const Eigen::Vector3f position = (grid_.ray(0.5, v) * middle->distance).cast<float>();
    for (int column = 0; column + 1 < columns(); ++column) {
      const Corner pole{first + static_cast<std::uint32_t>(column), middle->distance,
                        middle->segment};
      mesh_.positions.push_back(position);
      mesh_.uvs.emplace_back(static_cast<float>((column + 1.0) / grid_.columns()),
                             static_cast<float>(v));
      representative_.push_back(first);
      const Corner left = corner(ring, column);
      const Corner right = corner(ring, column + 1);
      add_if_whole(v == 0.0 ? std::array{pole, left, right} : std::array{left, pole, right});
    }
  }

  [[nodiscard]] std::optional<Corner> median_corner(int ring) const {
    std::vector<Corner> valid;
    for (int column = 0; column < grid_.columns(); ++column) {
      const Corner candidate = corner(ring, column);
      if (!std::isnan(candidate.distance)) valid.push_back(candidate);
    }
    if (valid.empty()) return std::nullopt;
    const auto middle = valid.begin() + static_cast<std::ptrdiff_t>(valid.size() / 2);
    std::nth_element(valid.begin(), middle, valid.end(),
                     [](const Corner& a, const Corner& b) { return a.distance < b.distance; });
    return *middle;
  }

  void join_cells() {
    mesh_.triangles.reserve(mesh_.triangles.size() + 2 * mesh_.positions.size());
    for (int row = 0; row + 1 < grid_.rows(); ++row) {
      for (int column = 0; column + 1 < columns(); ++column) {
        add_quad(corner(row, column), corner(row, column + 1), corner(row + 1, column),
                 corner(row + 1, column + 1));
      }
    }
  }

  // Splits along the diagonal that follows the surface's fold; at an edge, along the one that saves
  // more triangles.
  void add_quad(const Corner& top_left, const Corner& top_right, const Corner& bottom_left,
                const Corner& bottom_right) {
    const auto fold = [](const Corner& a, const Corner& b) {
      return std::abs(1.0 / a.distance - 1.0 / b.distance);
    };
    std::array<Split, 2> splits{
        Split{{{{top_left, bottom_left, top_right}, {top_right, bottom_left, bottom_right}}},
              fold(top_right, bottom_left)},
        Split{{{{top_left, bottom_left, bottom_right}, {top_left, bottom_right, top_right}}},
              fold(top_left, bottom_right)}};
    if (splits[1].fold < splits[0].fold) std::swap(splits[0], splits[1]);
    const auto num_whole = [&](const Split& split) {
      return static_cast<int>(is_whole(split.triangles[0])) +
             static_cast<int>(is_whole(split.triangles[1]));
    };
    const int num_first = num_whole(splits[0]);
    const Split& split =
        num_first == 2 || num_first >= num_whole(splits[1]) ? splits[0] : splits[1];
    for (const auto& triangle : split.triangles) add_if_whole(triangle);
  }

  void add_if_whole(const std::array<Corner, 3>& corners) {
    if (is_whole(corners)) {
      mesh_.triangles.push_back({corners[0].index, corners[1].index, corners[2].index});
    }
  }

  [[nodiscard]] bool is_whole(const std::array<Corner, 3>& corners) const {
    const auto& [a, b, c] = corners;
    if (std::isnan(a.distance + b.distance + c.distance)) return false;
    if (a.segment != b.segment || b.segment != c.segment) return false;
    if (!options_.cut_edges) return true;
    const auto [nearest, farthest] = std::minmax({a.distance, b.distance, c.distance});
    return !rule_.is_edge(nearest, farthest, grid_.step);
  }

  const DepthGrid& grid_;
  const MeshOptions& options_;
  const EdgeRule& rule_;
  Mesh mesh_;
  std::vector<std::uint32_t> representative_;  // of vertices at one place, for shared normals
};

}  // namespace

Mesh mesh_from_depth(const RayDistance& distance, const PictureRays& rays,
                     const MeshOptions& options) {
  if (!(options.edge_rel >= 0.0) || !(options.edge_grazing.value() >= 0.0) ||
      !(options.edge_grazing.value() < kPi / 2)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("edges cannot be cut at a relative jump of {} and {} degrees",
                            options.edge_rel, options.edge_grazing.degrees()))
        .hint("use a jump of at least 0 and an angle in [0, 90)");
  }
  const EdgeRule rule{options.edge_rel, std::tan(options.edge_grazing.value())};
  const DepthGrid grid = sample_grid(distance, options.segments, rays, options.grid_width, rule);
  return SurfaceBuilder(grid, options, rule).build();
}

}  // namespace vergence::mesh
