// SPDX-License-Identifier: Apache-2.0
#include "media/colormap.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace vergence::media {
namespace {

constexpr std::array<std::pair<std::string_view, Colormap>, 5> kNames{{
    {"turbo", Colormap::kTurbo},
    {"inferno", Colormap::kInferno},
    {"magma", Colormap::kMagma},
    {"viridis", Colormap::kViridis},
    {"gray", Colormap::kGray},
}};

// 256 colours, RGB.
cv::Mat palette_of(Colormap map) {
  cv::Mat ramp(1, 256, CV_8UC1);
  for (int i = 0; i < ramp.cols; ++i) ramp.at<std::uint8_t>(0, i) = static_cast<std::uint8_t>(i);
  cv::Mat palette;
  if (map == Colormap::kGray) {
    cv::cvtColor(ramp, palette, cv::COLOR_GRAY2RGB);
    return palette;
  }
  const int table = map == Colormap::kTurbo     ? cv::COLORMAP_TURBO
                    : map == Colormap::kInferno ? cv::COLORMAP_INFERNO
                    : map == Colormap::kMagma   ? cv::COLORMAP_MAGMA
                                                : cv::COLORMAP_VIRIDIS;
  cv::applyColorMap(ramp, palette, table);
  cv::cvtColor(palette, palette, cv::COLOR_BGR2RGB);
  return palette;
}

// A number that grows towards the eye; NaN for an invalid pixel.
float nearness(DepthKind kind, float value) {
  if (!std::isfinite(value)) return std::numeric_limits<float>::quiet_NaN();
  switch (kind) {
    case DepthKind::kDistance:
    case DepthKind::kPlanarDepth:
      return value > 0.0F ? 1.0F / value : std::numeric_limits<float>::quiet_NaN();
    case DepthKind::kPlanarDepthAffine:
      return -value;
    default:
      return value;
  }
}

// The two percentiles of the valid pixels, seen on about a million of them.
std::pair<float, float> stretch_range(const AnyDepth& depth, const ColormapOptions& options) {
  const cv::Mat& values = values_of(depth);
  constexpr double kSamples = 1e6;
  const int step =
      std::max(1, static_cast<int>(std::sqrt(static_cast<double>(values.total()) / kSamples)));
  std::vector<float> samples;
  for (int y = 0; y < values.rows; y += step) {
    for (int x = 0; x < values.cols; x += step) {
      const float near = nearness(kind_of(depth), values.at<float>(y, x));
      if (std::isfinite(near)) samples.push_back(near);
    }
  }
  if (samples.empty()) return {0.0F, 1.0F};
  const auto percentile = [&](double percent) {
    const double place =
        std::clamp(percent, 0.0, 100.0) / 100.0 * static_cast<double>(samples.size() - 1);
    const auto nth = samples.begin() + static_cast<std::ptrdiff_t>(std::lround(place));
    std::ranges::nth_element(samples, nth);
    return *nth;
  };
  const float low = percentile(options.low_percentile);
  return {low, percentile(options.high_percentile)};
}

}  // namespace

std::optional<Colormap> colormap_from_string(std::string_view word) {
  const auto found = std::ranges::find(kNames, word, [](const auto& entry) { return entry.first; });
  return found != kNames.end() ? std::optional(found->second) : std::nullopt;
}

cv::Mat colorize(const AnyDepth& depth, const ColormapOptions& options) {
  const cv::Mat& values = values_of(depth);
  const DepthKind kind = kind_of(depth);
  const cv::Mat palette = palette_of(options.map);
  const auto [low, high] = stretch_range(depth, options);
  const float factor = high > low ? 255.0F / (high - low) : 0.0F;
  cv::Mat result(values.size(), CV_8UC3);
  parallel_for(0, values.rows, [&, low = low](int first, int last) {
    for (int y = first; y < last; ++y) {
      const auto* from = values.ptr<float>(y);
      auto* to = result.ptr<cv::Vec3b>(y);
      for (int x = 0; x < values.cols; ++x) {
        const float near = nearness(kind, from[x]);
        if (!std::isfinite(near)) {
          to[x] = cv::Vec3b::all(128);
          continue;
        }
        // A map of one value only shows the middle of the palette.
        const float place = factor > 0.0F ? (near - low) * factor : 127.5F;
        const int index = cvRound(std::clamp(place, 0.0F, 255.0F));
        to[x] = palette.at<cv::Vec3b>(0, options.near_is_bright ? index : 255 - index);
      }
    }
  });
  return result;
}

}  // namespace vergence::media
