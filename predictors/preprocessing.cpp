// SPDX-License-Identifier: Apache-2.0
#include "predictors/preprocessing.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::predictors {
namespace {

constexpr double kMostPixels = 16e6;

int interpolation_flag(Interpolation interpolation, cv::Size from, cv::Size to) {
  switch (interpolation) {
    case Interpolation::kBicubic:
      return cv::INTER_CUBIC;
    case Interpolation::kBilinear:
      return cv::INTER_LINEAR;
    case Interpolation::kArea:
      break;
  }
  const bool shrinks = to.width <= from.width && to.height <= from.height;
  return shrinks ? cv::INTER_AREA : cv::INTER_LINEAR;
}

// CV_8UC3, or CV_32FC3 still in 0-255, of the size asked for.
cv::Mat resized(const CardInput& input, const cv::Mat& rgb, cv::Size size) {
  if (rgb.size() == size) return rgb;
  cv::Mat source = rgb;
  if (input.resize_in_float) rgb.convertTo(source, CV_32FC3);
  cv::Mat result;
  cv::resize(source, result, size, 0.0, 0.0,
             interpolation_flag(input.interpolation, rgb.size(), size));
  return result;
}

bool only_above_zero(DepthKind kind) {
  return kind == DepthKind::kDistance || kind == DepthKind::kPlanarDepth;
}

}  // namespace

Placement placement_of(const CardInput& input, const PredictorInput& picture) {
  if (picture.rgb.empty() || picture.rgb.type() != CV_8UC3) {
    throw Error(fmt::format("the picture '{}' cannot be given to a network: it is {}", picture.name,
                            picture.rgb.empty() ? "empty" : "not 8-bit RGB"))
        .hint("convert it to 8-bit RGB first");
  }
  const cv::Size inside = network_size(input, picture.rgb.size());
  if (static_cast<double>(inside.width) * inside.height > kMostPixels) {
    throw Error(fmt::format("the picture '{}' of {}x{} pixels is too elongated for the network, "
                            "which would see {}x{}",
                            picture.name, picture.rgb.cols, picture.rgb.rows, inside.width,
                            inside.height))
        .hint("crop it");
  }
  if (input.resize != ResizeRule::kFitPad) return {inside, cv::Rect({0, 0}, inside)};
  const cv::Point corner = input.pad_center
                               ? cv::Point((input.exact_size.width - inside.width) / 2,
                                           (input.exact_size.height - inside.height) / 2)
                               : cv::Point(0, 0);
  return {input.exact_size, cv::Rect(corner, inside)};
}

void write_planes(const CardInput& input, const cv::Mat& rgb, const Placement& placement,
                  float* planes) {
  const cv::Mat pixels = resized(input, rgb, placement.picture.size());
  const std::size_t area = static_cast<std::size_t>(placement.input.width) *
                           static_cast<std::size_t>(placement.input.height);
  for (int channel = 0; channel < 3; ++channel) {
    const auto c = static_cast<std::size_t>(channel);
    cv::Mat plane(placement.input, CV_32FC1, planes + c * area);
    const double scale = 1.0 / input.std[c];
    const double offset = -input.mean[c] / input.std[c];
    if (placement.picture.size() != placement.input) {
      plane.setTo(input.pad_value[c] * scale + offset);
    }
    cv::Mat values;
    cv::extractChannel(pixels, values, input.bgr ? 2 - channel : channel);
    cv::Mat target = plane(placement.picture);
    values.convertTo(target, CV_32F, input.range / 255.0 * scale, offset);
  }
}

cv::Mat without_padding(const cv::Mat& map, const Placement& placement) {
  if (placement.picture.size() == placement.input) return map;
  const double scale_x = static_cast<double>(map.cols) / placement.input.width;
  const double scale_y = static_cast<double>(map.rows) / placement.input.height;
  const auto& [x, y, width, height] = placement.picture;
  const int left = std::min(cvRound(x * scale_x), map.cols - 1);
  const int top = std::min(cvRound(y * scale_y), map.rows - 1);
  const int right = std::max(cvRound((x + width) * scale_x), left + 1);
  const int bottom = std::max(cvRound((y + height) * scale_y), top + 1);
  return map(cv::Range(top, bottom), cv::Range(left, right));
}

AnyDepth depth_of(const CardOutput& output, const cv::Mat& map) {
  cv::Mat values = map.clone();
  const bool above_zero = only_above_zero(output.kind) || output.invert;
  const auto factor = static_cast<float>(output.multiplier);
  constexpr float kInvalid = std::numeric_limits<float>::quiet_NaN();
  for (int y = 0; y < values.rows; ++y) {
    float* row = values.ptr<float>(y);
    std::transform(row, row + values.cols, row, [&](float value) {
      if (!std::isfinite(value) || (above_zero && value <= 0.0F)) return kInvalid;
      return (output.invert ? 1.0F / value : value) * factor;
    });
  }
  return make_depth(output.kind, values);
}

}  // namespace vergence::predictors
