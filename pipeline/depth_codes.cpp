// SPDX-License-Identifier: Apache-2.0
#include "pipeline/depth_codes.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace vergence::pipeline {
namespace {

constexpr int kLastCode = 65535;
constexpr int kBlock = 32;         // pixels with one Rice parameter
constexpr int kParameterBits = 4;  // 0..15
constexpr unsigned kLongest = 24;  // ones of a quotient; that many mean: 16 plain bits follow
constexpr int kPlainBits = 16;
constexpr int kLargestSide = 1 << 15;

struct Head {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  float min = 0.0F;
  float max = 0.0F;
  std::array<float, 8> carried{};
};

class BitWriter {
 public:
  // The low `count` (<= 32) bits of `bits`, which has no others.
  void put(std::uint32_t bits, int count) {
    pending_ = (pending_ << count) | bits;
    num_pending_ += count;
    while (num_pending_ >= 8) {
      num_pending_ -= 8;
      bytes_.push_back(static_cast<char>(pending_ >> num_pending_));
    }
  }

  std::string finish() && {
    if (num_pending_ > 0) put(0, 8 - num_pending_);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
  std::uint64_t pending_ = 0;
  int num_pending_ = 0;
};

class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : bytes_(bytes) {}

  // `count` in 0..32. Zeros follow the end.
  std::uint32_t take(int count) {
    fill();
    const auto bits = count == 0 ? 0U : static_cast<std::uint32_t>(window_ >> (64 - count));
    drop(count);
    return bits;
  }

  // Ones up to the next zero, which is taken too; at most `most`, then no zero is taken.
  unsigned take_ones(unsigned most) {
    fill();
    const auto ones = static_cast<unsigned>(std::countl_one(window_));
    if (ones >= most) {
      drop(static_cast<int>(most));
      return most;
    }
    drop(static_cast<int>(ones) + 1);
    return ones;
  }

  // Whether more was taken than there was.
  [[nodiscard]] bool overrun() const { return num_bits_ < 0; }

 private:
  void fill() {
    while (num_bits_ <= 56 && next_ < bytes_.size()) {
      window_ |= std::uint64_t{static_cast<unsigned char>(bytes_[next_++])}
                 << static_cast<unsigned>(56 - num_bits_);
      num_bits_ += 8;
    }
  }

  void drop(int count) {
    window_ <<= static_cast<unsigned>(count);
    num_bits_ -= count;
  }

  std::string_view bytes_;
  std::size_t next_ = 0;
  std::uint64_t window_ = 0;
  int num_bits_ = 0;
};

// Differences modulo 2^16 as numbers that are small where they are small: 0, -1, 1, -2, ...
std::uint32_t folded(int difference) {
  const auto wrapped = static_cast<std::int16_t>(static_cast<std::uint16_t>(difference));
  return wrapped >= 0 ? static_cast<std::uint32_t>(wrapped) * 2U
                      : static_cast<std::uint32_t>(-(wrapped + 1)) * 2U + 1U;
}

int unfolded(std::uint32_t number) {
  const int half = static_cast<int>(number >> 1U);
  return (number & 1U) != 0 ? -half - 1 : half;
}

// A pixel as those before it continue (a plane's is exact); `above` is null in the first row. Maps
// of networks are smooth: this takes 6.2 bits a pixel of them where the median predictor of LOCO-I,
// made for photos, takes 7.4.
int predicted(const std::uint16_t* row, const std::uint16_t* above, int x) {
  if (above == nullptr) return x > 0 ? row[x - 1] : 0;
  if (x == 0) return above[0];
  return row[x - 1] + above[x] - above[x - 1];
}

// The parameter for numbers of this mean: about its logarithm.
int rice_parameter(std::uint64_t sum, int count) {
  int parameter = 0;
  while (parameter < 15 && (static_cast<std::uint64_t>(count) << (parameter + 1)) <= sum) {
    ++parameter;
  }
  return parameter;
}

void put_block(const std::array<std::uint32_t, kBlock>& numbers, int count, BitWriter& writer) {
  std::uint64_t sum = 0;
  for (int i = 0; i < count; ++i) sum += numbers[static_cast<std::size_t>(i)];
  const int parameter = rice_parameter(sum, count);
  writer.put(static_cast<std::uint32_t>(parameter), kParameterBits);
  for (int i = 0; i < count; ++i) {
    const auto number = numbers[static_cast<std::size_t>(i)];
    const unsigned quotient = number >> static_cast<unsigned>(parameter);
    if (quotient >= kLongest) {
      writer.put((1U << kLongest) - 1U, static_cast<int>(kLongest));
      writer.put(number, kPlainBits);
    } else {
      writer.put((1U << (quotient + 1U)) - 2U, static_cast<int>(quotient) + 1);
      writer.put(number & ((1U << static_cast<unsigned>(parameter)) - 1U), parameter);
    }
  }
}

std::uint32_t take_number(BitReader& reader, int parameter) {
  const unsigned quotient = reader.take_ones(kLongest);
  if (quotient == kLongest) return reader.take(kPlainBits);
  return (quotient << static_cast<unsigned>(parameter)) | reader.take(parameter);
}

}  // namespace

