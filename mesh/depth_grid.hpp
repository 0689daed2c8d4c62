// SPDX-License-Identifier: Apache-2.0
// A map of distances sampled on the grid that meshes, points and splats are made of.
#pragma once

#include "mesh/mesh_from_depth.hpp"

#include <algorithm>

#include <Eigen/Core>
#include <opencv2/core.hpp>

namespace vergence::mesh {

// When two distances cannot lie on one surface (MeshOptions::cut_edges).
struct EdgeRule {
  double rel = 0.03;
  double tan_grazing = 5.671281819617709;  // of 80 degrees

  // `step` is the angle between the two rays, or the largest of several.
  [[nodiscard]] bool is_edge(double nearest, double farthest, double step) const {
    return farthest - nearest > nearest * std::max(rel, tan_grazing * step);
  }
};

struct DepthGrid {
  PictureRays rays;
  cv::Mat distance;     // CV_32FC1 [rows, columns], NaN = hole
  cv::Mat segments;     // CV_8UC1 of the same size, or empty
  double step = 0.0;    // angle between neighbouring rows
  bool closed = false;  // column 0 continues the last one
  bool north = false;   // the picture's upper border is the pole
  bool south = false;

  [[nodiscard]] int columns() const { return distance.cols; }

  [[nodiscard]] int rows() const { return distance.rows; }

  [[nodiscard]] float at(int row, int column) const { return distance.at<float>(row, column); }

  // Unit ray of a point of the picture, u and v in [0, 1] from the top left.
  [[nodiscard]] Eigen::Vector3d ray(double u, double v) const;

  // Unit ray of a cell's centre.
  [[nodiscard]] Eigen::Vector3d ray_of_cell(int row, int column) const {
    return ray((column + 0.5) / columns(), (row + 0.5) / rows());
  }
};

// Samples `distance` (and `segments`, if not empty) at `grid_width` columns as mesh_from_depth()
// says. Throws Error likewise.
[[nodiscard]] DepthGrid sample_grid(const RayDistance& distance, const cv::Mat& segments,
                                    const PictureRays& rays, int grid_width, const EdgeRule& rule);

}  // namespace vergence::mesh
