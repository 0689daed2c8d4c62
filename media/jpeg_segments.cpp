// SPDX-License-Identifier: Apache-2.0
#include "media/jpeg_segments.hpp"

#include "media/xmp.hpp"

#include <algorithm>
#include <array>

namespace vergence::media::codec {
namespace {

using namespace std::string_view_literals;

constexpr int kApp1 = 0xE1;
constexpr int kApp2 = 0xE2;
constexpr int kApp3 = 0xE3;
constexpr int kEndOfImage = 0xD9;
constexpr int kStartOfScan = 0xDA;

constexpr std::string_view kExifHead = "Exif\0\0"sv;
constexpr std::string_view kXmpHead = "http://ns.adobe.com/xap/1.0/\0"sv;
constexpr std::string_view kExtendedHead = "http://ns.adobe.com/xmp/extension/\0"sv;
constexpr std::string_view kIccHead = "ICC_PROFILE\0"sv;
constexpr std::string_view kMultiPictureHead = "MPF\0"sv;
constexpr std::string_view kJpsHead = "_JPSJPS_"sv;

constexpr std::size_t kMaxData = 65533;   // of a segment: its 16-bit length counts itself
constexpr std::size_t kMaxPiece = 65000;  // of a block in several segments; others write the like

// JPS, "Stereoscopic descriptor": bytes from high to low are separation, flags, layout, type.
constexpr std::uint32_t kJpsStereo = 1;
constexpr std::uint32_t kJpsSideBySide = 2;
constexpr std::uint32_t kJpsTopBottom = 3;
constexpr std::uint32_t kJpsHalfHeight = 1;
constexpr std::uint32_t kJpsHalfWidth = 2;
constexpr std::uint32_t kJpsLeftFirst = 4;

const std::uint8_t* raw(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

void append_u32(std::string& to, std::size_t value) {
  for (const int shift : {24, 16, 8, 0}) to += static_cast<char>(value >> shift & 0xFF);
}

// A piece of extended XMP: GUID, total length, offset, data.
struct Piece {
  std::string_view guid;
  std::size_t total = 0;
  std::size_t offset = 0;
  std::string_view data;
};

std::optional<Piece> piece_of(const JpegSegment& segment) {
  constexpr std::size_t kGuid = 32;
  if (segment.marker != kApp1 || !segment.data.starts_with(kExtendedHead)) return std::nullopt;
  const auto content = segment.data.substr(kExtendedHead.size());
  if (content.size() < kGuid + 8) return std::nullopt;
  return Piece{content.substr(0, kGuid), big_endian_u32(raw(content) + kGuid),
               big_endian_u32(raw(content) + kGuid + 4), content.substr(kGuid + 8)};
}

void append_segment(int marker, std::initializer_list<std::string_view> parts,
                    std::vector<std::uint8_t>& bytes) {
  std::size_t length = 2;
  for (const auto part : parts) length += part.size();
  bytes.insert(bytes.end(),
               {0xFF, static_cast<std::uint8_t>(marker), static_cast<std::uint8_t>(length >> 8),
                static_cast<std::uint8_t>(length & 0xFF)});
  for (const auto part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
}

void append_extended(const JpegTags& tags, std::vector<std::uint8_t>& bytes) {
  const std::string_view packet = tags.extended_xmp;
  for (std::size_t at = 0; at < packet.size(); at += kMaxPiece) {
    std::string head = tags.extended_guid;
    append_u32(head, packet.size());
    append_u32(head, at);
    append_segment(kApp1, {kExtendedHead, head, packet.substr(at, kMaxPiece)}, bytes);
  }
}

void append_icc(std::string_view profile, std::vector<std::uint8_t>& bytes) {
  const std::size_t count = (profile.size() + kMaxPiece - 1) / kMaxPiece;
  if (count > 255) return;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string head{static_cast<char>(i + 1), static_cast<char>(count)};
    append_segment(kApp2, {kIccHead, head, profile.substr(i * kMaxPiece, kMaxPiece)}, bytes);
  }
}

void append_jps(const PictureView& view, std::vector<std::uint8_t>& bytes) {
  const bool side_by_side = view.stereo == StereoTag::kSideBySide;
  if (!side_by_side && view.stereo != StereoTag::kTopBottom) return;
  const std::uint32_t half = side_by_side ? kJpsHalfWidth : kJpsHalfHeight;
  const std::uint32_t flags = kJpsLeftFirst | (view.squeezed ? half : 0);
  const std::uint32_t layout = side_by_side ? kJpsSideBySide : kJpsTopBottom;
  std::string descriptor("\0\4"sv);  // its length
  append_u32(descriptor, flags << 16 | layout << 8 | kJpsStereo);
  append_segment(kApp3, {kJpsHead, descriptor, "\0\0"sv}, bytes);  // and no comment
}

}  // namespace

std::vector<JpegSegment> jpeg_segments(Bytes bytes) {
  constexpr std::size_t kMost = 1 << 17;  // enough for gigabytes of metadata
  std::vector<JpegSegment> segments;
  std::size_t at = 2;
  while (at + 4 <= bytes.size() && bytes[at] == 0xFF && segments.size() < kMost) {
    const int marker = bytes[at + 1];
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    if (marker == kStartOfScan || marker == kEndOfImage) break;
    const std::size_t length = std::size_t{bytes[at + 2]} << 8 | bytes[at + 3];
    if (length < 2 || length > bytes.size() - at - 2) break;
    segments.push_back({marker, as_text(bytes.subspan(at + 4, length - 2))});
    at += 2 + length;
  }
  return segments;
}

std::optional<std::size_t> jpeg_size(Bytes bytes) {
  std::size_t at = 2;
  bool in_scan = false;  // there, FF 00 and the restart markers belong to the pixels
  while (at + 2 <= bytes.size()) {
    const int marker = bytes[at + 1];
    const bool is_marker = bytes[at] == 0xFF && marker != 0 && marker != 0xFF &&
                           !(in_scan && marker >= 0xD0 && marker <= 0xD7);
    if (!is_marker) {
      if (!in_scan && bytes[at] != 0xFF) return std::nullopt;
      ++at;
      continue;
    }
    if (marker == kEndOfImage) return at + 2;
    if (at + 4 > bytes.size()) return std::nullopt;
    at += 2 + (std::size_t{bytes[at + 2]} << 8 | bytes[at + 3]);
    in_scan = in_scan || marker == kStartOfScan;
  }
  return std::nullopt;
}

std::string jpeg_exif(const std::vector<JpegSegment>& segments) {
  for (const auto& [marker, data] : segments) {
    if (marker == kApp1 && data.starts_with(kExifHead)) {
      return std::string(data.substr(kExifHead.size()));
    }
  }
  return {};
}

std::vector<std::string> jpeg_xmp(const std::vector<JpegSegment>& segments) {
  std::vector<std::string> packets;
  for (const auto& [marker, data] : segments) {
    if (marker == kApp1 && data.starts_with(kXmpHead)) {
      packets.emplace_back(data.substr(kXmpHead.size()));
    }
  }
  return packets;
}

std::string jpeg_icc(const std::vector<JpegSegment>& segments) {
  std::array<std::string_view, 256> pieces;
  std::size_t count = 0;
  for (const auto& [marker, data] : segments) {
    if (marker != kApp2 || !data.starts_with(kIccHead) || data.size() < kIccHead.size() + 2)
      continue;
    count = raw(data)[kIccHead.size() + 1];
    pieces[raw(data)[kIccHead.size()]] = data.substr(kIccHead.size() + 2);
  }
  std::string profile;
  for (std::size_t i = 1; i <= count; ++i) {
    if (pieces[i].empty()) return {};
    profile += pieces[i];
  }
  return profile;
}

std::string jpeg_extended_xmp(const std::vector<JpegSegment>& segments,
                              const std::vector<std::string>& packets, std::size_t max_size) {
  std::string announced;
  for (const auto& packet : packets) {
    if (auto guid = XmpPacket(packet).text(kXmpNote, "HasExtendedXMP")) announced = *guid;
  }
  std::vector<Piece> pieces;
  for (const auto& segment : segments) {
    const auto piece = piece_of(segment);
    if (piece) pieces.push_back(*piece);
  }
  if (pieces.empty()) return {};
  const auto expected = [&](const Piece& piece) { return piece.guid == announced; };
  const auto first = std::ranges::find_if(pieces, expected);
  const std::string_view guid = first != pieces.end() ? first->guid : pieces.front().guid;
  std::string packet;
  for (const auto& piece : pieces) {
    if (piece.guid != guid || piece.total > max_size || piece.offset > piece.total ||
        piece.data.size() > piece.total - piece.offset) {
      continue;
    }
    if (packet.size() < piece.total) packet.resize(piece.total, ' ');
    std::ranges::copy(piece.data, packet.begin() + static_cast<std::ptrdiff_t>(piece.offset));
  }
  return packet;
}

std::string_view jpeg_multi_picture(const std::vector<JpegSegment>& segments) {
  for (const auto& [marker, data] : segments) {
    if (marker == kApp2 && data.starts_with(kMultiPictureHead)) {
      return data.substr(kMultiPictureHead.size());
    }
  }
  return {};
}

void apply_jps(const std::vector<JpegSegment>& segments, PictureMetadata& metadata) {
  for (const auto& [marker, data] : segments) {
    constexpr std::size_t kDescriptorAt = kJpsHead.size() + 2;
    if (marker != kApp3 || !data.starts_with(kJpsHead) || data.size() < kDescriptorAt + 4) continue;
    const std::uint32_t descriptor = big_endian_u32(raw(data) + kDescriptorAt);
    const std::uint32_t layout = descriptor >> 8 & 0xFF;
    const std::uint32_t flags = descriptor >> 16 & 0xFF;
    if ((descriptor & 0xFF) != kJpsStereo) return;
    if (layout != kJpsSideBySide && layout != kJpsTopBottom) return;
    metadata.stereo = layout == kJpsSideBySide ? StereoTag::kSideBySide : StereoTag::kTopBottom;
    metadata.right_eye_first = (flags & kJpsLeftFirst) == 0;
    metadata.squeezed = (flags & (layout == kJpsSideBySide ? kJpsHalfWidth : kJpsHalfHeight)) != 0;
    return;
  }
}

TaggedJpeg tagged_jpeg(Bytes jpeg, const JpegTags& tags) {
  const std::size_t head = 4 + (std::size_t{jpeg[4]} << 8 | jpeg[5]);  // SOI and the JFIF segment
  TaggedJpeg result;
  auto& bytes = result.bytes;
  bytes.reserve(jpeg.size() + tags.extended_xmp.size() + tags.extended_xmp.size() / 256 +
                (1 << 18));
  bytes.assign(jpeg.begin(), jpeg.begin() + static_cast<std::ptrdiff_t>(head));
  const auto& blocks = tags.blocks;
  if (!blocks.exif.empty() && kExifHead.size() + blocks.exif.size() <= kMaxData) {
    append_segment(kApp1, {kExifHead, blocks.exif}, bytes);
  }
  if (!blocks.xmp.empty() && kXmpHead.size() + blocks.xmp.size() <= kMaxData) {
    append_segment(kApp1, {kXmpHead, blocks.xmp}, bytes);
  }
  append_extended(tags, bytes);
  append_icc(blocks.icc, bytes);
  if (!tags.multi_picture.empty()) {
    result.multi_picture_at = bytes.size() + 4 + kMultiPictureHead.size();
    append_segment(kApp2, {kMultiPictureHead, tags.multi_picture}, bytes);
  }
  append_jps(tags.view, bytes);
  bytes.insert(bytes.end(), jpeg.begin() + static_cast<std::ptrdiff_t>(head), jpeg.end());
  return result;
}

}  // namespace vergence::media::codec
