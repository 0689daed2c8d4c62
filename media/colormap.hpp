// SPDX-License-Identifier: Apache-2.0
// Depth maps as colour pictures.
#pragma once

#include "core/depth.hpp"

#include <optional>
#include <string_view>

#include <opencv2/core.hpp>

namespace vergence::media {

enum class Colormap { kTurbo, kInferno, kMagma, kViridis, kGray };

// The map of a name in configuration ("turbo"); nothing if the word is not one of them.
[[nodiscard]] std::optional<Colormap> colormap_from_string(std::string_view word);

struct ColormapOptions {
  Colormap map = Colormap::kTurbo;
  double low_percentile = 2.0;    // of the valid values; shown as the map's first colour and below
  double high_percentile = 98.0;  // shown as its last colour and above
  bool near_is_bright = true;     // near = last colour; false turns the map round
};

// `depth` as CV_8UC3 RGB. Distances and planar depths are shown by their inverse, so that the near
// range, where the eye looks for detail, gets its share of the colours. Invalid pixels are grey
// 128.
[[nodiscard]] cv::Mat colorize(const AnyDepth& depth, const ColormapOptions& options = {});

}  // namespace vergence::media
