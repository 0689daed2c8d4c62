// SPDX-License-Identifier: Apache-2.0
// Reading stereo photos. Their containers are searched by hand, because files may be damaged.
#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/text.hpp"
#include "media/codec.hpp"
#include "media/heif_group.hpp"
#include "media/jpeg_segments.hpp"
#include "media/multi_picture.hpp"
#include "media/picture_type.hpp"
#include "media/stereo_photo.hpp"
#include "media/xmp.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

namespace vergence::media {
namespace fs = std::filesystem;

namespace {

using codec::as_bytes;
using codec::Bytes;
using codec::XmpPacket;

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

// Blanks and entities of them (&#10;) are skipped; anything else ends the data.
std::vector<std::uint8_t> from_base64(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '&') {
      const std::size_t end = text.substr(at, 8).find(';');
      if (end == std::string_view::npos) break;
      at += end;
      continue;
    }
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    const int value = base64_value(c);
    if (value < 0) break;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<std::uint8_t>(bits >> count & 0xFF));
    }
  }
  return bytes;
}

// The prefix that a packet gives to a namespace; empty if it does not speak of it.
std::string prefix_in(std::string_view packet, std::string_view uri) {
  for (const char quote : {'"', '\''}) {
    const std::size_t at = packet.find(fmt::format("={0}{1}{0}", quote, uri));
    if (at == std::string_view::npos) continue;
    const std::size_t colon = packet.rfind(':', at);
    constexpr std::string_view kDeclaration = "xmlns";
    constexpr std::size_t kLongest = 64;
    if (colon == std::string_view::npos || at - colon > kLongest ||
        !packet.substr(0, colon).ends_with(kDeclaration)) {
      continue;
    }
    return std::string(packet.substr(colon + 1, at - colon - 1));
  }
  return {};
}

// The value of PREFIX:Data as an attribute or as an element. Packets are searched by hand, because
// they may be damaged and hold hundreds of megabytes of one value.
std::string_view data_in(std::string_view packet, std::string_view uri) {
  const std::string prefix = prefix_in(packet, uri);
  if (prefix.empty()) return {};
  const std::string name = prefix + ":Data";
  for (std::size_t at = packet.find(name); at != std::string_view::npos;
       at = packet.find(name, at + name.size())) {
    std::size_t from = packet.find_first_not_of(" \t\r\n", at + name.size());
    if (from == std::string_view::npos) return {};
    if (packet[from] == '=') {
      from = packet.find_first_of("\"'", from);
      if (from == std::string_view::npos) return {};
      const std::size_t end = packet.find(packet[from], from + 1);
      return packet.substr(from + 1, end == std::string_view::npos ? end : end - from - 1);
    }
    if (at > 0 && packet[at - 1] == '<') {
      from = packet.find('>', from);
      if (from == std::string_view::npos) return {};
      const std::size_t end = packet.find('<', from);
      return packet.substr(from + 1, end == std::string_view::npos ? end : end - from - 1);
    }
  }
  return {};
}

// The right eye's file in the XMP of a VR photo; empty if there is none. A picture beside a depth
// map (GDepth) is the photo before it was blurred, not another eye's.
std::vector<std::uint8_t> vr_photo_eye(Bytes bytes,
                                       const std::vector<codec::JpegSegment>& segments) {
  auto packets = codec::jpeg_xmp(segments);
  packets.push_back(codec::jpeg_extended_xmp(segments, packets, bytes.size()));
  constexpr std::string_view kDepth = "http://ns.google.com/photos/1.0/depthmap/";
  const auto speaks_of = [&](std::string_view uri) {
    return std::ranges::any_of(
        packets, [uri](const auto& packet) { return !prefix_in(packet, uri).empty(); });
  };
  if (!speaks_of(codec::kGPano.uri) || speaks_of(kDepth)) return {};
  for (const auto& packet : packets) {
    const auto data = data_in(packet, codec::kGImage.uri);
    if (!data.empty()) return from_base64(data);
  }
  return {};
}

// Where both pictures of a multi-picture file lie.
struct MpoPlaces {
  Bytes right;
  bool swapped = false;  // the file begins with the right eye's
  std::optional<double> baseline_m;
};

