// SPDX-License-Identifier: Apache-2.0
// Pictures in and out: JPEG, PNG, TIFF, WebP, HEIC, AVIF, Radiance HDR, OpenEXR, BMP and PNM, with
// the metadata that says what a picture shows.
#pragma once

#include "core/angle.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::media {

// Largest picture that is read, in pixels; a larger one is refused before any pixel is decoded.
inline constexpr int kMaxPictureWidth = 32768;
inline constexpr int kMaxPictureHeight = 32768;
inline constexpr std::int64_t kMaxPicturePixels = std::int64_t{32768} * 16384;

// Which part of a full 360 x 180 degree panorama a picture covers, in pixels of the picture (the
// covered part is as large as the picture). 0 <= left, left + picture width <= full_width, and the
// same downwards.
struct PanoramaCrop {
  int full_width = 0;
  int full_height = 0;
  int left = 0;
  int top = 0;
};

// What the file says about its picture (GPano XMP and EXIF); nothing where it is silent.
struct PictureMetadata {
  bool equirectangular = false;      // GPano ProjectionType, or its UsePanoramaViewer
  std::optional<PanoramaCrop> crop;  // GPano CroppedArea*, scaled to the picture's real size
  std::optional<Radians> heading;    // GPano PoseHeadingDegrees: of the centre, from north
  std::optional<Radians> pitch;      // GPano PosePitchDegrees: upwards
  std::optional<Radians> roll;       // GPano PoseRollDegrees
  std::optional<double> focal_35mm;  // EXIF FocalLengthIn35mmFilm, millimetres
  std::optional<double> focal_mm;    // EXIF FocalLength, millimetres
  std::string camera;                // EXIF make and model
};

struct Picture {
  // [height, width] RGB: CV_8UC3 or CV_16UC3 as encoded in the file (sRGB as a rule), or CV_32FC3
  // scene-linear (HDR and EXR; floating-point TIFF).
  cv::Mat rgb;
  // Opacity, one channel of the same depth (8U, 16U: full scale = opaque; 32F: 1 = opaque), or
  // empty. `rgb` is not premultiplied.
  cv::Mat alpha;
  PictureMetadata metadata;
};

// Reads a picture whatever its file name says: the type is told by content. EXIF orientation is
// applied; grey, palette, CMYK and alpha become RGB (+ alpha). Throws Error, one sentence per
// cause: missing, a folder, empty, not a picture (with what it looks like), damaged or cut short,
// too large (checked before decoding), or a variant that is not supported.
[[nodiscard]] Picture read_picture(const std::filesystem::path& path);

// How to show a picture of any depth on a screen.
struct DisplayOptions {
  double exposure_ev = 0.0;  // floating-point pictures: stops on top of the automatic exposure
  std::array<std::uint8_t, 3> background = {0, 0, 0};  // what shows through transparent pixels
};

// The picture as CV_8UC3 sRGB for networks, textures and previews. 8-bit pixels are shared, not
// copied, where there is nothing to change. 16 bit is scaled by 255/65535. Floating point is tone
// mapped: exposed so that the log-average luminance (outside the darkest and brightest 1 %) becomes
// 0.18, then a filmic curve (Narkowicz 2015, a fit of ACES) and the sRGB transfer function;
// non-finite and negative values count as 0. Opacity is composed over the background.
[[nodiscard]] cv::Mat display_rgb8(const Picture& picture, const DisplayOptions& options = {});

enum class PictureFormat { kJpeg, kPng, kTiff, kExr, kWebp };  // WebP without loss

struct WriteOptions {
  int jpeg_quality = 92;  // 1-100; from 90 on colour is kept at full resolution (4:4:4)
};

// The bytes of a picture file. `rgb` is RGB or grey (1 channel; not for WebP), CV_8U for JPEG, PNG,
// TIFF and WebP, CV_16U for PNG and TIFF, CV_32F for EXR and TIFF; PNG and WebP also take RGBA.
// WebP holds at most 16383 pixels a side. Throws std::invalid_argument for any other pairing.
[[nodiscard]] std::vector<std::uint8_t> encode_picture(const cv::Mat& rgb, PictureFormat format,
                                                       const WriteOptions& options = {});

// Writes a picture in the format of the extension (.jpg .jpeg .png .tif .tiff .exr .webp), whole or
// not at all. Throws Error for another extension, or when the file cannot be written.
void write_picture(const std::filesystem::path& path, const cv::Mat& rgb,
                   const WriteOptions& options = {});

// Reads a picture from memory, as encode_picture made it or as another file embeds it; `name`
// stands for it in messages.
[[nodiscard]] Picture decode_picture(std::span<const std::uint8_t> bytes, std::string_view name);

// Extensions (lower case, with the dot) that a folder's batch takes for pictures.
[[nodiscard]] std::span<const std::string_view> picture_extensions();

// Whether the name ends in one of them, in upper or lower case. The file is not opened.
[[nodiscard]] bool is_picture_file(const std::filesystem::path& path);

}  // namespace vergence::media
