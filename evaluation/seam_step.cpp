// SPDX-License-Identifier: Apache-2.0
#include "evaluation/seam_step.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace vergence::evaluation {
namespace {

// The step from each column to the next one, round the circle; NaN where no row is valid on both
// sides. Element W-1 is the seam.
std::vector<double> column_steps(const cv::Mat& distance) {
  const auto width = static_cast<std::size_t>(distance.cols);
  std::vector<double> sums(width, 0.0);
  std::vector<int> counts(width, 0);
  std::vector<double> logs(width);
  for (int y = 0; y < distance.rows; ++y) {
    const auto* row = distance.ptr<float>(y);
    for (std::size_t x = 0; x < width; ++x) {
      const double value = row[x];
      logs[x] = std::isfinite(value) && value > 0.0 ? std::log(value)
                                                    : std::numeric_limits<double>::quiet_NaN();
    }
    for (std::size_t x = 0; x < width; ++x) {
      const double step = std::abs(logs[x + 1 == width ? 0 : x + 1] - logs[x]);
      if (std::isnan(step)) continue;
      sums[x] += step;
      ++counts[x];
    }
  }
  for (std::size_t x = 0; x < width; ++x) sums[x] /= counts[x];  // 0 / 0 = NaN
  return sums;
}

double percentile_of_sorted(const std::vector<double>& sorted, double fraction) {
  const double position = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

}  // namespace

std::optional<SeamStep> measure_seam_step(const RayDistance& panorama) {
  if (panorama.width() < 3) return std::nullopt;
  std::vector<double> others = column_steps(panorama.values());
  const double seam = others.back();
  others.pop_back();
  std::erase_if(others, [](double step) { return std::isnan(step); });
  if (std::isnan(seam) || others.empty()) return std::nullopt;
  std::sort(others.begin(), others.end());

  SeamStep result;
  result.seam = seam;
  result.mean =
      std::accumulate(others.begin(), others.end(), 0.0) / static_cast<double>(others.size());
  result.percentile_95 = percentile_of_sorted(others, 0.95);
  result.max = others.back();
  result.rank =
      1 + static_cast<int>(others.end() - std::upper_bound(others.begin(), others.end(), seam));
  result.num_steps = static_cast<int>(others.size()) + 1;
  return result;
}

}  // namespace vergence::evaluation
