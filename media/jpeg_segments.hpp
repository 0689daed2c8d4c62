// SPDX-License-Identifier: Apache-2.0
// What stands in a JPEG file before its pixels (ITU-T T.81, annex B), found and written; not
// installed.
#pragma once

#include "media/codec.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::media::codec {

// A marker segment; `data` is what follows the length.
struct JpegSegment {
  int marker = 0;  // second byte of the marker: 0xE1 = APP1
  std::string_view data;
};

// The segments before the first scan, up to the first one that is damaged. They point into `bytes`.
[[nodiscard]] std::vector<JpegSegment> jpeg_segments(Bytes bytes);

// The size of the JPEG that `bytes` begin with, its end marker included; nothing if it has none.
[[nodiscard]] std::optional<std::size_t> jpeg_size(Bytes bytes);

// The blocks of metadata by the words that segments begin with, joined where a block takes several
// segments; empty where there is none.
[[nodiscard]] std::string jpeg_exif(const std::vector<JpegSegment>& segments);
[[nodiscard]] std::vector<std::string> jpeg_xmp(const std::vector<JpegSegment>& segments);
[[nodiscard]] std::string jpeg_icc(const std::vector<JpegSegment>& segments);

// The extended XMP packet (XMP specification part 3, 1.1.3.1): the pieces whose GUID is that of
// xmpNote:HasExtendedXMP in `packets`, or else of the first piece, as writers get it wrong. Missing
// pieces are blank. At most `max_size` bytes.
[[nodiscard]] std::string jpeg_extended_xmp(const std::vector<JpegSegment>& segments,
                                            const std::vector<std::string>& packets,
                                            std::size_t max_size);

// The content of APP2 "MPF" (CIPA DC-007), a TIFF structure; empty if there is none.
[[nodiscard]] std::string_view jpeg_multi_picture(const std::vector<JpegSegment>& segments);

// Fills what a JPS descriptor (VRex; APP3) says of both eyes in one picture.
void apply_jps(const std::vector<JpegSegment>& segments, PictureMetadata& metadata);

// What goes into a JPEG file in front of its pixels.
struct JpegTags {
  PictureBlocks blocks;       // those too large for one segment (EXIF, XMP) are left out
  std::string extended_xmp;   // `blocks.xmp` names its GUID
  std::string extended_guid;  // 32 characters
  std::string multi_picture;  // content of APP2 "MPF"
  PictureView view;           // by a JPS descriptor
};

struct TaggedJpeg {
  std::vector<std::uint8_t> bytes;
  std::size_t multi_picture_at = 0;  // where the content of "MPF" begins
};

// The JPEG with these tags behind its JFIF header. `jpeg` comes from encode_jpeg.
[[nodiscard]] TaggedJpeg tagged_jpeg(Bytes jpeg, const JpegTags& tags);

}  // namespace vergence::media::codec
