// SPDX-License-Identifier: Apache-2.0
// Assertions on maps that say where and by how much they fail, and what errors say.
#pragma once

#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <opencv2/core.hpp>

namespace vergence::test {

struct Tolerance {
  double max = 1e-5;   // largest absolute difference
  double mean = 1e-6;  // mean absolute difference
};

// Compares two single-channel CV_32F maps of one size; NaN must meet NaN. Prints the worst pixel.
[[nodiscard]] ::testing::AssertionResult maps_near(const cv::Mat& actual, const cv::Mat& expected,
                                                   Tolerance tolerance);

// What the Error says that `action` throws; empty if it throws none.
[[nodiscard]] std::string error_of(const std::function<void()>& action);

}  // namespace vergence::test
