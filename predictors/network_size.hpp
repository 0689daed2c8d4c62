// SPDX-License-Identifier: Apache-2.0
// How large a picture becomes inside a network, by its card's rule.
#pragma once

#include "predictors/model_card.hpp"

#include <opencv2/core.hpp>

namespace vergence::predictors {

// Whether every picture gets the same size.
[[nodiscard]] bool has_fixed_size(const CardInput& input);

// The picture's size inside the network (kFitPad: without the padding); sides up to 1e9.
[[nodiscard]] cv::Size network_size(const CardInput& input, cv::Size picture);

// Side of the square picture that suits the network best: taken as it is, or (exact, fit-pad)
// filling its shorter side.
[[nodiscard]] int preferred_size_px(const CardInput& input);

}  // namespace vergence::predictors
