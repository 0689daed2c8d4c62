// SPDX-License-Identifier: Apache-2.0
// The encoders of the MiDaS networks. A new one is a source file, a line here and one in midas.cpp.
#pragma once

#include "predictors/networks/midas_head.hpp"

namespace vergence::predictors {

// Each takes its parameters under "pretrained.".
[[nodiscard]] std::unique_ptr<LevelEncoder> make_efficientnet_lite3(Parameters& parameters);
[[nodiscard]] std::unique_ptr<LevelEncoder> make_resnext101(Parameters& parameters);
[[nodiscard]] std::unique_ptr<LevelEncoder> make_vit_large(Parameters& parameters);
[[nodiscard]] std::unique_ptr<LevelEncoder> make_vit_hybrid(Parameters& parameters);
// Trained on pictures of 512 x 512 and 384 x 384 pixels.
[[nodiscard]] std::unique_ptr<LevelEncoder> make_beit_large_512(Parameters& parameters);
[[nodiscard]] std::unique_ptr<LevelEncoder> make_beit_large_384(Parameters& parameters);

}  // namespace vergence::predictors