DepthCodes depth_codes(const cv::Mat& raw) {
  float min = std::numeric_limits<float>::infinity();
  float max = -min;
  for (int y = 0; y < raw.rows; ++y) {
    const auto* row = raw.ptr<float>(y);
    for (int x = 0; x < raw.cols; ++x) {
      if (!std::isfinite(row[x])) continue;
      min = std::min(min, row[x]);
      max = std::max(max, row[x]);
    }
  }
  DepthCodes depth{cv::Mat(raw.size(), CV_16UC1), min, max, {}};
  if (min > max) depth.min = depth.max = 0.0F;
  const double range = static_cast<double>(depth.max) - depth.min;
  const double steps = range > 0.0 ? (kLastCode - 1) / range : 0.0;
  for (int y = 0; y < raw.rows; ++y) {
    const auto* from = raw.ptr<float>(y);
    auto* to = depth.codes.ptr<std::uint16_t>(y);
    for (int x = 0; x < raw.cols; ++x) {
      to[x] = std::isfinite(from[x])
                  ? static_cast<std::uint16_t>(1.5 + steps * (double{from[x]} - depth.min))
                  : std::uint16_t{0};
    }
  }
  return depth;
}

cv::Mat raw_from_codes(const DepthCodes& depth) {
  cv::Mat raw(depth.codes.size(), CV_32FC1);
  const double step = (static_cast<double>(depth.max) - depth.min) / (kLastCode - 1);
  for (int y = 0; y < raw.rows; ++y) {
    const auto* from = depth.codes.ptr<std::uint16_t>(y);
    auto* to = raw.ptr<float>(y);
    for (int x = 0; x < raw.cols; ++x) {
      to[x] = from[x] == 0 ? std::numeric_limits<float>::quiet_NaN()
                           : static_cast<float>(depth.min + step * (from[x] - 1));
    }
  }
  return raw;
}

std::string compress_depth(const DepthCodes& depth) {
  const cv::Mat& codes = depth.codes;
  const Head head{.width = static_cast<std::uint32_t>(codes.cols),
                  .height = static_cast<std::uint32_t>(codes.rows),
                  .min = depth.min,
                  .max = depth.max,
                  .carried = depth.carried};
  BitWriter writer;
  std::array<std::uint32_t, kBlock> numbers{};
  for (int y = 0; y < codes.rows; ++y) {
    const auto* row = codes.ptr<std::uint16_t>(y);
    const auto* above = y > 0 ? codes.ptr<std::uint16_t>(y - 1) : nullptr;
    for (int first = 0; first < codes.cols; first += kBlock) {
      const int count = std::min(kBlock, codes.cols - first);
      for (int i = 0; i < count; ++i) {
        numbers[static_cast<std::size_t>(i)] =
            folded(row[first + i] - predicted(row, above, first + i));
      }
      put_block(numbers, count, writer);
    }
  }
  return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) +
         std::move(writer).finish();
}

DepthCodes decompress_depth(std::string_view bytes) {
  Head head;
  if (bytes.size() < sizeof(head)) throw Error("a depth map is cut off");
  std::memcpy(&head, bytes.data(), sizeof(head));
  // A pixel takes at least a bit: sizes beyond the bytes are not believed, let alone allocated.
  const bool possible = head.width > 0 && head.height > 0 && head.width <= kLargestSide &&
                        head.height <= kLargestSide && std::isfinite(head.min) &&
                        std::isfinite(head.max) && head.min <= head.max &&
                        std::uint64_t{head.width} * head.height <= 8 * bytes.size();
  if (!possible) throw Error("a depth map has an impossible size or range");
  DepthCodes depth{cv::Mat(static_cast<int>(head.height), static_cast<int>(head.width), CV_16UC1),
                   head.min, head.max, head.carried};
  BitReader reader(bytes.substr(sizeof(head)));
  for (int y = 0; y < depth.codes.rows; ++y) {
    auto* row = depth.codes.ptr<std::uint16_t>(y);
    const auto* above = y > 0 ? depth.codes.ptr<std::uint16_t>(y - 1) : nullptr;
    int parameter = 0;
    for (int x = 0; x < depth.codes.cols; ++x) {
      if (x % kBlock == 0) parameter = static_cast<int>(reader.take(kParameterBits));
      row[x] = static_cast<std::uint16_t>(predicted(row, above, x) +
                                          unfolded(take_number(reader, parameter)));
    }
    if (reader.overrun()) throw Error("a depth map is cut off");
  }
  return depth;
}

}  // namespace vergence::pipeline
