// SPDX-License-Identifier: Apache-2.0
#include "stereo/parallax.hpp"

#include "core/parallel.hpp"
#include "stereo/nearness.hpp"

#include <algorithm>
#include <cmath>

#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

// Fades the columns at both sides to 0. The width of the ramp is iw3's: 0.75 * divergence.
void fade_borders(float divergence, cv::Mat& parallax) {
  const int border = std::min(
      parallax.cols / 2, static_cast<int>(std::lround(0.75 * divergence / 100.0 * parallax.cols)));
  for (int i = 0; i < border; ++i) {
    const double weight = border > 1 ? static_cast<double>(i) / (border - 1) : 0.0;
    for (const int x : {i, parallax.cols - 1 - i}) {
      cv::Mat column = parallax.col(x);
      column *= weight;
    }
  }
}

}  // namespace

float parallax_range_px(cv::Size picture, const ParallaxOptions& options) {
  const auto long_side = static_cast<float>(std::max(picture.width, picture.height));
  const float both_eyes = options.divergence / 100.0F * long_side;
  return options.synthetic_view == SyntheticView::kBoth ? both_eyes * 0.5F : both_eyes;
}

cv::Mat parallax_from_nearness(const cv::Mat& nearness, cv::Size picture,
                               const ParallaxOptions& options) {
  const float range = parallax_range_px(picture, options);
  cv::Mat parallax = resize_nearness(nearness, picture);
  const float screen = range * options.convergence;
  for (int y = 0; y < parallax.rows; ++y) {
    float* const row = parallax.ptr<float>(y);
    for (int x = 0; x < parallax.cols; ++x) row[x] = row[x] * range - screen;
  }
  if (options.preserve_screen_border) {
    const bool both = options.synthetic_view == SyntheticView::kBoth;
    fade_borders(both ? options.divergence : 2.0F * options.divergence, parallax);
  }
  return parallax;
}

void sharpen_rims(double enlargement, cv::Mat& parallax_px) {
  if (!(enlargement > 1.0)) return;
  constexpr float kLeastSpan = 1.0F;
  const int reach = std::max(1, static_cast<int>(std::lround(0.7 * enlargement)));
  const cv::Mat around = cv::Mat::ones(2 * reach + 1, 2 * reach + 1, CV_8UC1);
  cv::Mat nearest;
  cv::Mat farthest;
  cv::dilate(parallax_px, nearest, around);
  cv::erode(parallax_px, farthest, around);
  parallel_for(0, parallax_px.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const float* const high = nearest.ptr<float>(y);
      const float* const low = farthest.ptr<float>(y);
      float* const row = parallax_px.ptr<float>(y);
      for (int x = 0; x < parallax_px.cols; ++x) {
        const float end = row[x] - low[x] > high[x] - row[x] ? high[x] : low[x];
        row[x] = high[x] - low[x] > kLeastSpan ? end : row[x];
      }
    }
  });
}

cv::Mat parallax_out_of_screen(const cv::Mat& nearness, float parallax_px) {
  return nearness * parallax_px;
}

cv::Mat parallax_from_disparity(const cv::Mat& disparity_px) {
  cv::Mat parallax = disparity_px.clone();
  cv::patchNaNs(parallax, 0.0);
  return parallax;
}

}  // namespace vergence::stereo
