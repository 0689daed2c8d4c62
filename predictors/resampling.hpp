// SPDX-License-Identifier: Apache-2.0
// Resizing of float maps exactly as PyTorch's interpolate() does, for what OpenCV does not know:
// aligned corners, antialiasing, and parts whose edges lie between pixels.
#pragma once

#include "predictors/model_card.hpp"

#include <opencv2/core.hpp>

namespace vergence::predictors {

struct ResampleOptions {
  Interpolation interpolation = Interpolation::kBilinear;  // bilinear or bicubic
  bool align_corners = false;  // pixel centres at the region's ends fall on each other
  bool antialias = false;      // filters grow with the factor of shrinking
};

// The part `region` (in pixels of `source`, edges at whole numbers) as a map of `size`. Taps
// outside `source` take its outermost pixels. `source` is CV_32F with any number of channels and
// not empty.
[[nodiscard]] cv::Mat resampled(const cv::Mat& source, const cv::Rect2d& region, cv::Size size,
                                const ResampleOptions& options);

}  // namespace vergence::predictors
