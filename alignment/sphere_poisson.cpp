// SPDX-License-Identifier: Apache-2.0
#include "alignment/sphere_poisson.hpp"

#include "core/angle.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace vergence::alignment {
namespace {

// The finite-volume coefficients of a row, for steps of `step` radians in latitude and a longitude
// step that is `aspect` latitude steps.
struct Row {
  double across;  // weight of the neighbours in the row
  double above;   // weight of the row above; 0 at the pole
  double below;
  double screen;
};

std::vector<Row> rows_of(int width, int height, double screening) {
  const double step = kPi / height;
  const double aspect = 2.0 * kPi / width / step;  // longitude step / latitude step
  std::vector<Row> rows(static_cast<std::size_t>(height));
  for (int y = 0; y < height; ++y) {
    const double latitude = kPi / 2.0 - (y + 0.5) * step;
    // Length of a cell's side over the distance between the cell centres it separates.
    rows[static_cast<std::size_t>(y)] = {
        .across = 1.0 / (std::cos(latitude) * aspect),
        .above = y == 0 ? 0.0 : std::cos(latitude + step / 2.0) * aspect,
        .below = y + 1 == height ? 0.0 : std::cos(latitude - step / 2.0) * aspect,
        .screen = screening * step * step * std::cos(latitude) * aspect};
  }
  return rows;
}

// The divergence form of the data minus that of the base: the right-hand side for u - base, which
// is small, so that float precision is enough. Turns the gradients into residual gradients first.
cv::Mat right_hand_side(const cv::Mat& base, cv::Mat& gradient_x, cv::Mat& gradient_y,
                        const std::vector<Row>& rows) {
  const int width = base.cols;
  const int height = base.rows;
  parallel_for(0, height, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const auto* here = base.ptr<float>(y);
      const auto* next = base.ptr<float>(std::min(y + 1, height - 1));
      auto* gx = gradient_x.ptr<float>(y);
      auto* gy = gradient_y.ptr<float>(y);
      for (int x = 0; x + 1 < width; ++x) gx[x] -= here[x + 1] - here[x];
      gx[width - 1] -= here[0] - here[width - 1];
      for (int x = 0; x < width; ++x) gy[x] -= next[x] - here[x];
    }
  });
  cv::Mat right(base.size(), CV_32FC1);
  parallel_for(0, height, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const auto& row = rows[static_cast<std::size_t>(y)];
      const auto across = static_cast<float>(row.across);
      const auto above = static_cast<float>(row.above);
      const auto below = static_cast<float>(row.below);
      const auto* gx = gradient_x.ptr<float>(y);
      const auto* gy = gradient_y.ptr<float>(y);
      const auto* gy_above = gradient_y.ptr<float>(std::max(y - 1, 0));
      auto* target = right.ptr<float>(y);
      for (int x = 0; x < width; ++x) {
        const float left = gx[x == 0 ? width - 1 : x - 1];
        target[x] = across * (left - gx[x]) + above * gy_above[x] - below * gy[x];
      }
    }
  });
  return right;
}

// One tridiagonal system per column of packed DFT coefficients (Thomas algorithm), for columns
// [first, last): `spectrum` holds the right-hand sides and becomes the solutions.
void solve_columns(cv::Mat& spectrum, cv::Mat& ratios, const std::vector<Row>& rows, int first,
                   int last) {
  const int width = spectrum.cols;
  const int height = spectrum.rows;
  std::vector<float> across_factor(static_cast<std::size_t>(last - first));
  for (int column = first; column < last; ++column) {
    const int frequency = (column + 1) / 2;  // packed: Re0, Re1, Im1, Re2, Im2, ..., [Re W/2]
    across_factor[static_cast<std::size_t>(column - first)] =
        static_cast<float>(2.0 - 2.0 * std::cos(2.0 * kPi * frequency / width));
  }
  for (int y = 0; y < height; ++y) {
    const auto& row = rows[static_cast<std::size_t>(y)];
    const auto across = static_cast<float>(row.across);
    const auto above = static_cast<float>(row.above);
    const auto below = static_cast<float>(row.below);
    const auto diagonal = static_cast<float>(row.above + row.below + row.screen);
    auto* value = spectrum.ptr<float>(y);
    auto* ratio = ratios.ptr<float>(y);
    const auto* value_above = spectrum.ptr<float>(std::max(y - 1, 0));
    const auto* ratio_above = ratios.ptr<float>(std::max(y - 1, 0));
    for (int x = first; x < last; ++x) {
      const float previous_ratio = y == 0 ? 0.0F : ratio_above[x];
      const float previous_value = y == 0 ? 0.0F : value_above[x];
      const float pivot = across * across_factor[static_cast<std::size_t>(x - first)] + diagonal -
                          above * previous_ratio;
      ratio[x] = below / pivot;
      value[x] = (value[x] + above * previous_value) / pivot;
    }
  }
  for (int y = height - 2; y >= 0; --y) {
    auto* value = spectrum.ptr<float>(y);
    const auto* ratio = ratios.ptr<float>(y);
    const auto* value_below = spectrum.ptr<float>(y + 1);
    for (int x = first; x < last; ++x) value[x] += ratio[x] * value_below[x];
  }
}

void transform_rows(cv::Mat& map, int flags) {
  parallel_for(
      0, map.rows,
      [&](int first, int last) {
        cv::Mat rows = map.rowRange(first, last);
        cv::dft(rows, rows, flags | cv::DFT_ROWS);
      },
      16);
}

}  // namespace

cv::Mat solve_sphere_poisson(const cv::Mat& base, cv::Mat& gradient_x, cv::Mat& gradient_y,
                             double screening) {
  const auto rows = rows_of(base.cols, base.rows, screening);
  cv::Mat spectrum = right_hand_side(base, gradient_x, gradient_y, rows);
  transform_rows(spectrum, 0);
  cv::Mat& ratios = gradient_x;  // no longer needed
  // Blocks of columns fill a cache line or more each, so that the sweeps down the rows stream.
  constexpr int kColumns = 128;
  const int num_blocks = (base.cols + kColumns - 1) / kColumns;
  parallel_for(
      0, num_blocks,
      [&](int first, int last) {
        solve_columns(spectrum, ratios, rows, first * kColumns,
                      std::min(last * kColumns, base.cols));
      },
      1);
  transform_rows(spectrum, cv::DFT_INVERSE | cv::DFT_SCALE);
  spectrum += base;
  return spectrum;
}

}  // namespace vergence::alignment
