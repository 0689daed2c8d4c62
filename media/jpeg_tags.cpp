// SPDX-License-Identifier: Apache-2.0
#include "media/jpeg_tags.hpp"

#include "core/error.hpp"
#include "media/jpeg_segments.hpp"
#include "media/photo_tags.hpp"
#include "media/xmp.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace vergence::media {
namespace {

using codec::Bytes;
using codec::JpegSegment;
using codec::XmpPacket;

constexpr int kApp1 = 0xe1;
constexpr int kApp2 = 0xe2;
constexpr int kApp3 = 0xe3;
constexpr std::string_view kXmpHead("http://ns.adobe.com/xap/1.0/\0", 29);
constexpr std::string_view kExifHead("Exif\0", 5);
constexpr std::string_view kMpfHead("MPF\0", 4);
constexpr std::string_view kJpsHead("_JPSJPS_", 8);
constexpr std::size_t kMaxSegment = 65533;

bool is_xmp(const JpegSegment& segment) {
  return segment.marker == kApp1 && segment.data.starts_with(kXmpHead);
}

bool is_jps(const JpegSegment& segment) {
  return segment.marker == kApp3 && segment.data.starts_with(kJpsHead);
}

bool is_mpf(const JpegSegment& segment) {
  return segment.marker == kApp2 && segment.data.starts_with(kMpfHead);
}

// Tags stand behind JFIF's header and EXIF, which readers look for at once.
bool stands_in_front(const JpegSegment& segment) {
  return segment.marker == 0xe0 || (segment.marker == kApp1 && segment.data.starts_with(kExifHead));
}

// Where a segment begins: its data follow a marker and a length of two bytes each.
std::size_t begin_of(const JpegSegment& segment, Bytes bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(segment.data.data());
  return static_cast<std::size_t>(data - bytes.data()) - 4;
}

std::size_t end_of(const JpegSegment& segment, Bytes bytes) {
  return begin_of(segment, bytes) + 4 + segment.data.size();
}

std::string new_packet(const std::vector<JpegSegment>& segments, const PictureView& view,
                       cv::Size size, std::string_view name) {
  const auto packets = codec::jpeg_xmp(segments);
  XmpPacket xmp(packets.empty() ? std::string() : packets.front());
  if (xmp.text(codec::kGImage, "Mime") && view.stereo != StereoTag::kNone) {
    throw Error(fmt::format("'{}' is a VR photo: its right eye lies in a picture of its own", name))
        .hint("make a side-by-side picture of it first");
  }
  constexpr std::array<const char*, 6> kPose = {
      "PoseHeadingDegrees",        "PosePitchDegrees",        "PoseRollDegrees",
      "InitialViewHeadingDegrees", "InitialViewPitchDegrees", "InitialViewRollDegrees"};
  std::array<std::optional<std::string>, kPose.size()> pose;
  for (std::size_t i = 0; i < kPose.size(); ++i) pose[i] = xmp.text(codec::kGPano, kPose[i]);
  xmp.remove(codec::kGPano);
  xmp.remove(codec::kGSpherical);
  codec::describe_view(view, size, xmp);
  for (std::size_t i = 0; i < kPose.size(); ++i) {
    if (view.spherical && pose[i]) xmp.set(codec::kGPano, kPose[i], *pose[i]);
  }
  return xmp.serialized();
}

void append(std::vector<std::uint8_t>& bytes, std::string_view text) {
  bytes.insert(bytes.end(), text.begin(), text.end());
}

void append_xmp(std::vector<std::uint8_t>& bytes, const std::string& packet,
                std::string_view name) {
  if (packet.empty()) return;
  const std::size_t length = 2 + kXmpHead.size() + packet.size();
  if (length > kMaxSegment + 2) {
    throw Error(fmt::format("the tags of '{}' leave no room for more", name));
  }
  bytes.insert(bytes.end(), {0xff, kApp1, static_cast<std::uint8_t>(length >> 8),
                             static_cast<std::uint8_t>(length & 0xff)});
  append(bytes, kXmpHead);
  append(bytes, packet);
}

// A number of an MP index, which is a TIFF structure of either byte order.
std::uint32_t tiff_number(std::span<const std::uint8_t> tiff, std::size_t at, int count) {
  const bool little = tiff[0] == 'I';
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) {
    const auto k = static_cast<std::size_t>(little ? count - 1 - i : i);
    value = value << 8 | tiff[at + k];
  }
  return value;
}

