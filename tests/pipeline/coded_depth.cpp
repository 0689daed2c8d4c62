// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/coded_depth.hpp"

#include <algorithm>
#include <cmath>

namespace vergence::test {
namespace {

constexpr double kNearest = 0.5;  // metres

}  // namespace

cv::Mat coded_picture(const SphereSight& sight) {
  cv::Mat picture = sight.picture.clone();
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      const double share = std::min(1.0, kNearest / sight.distance.at<float>(y, x));
      picture.at<cv::Vec3b>(y, x)[2] = static_cast<unsigned char>(std::lround(255.0 * share));
    }
  }
  return picture;
}

std::vector<AnyDepth> CodedDepth::predict(std::span<const PredictorInput> pictures,
                                          Progress& progress) {
  std::vector<AnyDepth> maps;
  for (const auto& picture : pictures) {
    const cv::Size size = picture.rgb.size();
    const cv::Scalar mean = cv::mean(picture.rgb);
    const double scale = 1.0 + wander_ * std::sin(997.0 * mean[0]);
    const double offset = wander_ * std::sin(1811.0 * mean[1]);
    cv::Mat map(size, CV_32FC1);
    for (int y = 0; y < size.height; ++y) {
      for (int x = 0; x < size.width; ++x) {
        const double u = (x + 0.5 - 0.5 * size.width) / picture.focal_px;
        const double v = (y + 0.5 - 0.5 * size.height) / picture.focal_px;
        const double inverse = picture.rgb.at<cv::Vec3b>(y, x)[2] / 255.0 / kNearest;
        const double error = 1.0 + 0.08 * std::sin(2.0 * u + 1.0) * std::cos(1.5 * v);
        map.at<float>(y, x) =
            static_cast<float>(scale * inverse * std::sqrt(1.0 + u * u + v * v) * error + offset);
      }
    }
    maps.emplace_back(Disparity(map));
    ++num_pictures_;
    progress.advance();
  }
  return maps;
}

}  // namespace vergence::test
