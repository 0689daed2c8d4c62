// SPDX-License-Identifier: Apache-2.0
// Pictures that tell where each of their pixels has gone.
#pragma once

#include <algorithm>

#include <opencv2/core.hpp>

namespace vergence::test {

// CV_8UC3; column and row stand in the colours.
[[nodiscard]] inline cv::Mat numbered(cv::Size size) {
  cv::Mat picture(size, CV_8UC3);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      picture.at<cv::Vec3b>(y, x) = {static_cast<uchar>(3 * x), static_cast<uchar>(5 * y),
                                     static_cast<uchar>(x * 7 + y * 13)};
    }
  }
  return picture;
}

// The picture with its content moved to the right, the border repeated.
[[nodiscard]] inline cv::Mat moved(const cv::Mat& picture, int right) {
  cv::Mat result(picture.size(), picture.type());
  for (int x = 0; x < picture.cols; ++x) {
    picture.col(std::clamp(x - right, 0, picture.cols - 1)).copyTo(result.col(x));
  }
  return result;
}

}  // namespace vergence::test