void set_tiff_number(std::span<std::uint8_t> tiff, std::size_t at, std::uint32_t value) {
  const bool little = tiff[0] == 'I';
  for (int i = 0; i < 4; ++i) {
    tiff[at + static_cast<std::size_t>(little ? i : 3 - i)] =
        static_cast<std::uint8_t>(value >> (8 * i) & 0xff);
  }
}

// The index of further pictures tells the first one's size (CIPA DC-007, 5.2.3.3); the places of
// the others count from the index itself, which moves with them.
void grow_first_picture(std::span<std::uint8_t> tiff, std::int64_t growth) {
  if (tiff.size() < 8) return;
  const std::size_t directory = tiff_number(tiff, 4, 4);
  if (directory > tiff.size() - 2) return;
  const std::size_t count = tiff_number(tiff, directory, 2);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.size()) return;
    if (tiff_number(tiff, entry, 2) != 0xb002) continue;
    const std::size_t first = tiff_number(tiff, entry + 8, 4);
    if (first > tiff.size() || tiff.size() - first < 16) return;
    const auto size = static_cast<std::int64_t>(tiff_number(tiff, first + 4, 4));
    if (size != 0) set_tiff_number(tiff, first + 4, static_cast<std::uint32_t>(size + growth));
    return;
  }
}

}  // namespace

bool is_jpeg(Bytes bytes) {
  return bytes.size() > 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

cv::Size jpeg_picture_size(Bytes bytes, std::string_view name) {
  for (const JpegSegment& segment : codec::jpeg_segments(bytes)) {
    const int marker = segment.marker;
    const bool frame =
        marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (!frame || segment.data.size() < 5) continue;
    const auto number = [&](std::size_t at) {
      return static_cast<unsigned char>(segment.data[at]) << 8 |
             static_cast<unsigned char>(segment.data[at + 1]);
    };
    const cv::Size size(number(3), number(1));
    if (size.width > 0 && size.height > 0) return size;
  }
  throw Error(fmt::format("'{}' is not a whole JPEG photo", name));
}

std::vector<std::uint8_t> tagged_jpeg_photo(Bytes bytes, const PictureView& view,
                                            std::string_view name) {
  if (!is_jpeg(bytes)) throw Error(fmt::format("'{}' is not a JPEG photo", name));
  const auto segments = codec::jpeg_segments(bytes);
  const std::string packet = new_packet(segments, view, jpeg_picture_size(bytes, name), name);
  std::vector<std::uint8_t> result(bytes.begin(), bytes.begin() + 2);
  result.reserve(bytes.size() + packet.size() + 64);
  std::size_t done = 2;
  bool placed = false;
  std::optional<std::size_t> index;  // where the index of further pictures begins
  for (const JpegSegment& segment : segments) {
    if (!placed && !stands_in_front(segment)) {
      append_xmp(result, packet, name);
      placed = true;
    }
    const std::size_t end = end_of(segment, bytes);
    const bool old = is_xmp(segment) || is_jps(segment);
    if (old && index) {
      throw Error(fmt::format("the tags of '{}' stand behind its index of further pictures", name));
    }
    if (!old)
      result.insert(result.end(), bytes.begin() + static_cast<std::ptrdiff_t>(done),
                    bytes.begin() + static_cast<std::ptrdiff_t>(end));
    if (is_mpf(segment)) index = result.size() - segment.data.size() + kMpfHead.size();
    done = end;
  }
  result.insert(result.end(), bytes.begin() + static_cast<std::ptrdiff_t>(done), bytes.end());
  const auto growth =
      static_cast<std::int64_t>(result.size()) - static_cast<std::int64_t>(bytes.size());
  if (index) {
    grow_first_picture(std::span(result).subspan(*index), growth);
  }
  return result;
}

}  // namespace vergence::media
