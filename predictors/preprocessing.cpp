// SPDX-License-Identifier: Apache-2.0
#include "predictors/preprocessing.hpp"

#include "core/angle.hpp"
#include "core/error.hpp"
#include "predictors/network_size.hpp"
#include "predictors/resampling.hpp"

#include <algorithm>
#include <cmath>

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
  const bool own = input.align_corners || input.antialias;
  cv::Mat source = rgb;
  if (input.resize_in_float || own) rgb.convertTo(source, CV_32FC3);
  cv::Mat result;
  if (own) {
    result = resampled(source, cv::Rect2d(0.0, 0.0, source.cols, source.rows), size,
                       {.interpolation = input.interpolation,
                        .align_corners = input.align_corners,
                        .antialias = input.antialias});
    if (!input.resize_in_float) result.convertTo(result, CV_8UC3);
    return result;
  }
  cv::resize(source, result, size, 0.0, 0.0,
             interpolation_flag(input.interpolation, rgb.size(), size));
  return result;
}

cv::Size border_of(const CardInput& input, cv::Size picture) {
  const auto border = [&](int side) {
    return static_cast<int>(input.border_factor * std::sqrt(side / 2.0));
  };
  return {border(picture.width), border(picture.height)};
}

void check(const PredictorInput& picture) {
  if (!picture.rgb.empty() && picture.rgb.type() == CV_8UC3) return;
  throw Error(fmt::format("the picture '{}' cannot be given to a network: it is {}", picture.name,
                          picture.rgb.empty() ? "empty" : "not 8-bit RGB"))
      .hint("convert it to 8-bit RGB first");
}

// Where a picture of size `inside` stands in the network's input.
cv::Point corner_of(const CardInput& input, cv::Size inside) {
  if (input.resize != ResizeRule::kFitPad || !input.pad_center) return {0, 0};
  return {(input.exact_size.width - inside.width) / 2,
          (input.exact_size.height - inside.height) / 2};
}

// The frame around a plane's filled part.
void pad(const CardInput& input, const Placement& placement, double constant, cv::Mat& plane) {
  const cv::Rect& filled = placement.filled;
  if (filled.size() == placement.input) return;
  const bool reflect = input.pad_mode == PadMode::kReflect;
  const cv::Mat inside = plane(filled).clone();
  cv::copyMakeBorder(inside, plane, filled.y, plane.rows - filled.br().y, filled.x,
                     plane.cols - filled.br().x,
                     reflect ? cv::BORDER_REFLECT_101 : cv::BORDER_CONSTANT, cv::Scalar(constant));
}

NetworkArgument argument_of(ExtraInput extra, const CardInput& input, const Placement& placement,
                            double focal_px) {
  const double focal_x = focal_px * placement.scale_x;
  switch (extra) {
    case ExtraInput::kFocalPx:
      return {.shape = {1}, .values = {focal_x}};
    case ExtraInput::kFovX:
      return {
          .shape = {1},
          .values = {Radians(2.0 * std::atan(placement.input.width / (2.0 * focal_x))).degrees()}};
    case ExtraInput::kK3x3:
    case ExtraInput::kK1x3x3:
      break;
    case ExtraInput::kNumTokens: {
      const int patches =
          (placement.input.width / input.multiple) * (placement.input.height / input.multiple);
      return {.shape = {1},
              .values = {static_cast<double>(input.num_tokens > 0 ? input.num_tokens : patches)},
              .integer = true};
    }
  }
  const double focal_y = focal_px * placement.scale_y;
  const cv::Rect2d& picture = placement.picture;
  NetworkArgument camera = {.shape = {3, 3},
                            .values = {focal_x, 0.0, picture.x + picture.width / 2.0,   //
                                       0.0, focal_y, picture.y + picture.height / 2.0,  //
                                       0.0, 0.0, 1.0}};
  if (extra == ExtraInput::kK1x3x3) camera.shape.insert(camera.shape.begin(), 1);
  return camera;
}

}  // namespace

Placement placement_of(const CardInput& input, const PredictorInput& picture) {
  check(picture);
  const cv::Size border = border_of(input, picture.rgb.size());
  const cv::Size bordered = picture.rgb.size() + border * 2;
  const cv::Size inside = network_size(input, bordered);
  if (static_cast<double>(inside.width) * inside.height > kMostPixels) {
    throw Error(fmt::format("the picture '{}' of {}x{} pixels is too elongated for the network, "
                            "which would see {}x{}",
                            picture.name, picture.rgb.cols, picture.rgb.rows, inside.width,
                            inside.height))
        .hint("crop it");
  }
  Placement placement;
  placement.input = has_fixed_size(input) ? input.exact_size : inside;
  placement.filled = cv::Rect(corner_of(input, inside), inside);
  placement.border = border;
  const double pixel_x = static_cast<double>(inside.width) / bordered.width;
  const double pixel_y = static_cast<double>(inside.height) / bordered.height;
  placement.picture = cv::Rect2d(placement.filled.x + border.width * pixel_x,
                                 placement.filled.y + border.height * pixel_y,
                                 picture.rgb.cols * pixel_x, picture.rgb.rows * pixel_y);
  placement.scale_x = pixel_x;
  placement.scale_y = pixel_y;
  if (input.resize == ResizeRule::kFitPad) {
    // One scale for both sides, which rounding to whole pixels has not touched.
    const double scale = std::min(static_cast<double>(input.exact_size.width) / bordered.width,
                                  static_cast<double>(input.exact_size.height) / bordered.height);
    placement.scale_x = scale;
    placement.scale_y = scale;
  }
  return placement;
}

void write_planes(const CardInput& input, const cv::Mat& rgb, const Placement& placement,
                  float* planes) {
  cv::Mat bordered = rgb;
  const auto& [columns, rows] = placement.border;
  if (columns > 0 || rows > 0) {
    cv::copyMakeBorder(rgb, bordered, rows, rows, columns, columns, cv::BORDER_REFLECT_101);
  }
  const cv::Mat pixels = resized(input, bordered, placement.filled.size());
  const std::size_t area = static_cast<std::size_t>(placement.input.width) *
                           static_cast<std::size_t>(placement.input.height);
  for (int channel = 0; channel < 3; ++channel) {
    const auto c = static_cast<std::size_t>(channel);
    cv::Mat plane(placement.input, CV_32FC1, planes + c * area);
    const double scale = 1.0 / input.std[c];
    const double offset = -input.mean[c] / input.std[c];
    cv::Mat values;
    cv::extractChannel(pixels, values, input.bgr ? 2 - channel : channel);
    cv::Mat target = plane(placement.filled);
    values.convertTo(target, CV_32F, input.range / 255.0 * scale, offset);
    pad(input, placement, input.pad_value[c] * scale + offset, plane);
  }
}

std::vector<NetworkArgument> extra_arguments(const CardInput& input, const Placement& placement,
                                             double focal_px) {
  std::vector<NetworkArgument> arguments;
  arguments.reserve(input.extra.size());
  for (const ExtraInput extra : input.extra) {
    arguments.push_back(argument_of(extra, input, placement, focal_px));
  }
  return arguments;
}

}  // namespace vergence::predictors
