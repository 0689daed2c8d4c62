// SPDX-License-Identifier: Apache-2.0
// Networks of formula weights against golden pairs that official code made.
#pragma once

#include "predictors/network.hpp"
#include "tests/predictors/checkpoint_writer.hpp"

#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace vergence::test {

// A native network of the module `torch`, on the CPU.
[[nodiscard]] std::unique_ptr<predictors::Network> open_native(const std::string& name,
                                                               const std::filesystem::path& file);

// `actual` [H, W] against `expected` [.., h, w], which holds every `stride`-th row and column: no
// difference may be above `tolerance` of `range`.
[[nodiscard]] ::testing::AssertionResult near_golden(const cv::Mat& actual, const cv::Mat& expected,
                                                     int stride, double range, double tolerance);

// Largest minus smallest value.
[[nodiscard]] double range_of(const cv::Mat& values);

}  // namespace vergence::test
