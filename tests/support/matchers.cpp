// SPDX-License-Identifier: Apache-2.0
#include "tests/support/matchers.hpp"

#include "core/error.hpp"

#include <cmath>

#include <fmt/format.h>

namespace vergence::test {

::testing::AssertionResult maps_near(const cv::Mat& actual, const cv::Mat& expected,
                                     Tolerance tolerance) {
  if (actual.size() != expected.size() || actual.type() != CV_32FC1 ||
      expected.type() != CV_32FC1 || actual.empty()) {
    return ::testing::AssertionFailure() << fmt::format(
               "maps differ in kind: {}x{} type {} against {}x{} type {}", actual.cols, actual.rows,
               actual.type(), expected.cols, expected.rows, expected.type());
  }
  double worst = -1.0;
  double sum = 0.0;
  cv::Point where;
  for (int y = 0; y < actual.rows; ++y) {
    for (int x = 0; x < actual.cols; ++x) {
      const double a = actual.at<float>(y, x);
      const double e = expected.at<float>(y, x);
      const double difference = std::isnan(a) && std::isnan(e) ? 0.0
                                : a == e                       ? 0.0
                                                               : std::abs(a - e);
      if (!(difference <= worst)) {
        worst = difference;
        where = {x, y};
      }
      sum += difference;
    }
  }
  const double mean = sum / static_cast<double>(actual.total());
  if (worst <= tolerance.max && mean <= tolerance.mean) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << fmt::format(
             "max difference {} (allowed {}) at x={} y={}: {} against {}; mean {} (allowed {})",
             worst, tolerance.max, where.x, where.y, actual.at<float>(where),
             expected.at<float>(where), mean, tolerance.mean);
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace vergence::test
