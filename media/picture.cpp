// SPDX-License-Identifier: Apache-2.0
#include "media/picture.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "media/codec.hpp"
#include "media/jpeg_segments.hpp"
#include "media/metadata.hpp"
#include "media/photo_tags.hpp"
#include "media/picture_type.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::media {
namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 17> kExtensions{
    ".jpg",  ".jpeg", ".jps", ".mpo", ".png", ".tif", ".tiff", ".webp", ".heic",
    ".heif", ".avif", ".hdr", ".exr", ".bmp", ".ppm", ".pgm",  ".pbm"};

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return extension;
}

codec::Decoded decode(const codec::Source& source) {
  using codec::FileType;
  switch (codec::file_type(source.bytes)) {
    case FileType::kJpeg:
      return codec::decode_jpeg(source);
    case FileType::kPng:
      return codec::decode_png(source);
    case FileType::kTiff:
      return codec::decode_tiff(source);
    case FileType::kWebp:
      return codec::decode_webp(source);
    case FileType::kHeif:
      return codec::decode_heif(source);
    case FileType::kRadiance:
      return codec::decode_radiance(source);
    case FileType::kExr:
      return codec::decode_exr(source);
    case FileType::kBmp:
      return codec::decode_bmp(source);
    case FileType::kPnm:
      return codec::decode_pnm(source);
    default:
      throw Error(fmt::format("'{}' is not a picture: {}", source.name,
                              codec::describe_content(source.bytes)))
          .hint("give a JPEG, PNG, TIFF, WebP, HEIC, AVIF, HDR, EXR, BMP or PPM file");
  }
}

// EXIF orientations 1-8: how the stored rows and columns lie in the upright picture.
void make_upright(cv::Mat& pixels, int orientation) {
  constexpr int kUpDown = 0;
  constexpr int kLeftRight = 1;
  constexpr int kBoth = -1;
  if (orientation >= 5 && orientation <= 8) cv::transpose(pixels, pixels);
  switch (orientation) {
    case 2:
    case 6:
      cv::flip(pixels, pixels, kLeftRight);
      break;
    case 3:
    case 7:
      cv::flip(pixels, pixels, kBoth);
      break;
    case 4:
    case 8:
      cv::flip(pixels, pixels, kUpDown);
      break;
    default:
      break;
  }
}

// A profile of floating-point pixels would not fit what is made of them.
PictureBlocks take_blocks(codec::Decoded& decoded) {
  PictureBlocks blocks;
  blocks.exif = std::move(decoded.exif);
  if (!decoded.xmp.empty()) blocks.xmp = std::move(decoded.xmp.front());
  if (decoded.pixels.depth() != CV_32F) blocks.icc = std::move(decoded.icc);
  return blocks;
}

bool encodable(const cv::Mat& pixels, PictureFormat format) {
  const int depth = pixels.depth();
  const int channels = pixels.channels();
  if (pixels.empty() || (channels != 1 && channels != 3 && channels != 4)) return false;
  const bool webp = format == PictureFormat::kWebp;
  if (channels == 4 && format != PictureFormat::kPng && !webp) return false;
  switch (format) {
    case PictureFormat::kJpeg:
      return depth == CV_8U;
    case PictureFormat::kPng:
      return depth == CV_8U || depth == CV_16U;
    case PictureFormat::kTiff:
      return depth == CV_8U || depth == CV_16U || depth == CV_32F;
    case PictureFormat::kExr:
      return depth == CV_32F;
    case PictureFormat::kWebp:
      return depth == CV_8U && channels != 1;
    case PictureFormat::kAvif:
      return (depth == CV_8U || depth == CV_16U) && channels == 3;
  }
  return false;
}

// Throws Error where the format has no room for so many rows or columns.
void check_fits(const fs::path& path, cv::Size size, PictureFormat format) {
  constexpr int kMostOfWebp = 16383;
  constexpr int kMostOfJpeg = 65500;
  const int side = std::max(size.width, size.height);
  const bool webp = format == PictureFormat::kWebp && side > kMostOfWebp;
  const bool jpeg = format == PictureFormat::kJpeg && side > kMostOfJpeg;
  if (!webp && !jpeg) return;
  throw Error(fmt::format("cannot write '{}': {}x{} pixels are too many for {}", path.string(),
                          size.width, size.height, webp ? "WebP" : "JPEG"))
      .hint(webp ? "use .png or .jpg" : "use .png");
}

