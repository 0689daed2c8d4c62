// SPDX-License-Identifier: Apache-2.0
// From pictures to a network's numbers, as a card says, and where the picture lies in them.
#pragma once

#include "core/predictor.hpp"
#include "predictors/model_card.hpp"
#include "predictors/network.hpp"

#include <vector>

#include <opencv2/core.hpp>

namespace vergence::predictors {

// Where the picture lies inside the network's input; the rest is padding.
struct Placement {
  cv::Size input;        // the network's input
  cv::Rect filled;       // all of it but for kFitPad: the picture with its mirrored border
  cv::Size border = {};  // mirrored pixels before and after each side, in pixels of the picture
  cv::Rect2d picture;    // the picture alone, in pixels of the input
  double scale_x = 1.0;  // pixels of the input per pixel of the picture
  double scale_y = 1.0;
};

// Throws Error naming the picture if it is no CV_8UC3, empty, or so elongated that the input would
// be larger than 16 million pixels.
[[nodiscard]] Placement placement_of(const CardInput& input, const PredictorInput& picture);

// Writes the picture as three planes [3, H, W] of the placement's input size.
void write_planes(const CardInput& input, const cv::Mat& rgb, const Placement& placement,
                  float* planes);

// The card's further inputs for a picture of this focal length (in its own pixels, > 0).
[[nodiscard]] std::vector<NetworkArgument> extra_arguments(const CardInput& input,
                                                           const Placement& placement,
                                                           double focal_px);

}  // namespace vergence::predictors
