// SPDX-License-Identifier: Apache-2.0
#include "media/codec.hpp"

#include "core/error.hpp"
#include "media/picture.hpp"

#include <fmt/format.h>

namespace vergence::media::codec {

void throw_damaged(const Source& source, const std::string& reason) {
  throw Error(fmt::format("cannot read '{}': {}", source.name, reason))
      .hint("the file was cut short or damaged; copy it again from where it came from");
}

void throw_unsupported(const Source& source, const std::string& variant) {
  throw Error(fmt::format("cannot read '{}': {} is not supported", source.name, variant))
      .hint("save it as a plain JPEG, PNG or EXR");
}

void check_size(const Source& source, std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1) throw_damaged(source, "it declares a picture without pixels");
  if (width > kMaxPictureWidth || height > kMaxPictureHeight ||
      width * height > kMaxPicturePixels) {
    throw Error(
        fmt::format("cannot read '{}': {} x {} pixels are too many", source.name, width, height))
        .hint("make it 32768 x 16384 or smaller");
  }
}

void check_plausible(const Source& source, std::int64_t decoded_bytes, std::int64_t max_ratio) {
  constexpr std::int64_t kSlack = 1 << 16;
  const auto size = static_cast<std::int64_t>(source.bytes.size());
  if (decoded_bytes / max_ratio > size + kSlack / max_ratio) {
    throw_damaged(source, fmt::format("it holds {} bytes, too few for the picture it declares",
                                      source.bytes.size()));
  }
}

std::uint32_t big_endian_u32(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
}

std::uint32_t little_endian_u32(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[3]} << 24 | std::uint32_t{bytes[2]} << 16 |
         std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[0]};
}

std::uint16_t little_endian_u16(const std::uint8_t* bytes) {
  return static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8);
}

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace vergence::media::codec
