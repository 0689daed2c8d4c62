// SPDX-License-Identifier: Apache-2.0
// What a PictureModel is made of, for those who sample its pictures. Internal to projection/.
#pragma once

#include "projection/picture_model.hpp"
#include "projection/projections.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::projection {

// Directions are looked up in blocks, so that loops use vectors and stay in the first cache.
inline constexpr std::size_t kLookUpBlock = 256;

struct LocatedBlock {
  std::array<float, kLookUpBlock> x;
  std::array<float, kLookUpBlock> y;
  std::array<int, kLookUpBlock> chart;
  std::array<int, kLookUpBlock> seen;
};

// One continuous mapping of directions to pixels; dual fisheyes have two, one of which looks back.
struct Lens {
  Projection projection;
  bool back;                     // looks to +Z, its +X to the sphere's -X
  std::vector<cv::Rect> charts;  // whose pixels are neighbours: the picture, or a cube's faces

  void locate(std::span<const cv::Point3f> directions, LocatedBlock& block) const;
};

struct PictureModel::Model {
  PictureKind kind;
  cv::Size size;
  std::vector<Lens> lenses;  // one, or front and back
  Radians lens_fov;          // of dual fisheyes
  // What lies beyond the borders: after so many columns the picture repeats itself (0 = never), and
  // beyond its first or last row come the rows again, half a turn away.
  int turn_columns = 0;
  bool pole_above = false;
  bool pole_below = false;

  // The pixel that shows best what would stand at (x, y), a pixel beyond the border of a chart.
  [[nodiscard]] cv::Point neighbour(const Lens& lens, int chart, int x, int y) const;

  // The front lens's share of what is seen in a direction where there are two, 0..1: linear in how
  // far inside the rims of both it lies.
  [[nodiscard]] float front_share(const cv::Point3f& direction) const;

  [[nodiscard]] const Lens& lens_at(double x) const;

  // Sets turn_columns, pole_above and pole_below.
  void find_edges();
};

}  // namespace vergence::projection
