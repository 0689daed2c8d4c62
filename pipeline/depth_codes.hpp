// SPDX-License-Identifier: Apache-2.0
// Depth maps of a video in 16 bits: the form in which they are used, kept and exchanged. Every map
// passes through it, so that it makes no difference where one comes from.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

struct DepthCodes {
  cv::Mat codes;  // CV_16UC1: 0 = no value, 1 = min ... 65535 = max
  float min = 0.0F;
  float max = 0.0F;
  std::array<float, 8> carried{};  // DepthMemory::save() of the group's end; kept with the map
};

// `raw`: CV_32FC1, not finite = no value. min and max are those of its values.
[[nodiscard]] DepthCodes depth_codes(const cv::Mat& raw);

// CV_32FC1, NaN = no value; off by at most half a step of (max - min) / 65534.
[[nodiscard]] cv::Mat raw_from_codes(const DepthCodes& depth);

// Without loss: the difference from the plane through three neighbours, in Rice codes with a
// parameter for every 32 pixels of a row. About 90 kB for a map of 448 x 256.
[[nodiscard]] std::string compress_depth(const DepthCodes& depth);

// Throws Error for bytes that compress_depth() cannot have made.
[[nodiscard]] DepthCodes decompress_depth(std::string_view bytes);

}  // namespace vergence::pipeline
