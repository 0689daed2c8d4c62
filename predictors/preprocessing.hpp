// SPDX-License-Identifier: Apache-2.0
// From pictures to a network's numbers and from its maps to depth, as a card says.
#pragma once

#include "core/depth.hpp"
#include "core/predictor.hpp"
#include "predictors/model_card.hpp"

#include <opencv2/core.hpp>

namespace vergence::predictors {

// Where the picture lies inside the network's input; the rest is padding.
struct Placement {
  cv::Size input;    // the network's input
  cv::Rect picture;  // all of it but for kFitPad
};

// Throws Error naming the picture if it is no CV_8UC3, empty, or so elongated that the input would
// be larger than 16 million pixels.
[[nodiscard]] Placement placement_of(const CardInput& input, const PredictorInput& picture);

// Writes the picture as three planes [3, H, W] of the placement's input size.
void write_planes(const CardInput& input, const cv::Mat& rgb, const Placement& placement,
                  float* planes);

// The part of an output map (of any size) that the placement's picture became; shares its values.
[[nodiscard]] cv::Mat without_padding(const cv::Mat& map, const Placement& placement);

// A network's output map as the card's kind; values that cannot be (not finite; a distance or depth
// not above 0) become NaN.
[[nodiscard]] AnyDepth depth_of(const CardOutput& output, const cv::Mat& map);

}  // namespace vergence::predictors
