// SPDX-License-Identifier: Apache-2.0
// Radiance HDR (RGBE): G. Ward, "Real Pixels", Graphics Gems II, 1991; the file format as in
// Radiance's own color.c. Shared exponent, runs per component, older runs and plain pixels.
#include "media/codec.hpp"

#include <charconv>
#include <cmath>

namespace vergence::media::codec {
namespace {

constexpr const char* kTooShort = "the HDR data end too early";

class RadianceReader {
 public:
  explicit RadianceReader(const Source& source) : source_(source) {}

  cv::Mat decode() {
    read_header();
    // Runs per component do 64 : 1; old runs can do more, but nobody paints such pictures.
    check_plausible(source_, std::int64_t{width_} * height_ * 4, 4096);
    cv::Mat pixels(height_, width_, CV_32FC3);
    std::vector<std::uint8_t> row(static_cast<std::size_t>(width_) * 4);
    for (int y = 0; y < height_; ++y) {
      read_row(row);
      auto* rgb = pixels.ptr<float>(bottom_up_ ? height_ - 1 - y : y);
      for (std::size_t x = 0; x < static_cast<std::size_t>(width_); ++x) {
        // value = mantissa * 2^(exponent - 128 - 8); exponent 0 means black.
        const std::uint8_t* rgbe = row.data() + 4 * x;
        const float scale =
            rgbe[3] == 0 ? 0.0F : std::ldexp(1.0F / exposure_, static_cast<int>(rgbe[3]) - 136);
        for (std::size_t c = 0; c < 3; ++c) rgb[3 * x + c] = static_cast<float>(rgbe[c]) * scale;
      }
    }
    return pixels;
  }

 private:
  std::uint8_t next() {
    if (at_ >= source_.bytes.size()) throw_damaged(source_, kTooShort);
    return source_.bytes[at_++];
  }

  std::string_view next_line() {
    const auto rest = as_text(source_.bytes.subspan(at_));
    const std::size_t length = rest.find('\n');
    if (length == std::string_view::npos) throw_damaged(source_, kTooShort);
    at_ += length + 1;
    return rest.substr(0, length);
  }

  void read_header() {
    for (auto line = next_line(); !line.empty(); line = next_line()) {
      if (line.starts_with("FORMAT=") && line != "FORMAT=32-bit_rle_rgbe") {
        throw_unsupported(source_, "an HDR file in XYZ colours");
      }
      constexpr std::string_view kExposure = "EXPOSURE=";
      if (!line.starts_with(kExposure)) continue;
      line.remove_prefix(std::min(line.find_first_not_of(' ', kExposure.size()), line.size()));
      float factor = 1.0F;
      std::from_chars(line.data(), line.data() + line.size(), factor);
      if (std::isfinite(factor) && factor > 0.0F) exposure_ *= factor;
    }
    read_size(next_line());
  }

  // "-Y height +X width": rows from the top down. "+Y": from the bottom up.
  void read_size(std::string_view line) {
    bottom_up_ = line.starts_with("+Y ");
    const std::size_t x = line.find(" +X ");
    if ((!bottom_up_ && !line.starts_with("-Y ")) || x == std::string_view::npos) {
      throw_unsupported(source_, "an HDR file with rotated rows");
    }
    std::from_chars(line.data() + 3, line.data() + x, height_);
    std::from_chars(line.data() + x + 4, line.data() + line.size(), width_);
    check_size(source_, width_, height_);
  }

  void read_row(std::vector<std::uint8_t>& row) {
    std::uint8_t first[4];
    for (auto& byte : first) byte = next();
    const int run_width = first[2] << 8 | first[3];
    if (first[0] == 2 && first[1] == 2 && run_width < 0x8000) {
      if (run_width != width_) throw_damaged(source_, "the HDR data are damaged");
      for (std::size_t component = 0; component < 4; ++component) read_runs(row, component);
    } else {
      read_plain_row(row, first);
    }
  }

  void read_runs(std::vector<std::uint8_t>& row, std::size_t component) {
    for (std::size_t x = component; x < row.size();) {
      int count = next();
      const bool run = count > 128;
      if (run) count -= 128;
      if (count == 0 || x + 4 * static_cast<std::size_t>(count - 1) >= row.size()) {
        throw_damaged(source_, "the HDR data are damaged");
      }
      const std::uint8_t value = run ? next() : 0;
      for (; count > 0; --count, x += 4) row[x] = run ? value : next();
    }
  }

  // Plain pixels; 1 1 1 n repeats the pixel before n times (and again n << 8 times, ...).
  void read_plain_row(std::vector<std::uint8_t>& row, std::uint8_t (&pixel)[4]) {
    int shift = 0;
    for (std::size_t x = 0; x < row.size();) {
      if (x > 0 || shift > 0) {
        for (auto& byte : pixel) byte = next();
      }
      std::size_t count = 1;
      if (pixel[0] == 1 && pixel[1] == 1 && pixel[2] == 1) {
        if (x == 0 || shift > 16) throw_damaged(source_, "the HDR data are damaged");
        count = std::size_t{pixel[3]} << shift;
        shift += 8;
        for (std::size_t c = 0; c < 4; ++c) pixel[c] = row[x - 4 + c];
      } else {
        shift = 0;
      }
      if (count > (row.size() - x) / 4) throw_damaged(source_, "the HDR data are damaged");
      for (; count > 0; --count) {
        for (const auto byte : pixel) row[x++] = byte;
      }
    }
  }

  Source source_;
  std::size_t at_ = 0;
  int width_ = 0;
  int height_ = 0;
  float exposure_ = 1.0F;
  bool bottom_up_ = false;
};

}  // namespace

Decoded decode_radiance(const Source& source) {
  Decoded decoded;
  decoded.pixels = RadianceReader(source).decode();
  return decoded;
}

}  // namespace vergence::media::codec
