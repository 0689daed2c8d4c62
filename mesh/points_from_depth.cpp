// SPDX-License-Identifier: Apache-2.0
#include "core/parallel.hpp"
#include "mesh/depth_grid.hpp"
#include "mesh/mesh_from_depth.hpp"

#include <cmath>

#include <Eigen/Geometry>
#include <opencv2/imgproc.hpp>

namespace vergence::mesh {
namespace {

struct Cell {
  int row = 0;
  int column = 0;
};

std::vector<Cell> chosen_cells(const DepthGrid& grid, bool thin_poles) {
  std::vector<Cell> cells;
  const bool thin = thin_poles && std::holds_alternative<projection::SphereWindow>(grid.rays);
  for (int row = 0; row < grid.rows(); ++row) {
    int count = grid.columns();
    if (thin) {
      const Eigen::Vector3d ray = grid.ray_of_cell(row, 0);
      count = std::max(1, static_cast<int>(std::lround(count * std::hypot(ray.x(), ray.z()))));
    }
    for (int i = 0; i < count; ++i) {
      const int column = static_cast<int>((i + 0.5) * grid.columns() / count);
      if (!std::isnan(grid.at(row, column))) cells.push_back({row, column});
    }
  }
  return cells;
}

Eigen::Vector3d position_of(const DepthGrid& grid, const Cell& cell) {
  return grid.ray_of_cell(cell.row, cell.column) * grid.at(cell.row, cell.column);
}

// From the cell to whichever of its two neighbours is nearer in inverse distance, so that a tangent
// does not reach over an edge; zero where there is neither.
Eigen::Vector3d tangent(const DepthGrid& grid, const Cell& cell, int down, int right) {
  const double here = 1.0 / grid.at(cell.row, cell.column);
  Eigen::Vector3d best = Eigen::Vector3d::Zero();
  double smallest = std::numeric_limits<double>::infinity();
  for (const int sign : {1, -1}) {
    Cell other{cell.row + sign * down, cell.column + sign * right};
    if (grid.closed) other.column = (other.column + grid.columns()) % grid.columns();
    if (other.row < 0 || other.row >= grid.rows() || other.column < 0 ||
        other.column >= grid.columns()) {
      continue;
    }
    const double jump = std::abs(1.0 / grid.at(other.row, other.column) - here);
    if (jump < smallest) {
      smallest = jump;
      best = sign * (position_of(grid, other) - position_of(grid, cell));
    }
  }
  return best;
}

Eigen::Vector3d normal_of(const DepthGrid& grid, const Cell& cell) {
  const Eigen::Vector3d ray = grid.ray_of_cell(cell.row, cell.column);
  const Eigen::Vector3d normal = tangent(grid, cell, 1, 0).cross(tangent(grid, cell, 0, 1));
  const double length = normal.norm();
  if (!(length > 0.0)) return -ray;
  return normal.dot(ray) > 0.0 ? Eigen::Vector3d(-normal / length)
                               : Eigen::Vector3d(normal / length);
}

std::vector<Rgb8> colors_of(const DepthGrid& grid, const cv::Mat& rgb,
                            const std::vector<Cell>& cells) {
  cv::Mat picture;
  const bool shrinks = rgb.cols > grid.columns();
  cv::resize(rgb, picture, grid.distance.size(), 0, 0, shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  std::vector<Rgb8> colors;
  colors.reserve(cells.size());
  for (const auto& cell : cells) {
    const auto& pixel = picture.at<cv::Vec3b>(cell.row, cell.column);
    colors.push_back({pixel[0], pixel[1], pixel[2]});
  }
  return colors;
}

template <typename Body>
void for_each_cell(const std::vector<Cell>& cells, const Body& body) {
  constexpr int kGrain = 4096;
  parallel_for(
      0, static_cast<int>(cells.size()),
      [&](int first, int last) {
        for (int i = first; i < last; ++i) {
          const auto index = static_cast<std::size_t>(i);
          body(index, cells[index]);
        }
      },
      kGrain);
}

// Axes and scales of the disc that covers a cell: longer where the surface is seen at a slant.
struct Disc {
  Eigen::Vector3f scales;
  Eigen::Vector4f rotation;
};

Disc disc_of(const DepthGrid& grid, const Cell& cell) {
  constexpr double kOverlap = 1.2;
  constexpr double kThickness = 0.1;
  constexpr double kLongest = 5.0;  // times the width: grazing surfaces would become needles
  const Eigen::Vector3d ray = grid.ray_of_cell(cell.row, cell.column);
  const Eigen::Vector3d normal = normal_of(grid, cell);
  const double cosine = std::abs(normal.dot(ray));
  Eigen::Vector3d slant = ray - normal.dot(ray) * normal;
  slant = slant.norm() > 1e-6 ? slant.normalized() : normal.unitOrthogonal();
  Eigen::Matrix3d axes;
  axes << slant, normal.cross(slant), normal;
  const Eigen::Quaterniond rotation(axes);
  const double width = grid.at(cell.row, cell.column) * grid.step / kOverlap;
  const Eigen::Vector3d scales(width / std::max(cosine, 1.0 / kLongest), width, width * kThickness);
  return {scales.cast<float>(),
          Eigen::Vector4d(rotation.w(), rotation.x(), rotation.y(), rotation.z()).cast<float>()};
}

}  // namespace

PointCloud points_from_depth(const RayDistance& distance, const cv::Mat& rgb,
                             const PictureRays& rays, const PointOptions& options) {
  const DepthGrid grid = sample_grid(distance, {}, rays, options.grid_width, {});
  const auto cells = chosen_cells(grid, options.thin_poles);
  PointCloud cloud;
  cloud.positions.resize(cells.size());
  if (options.normals) cloud.normals.resize(cells.size());
  for_each_cell(cells, [&](std::size_t i, const Cell& cell) {
    cloud.positions[i] = position_of(grid, cell).cast<float>();
    if (options.normals) cloud.normals[i] = normal_of(grid, cell).cast<float>();
  });
  if (!rgb.empty()) cloud.colors = colors_of(grid, rgb, cells);
  return cloud;
}

Splats splats_from_depth(const RayDistance& distance, const cv::Mat& rgb, const PictureRays& rays,
                         const PointOptions& options) {
  const DepthGrid grid = sample_grid(distance, {}, rays, options.grid_width, {});
  const auto cells = chosen_cells(grid, options.thin_poles);
  Splats splats;
  splats.positions.resize(cells.size());
  splats.scales.resize(cells.size());
  splats.rotations.resize(cells.size());
  for_each_cell(cells, [&](std::size_t i, const Cell& cell) {
    const Disc disc = disc_of(grid, cell);
    splats.positions[i] = position_of(grid, cell).cast<float>();
    splats.scales[i] = disc.scales;
    splats.rotations[i] = disc.rotation;
  });
  splats.colors = rgb.empty() ? std::vector<Rgb8>(cells.size(), Rgb8{128, 128, 128})
                              : colors_of(grid, rgb, cells);
  return splats;
}

}  // namespace vergence::mesh
