// SPDX-License-Identifier: Apache-2.0
#include "mesh/depth_grid.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"

#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>

namespace vergence::mesh {
namespace {

using projection::SphereWindow;
using projection::TangentView;

constexpr float kHole = std::numeric_limits<float>::quiet_NaN();

// The angles that the picture spans: along a row at the horizon (or the axis) and down a column.
struct Extent {
  double width = 0.0;
  double height = 0.0;
};

Extent extent_of(const PictureRays& rays) {
  if (const auto* window = std::get_if<SphereWindow>(&rays)) {
    return {2 * kPi * window->width / window->full_width,
            kPi * window->height / window->full_height};
  }
  const auto& view = std::get<TangentView>(rays);
  return {2 * std::tan(view.fov_x.value() / 2), 2 * std::tan(view.fov_y.value() / 2)};
}

// A stretch of pixels along one axis and how much of the first and the last one belongs to it.
struct Span {
  double begin = 0.0;
  double end = 0.0;

  [[nodiscard]] int first() const { return static_cast<int>(std::floor(begin)); }

  [[nodiscard]] int last() const { return static_cast<int>(std::ceil(end)) - 1; }

  [[nodiscard]] double weight(int pixel) const {
    return std::min(end, pixel + 1.0) - std::max(begin, static_cast<double>(pixel));
  }
};

// The pixels under cell `index` of `cells`. Never narrower than a pixel: the overlaps of a
// one-pixel span are the weights of linear interpolation, so that one rule serves coarse and fine
// grids.
Span span_of_cell(int index, int cells, int pixels, bool wraps) {
  const double scale = static_cast<double>(pixels) / cells;
  const double half = std::max(1.0, scale) / 2;
  const double centre = (index + 0.5) * scale;
  Span span{centre - half, centre + half};
  if (!wraps) {
    span.begin = std::max(span.begin, 0.0);
    span.end = std::min(span.end, static_cast<double>(pixels));
  }
  return span;
}

struct Sample {
  float distance;
  float weight;
};

class CellSampler {
 public:
  CellSampler(const cv::Mat& distance, const cv::Mat& segments, bool wraps, double step,
              const EdgeRule& rule)
      : distance_(distance),
        segments_(segments),
        wraps_(wraps),
        step_(step),
        rule_(rule) {}

  // The distance of the surface that most of the cell shows, NaN where that is a hole. Only pixels
  // of segment `segment` count.
  float distance_of(const Span& columns, const Span& rows, std::uint8_t segment) {
    gather(columns, rows, segment);
    if (samples_.empty() || weight_of(samples_) < weight_ / 2) return kHole;
    if (samples_.size() == 1) return samples_.front().distance;
    const double middle = median();
    // Inverse distance, because along a row or column it is all but linear on a plane.
    double sum = 0.0;
    double weight = 0.0;
    for (const auto& sample : samples_) {
      const double value = sample.distance;
      if (rule_.is_edge(std::min(value, middle), std::max(value, middle), step_)) continue;
      sum += sample.weight / value;
      weight += sample.weight;
    }
    return static_cast<float>(weight / sum);
  }

 private:
  void gather(const Span& columns, const Span& rows, std::uint8_t segment) {
    samples_.clear();
    weight_ = 0.0;
    for (int y = rows.first(); y <= rows.last(); ++y) {
      const auto* distances = distance_.ptr<float>(y);
      const auto* labels = segments_.empty() ? nullptr : segments_.ptr<std::uint8_t>(y);
      for (int column = columns.first(); column <= columns.last(); ++column) {
        const int x = wraps_ ? (column + distance_.cols) % distance_.cols : column;
        if (labels != nullptr && (labels[x] != 0) != (segment != 0)) continue;
        const double weight = columns.weight(column) * rows.weight(y);
        if (weight < 1e-6) continue;
        weight_ += weight;
        if (std::isfinite(distances[x]) && distances[x] > 0.0F) {
          samples_.push_back({distances[x], static_cast<float>(weight)});
        }
      }
    }
  }

  static double weight_of(const std::vector<Sample>& samples) {
    double sum = 0.0;
    for (const auto& sample : samples) sum += sample.weight;
    return sum;
  }

