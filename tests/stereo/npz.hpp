// SPDX-License-Identifier: Apache-2.0
// NumPy files of golden data.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <opencv2/core.hpp>

namespace vergence::test {

// The arrays of an .npz file by name, 1-D ones as a row; CV_32FC1 whatever their number type (<f4,
// <f8, <u2, |u1). An array of three dimensions becomes channels; of
// one of four the planes stand below each other.
std::map<std::string, cv::Mat> read_npz(const std::filesystem::path& path);

// The array of an .npy file, the same.
cv::Mat read_npy(const std::filesystem::path& path);

}  // namespace vergence::test