std::optional<MpoPlaces> mpo_places(const codec::Source& source,
                                    const std::vector<codec::JpegSegment>& segments) {
  const auto bytes = source.bytes;
  const bool named = lower(fs::path(source.name).extension().string()) == ".mpo";
  const auto index = codec::jpeg_multi_picture(segments);
  std::vector<codec::MultiPicture> pictures;
  if (!index.empty()) {
    const auto at = static_cast<std::size_t>(as_bytes(index).data() - bytes.data());
    pictures = codec::multi_pictures(index, at);
  }
  std::erase_if(pictures, [&](const auto& picture) {
    return picture.offset + 4 > bytes.size() || bytes[picture.offset] != 0xFF ||
           bytes[picture.offset + 1] != 0xD8;
  });
  const auto is_second = [](const auto& picture) { return picture.offset > 0; };
  auto second = std::ranges::find_if(
      pictures, [&](const auto& picture) { return is_second(picture) && picture.disparity; });
  if (second == pictures.end() && named) second = std::ranges::find_if(pictures, is_second);
  MpoPlaces places;
  if (second != pictures.end()) {
    const std::size_t size = std::min(second->size, bytes.size() - second->offset);
    places.right = bytes.subspan(second->offset, size);
  } else if (named) {
    // Without a sound index the second picture follows the first one's end.
    const auto end = codec::jpeg_size(bytes);
    if (!end || bytes.size() - *end < 4 || bytes[*end] != 0xFF || bytes[*end + 1] != 0xD8) {
      return std::nullopt;
    }
    places.right = bytes.subspan(*end);
  } else {
    return std::nullopt;
  }
  const auto first = codec::multi_picture_attributes(index);
  const auto other = codec::multi_picture_attributes(
      codec::jpeg_multi_picture(codec::jpeg_segments(places.right)));
  places.swapped = first.number && other.number && *first.number > *other.number;
  places.baseline_m = first.baseline_m ? first.baseline_m : other.baseline_m;
  return places;
}

// Messages speak of the eye's picture.
Picture decode_right_eye(Bytes bytes, std::string_view name) {
  return decode_picture(bytes, fmt::format("{} (right eye)", name));
}

std::optional<StereoPhoto> from_jpeg(const codec::Source& source) {
  const auto segments = codec::jpeg_segments(source.bytes);
  StereoPhoto photo;
  if (const auto eye = vr_photo_eye(source.bytes, segments); !eye.empty()) {
    photo.left = decode_picture(source.bytes, source.name);
    photo.right = decode_right_eye(eye, source.name);
    return photo;
  }
  const auto places = mpo_places(source, segments);
  if (!places) return std::nullopt;
  photo.format = StereoPhotoFormat::kMpo;
  photo.left = decode_picture(source.bytes, source.name);
  photo.right = decode_right_eye(places->right, source.name);
  photo.baseline_m = places->baseline_m;
  if (places->swapped) std::swap(photo.left, photo.right);
  return photo;
}

std::optional<StereoPhoto> from_heif(const codec::Source& source) {
  auto pair = codec::heif_stereo_pair(source.bytes);
  if (!pair) {
    const auto items = codec::heif_items(source);
    if (items.size() != 2 || items[0].size != items[1].size) return std::nullopt;
    pair = {items[0].id, items[1].id};
  }
  StereoPhoto photo;
  photo.format = StereoPhotoFormat::kSpatialHeic;
  photo.left = codec::picture_from(codec::decode_heif_item(source, (*pair)[0]), source.name);
  photo.right = codec::picture_from(codec::decode_heif_item(source, (*pair)[1]), source.name);
  const auto baseline = XmpPacket(photo.left.blocks.xmp).text(codec::kAppleImage, "Baseline");
  if (baseline) {
    const double millimetres = std::strtod(baseline->c_str(), nullptr);
    if (millimetres > 0.0 && millimetres < 1e6) photo.baseline_m = millimetres / 1000.0;
  }
  return photo;
}

}  // namespace

std::optional<StereoPhoto> decode_stereo_photo(std::span<const std::uint8_t> bytes,
                                               std::string_view name) {
  const codec::Source source{bytes, name};
  std::optional<StereoPhoto> photo;
  const auto type = codec::file_type(bytes);
  if (type == codec::FileType::kJpeg) photo = from_jpeg(source);
  if (type == codec::FileType::kHeif) photo = from_heif(source);
  if (photo && photo->left.rgb.size() != photo->right.rgb.size()) {
    throw Error(fmt::format("the eyes of '{}' have different sizes: {}x{} and {}x{} pixels", name,
                            photo->left.rgb.cols, photo->left.rgb.rows, photo->right.rgb.cols,
                            photo->right.rgb.rows))
        .hint("the file may not be a stereo photo; save the picture to be used as a plain one");
  }
  return photo;
}

std::optional<StereoPhoto> read_stereo_photo(const fs::path& path) {
  constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{1} << 32;
  const std::string bytes = read_file(path, kMaxFileBytes);
  return decode_stereo_photo(as_bytes(bytes), path.string());
}

}  // namespace vergence::media
