// SPDX-License-Identifier: Apache-2.0
// Colours between the pixels of a row; not installed.
#pragma once

#include "stereo/pixel.hpp"
#include "stereo/scanline_warp.hpp"

#include <array>
#include <cstdlib>
#include <span>

#include <opencv2/core/hal/intrin.hpp>

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

// The RGB pixel at `part` / 256 between the one at `a` and the next, to out. Reads and writes eight
// bytes, of which the last five written are of no use.
inline void mix_rgb8(const std::uint8_t* a, int part, std::uint8_t* out) {
  const cv::v_uint16x8 first = cv::v_load_expand(a);
  const cv::v_uint16x8 second = cv::v_rotate_right<3>(first);
  const cv::v_uint16x8 weight = cv::v_setall_u16(static_cast<std::uint16_t>(part));
  // 256 a + (b - a) part + 128 fits unsigned 16 bits, whatever its terms do on the way.
  const cv::v_uint16x8 mixed =
      cv::v_add_wrap(cv::v_add_wrap(cv::v_shl<8>(first), cv::v_setall_u16(128)),
                     cv::v_mul_wrap(cv::v_sub_wrap(second, first), weight));
  cv::v_pack_store(out, cv::v_shr<8>(mixed));
}

// One pixel at `fixed` / 256.
template <int kChannels>
void sample_one8(const SourceRow<std::uint8_t>& row, int fixed, std::uint8_t* out) {
  const int beyond = row.options->wrap ? 0 : row.width - 1;
  const int whole = fixed >> 8;
  const std::ptrdiff_t left = whole < row.width ? whole : beyond;  // may be rounded up
  const std::ptrdiff_t right = left + 1 < row.width ? left + 1 : beyond;
  const std::uint8_t* const a = row.pixels + left * kChannels;
  const std::uint8_t* const b = row.pixels + right * kChannels;
  const int part = fixed & 255;
  for (int c = 0; c < kChannels; ++c) {
    out[c] = static_cast<std::uint8_t>((a[c] * 256 + (b[c] - a[c]) * part + 128) >> 8);
  }
}

// 8-bit pixels, at steps of 1/256 pixel.
template <int kChannels>
void sample_bilinear8(const SourceRow<std::uint8_t>& row, std::span<const float> columns,
                      std::uint8_t* out) {
  constexpr std::size_t kBlock = 64;  // so that the conversion to steps can use vectors
  std::array<int, kBlock> fixed;
  const std::uint8_t* const pixels = row.pixels;  // bytes that are written might alias `row`
  const int last_fast = row.width - 2;
  for (std::size_t begin = 0; begin < columns.size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, columns.size() - begin);
    const float* const block = columns.data() + begin;
    for (std::size_t i = 0; i < count; ++i) {
      fixed[i] = static_cast<int>(block[i] * 256.0F + kHalf);
    }
    // The last pixels may be the last of the view: nothing is written behind them.
    const std::size_t num_fast = kChannels == 3 && count > 2 ? count - 2 : 0;
    for (std::size_t i = 0; i < count; ++i, out += kChannels) {
      const std::ptrdiff_t left = fixed[i] >> 8;
      if (i < num_fast && left < last_fast) {
        mix_rgb8(pixels + left * 3, fixed[i] & 255, out);
      } else {
        sample_one8<kChannels>(row, fixed[i], out);
      }
    }
  }
}

template <class T, int kChannels>
void sample_bilinear(const SourceRow<T>& row, std::span<const float> columns, T* out) {
  if constexpr (std::is_same_v<T, std::uint8_t>) {
    sample_bilinear8<kChannels>(row, columns, out);
  } else {
    const int beyond = row.options->wrap ? 0 : row.width - 1;
    for (const float column : columns) {
      const int left = static_cast<int>(column);
      const float part = column - static_cast<float>(left);
      const int right = left + 1 < row.width ? left + 1 : beyond;
      const T* const a = row.pixels + left * kChannels;
      const T* const b = row.pixels + right * kChannels;
      for (int c = 0; c < kChannels; ++c) {
        const auto from = static_cast<float>(a[c]);
        out[c] = rounded<T>(from + (static_cast<float>(b[c]) - from) * part);
      }
      out += kChannels;
    }
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
