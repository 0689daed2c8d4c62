// SPDX-License-Identifier: Apache-2.0
// Netpbm's PBM, PGM and PPM, as text and as bytes (P1-P6), 1 to 16 bit.
#include "media/codec.hpp"

#include <cctype>

namespace vergence::media::codec {
namespace {

class PnmReader {
 public:
  explicit PnmReader(const Source& source) : source_(source) {}

  cv::Mat decode() {
    const int kind = source_.bytes[1] - '0';
    at_ = 2;
    const bool bitmap = kind == 1 || kind == 4;
    const auto width = next_number();
    const auto height = next_number();
    const auto full = bitmap ? 1 : next_number();
    check_size(source_, width, height);
    if (full < 1 || full > 65535) throw_damaged(source_, "the PNM header is damaged");
    const int channels = kind == 3 || kind == 6 ? 3 : 1;
    check_plausible(source_, width * height * channels, 8);
    cv::Mat pixels(static_cast<int>(height), static_cast<int>(width),
                   CV_MAKETYPE(full > 255 ? CV_16U : CV_8U, channels));
    if (kind >= 4) ++at_;  // one white space before the bytes
    for (int y = 0; y < pixels.rows; ++y) {
      const int count = pixels.cols * channels;
      if (kind == 4) {
        read_bits(pixels.ptr(y), count);
      } else if (full > 255) {
        read_samples(pixels.ptr<std::uint16_t>(y), count, kind <= 3, full);
      } else if (kind == 1) {
        for (int x = 0; x < count; ++x) pixels.ptr(y)[x] = next_bit_character() ? 0 : 255;
      } else {
        read_samples(pixels.ptr(y), count, kind <= 3, full);
      }
    }
    return pixels;
  }

 private:
  std::uint8_t next() {
    if (at_ >= source_.bytes.size()) throw_damaged(source_, "the PNM data end too early");
    return source_.bytes[at_++];
  }

  // Skips white space and remarks ("# ... end of line").
  std::uint8_t next_visible() {
    for (;;) {
      const std::uint8_t c = next();
      if (c == '#') {
        while (next() != '\n') continue;
      } else if (std::isspace(c) == 0) {
        return c;
      }
    }
  }

  std::int64_t next_number() {
    std::int64_t number = 0;
    for (auto c = next_visible();; c = source_.bytes[at_++]) {
      if (c < '0' || c > '9' || number > 100'000'000) {
        throw_damaged(source_, "the PNM header is damaged");
      }
      number = number * 10 + (c - '0');
      if (at_ >= source_.bytes.size() || std::isspace(source_.bytes[at_]) != 0) return number;
    }
  }

  bool next_bit_character() { return next_visible() == '1'; }

  // Eight pixels a byte, 1 = black, rows padded to whole bytes.
  void read_bits(std::uint8_t* row, int count) {
    std::uint8_t byte = 0;
    for (int x = 0; x < count; ++x) {
      if (x % 8 == 0) byte = next();
      row[x] = (byte >> (7 - x % 8) & 1) != 0 ? 0 : 255;
    }
  }

  template <class Sample>
  void read_samples(Sample* row, int count, bool text, std::int64_t full) {
    constexpr std::int64_t kFull = std::numeric_limits<Sample>::max();
    for (int i = 0; i < count; ++i) {
      std::int64_t value = 0;
      if (text) {
        value = next_number();
      } else {
        value = next();
        if constexpr (sizeof(Sample) == 2) value = value << 8 | next();
      }
      row[i] = static_cast<Sample>((std::min(value, full) * kFull + full / 2) / full);
    }
  }

  Source source_;
  std::size_t at_ = 0;
};

}  // namespace

Decoded decode_pnm(const Source& source) {
  Decoded decoded;
  decoded.pixels = PnmReader(source).decode();
  return decoded;
}

}  // namespace vergence::media::codec
