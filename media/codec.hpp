// SPDX-License-Identifier: Apache-2.0
// What the decoders and encoders of this room share; not installed.
#pragma once

#include "media/picture.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::media::codec {

using Bytes = std::span<const std::uint8_t>;

// A file's content and the name that messages call it by.
struct Source {
  Bytes bytes;
  std::string_view name;
};

// The few EXIF tags that matter to us.
struct ExifFacts {
  int orientation = 1;  // 1-8, EXIF's numbering
  std::optional<double> focal_35mm;
  std::optional<double> focal_mm;
  std::string make;
  std::string model;
  std::string date_time;  // of the last change, as EXIF writes it
};

// What a decoder makes of a file.
struct Decoded {
  // [height, width] grey (1 channel), RGB (3) or RGBA (4, not premultiplied); CV_8U, 16U or 32F.
  cv::Mat pixels;
  std::vector<std::string> xmp;  // RDF/XML packets, the file's own first
  std::string exif;              // TIFF structure, without the "Exif\0\0" in front
  std::string icc;               // colour profile
  std::string extended_xmp;      // what goes on from the first XMP packet (JPEG)
  PictureMetadata metadata;      // what the decoder has understood itself
  std::optional<ExifFacts>
      facts;             // from decoders that know the tags themselves; `exif` is then empty
  bool upright = false;  // the decoder has applied the orientation itself
};

// What a decoder has found, upright and with its metadata understood.
[[nodiscard]] Picture picture_from(Decoded decoded, std::string_view name);

[[nodiscard]] Decoded decode_jpeg(const Source& source);
[[nodiscard]] Decoded decode_png(const Source& source);
[[nodiscard]] Decoded decode_tiff(const Source& source);
[[nodiscard]] Decoded decode_webp(const Source& source);
[[nodiscard]] Decoded decode_heif(const Source& source);
// Of one of the pictures that are in a HEIF file (heif_items).
[[nodiscard]] Decoded decode_heif_item(const Source& source, std::uint32_t item);
[[nodiscard]] Decoded decode_radiance(const Source& source);
[[nodiscard]] Decoded decode_exr(const Source& source);
[[nodiscard]] Decoded decode_bmp(const Source& source);
[[nodiscard]] Decoded decode_pnm(const Source& source);

// One CV_32FC1 channel of an EXR file: Z, depth, R, Y or V, behind a layer name or not, else the
// first.
[[nodiscard]] cv::Mat decode_exr_depth(const Source& source);

// Text attributes of an EXR header.
using Attributes = std::vector<std::pair<std::string, std::string>>;

// The bytes of a file. Pixels as encode_picture (media/picture.hpp) describes them.
[[nodiscard]] std::vector<std::uint8_t> encode_jpeg(const cv::Mat& pixels, int quality);
[[nodiscard]] std::vector<std::uint8_t> encode_png(const cv::Mat& pixels,
                                                   const PictureBlocks& blocks = {});
[[nodiscard]] std::vector<std::uint8_t> encode_tiff(const cv::Mat& pixels,
                                                    const PictureBlocks& blocks = {});
[[nodiscard]] std::vector<std::uint8_t> encode_webp(const cv::Mat& pixels,
                                                    const PictureBlocks& blocks = {});
[[nodiscard]] std::vector<std::uint8_t> encode_exr(const cv::Mat& pixels,
                                                   const Attributes& attributes = {});

// A picture for a HEIC or AVIF file: RGB, CV_8U or CV_16U.
struct HeifPicture {
  cv::Mat pixels;
  PictureBlocks blocks;
};

struct HeifOptions {
  bool av1 = false;  // AVIF; otherwise HEIC
  int quality = 92;
};

// A file of one or more pictures, the first being the one that viewers show. Throws Error where
// this machine's libheif has no encoder for it, or the encoder fails.
[[nodiscard]] std::vector<std::uint8_t> encode_heif(std::span<const HeifPicture> pictures,
                                                    const HeifOptions& options);

// A picture that stands on its own in a HEIF file: no thumbnail, no part of another.
struct HeifItem {
  std::uint32_t id = 0;
  cv::Size size;  // as shown
};

[[nodiscard]] std::vector<HeifItem> heif_items(const Source& source);

// Throws Error: the file is of the right type, but its content is wrong (`reason`: "the JPEG data
// end too early").
[[noreturn]] void throw_damaged(const Source& source, const std::string& reason);

// Throws Error: the file is whole, but of a variant that we do not read ("animated WebP").
[[noreturn]] void throw_unsupported(const Source& source, const std::string& variant);

// Throws Error unless 1 <= width, height and the picture is within the limits of media/picture.hpp.
void check_size(const Source& source, std::int64_t width, std::int64_t height);

// Throws Error if `decoded_bytes` cannot come out of so small a file, `max_ratio` being the most
// that the format's compression can do. Keeps a few hostile bytes from claiming gigabytes.
void check_plausible(const Source& source, std::int64_t decoded_bytes, std::int64_t max_ratio);

// Whole numbers of a file's bytes; the caller has checked that they are there.
[[nodiscard]] std::uint32_t big_endian_u32(const std::uint8_t* bytes);
[[nodiscard]] std::uint32_t little_endian_u32(const std::uint8_t* bytes);
[[nodiscard]] std::uint16_t little_endian_u16(const std::uint8_t* bytes);

[[nodiscard]] std::string_view as_text(Bytes bytes);
[[nodiscard]] Bytes as_bytes(std::string_view text);

}  // namespace vergence::media::codec
