// SPDX-License-Identifier: Apache-2.0
// What the predictors' tests read and make.
#pragma once

#include "core/predictor.hpp"

#include <filesystem>
#include <string>

#include <opencv2/core.hpp>

namespace vergence::test {

// A float32 .npy file of any rank, little-endian, C order, as a CV_32F matrix of that rank.
[[nodiscard]] cv::Mat read_npy(const std::filesystem::path& path);

// An 8-bit picture in RGB order.
[[nodiscard]] cv::Mat read_rgb(const std::filesystem::path& path);

// Plane `index` of a [N, C, H, W] matrix, or of a [1, N, H, W] one, as [H, W].
[[nodiscard]] cv::Mat plane(const cv::Mat& planes, int index);

// Pearson's, over the pixels where `mask` is not 0 (all of them if it is empty).
[[nodiscard]] double correlation(const cv::Mat& a, const cv::Mat& b, const cv::Mat& mask = {});

// Smooth colours with some noise, the same for the same seed.
[[nodiscard]] cv::Mat synthetic_picture(cv::Size size, int seed = 1);

[[nodiscard]] PredictorInput as_input(cv::Mat rgb, const std::string& name = "view_00");

// Whether a library whose file name has this part is mapped into this process.
[[nodiscard]] bool maps_library(const std::string& part);

}  // namespace vergence::test