PictureFormat format_of(const fs::path& path) {
  const std::string extension = lower_extension(path);
  if (extension == ".jpg" || extension == ".jpeg") return PictureFormat::kJpeg;
  if (extension == ".png") return PictureFormat::kPng;
  if (extension == ".tif" || extension == ".tiff") return PictureFormat::kTiff;
  if (extension == ".exr") return PictureFormat::kExr;
  if (extension == ".webp") return PictureFormat::kWebp;
  if (extension == ".avif") return PictureFormat::kAvif;
  throw Error(fmt::format("cannot write '{}': a picture cannot have the extension '{}'",
                          path.string(), extension))
      .hint("use .jpg, .png, .tif, .webp, .avif or .exr");
}

}  // namespace

Picture codec::picture_from(Decoded decoded, std::string_view name) {
  const auto facts = decoded.facts ? *decoded.facts : codec::parse_exif(decoded.exif);
  if (!decoded.upright) make_upright(decoded.pixels, facts.orientation);
  Picture picture;
  auto& metadata = picture.metadata;
  metadata = decoded.metadata;
  metadata.focal_35mm = facts.focal_35mm;
  metadata.focal_mm = facts.focal_mm;
  // Most makers repeat their name in the model's.
  metadata.camera = facts.model.starts_with(facts.make) ? facts.model
                    : facts.model.empty()               ? facts.make
                                                        : facts.make + " " + facts.model;
  for (const auto& packet : decoded.xmp) {
    codec::apply_xmp(packet, decoded.pixels.size(), name, metadata);
  }
  if (!decoded.extended_xmp.empty()) {
    codec::apply_xmp(codec::without_data(decoded.extended_xmp), decoded.pixels.size(), name,
                     metadata);
  }
  picture.blocks = take_blocks(decoded);
  if (decoded.pixels.channels() == 3) {
    picture.rgb = std::move(decoded.pixels);
  } else if (decoded.pixels.channels() == 1) {
    cv::cvtColor(decoded.pixels, picture.rgb, cv::COLOR_GRAY2RGB);
  } else {
    cv::extractChannel(decoded.pixels, picture.alpha, 3);
    cv::cvtColor(decoded.pixels, picture.rgb, cv::COLOR_RGBA2RGB);
  }
  return picture;
}

Picture read_picture(const fs::path& path) {
  constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{1} << 32;
  const std::string bytes = read_file(path, kMaxFileBytes);
  return decode_picture({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                        path.string());
}

Picture decode_picture(std::span<const std::uint8_t> bytes, std::string_view name) {
  try {
    return codec::picture_from(decode({bytes, name}), name);
  } catch (const std::bad_alloc&) {
    throw Error(fmt::format("cannot read '{}': there is not enough memory for it", name))
        .hint("make it smaller");
  } catch (const cv::Exception& error) {
    if (error.code != cv::Error::StsNoMem) throw;
    throw Error(fmt::format("cannot read '{}': there is not enough memory for it", name))
        .hint("make it smaller");
  }
}

std::vector<std::uint8_t> encode_picture(const cv::Mat& rgb, PictureFormat format,
                                         const WriteOptions& options) {
  if (!encodable(rgb, format)) {
    throw std::invalid_argument("the picture format cannot hold pixels of this type");
  }
  const PictureBlocks blocks = codec::blocks_for(rgb, options.view, options.carried);
  switch (format) {
    case PictureFormat::kJpeg: {
      const auto jpeg = codec::encode_jpeg(rgb, options.jpeg_quality);
      codec::JpegTags tags;
      tags.blocks = blocks;
      tags.view = options.view;
      return codec::tagged_jpeg(jpeg, tags).bytes;
    }
    case PictureFormat::kPng:
      return codec::encode_png(rgb, blocks);
    case PictureFormat::kTiff:
      return codec::encode_tiff(rgb, blocks);
    case PictureFormat::kExr:
      return codec::encode_exr(rgb);
    case PictureFormat::kWebp:
      return codec::encode_webp(rgb, blocks);
    case PictureFormat::kAvif: {
      const codec::HeifPicture picture{rgb, blocks};
      return codec::encode_heif({&picture, 1}, {.av1 = true, .quality = options.jpeg_quality});
    }
  }
  throw std::invalid_argument("not a picture format");
}

void write_picture(const fs::path& path, const cv::Mat& rgb, const WriteOptions& options) {
  const auto format = format_of(path);
  check_fits(path, rgb.size(), format);
  std::vector<std::uint8_t> bytes;
  try {
    bytes = encode_picture(rgb, format, options);
  } catch (const Error& error) {  // of libheif's encoders, which do not know the file
    throw Error(fmt::format("cannot write '{}': {}", path.string(), error.what()));
  }
  write_file(path, codec::as_text(bytes));
}

std::span<const std::string_view> picture_extensions() {
  return kExtensions;
}

bool is_picture_file(const fs::path& path) {
  return std::ranges::find(kExtensions, lower_extension(path)) != kExtensions.end();
}

}  // namespace vergence::media