  double median() {
    std::sort(samples_.begin(), samples_.end(),
              [](const Sample& a, const Sample& b) { return a.distance < b.distance; });
    const double half = weight_of(samples_) / 2 - 1e-6;
    double sum = 0.0;
    for (const auto& sample : samples_) {
      sum += sample.weight;
      if (sum >= half) return sample.distance;
    }
    return samples_.back().distance;
  }

  const cv::Mat& distance_;
  const cv::Mat& segments_;
  bool wraps_;
  double step_;
  const EdgeRule& rule_;
  std::vector<Sample> samples_;
  double weight_ = 0.0;  // of all pixels under the cell, holes too
};

DepthGrid empty_grid(const RayDistance& distance, const PictureRays& rays, int grid_width) {
  DepthGrid grid;
  grid.rays = rays;
  if (const auto* window = std::get_if<SphereWindow>(&rays)) {
    grid.closed = window->wraps();
    grid.north = window->top <= 0;
    grid.south = window->top + window->height >= window->full_height;
  }
  const auto extent = extent_of(rays);
  const int columns = grid_width == 0 ? distance.width() : grid_width;
  const double cells = columns * extent.height / extent.width;
  const int rows =
      grid_width == 0 ? distance.height() : std::max(1, static_cast<int>(std::lround(cells)));
  constexpr int kMostColumns = 32768;
  const int fewest = grid.closed ? 4 : 2;
  if (columns < fewest || columns > kMostColumns || rows > kMostColumns) {
    throw Error(ErrorCode::kUsage, fmt::format("a grid of {} x {} cells is too {} for this picture",
                                               columns, rows, columns < fewest ? "small" : "large"))
        .hint(fmt::format("use {} to {} columns", fewest, kMostColumns));
  }
  grid.distance.create(rows, columns, CV_32FC1);
  grid.step = extent.height / rows;
  return grid;
}

}  // namespace

Eigen::Vector3d DepthGrid::ray(double u, double v) const {
  if (const auto* window = std::get_if<SphereWindow>(&rays)) {
    return direction_at(*window, u * window->width, v * window->height);
  }
  const auto& view = std::get<TangentView>(rays);
  return (view.world_from_view * ray_at(view, u * view.width, v * view.height)).normalized();
}

DepthGrid sample_grid(const RayDistance& distance, const cv::Mat& segments, const PictureRays& rays,
                      int grid_width, const EdgeRule& rule) {
  if (distance.empty()) throw Error("the depth map is empty").hint("give a map with pixels");
  DepthGrid grid = empty_grid(distance, rays, grid_width);
  const cv::Mat& map = distance.values();
  if (!segments.empty()) grid.segments.create(grid.distance.size(), CV_8UC1);
  const double map_step = grid.step * grid.rows() / map.rows;
  std::atomic<bool> any_valid{false};
  parallel_for(0, grid.rows(), [&](int first, int last) {
    CellSampler sampler(map, segments, grid.closed, std::max(grid.step, map_step), rule);
    bool valid = false;
    for (int row = first; row < last; ++row) {
      const Span rows = span_of_cell(row, grid.rows(), map.rows, false);
      const int y = static_cast<int>((row + 0.5) * map.rows / grid.rows());
      for (int column = 0; column < grid.columns(); ++column) {
        const Span columns = span_of_cell(column, grid.columns(), map.cols, grid.closed);
        std::uint8_t segment = 0;
        if (!segments.empty()) {
          const int x = static_cast<int>((column + 0.5) * map.cols / grid.columns());
          segment = segments.at<std::uint8_t>(y, x);
          grid.segments.at<std::uint8_t>(row, column) = segment != 0 ? 1 : 0;
        }
        const float value = sampler.distance_of(columns, rows, segment);
        grid.distance.at<float>(row, column) = value;
        valid = valid || !std::isnan(value);
      }
    }
    if (valid) any_valid = true;
  });
  if (!any_valid) {
    throw Error("the depth map has no valid distance anywhere")
        .hint("check its kind and scale: distances are to be finite and above 0");
  }
  return grid;
}

}  // namespace vergence::mesh
