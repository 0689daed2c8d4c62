// SPDX-License-Identifier: Apache-2.0
// Windows bitmaps without compression: 1, 4, 8 bit with a palette, 16 and 32 bit with masks, 24
// bit.
#include "media/codec.hpp"

#include <array>
#include <bit>
#include <cstdlib>

namespace vergence::media::codec {
namespace {

constexpr std::size_t kFileHeader = 14;

struct BmpHeader {
  std::size_t pixels_at = 0;
  std::size_t info_size = 0;
  std::int32_t width = 0;
  std::int32_t height = 0;
  bool top_down = false;
  int bits = 0;
  std::array<std::uint32_t, 3> masks{};  // R, G, B of 16 and 32 bit
};

BmpHeader read_header(const Source& source) {
  const auto* data = source.bytes.data();
  if (source.bytes.size() < kFileHeader + 40) throw_damaged(source, "the BMP data end too early");
  BmpHeader header;
  header.pixels_at = little_endian_u32(data + 10);
  header.info_size = little_endian_u32(data + 14);
  if (header.info_size < 40) throw_unsupported(source, "a BMP of OS/2");
  header.width = static_cast<std::int32_t>(little_endian_u32(data + 18));
  const auto signed_height = std::int64_t{static_cast<std::int32_t>(little_endian_u32(data + 22))};
  header.top_down = signed_height < 0;
  check_size(source, header.width, std::abs(signed_height));
  header.height = static_cast<std::int32_t>(std::abs(signed_height));
  header.bits = little_endian_u16(data + 28);
  const std::uint32_t compression = little_endian_u32(data + 30);
  constexpr std::uint32_t kPlain = 0;
  constexpr std::uint32_t kBitFields = 3;
  if (compression == kBitFields && source.bytes.size() >= kFileHeader + 52) {
    for (std::size_t c = 0; c < 3; ++c) header.masks[c] = little_endian_u32(data + 54 + 4 * c);
  } else if (compression != kPlain) {
    throw_unsupported(source, "a compressed BMP");
  } else {
    header.masks = header.bits == 16 ? std::array{0x7C00U, 0x03E0U, 0x001FU}
                                     : std::array{0xFF0000U, 0x00FF00U, 0x0000FFU};
  }
  return header;
}

using Palette = std::array<std::array<std::uint8_t, 3>, 256>;

Palette read_palette(Bytes bytes, const BmpHeader& header) {
  Palette palette{};
  for (std::size_t i = 0; i < std::size_t{1} << header.bits; ++i) {
    const std::size_t at = kFileHeader + header.info_size + 4 * i;
    if (at + 4 > bytes.size() || at + 4 > header.pixels_at) break;
    palette[i] = {bytes[at + 2], bytes[at + 1], bytes[at]};
  }
  return palette;
}

// The masked bits of `value`, stretched to 0-255.
std::uint8_t masked(std::uint32_t value, std::uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  const std::uint64_t full = mask >> shift;
  return static_cast<std::uint8_t>((std::uint64_t{(value & mask) >> shift} * 255 + full / 2) /
                                   full);
}

void read_row(const std::uint8_t* row, const BmpHeader& header, const Palette& palette,
              std::uint8_t* rgb) {
  const auto bits = static_cast<std::size_t>(header.bits);
  for (std::size_t x = 0; x < static_cast<std::size_t>(header.width); ++x, rgb += 3) {
    if (bits <= 8) {
      const std::size_t bit = x * bits;
      const std::size_t index = row[bit / 8] >> (8 - bits - bit % 8) & ((1U << bits) - 1);
      for (std::size_t c = 0; c < 3; ++c) rgb[c] = palette[index][c];
    } else if (bits == 24) {
      for (std::size_t c = 0; c < 3; ++c) rgb[c] = row[3 * x + 2 - c];
    } else {
      const std::uint32_t value =
          bits == 16 ? little_endian_u16(row + 2 * x) : little_endian_u32(row + 4 * x);
      for (std::size_t c = 0; c < 3; ++c) rgb[c] = masked(value, header.masks[c]);
    }
  }
}

}  // namespace

Decoded decode_bmp(const Source& source) {
  const BmpHeader header = read_header(source);
  const int bits = header.bits;
  if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32) {
    throw_unsupported(source, "a BMP of this depth");
  }
  // Rows are padded to four bytes.
  const std::size_t stride =
      (static_cast<std::size_t>(header.width) * static_cast<std::size_t>(bits) + 31) / 32 * 4;
  const std::size_t size = source.bytes.size();
  if (header.pixels_at > size ||
      stride * static_cast<std::size_t>(header.height) > size - header.pixels_at) {
    throw_damaged(source, "the BMP data end too early");
  }
  const Palette palette = bits <= 8 ? read_palette(source.bytes, header) : Palette{};
  Decoded decoded;
  decoded.pixels.create(header.height, header.width, CV_8UC3);
  for (int y = 0; y < header.height; ++y) {
    read_row(source.bytes.data() + header.pixels_at + stride * static_cast<std::size_t>(y), header,
             palette, decoded.pixels.ptr(header.top_down ? y : header.height - 1 - y));
  }
  return decoded;
}

}  // namespace vergence::media::codec
