// SPDX-License-Identifier: Apache-2.0
// Stereo pairs with exact parallax, for tests that measure quality.
#pragma once

#include <string>

#include <opencv2/core.hpp>

namespace vergence::test {

struct StereoPair {
  cv::Mat left;          // CV_8UC3
  cv::Mat right;         // CV_8UC3
  cv::Mat disparity_px;  // CV_32FC1 of the left picture: x_right = x_left - disparity; no gaps
};

// Middlebury "cones" and "motorcycle", gaps filled with the farther of the neighbours in the row.
StereoPair middlebury_pair(const std::string& name);

// A rendered flat pair, "courtyard" or "room".
StereoPair rendered_pair(const std::string& name);

}  // namespace vergence::test
