// SPDX-License-Identifier: Apache-2.0
#include "stereo/rim_refinement.hpp"

#include "core/parallel.hpp"
#include "stereo/pixel.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace vergence::stereo {
namespace {

// A step of the parallax within 3 x 3 pixels that counts as a rim, pixels.
constexpr float kRimStep = 0.6F;

// A far pixel stays where it is if its colour, on the line from the far mean (0) to the near mean
// (1), is below -kBeyond plus kSpread standard deviations of its far neighbours.
constexpr float kBeyond = -0.1F;
constexpr float kSpread = 0.5F;

// Squared colour distance (8-bit levels) at which noise makes that line meaningless.
constexpr float kNoise = 50.0F;

// Nine pixels around one, as pointers to their colours and their parallaxes.
template <class T>
struct Neighbourhood {
  std::array<const T*, 9> colour;
  std::array<float, 9> parallax;
};

constexpr int kCentre = 4;

template <int kChannels, class T>
float dot_from(const T* pixel, const std::array<float, kChannels>& origin,
               const std::array<float, kChannels>& direction) {
  float sum = 0.0F;
  for (int c = 0; c < kChannels; ++c) {
    const auto i = static_cast<std::size_t>(c);
    sum += (static_cast<float>(pixel[c]) - origin[i]) * direction[i];
  }
  return sum;
}

// Whether the far pixel in the centre belongs to the near side, by colour.
template <class T, int kChannels>
bool joins_near(const Neighbourhood<T>& around, float split) {
  std::array<float, kChannels> near{};
  std::array<float, kChannels> far{};
  float num_near = 0.0F;
  float num_far = 0.0F;
  for (std::size_t i = 0; i < 9; ++i) {
    if (i == kCentre) continue;
    const bool is_near = around.parallax[i] > split;
    (is_near ? num_near : num_far) += 1.0F;
    auto& mean = is_near ? near : far;
    for (int c = 0; c < kChannels; ++c) {
      mean[static_cast<std::size_t>(c)] += static_cast<float>(around.colour[i][c]);
    }
  }
  if (num_near == 0.0F || num_far == 0.0F) return false;
  float length2 = 0.0F;
  for (std::size_t c = 0; c < kChannels; ++c) {
    far[c] /= num_far;
    near[c] = near[c] / num_near - far[c];
    length2 += near[c] * near[c];
  }
  float spread2 = 0.0F;
  for (std::size_t i = 0; i < 9; ++i) {
    if (i == kCentre || around.parallax[i] > split) continue;
    const float along = dot_from<kChannels>(around.colour[i], far, near);
    spread2 += along * along;
  }
  const float level = kFullScale<T> / 255.0F;
  const float along = dot_from<kChannels>(around.colour[kCentre], far, near);
  return along - kSpread * std::sqrt(spread2 / num_far) >
         kBeyond * (length2 + kNoise * level * level);
}

// Three rows of the parallax and the picture around row y.
template <class T>
struct Rows {
  std::array<const T*, 3> colour;
  std::array<const float*, 3> parallax;
};

template <class T, int kChannels>
float refined_value(const Rows<T>& rows, const std::array<int, 3>& columns) {
  Neighbourhood<T> around;
  float nearest = rows.parallax[0][columns[0]];
  float farthest = nearest;
  for (std::size_t i = 0; i < 9; ++i) {
    const int x = columns[i % 3];
    around.colour[i] = rows.colour[i / 3] + x * kChannels;
    around.parallax[i] = rows.parallax[i / 3][x];
    nearest = std::max(nearest, around.parallax[i]);
    farthest = std::min(farthest, around.parallax[i]);
  }
  const float split = (nearest + farthest) * 0.5F;
  const float own = around.parallax[kCentre];
  return own <= split && joins_near<T, kChannels>(around, split) ? nearest : own;
}

// The largest of the 3 x 3 values around each pixel of a row.
void neighbourhood_maxima(const std::array<const float*, 3>& rows, int width, bool wrap,
                          float* maxima) {
  const auto column_maximum = [&rows](int x) {
    return std::max(std::max(rows[0][x], rows[1][x]), rows[2][x]);
  };
  for (int x = 1; x + 1 < width; ++x) {
    maxima[x] = std::max(std::max(column_maximum(x - 1), column_maximum(x)), column_maximum(x + 1));
  }
  const int before = wrap ? width - 1 : 0;
  const int after = wrap ? 0 : width - 1;
  const int last = width - 1;
  maxima[0] = std::max(std::max(column_maximum(before), column_maximum(0)),
                       column_maximum(std::min(1, last)));
  maxima[last] = std::max(std::max(column_maximum(std::max(0, last - 1)), column_maximum(last)),
                          column_maximum(after));
}

// The next pixel from `begin` on that has a much nearer one beside it, or `end`; the values before
// it are copied to `nearest`.
int next_rim(float* nearest, const float* own, int begin, int end) {
  constexpr int kBlock = 16;
  int x = begin;
  for (; x + kBlock <= end; x += kBlock) {
    int any = 0;
    for (int i = 0; i < kBlock; ++i) {
      any |= static_cast<int>(nearest[x + i] - own[x + i] > kRimStep);
    }
    if (any != 0) break;
    std::copy_n(own + x, kBlock, nearest + x);
  }
  while (x < end && nearest[x] - own[x] <= kRimStep) {
    nearest[x] = own[x];
    ++x;
  }
  return x;
}

template <class T, int kChannels>
void refine_rows(const cv::Mat& picture, const cv::Mat& parallax, bool wrap, cv::Mat& refined,
                 cv::Range range) {
  const int width = parallax.cols;
  for (int y = range.start; y < range.end; ++y) {
    Rows<T> rows;
    for (int i = 0; i < 3; ++i) {
      const int row = std::clamp(y + i - 1, 0, parallax.rows - 1);
      rows.colour[static_cast<std::size_t>(i)] = picture.ptr<T>(row);
      rows.parallax[static_cast<std::size_t>(i)] = parallax.ptr<float>(row);
    }
    const float* const own = rows.parallax[1];
    float* const out = refined.ptr<float>(y);
    neighbourhood_maxima(rows.parallax, width, wrap, out);
    for (int x = 0; x < width; ++x) {
      x = next_rim(out, own, x, width);
      if (x == width) break;
      const int left = x > 0 ? x - 1 : (wrap ? width - 1 : 0);
      const int right = x + 1 < width ? x + 1 : (wrap ? 0 : x);
      out[x] = refined_value<T, kChannels>(rows, {left, x, right});
    }
  }
}

}  // namespace

void refine_rims(const cv::Mat& picture, const cv::Mat& parallax_px, bool wrap, cv::Mat& refined) {
  refined.create(parallax_px.size(), CV_32FC1);
  with_pixel_type(picture.type(), [&]<class T, int kChannels>() {
    parallel_for(
        0, picture.rows,
        [&](int first, int last) {
          refine_rows<T, kChannels>(picture, parallax_px, wrap, refined, {first, last});
        },
        32);
  });
}

}  // namespace vergence::stereo
