// SPDX-License-Identifier: Apache-2.0
#include "tests/predictors/golden_network.hpp"

#include "core/module.hpp"

#include <algorithm>
#include <cmath>

namespace vergence::test {

std::unique_ptr<predictors::Network> open_native(const std::string& name,
                                                 const std::filesystem::path& file) {
  const auto open = reinterpret_cast<decltype(&vergence_open_network)>(
      module_symbol("torch", "vergence_open_network"));
  predictors::NetworkSource source;
  source.name = name;
  source.backend = "native:" + name;
  source.file = file;
  source.device = "cpu";
  source.precision = predictors::Precision::kFloat32;
  return std::unique_ptr<predictors::Network>(open(source));
}

::testing::AssertionResult near_golden(const cv::Mat& actual, const cv::Mat& expected, int stride,
                                       double range, double tolerance) {
  const int height = expected.size[expected.dims - 2];
  const int width = expected.size[expected.dims - 1];
  if (height != (actual.rows + stride - 1) / stride ||
      width != (actual.cols + stride - 1) / stride) {
    return ::testing::AssertionFailure()
           << actual.size() << " is not " << stride << " times " << width << " x " << height;
  }
  const float* values = expected.ptr<float>();
  double worst = 0.0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double difference = std::abs(actual.at<float>(y * stride, x * stride) - *values++);
      worst = difference > worst || std::isnan(difference) ? difference : worst;
    }
  }
  if (worst <= tolerance * range) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "differs by up to " << worst / range << " of the range";
}

double range_of(const cv::Mat& values) {
  const float* begin = values.ptr<float>();
  const auto [low, high] = std::minmax_element(begin, begin + values.total());
  return static_cast<double>(*high) - static_cast<double>(*low);
}

}  // namespace vergence::test
