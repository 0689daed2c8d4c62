// SPDX-License-Identifier: Apache-2.0
#include "alignment/blend_views.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>

namespace vergence::alignment {
namespace {

constexpr double kKneeOfMedian = 0.3;
constexpr float kFloorOfMedian = 0.02F;

// Values of a grid of control points that sit on the borders of the view, bilinear.
float grid_value(const cv::Mat& grid, float u, float v) {
  const float across = u * static_cast<float>(grid.cols - 1);
  const float down = v * static_cast<float>(grid.rows - 1);
  const int column = std::min(static_cast<int>(across), grid.cols - 2);
  const int row = std::min(static_cast<int>(down), grid.rows - 2);
  const float fx = across - static_cast<float>(column);
  const float fy = down - static_cast<float>(row);
  const auto* upper = grid.ptr<float>(row) + column;
  const auto* lower = grid.ptr<float>(row + 1) + column;
  const float a = upper[0] + fx * (upper[1] - upper[0]);
  const float b = lower[0] + fx * (lower[1] - lower[0]);
  return a + fy * (b - a);
}

cv::Mat compressed_values(const PreparedView& prepared, const ViewFit& fit, FitDomain domain,
                          const Compression& compression, const cv::Mat& grid) {
  const cv::Size size = prepared.normalised.size();
  cv::Mat result(size, CV_32FC1);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      const double length = projection::ray_at(prepared.view, x + 0.5, y + 0.5).norm();
      const double factor = domain == FitDomain::kInverse ? 1.0 / length : length;
      const double fitted = factor * (fit.scale * prepared.normalised.at<float>(y, x) + fit.shift);
      // A distance of 0 or less, which a noisy forward map may hold, is taken as very near.
      double inverse = domain == FitDomain::kInverse ? fitted : 1.0 / std::max(fitted, 1e-3);
      if (!grid.empty()) {
        const float logarithm =
            grid_value(grid, (static_cast<float>(x) + 0.5F) / static_cast<float>(size.width),
                       (static_cast<float>(y) + 0.5F) / static_cast<float>(size.height));
        inverse *= std::exp(domain == FitDomain::kInverse ? logarithm : -logarithm);
      }
      result.at<float>(y, x) = compression.compress(static_cast<float>(inverse));
    }
  }
  return result;
}

}  // namespace

Compression::Compression(double median)
    : knee_(static_cast<float>(kKneeOfMedian * median)),
      floor_(static_cast<float>(kFloorOfMedian * median)) {}

float Compression::compress(float q) const {
  return std::asinh(q / knee_);
}

float Compression::restore(float u) const {
  return knee_ * std::sinh(u);
}

float Compression::expand(float u) const {
  const float q = restore(u);
  return q >= floor_ ? q : floor_ * std::exp(std::max(q / floor_ - 1.0F, -3.0F));
}

void Compression::expand(cv::Mat& compressed) const {
  parallel_for(0, compressed.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      auto* row = compressed.ptr<float>(y);
      for (int x = 0; x < compressed.cols; ++x) row[x] = expand(row[x]);
    }
  });
}

double Compression::spread_at(double q) const {
  return std::hypot(q, static_cast<double>(knee_));
}

double median_inverse(const PreparedViews& prepared, const GlobalFit& fit) {
  return prepared.domain == FitDomain::kInverse ? fit.median : 1.0 / fit.median;
}

std::vector<BlendView> blend_views(const PreparedViews& prepared, const std::vector<ViewFit>& fits,
                                   const std::vector<cv::Mat>& grids,
                                   const Compression& compression) {
  std::vector<BlendView> result;
  for (std::size_t i = 0; i < prepared.views.size(); ++i) {
    const auto& view = prepared.views[i];
    if (view.normalised.empty()) continue;
    result.push_back({.view = view.view,
                      .value = compressed_values(view, fits[i], prepared.domain, compression,
                                                 grids.empty() ? cv::Mat() : grids[i]),
                      .confidence = view.confidence,
                      .trust = static_cast<float>(fits[i].weight),
                      .edge_weight = {},
                      .index = i});
  }
  return result;
}

}  // namespace vergence::alignment
