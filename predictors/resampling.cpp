// SPDX-License-Identifier: Apache-2.0
#include "predictors/resampling.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace vergence::predictors {
namespace {

// The taps of one output coordinate: weights of consecutive inputs from `first`, which may lie
// outside of the input.
struct Taps {
  int first = 0;
  std::vector<float> weights;
};

double triangle(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

// Keys 1981, cubic convolution.
double cubic(double x, double a) {
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return ((x - 5.0) * x + 8.0) * x * a - 4.0 * a;
  return 0.0;
}

// PyTorch's filters have a = -0.75 without and a = -0.5 with antialiasing.
Taps taps_at(double centre, double stretch, const ResampleOptions& options) {
  const bool bicubic = options.interpolation == Interpolation::kBicubic;
  const double a = options.antialias ? -0.5 : -0.75;
  const double radius = (bicubic ? 2.0 : 1.0) * stretch;
  Taps taps;
  taps.first = static_cast<int>(std::floor(centre - radius)) + 1;
  const int last = static_cast<int>(std::ceil(centre + radius)) - 1;
  std::vector<double> weights;
  double sum = 0.0;
  for (int i = taps.first; i <= last; ++i) {
    const double x = (i - centre) / stretch;
    weights.push_back(bicubic ? cubic(x, a) : triangle(x));
    sum += weights.back();
  }
  for (const double weight : weights) taps.weights.push_back(static_cast<float>(weight / sum));
  return taps;
}

// Antialiasing filters leave taps outside of the input out; the others repeat its ends.
void keep_inside(Taps& taps, int length) {
  const int skipped = std::max(0, -taps.first);
  const auto count = static_cast<int>(taps.weights.size());
  const int kept = std::min(count, length - taps.first) - skipped;
  std::vector<float> weights(taps.weights.begin() + skipped, taps.weights.begin() + skipped + kept);
  float sum = 0.0F;
  for (const float weight : weights) sum += weight;
  for (float& weight : weights) weight /= sum;
  taps = {.first = taps.first + skipped, .weights = std::move(weights)};
}

std::vector<Taps> axis_taps(int length, double begin, double extent, int count,
                            const ResampleOptions& options) {
  std::vector<Taps> axis;
  axis.reserve(static_cast<std::size_t>(count));
  const double step =
      options.align_corners ? (count > 1 ? (extent - 1.0) / (count - 1) : 0.0) : extent / count;
  const double offset = options.align_corners ? 0.0 : 0.5 * step - 0.5;
  const double stretch = options.antialias ? std::max(step, 1.0) : 1.0;
  for (int i = 0; i < count; ++i) {
    axis.push_back(taps_at(begin + offset + i * step, stretch, options));
    if (options.antialias) keep_inside(axis.back(), length);
  }
  return axis;
}

cv::Mat along_rows(const cv::Mat& source, const std::vector<Taps>& axis) {
  const int channels = source.channels();
  cv::Mat result(source.rows, static_cast<int>(axis.size()), source.type());
  for (int y = 0; y < source.rows; ++y) {
    const float* from = source.ptr<float>(y);
    float* to = result.ptr<float>(y);
    for (const Taps& taps : axis) {
      for (int channel = 0; channel < channels; ++channel) {
        float sum = 0.0F;
        int x = taps.first;
        for (const float weight : taps.weights) {
          const int inside = std::clamp(x++, 0, source.cols - 1);
          if (weight != 0.0F) sum += weight * from[inside * channels + channel];
        }
        *to++ = sum;
      }
    }
  }
  return result;
}

cv::Mat along_columns(const cv::Mat& source, const std::vector<Taps>& axis) {
  const int width = source.cols * source.channels();
  cv::Mat result = cv::Mat::zeros(static_cast<int>(axis.size()), source.cols, source.type());
  for (int y = 0; y < result.rows; ++y) {
    const Taps& taps = axis[static_cast<std::size_t>(y)];
    float* to = result.ptr<float>(y);
    int row = taps.first;
    for (const float weight : taps.weights) {
      const float* from = source.ptr<float>(std::clamp(row++, 0, source.rows - 1));
      if (weight == 0.0F) continue;
      for (int x = 0; x < width; ++x) to[x] += weight * from[x];
    }
  }
  return result;
}

}  // namespace

cv::Mat resampled(const cv::Mat& source, const cv::Rect2d& region, cv::Size size,
                  const ResampleOptions& options) {
  const auto columns = axis_taps(source.cols, region.x, region.width, size.width, options);
  const auto rows = axis_taps(source.rows, region.y, region.height, size.height, options);
  return along_columns(along_rows(source, columns), rows);
}

}  // namespace vergence::predictors
