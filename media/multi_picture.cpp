// SPDX-License-Identifier: Apache-2.0
#include "media/multi_picture.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

namespace vergence::media::codec {
namespace {

// DC-007, tables 3 to 6.
constexpr std::uint16_t kVersion = 0xB000;
constexpr std::uint16_t kCount = 0xB001;
constexpr std::uint16_t kEntries = 0xB002;
constexpr std::uint16_t kNumber = 0xB101;
constexpr std::uint16_t kBaseViewpoint = 0xB204;
constexpr std::uint16_t kConvergence = 0xB205;
constexpr std::uint16_t kBaseline = 0xB206;

constexpr std::uint32_t kDisparity = 0x020002;
constexpr std::uint32_t kTypeMask = 0xFFFFFF;
constexpr std::uint32_t kRepresentative = 1U << 29;

// TIFF types.
constexpr std::uint16_t kLong = 4;
constexpr std::uint16_t kRational = 5;
constexpr std::uint16_t kUndefined = 7;
constexpr std::uint16_t kSignedRational = 10;

constexpr std::size_t kEntrySize = 16;  // of a picture in the index
constexpr std::size_t kFieldSize = 12;  // of a field in a directory
constexpr std::uint32_t kUnknown = 0xFFFFFFFF;

// Numbers of a TIFF structure; 0 beyond its end.
class Tiff {
 public:
  explicit Tiff(std::string_view bytes) : bytes_(bytes), little_(bytes.starts_with("II")) {}

  [[nodiscard]] std::uint32_t number(std::size_t at, std::size_t count) const {
    if (at > bytes_.size() || count > bytes_.size() - at) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t from = little_ ? at + count - 1 - i : at + i;
      value = value << 8 | static_cast<unsigned char>(bytes_[from]);
    }
    return value;
  }

  [[nodiscard]] std::uint32_t u32(std::size_t at) const { return number(at, 4); }

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

  // Where the field of a directory lies; nothing if it has none.
  [[nodiscard]] std::optional<std::size_t> field(std::size_t directory, std::uint16_t tag) const {
    const std::uint32_t count = number(directory, 2);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::size_t at = directory + 2 + i * kFieldSize;
      if (at + kFieldSize > size()) return std::nullopt;
      if (number(at, 2) == tag) return at;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::size_t first_directory() const { return u32(4); }

  [[nodiscard]] std::size_t next_directory(std::size_t directory) const {
    return u32(directory + 2 + number(directory, 2) * kFieldSize);
  }

 private:
  std::string_view bytes_;
  bool little_;
};

// A directory of big-endian fields, whose larger values follow it.
class DirectoryWriter {
 public:
  DirectoryWriter(std::size_t at, std::size_t fields)
      : values_at_(at + 2 + fields * kFieldSize + 4) {
    append(fields, 2, head_);
  }

  void add(std::uint16_t tag, std::uint16_t type, std::uint32_t count, const std::string& value) {
    append(tag, 2, head_);
    append(type, 2, head_);
    append(count, 4, head_);
    if (value.size() <= 4) {
      head_ += value + std::string(4 - value.size(), '\0');
    } else {
      append(values_at_ + values_.size(), 4, head_);
      values_ += value;
    }
  }

  [[nodiscard]] std::size_t end() const { return values_at_ + values_.size(); }

  // The bytes once all fields are there; `next` is where the next directory begins, 0 = none.
  [[nodiscard]] std::string finished(std::size_t next) const {
    std::string bytes = head_;
    append(next, 4, bytes);
    return bytes + values_;
  }

  static void append(std::uint64_t value, int count, std::string& to) {
    for (int i = count - 1; i >= 0; --i) to += static_cast<char>(value >> (8 * i) & 0xFF);
  }

