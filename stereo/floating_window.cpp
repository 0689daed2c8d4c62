// SPDX-License-Identifier: Apache-2.0
#include "stereo/floating_window.hpp"

#include "stereo/pixel.hpp"

#include <algorithm>
#include <cmath>

namespace vergence::stereo {
namespace {

constexpr float kWidestShare = 0.05F;

float bar_width(float disparity_px, int width_px) {
  const float widest = kWidestShare * static_cast<float>(width_px);
  return disparity_px > 0.0F ? std::min(disparity_px, widest) : 0.0F;
}

template <class T, int kChannels>
void darken(cv::Mat& view, int column, float light) {
  for (int y = 0; y < view.rows; ++y) {
    T* const pixel = view.ptr<T>(y) + column * kChannels;
    for (int c = 0; c < std::min(kChannels, 3); ++c) {
      pixel[c] = rounded<T>(light * static_cast<float>(pixel[c]));
    }
  }
}

}  // namespace

WindowBars window_bars(float left_disparity_px, float right_disparity_px, int width_px) {
  return {bar_width(left_disparity_px, width_px), bar_width(right_disparity_px, width_px)};
}

void draw_window_bar(const WindowBars& bars, Eye eye, cv::Mat& view) {
  const float width = eye == Eye::kLeft ? bars.left : bars.right;
  const int reach = std::min(view.cols, static_cast<int>(std::ceil(std::max(0.0F, width))));
  with_pixel_type(view.type(), [&]<class T, int kChannels>() {
    for (int i = 0; i < reach; ++i) {
      const float covered = std::min(1.0F, width - static_cast<float>(i));
      const int column = eye == Eye::kLeft ? i : view.cols - 1 - i;
      darken<T, kChannels>(view, column, 1.0F - covered);
    }
  });
}

}  // namespace vergence::stereo
