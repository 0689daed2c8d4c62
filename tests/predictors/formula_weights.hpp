// SPDX-License-Identifier: Apache-2.0
// Weights and inputs that follow from their names alone (tests/data/golden/README.md), so that a
// network can be compared with the official code without a trained file.
#pragma once

#include "tests/predictors/checkpoint_writer.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::test {

// Every entry of a keys.txt ("NAME (SHAPE) torch.TYPE", or without a type: float32), in its order;
// integers are 0.
[[nodiscard]] std::vector<TensorSource> formula_weights(const std::filesystem::path& keys);

// [1, 3, height, width], CV_32F.
[[nodiscard]] cv::Mat formula_input(const std::string& name, int height, int width);

}  // namespace vergence::test
