// SPDX-License-Identifier: Apache-2.0
// Colours between the pixels of a row; not installed.
#pragma once

#include "stereo/pixel.hpp"
#include "stereo/scanline_warp.hpp"

#include <array>
#include <cstdlib>
#include <span>

namespace vergence::stereo {

template <class T>
struct SourceRow {
  const T* pixels;
  const float* parallax;
  int width;
  const ScanlineOptions* options;
};

// Weights of the taps 1 - n/2 .. n/2 around a position `part` (0..1) behind tap 0; they add up
// to 1.
[[nodiscard]] std::array<float, 6> tap_weights(Interpolation interpolation, float part);

// Pixel beside `x` in the direction `step` (-1 or 1), or x itself at the border and at a rim.
template <class T>
int next_on_surface(const SourceRow<T>& row, int x, int step) {
  int next = x + step;
  if (next < 0 || next >= row.width) {
    if (!row.options->wrap) return x;
    next = next < 0 ? row.width - 1 : 0;
  }
  return std::abs(row.parallax[next] - row.parallax[x]) <= row.options->tear_px ? next : x;
}

template <class T, int kChannels>
void sample_bilinear(const SourceRow<T>& row, std::span<const float> columns, T* out) {
  const int beyond = row.options->wrap ? 0 : row.width - 1;
  for (const float column : columns) {
    if constexpr (std::is_same_v<T, std::uint8_t>) {
      const int fixed = static_cast<int>(column * 256.0F + kHalf);
      const int part = fixed & 255;
      int left = fixed >> 8;
      if (left == row.width) left = beyond;  // rounded up
      const int right = left + 1 < row.width ? left + 1 : beyond;
      const T* const a = row.pixels + left * kChannels;
      const T* const b = row.pixels + right * kChannels;
      for (int c = 0; c < kChannels; ++c) {
        out[c] = static_cast<T>((a[c] * 256 + (b[c] - a[c]) * part + 128) >> 8);
      }
    } else {
      const int left = static_cast<int>(column);
      const float part = column - static_cast<float>(left);
      const int right = left + 1 < row.width ? left + 1 : beyond;
      const T* const a = row.pixels + left * kChannels;
      const T* const b = row.pixels + right * kChannels;
      for (int c = 0; c < kChannels; ++c) {
        const auto from = static_cast<float>(a[c]);
        out[c] = rounded<T>(from + (static_cast<float>(b[c]) - from) * part);
      }
    }
    out += kChannels;
  }
}

// More taps; those beyond a rim repeat the last pixel of the surface.
template <class T, int kChannels>
void sample_with_taps(const SourceRow<T>& row, std::span<const float> columns, T* out) {
  const std::size_t reach = row.options->interpolation == Interpolation::kLanczos ? 3 : 2;
  for (const float column : columns) {
    const int left = static_cast<int>(column);
    const float part = column - static_cast<float>(left);
    const auto weights = tap_weights(row.options->interpolation, part);
    std::array<int, 6> taps;
    taps[reach - 1] = left;
    for (std::size_t i = reach - 1; i > 0; --i) taps[i - 1] = next_on_surface(row, taps[i], -1);
    for (std::size_t i = reach; i < 2 * reach; ++i) taps[i] = next_on_surface(row, taps[i - 1], 1);
    std::array<float, kChannels> sum{};
    for (std::size_t i = 0; i < 2 * reach; ++i) {
      const T* const pixel = row.pixels + taps[i] * kChannels;
      for (std::size_t c = 0; c < kChannels; ++c) {
        sum[c] += weights[i] * static_cast<float>(pixel[c]);
      }
    }
    for (std::size_t c = 0; c < kChannels; ++c) out[c] = rounded<T>(sum[c]);
    out += kChannels;
  }
}

// Colours at columns 0 <= column <= width - 1 (< width where rows wrap), to out[columns.size()].
template <class T, int kChannels>
void sample_at(const SourceRow<T>& row, std::span<const float> columns, T* out) {
  if (row.options->interpolation == Interpolation::kBilinear) {
    sample_bilinear<T, kChannels>(row, columns, out);
  } else {
    sample_with_taps<T, kChannels>(row, columns, out);
  }
}

}  // namespace vergence::stereo