 private:
  std::string head_;
  std::string values_;
  std::size_t values_at_;
};

std::string number(std::uint64_t value) {
  std::string bytes;
  DirectoryWriter::append(value, 4, bytes);
  return bytes;
}

// Parallel cameras; unknown values are all ones (5.2.4.5).
void add_attributes(std::uint32_t view, std::optional<double> baseline_m, DirectoryWriter& to) {
  constexpr std::uint32_t kMicrometres = 1000000;
  const bool known = baseline_m && *baseline_m > 0.0 && *baseline_m < 1000.0;
  to.add(kNumber, kLong, 1, number(view));
  to.add(kBaseViewpoint, kLong, 1, number(1));
  to.add(kConvergence, kSignedRational, 1, number(0) + number(1));
  to.add(kBaseline, kRational, 1,
         known ? number(static_cast<std::uint32_t>(std::lround(*baseline_m * kMicrometres))) +
                     number(kMicrometres)
               : number(kUnknown) + number(kUnknown));
}

const std::string kVersionValue = "0100";
constexpr std::size_t kHeaderSize = 8;

std::string header() {
  return std::string("MM\0*", 4) + number(kHeaderSize);
}

}  // namespace

std::vector<MultiPicture> multi_pictures(std::string_view index, std::size_t at) {
  const Tiff tiff(index);
  const auto field = tiff.field(tiff.first_directory(), kEntries);
  if (!field) return {};
  const std::size_t bytes = tiff.u32(*field + 4);
  const std::size_t start = tiff.u32(*field + 8);
  std::vector<MultiPicture> pictures;
  for (std::size_t i = 0; i + kEntrySize <= bytes; i += kEntrySize) {
    const std::size_t entry = start + i;
    if (entry + kEntrySize > tiff.size()) break;
    const std::size_t offset = tiff.u32(entry + 8);
    pictures.push_back({(tiff.u32(entry) & kTypeMask) == kDisparity, offset == 0 ? 0 : at + offset,
                        tiff.u32(entry + 4)});
  }
  return pictures;
}

MultiPictureAttributes multi_picture_attributes(std::string_view index) {
  const Tiff tiff(index);
  MultiPictureAttributes attributes;
  // Behind the index where there is one.
  std::size_t directory = tiff.first_directory();
  if (tiff.field(directory, kEntries)) directory = tiff.next_directory(directory);
  if (directory == 0) return attributes;
  if (const auto field = tiff.field(directory, kNumber)) attributes.number = tiff.u32(*field + 8);
  if (const auto field = tiff.field(directory, kBaseline)) {
    const std::size_t value = tiff.u32(*field + 8);
    const std::uint32_t numerator = tiff.u32(value);
    const std::uint32_t denominator = tiff.u32(value + 4);
    if (numerator != kUnknown && numerator != 0 && denominator != 0) {
      attributes.baseline_m = static_cast<double>(numerator) / denominator;
    }
  }
  return attributes;
}

std::string left_multi_picture(const PairPlaces& places, std::optional<double> baseline_m) {
  const auto entry = [](std::uint32_t flags, std::size_t size, std::size_t offset) {
    return number(flags | kDisparity) + number(size) + number(offset) + number(0);
  };
  DirectoryWriter index(kHeaderSize, 3);
  index.add(kVersion, kUndefined, 4, kVersionValue);
  index.add(kCount, kLong, 1, number(2));
  index.add(kEntries, kUndefined, 2 * kEntrySize,
            entry(kRepresentative, places.left_size, 0) +
                entry(0, places.right_size, places.left_size - places.at));
  DirectoryWriter attributes(index.end(), 4);
  add_attributes(1, baseline_m, attributes);
  return header() + index.finished(index.end()) + attributes.finished(0);
}

std::string right_multi_picture(std::optional<double> baseline_m) {
  DirectoryWriter attributes(kHeaderSize, 5);
  attributes.add(kVersion, kUndefined, 4, kVersionValue);
  add_attributes(2, baseline_m, attributes);
  return header() + attributes.finished(0);
}

}  // namespace vergence::media::codec
