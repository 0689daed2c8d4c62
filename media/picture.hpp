// SPDX-License-Identifier: Apache-2.0
// Pictures in and out: JPEG, PNG, TIFF, WebP, HEIC, AVIF, Radiance HDR, OpenEXR, BMP and PNM, with
// the metadata that says what a picture shows.
#pragma once

#include "core/angle.hpp"
#include "media/video.hpp"

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

// What the file says about its picture (GPano XMP, JPS and EXIF); nothing where it is silent.
struct PictureMetadata {
  bool equirectangular = false;  // GPano ProjectionType, or its UsePanoramaViewer
  // GPano CroppedArea*, scaled to the picture's real size; where both eyes are in the picture, to
  // the size of one eye's part of it (half of the picture).
  std::optional<PanoramaCrop> crop;
  // kSideBySide or kTopBottom: both eyes are in the picture (XMP StereoMode, JPS).
  StereoTag stereo = StereoTag::kNone;
  bool right_eye_first = false;      // the right eye's part is on the left or on top (JPS)
  bool squeezed = false;             // each eye is to be shown at the picture's whole size (JPS)
  std::optional<Radians> heading;    // GPano PoseHeadingDegrees: of the centre, from north
  std::optional<Radians> pitch;      // GPano PosePitchDegrees: upwards
  std::optional<Radians> roll;       // GPano PoseRollDegrees
  std::optional<double> focal_35mm;  // EXIF FocalLengthIn35mmFilm, millimetres
  std::optional<double> focal_mm;    // EXIF FocalLength, millimetres
  std::string camera;                // EXIF make and model
};

// What a file carries beside its pixels, as it stands there; empty where it has none.
struct PictureBlocks {
  std::string exif = {};  // TIFF structure, without the "Exif\0\0" in front
  std::string xmp = {};   // RDF/XML packet, without what extends it
  std::string icc = {};   // colour profile
};

struct Picture {
  // [height, width] RGB: CV_8UC3 or CV_16UC3 as encoded in the file (sRGB as a rule), or CV_32FC3
  // scene-linear (HDR and EXR; floating-point TIFF).
  cv::Mat rgb;
  // Opacity, one channel of the same depth (8U, 16U: full scale = opaque; 32F: 1 = opaque), or
  // empty. `rgb` is not premultiplied.
  cv::Mat alpha;
  PictureMetadata metadata;
  PictureBlocks blocks = {};  // for pictures that are made of this one (WriteOptions)
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

// What a picture is to be taken for. JPEG, PNG, TIFF, WebP and AVIF files say it by GPano XMP that
// describes the picture of one eye, by the StereoMode of Google's Spherical Video V1 metadata, and
// JPEG files also by a JPS descriptor (VRex). Always level and facing forward (pose 0).
struct PictureView {
  // The part of the sphere that the picture of each eye covers; nothing = flat, or of a projection
  // that no metadata can tell (a fisheye): kEquirectangular alone is written. Its pose is not used.
  std::optional<SphericalTag> spherical = std::nullopt;
  StereoTag stereo = StereoTag::kNone;  // or kSideBySide, kTopBottom; the left eye comes first
  bool squeezed = false;                // both eyes share the room of one
};

enum class PictureFormat { kJpeg, kPng, kTiff, kExr, kWebp, kAvif };  // WebP without loss

struct WriteOptions {
  int jpeg_quality = 92;  // 1-100, AVIF too; from 90 on colour is kept at full resolution (4:4:4)
  PictureView view = {};
  // What the photo that this picture is made of carried, to be handed on (not to EXR): EXIF
  // (camera, lens, date, place), XMP (description, author, rights) and the colour profile. Left out
  // is what does not hold any more: orientation, sizes, thumbnails, panorama and depth tags, maker
  // notes, editing history. Nothing is added. TIFF gets no EXIF but the camera's name and the date.
  PictureBlocks carried = {};
};

// The bytes of a picture file. `rgb` is RGB or grey (1 channel; not for WebP and AVIF), CV_8U for
// JPEG, PNG, TIFF, WebP and AVIF, CV_16U for PNG, TIFF and AVIF (which keeps 12 bit), CV_32F for
// EXR and TIFF; PNG and WebP also take RGBA. WebP holds at most 16383 pixels a side. Throws
// std::invalid_argument for any other pairing.
[[nodiscard]] std::vector<std::uint8_t> encode_picture(const cv::Mat& rgb, PictureFormat format,
                                                       const WriteOptions& options = {});

// Writes a picture in the format of the extension (.jpg .jpeg .png .tif .tiff .exr .webp .avif),
// whole or not at all. Throws Error for another extension, or when the file cannot be written.
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
