// SPDX-License-Identifier: Apache-2.0
#include "media/heif_group.hpp"

#include "media/mp4_boxes.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vergence::media::codec {
namespace {

using mp4::Box;
using mp4::number_at;

constexpr std::size_t kVersionSize = 4;  // a FullBox's version and flags
constexpr std::string_view kGroups = "grpl";
constexpr std::string_view kStereo = "ster";

// The numbers of an item location box, one after the other.
class Fields {
 public:
  explicit Fields(std::string& data) : data_(data) {}

  std::uint64_t next(int bytes) {
    if (static_cast<std::size_t>(bytes) > data_.size() - at_) {
      throw std::invalid_argument("an item location box ends early");
    }
    last_ = at_;
    at_ += static_cast<std::size_t>(bytes);
    return bytes > 0 ? number_at(data_, last_, bytes) : 0;
  }

  // Replaces the number that was read last.
  void replace(std::uint64_t value, int bytes) {
    if (bytes > 0) mp4::store_number(data_, last_, value, bytes);
  }

 private:
  std::string& data_;
  std::size_t at_ = kVersionSize;
  std::size_t last_ = 0;
};

// Data at `from` and beyond have moved back by `distance` (ISO/IEC 14496-12, 8.11.3).
void shift_locations(Box& iloc, std::uint64_t from, std::uint64_t distance) {
  const int version = iloc.version();
  Fields fields(iloc.fields);
  const auto sizes = fields.next(2);
  const int offset_size = static_cast<int>(sizes >> 12 & 15);
  const int length_size = static_cast<int>(sizes >> 8 & 15);
  const int base_size = static_cast<int>(sizes >> 4 & 15);
  const int index_size = version > 0 ? static_cast<int>(sizes & 15) : 0;
  const int id_size = version < 2 ? 2 : 4;
  const auto items = fields.next(id_size);
  for (std::uint64_t item = 0; item < items; ++item) {
    fields.next(id_size);
    const bool in_file = version == 0 || (fields.next(2) & 15) == 0;
    fields.next(2);
    const auto base = fields.next(base_size);
    const bool by_base = base >= from;
    if (in_file && by_base) fields.replace(base + distance, base_size);
    const auto extents = fields.next(2);
    for (std::uint64_t extent = 0; extent < extents; ++extent) {
      fields.next(index_size);
      const auto offset = fields.next(offset_size);
      if (in_file && !by_base && base + offset >= from) {
        fields.replace(offset + distance, offset_size);
      }
      fields.next(length_size);
    }
  }
}

}  // namespace

std::optional<std::array<std::uint32_t, 2>> heif_stereo_pair(Bytes file) {
  std::string tail;
  for (auto& meta : mp4::parse_boxes(as_text(file), tail)) {
    if (meta.type != "meta") continue;
    mp4::open_container(meta, kVersionSize);
    Box* groups = meta.child(kGroups);
    if (groups == nullptr) continue;
    mp4::open_container(*groups, 0);
    const Box* pair = groups->child(kStereo);
    // Version and flags, the group's number, the count, the items.
    if (pair == nullptr || pair->fields.size() < 20 || number_at(pair->fields, 8, 4) < 2) continue;
    return std::array{static_cast<std::uint32_t>(number_at(pair->fields, 12, 4)),
                      static_cast<std::uint32_t>(number_at(pair->fields, 16, 4))};
  }
  return std::nullopt;
}

std::vector<std::uint8_t> with_heif_stereo_pair(Bytes file, std::uint32_t left,
                                                std::uint32_t right) {
  constexpr std::uint32_t kGroupNumber = 1U << 16;  // beyond all items of the encoder
  std::string fields;
  for (const std::uint32_t number : {kGroupNumber, 2U, left, right}) {
    mp4::append_number(fields, number, 4);
  }
  const Box groups =
      mp4::make_box(std::string(kGroups), "", {mp4::make_full_box(std::string(kStereo), fields)});
  std::string tail;
  auto boxes = mp4::parse_boxes(as_text(file), tail);
  std::uint64_t end = 0;
  for (auto& box : boxes) {
    end += mp4::serialized_size(box);
    if (box.type != "meta") continue;
    mp4::open_container(box, kVersionSize);
    Box* iloc = box.child("iloc");
    if (iloc == nullptr) throw std::invalid_argument("a HEIF file without item locations");
    shift_locations(*iloc, end, mp4::serialized_size(groups));
    box.children.push_back(groups);
    break;
  }
  std::vector<std::uint8_t> bytes;
  for (const auto& box : boxes) {
    const std::string content = mp4::serialized(box);
    bytes.insert(bytes.end(), content.begin(), content.end());
  }
  bytes.insert(bytes.end(), tail.begin(), tail.end());
  return bytes;
}

}  // namespace vergence::media::codec
