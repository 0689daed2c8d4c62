// SPDX-License-Identifier: Apache-2.0
// Pictures of any depth as 8-bit sRGB.
// K. Narkowicz, "ACES Filmic Tone Mapping Curve", 2015. E. Reinhard et al., "Photographic Tone
// Reproduction for Digital Images", SIGGRAPH 2002 (log-average exposure, key 0.18). IEC 61966-2-1.
#include "core/parallel.hpp"
#include "media/picture.hpp"

#include <algorithm>
#include <cmath>

namespace vergence::media {
namespace {

// Tone curves are looked up: the square root of the exposed value (0-4 of it) gives dark tones most
// of the table; behind 16 the curve is flat.
constexpr int kCurveSteps = 4096;
constexpr float kCurveEnd = 4.0F;

float light(float value) {
  return std::isfinite(value) && value > 0.0F ? value : 0.0F;
}

float luminance(const float* rgb) {
  return 0.2126F * light(rgb[0]) + 0.7152F * light(rgb[1]) + 0.0722F * light(rgb[2]);
}

// The factor that brings the log-average luminance to 0.18, seen on about a million pixels. Black
// counts for nothing, and the darkest and brightest hundredth neither: a sun a thousand times as
// bright as all else must not darken the room.
float automatic_exposure(const cv::Mat& rgb) {
  constexpr double kSamples = 1e6;
  const int step =
      std::max(1, static_cast<int>(std::sqrt(static_cast<double>(rgb.total()) / kSamples)));
  std::vector<float> samples;
  for (int y = 0; y < rgb.rows; y += step) {
    const auto* row = rgb.ptr<float>(y);
    for (int x = 0; x < rgb.cols; x += step) {
      const float value = luminance(row + std::ptrdiff_t{3} * x);
      if (value > 0.0F) samples.push_back(value);
    }
  }
  if (samples.empty()) return 1.0F;
  std::ranges::sort(samples);
  const auto skip = static_cast<std::ptrdiff_t>(samples.size() / 100);
  double sum = 0.0;
  std::for_each(samples.begin() + skip, samples.end() - skip,
                [&](float value) { sum += std::log(value); });
  const auto count = static_cast<double>(samples.size()) - 2.0 * static_cast<double>(skip);
  constexpr double kKey = 0.18;
  return static_cast<float>(std::clamp(kKey / std::exp(sum / count), 1e-30, 1e30));
}

double filmic(double x) {
  return std::clamp(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0);
}

double srgb_from_linear(double x) {
  return x <= 0.0031308 ? 12.92 * x : 1.055 * std::pow(x, 1.0 / 2.4) - 0.055;
}

std::array<std::uint8_t, kCurveSteps + 1> tone_curve() {
  std::array<std::uint8_t, kCurveSteps + 1> curve{};
  for (std::size_t i = 0; i < curve.size(); ++i) {
    const double root = static_cast<double>(i) / kCurveSteps * kCurveEnd;
    curve[i] =
        static_cast<std::uint8_t>(std::lround(255.0 * srgb_from_linear(filmic(root * root))));
  }
  return curve;
}

cv::Mat tone_mapped(const cv::Mat& rgb, double exposure_ev) {
  const float exposure =
      automatic_exposure(rgb) * static_cast<float>(std::exp2(std::clamp(exposure_ev, -60.0, 60.0)));
  static const auto curve = tone_curve();
  cv::Mat result(rgb.size(), CV_8UC3);
  parallel_for(0, rgb.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const auto* from = rgb.ptr<float>(y);
      auto* to = result.ptr(y);
      for (int i = 0; i < 3 * rgb.cols; ++i) {
        const float root = std::min(std::sqrt(light(from[i]) * exposure), kCurveEnd);
        to[i] = curve[static_cast<std::size_t>(cvRound(root * (kCurveSteps / kCurveEnd)))];
      }
    }
  });
  return result;
}

// `full` = the value of an opaque pixel.
template <class Alpha>
void compose(cv::Mat& rgb, const cv::Mat& alpha, const std::array<std::uint8_t, 3>& background,
             float full) {
  parallel_for(0, rgb.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const auto* opacity = alpha.ptr<Alpha>(y);
      auto* pixel = rgb.ptr(y);
      for (int x = 0; x < rgb.cols; ++x, pixel += 3) {
        const float share = std::min(light(static_cast<float>(opacity[x])) / full, 1.0F);
        for (std::size_t c = 0; c < 3; ++c) {
          const auto behind = static_cast<float>(background[c]);
          pixel[c] = cv::saturate_cast<std::uint8_t>(
              behind + share * (static_cast<float>(pixel[c]) - behind));
        }
      }
    }
  });
}

}  // namespace

cv::Mat display_rgb8(const Picture& picture, const DisplayOptions& options) {
  cv::Mat result;
  switch (picture.rgb.depth()) {
    case CV_8U:
      result = picture.alpha.empty() ? picture.rgb : picture.rgb.clone();
      break;
    case CV_16U:
      picture.rgb.convertTo(result, CV_8U, 255.0 / 65535.0);
      break;
    default:
      result = tone_mapped(picture.rgb, options.exposure_ev);
      break;
  }
  switch (picture.alpha.empty() ? -1 : picture.alpha.depth()) {
    case CV_8U:
      compose<std::uint8_t>(result, picture.alpha, options.background, 255.0F);
      break;
    case CV_16U:
      compose<std::uint16_t>(result, picture.alpha, options.background, 65535.0F);
      break;
    case CV_32F:
      compose<float>(result, picture.alpha, options.background, 1.0F);
      break;
    default:
      break;
  }
  return result;
}

}  // namespace vergence::media
