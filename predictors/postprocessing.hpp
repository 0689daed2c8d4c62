// SPDX-License-Identifier: Apache-2.0
// From a network's values to depth, as a card says.
#pragma once

#include "core/depth.hpp"
#include "predictors/model_card.hpp"
#include "predictors/network.hpp"
#include "predictors/preprocessing.hpp"

#include <span>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::predictors {

// The picture that the network saw.
struct SeenPicture {
  cv::Size size;          // its own, pixels
  double focal_px = 0.0;  // horizontal, in its own pixels; 0 = unknown
  Placement placement;    // in the network's input
};

// What a network says about a picture, in maps CV_32FC1 of one size that show the picture edge to
// edge; `depth` is still in the network's own quantity. Maps that the card does not name are empty.
struct Prediction {
  cv::Mat depth;
  cv::Mat mask;        // above 0.5: valid
  cv::Mat sky;         // above 0.5: sky
  cv::Mat confidence;  // larger = surer
};

// The values that a card names: points or depth, then scale, mask, sky, confidence and normal,
// those of them that it has.
[[nodiscard]] std::vector<OutputSelector> named_outputs(const CardOutput& output);

// `values` are those of named_outputs(). Padding is cut off; points become depth, shifted and
// scaled. Throws Error naming the network and the shape that does not fit.
[[nodiscard]] Prediction prediction_of(const ModelCard& card, std::span<const NetworkValue> values,
                                       const SeenPicture& picture);

// The mean of a prediction and that of the mirrored picture.
[[nodiscard]] Prediction averaged(const Prediction& prediction, const Prediction& mirrored);

// The depth as the card's kind: in metres where it says so, clamped, with sky put where the card
// wants it. Values that cannot be (not finite; a distance or depth not above 0; masked out; below
// the card's confidence) become NaN. A canonical camera needs picture.focal_px > 0.
[[nodiscard]] AnyDepth depth_of(const ModelCard& card, const Prediction& prediction,
                                const SeenPicture& picture);

}  // namespace vergence::predictors
