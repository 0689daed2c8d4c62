// SPDX-License-Identifier: Apache-2.0
// Photos of both eyes in one file, as two whole pictures: VR photos (.vr.jpg), multi-picture files
// (.mpo) and spatial photos (.heic). Both eyes in one picture are written by write_picture
// (media/picture.hpp) with WriteOptions::view.
#pragma once

#include "core/angle.hpp"
#include "media/picture.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::media {

enum class StereoPhotoFormat {
  // A JPEG of the left eye; the right eye's whole JPEG lies in its extended XMP (VR180 and
  // Cardboard
  // Camera photos). Ordinary viewers show the left eye. Equirectangular pictures only.
  kVrJpeg,
  // A JPEG of the left eye with the right eye's behind it (CIPA DC-007, "MP format").
  kMpo,
  // Two HEVC pictures in one HEIC file, grouped as a stereo pair (ISO/IEC 23008-12), with the
  // camera
  // model by which Apple's viewers take a flat pair for a spatial photo. Experimental: no such
  // viewer has judged it.
  kSpatialHeic,
};

// The format that a name asks for: .vr.jpg and .vr.jpeg, .mpo, .heic and .heif, in upper or lower
// case.
[[nodiscard]] std::optional<StereoPhotoFormat> stereo_photo_format(
    const std::filesystem::path& path);

struct StereoPhotoOptions {
  int quality = 92;  // 1-100
  // What each eye's picture shows; kEquirectangular alone is told. Nothing = flat.
  std::optional<SphericalTag> spherical;
  std::optional<Radians> fov_x;      // of a flat picture; a spatial photo needs it
  std::optional<double> baseline_m;  // between the two cameras
  PictureBlocks carried = {};        // as in WriteOptions; described once, with the left eye
};

// The bytes of a stereo photo. `left` and `right`: RGB of one size and type, CV_8U, or CV_16U (of
// which JPEG keeps 8 bit and HEIC 10). Throws std::invalid_argument for other pictures, Error where
// the format cannot hold what they show, or they are too large for it; `name` stands for the file
// in messages.
[[nodiscard]] std::vector<std::uint8_t> encode_stereo_photo(const cv::Mat& left,
                                                            const cv::Mat& right,
                                                            StereoPhotoFormat format,
                                                            const StereoPhotoOptions& options,
                                                            std::string_view name);

// Writes it, whole or not at all. Throws as above, and Error when the file cannot be written.
void write_stereo_photo(const std::filesystem::path& path, const cv::Mat& left,
                        const cv::Mat& right, StereoPhotoFormat format,
                        const StereoPhotoOptions& options = {});

struct StereoPhoto {
  StereoPhotoFormat format = StereoPhotoFormat::kVrJpeg;
  Picture left;   // its metadata describe both
  Picture right;  // as large as the left one
  std::optional<double> baseline_m;
};

// Reads a photo of both eyes in two pictures; nothing where the file is a picture of another kind
// (one eye, or both eyes in one picture: PictureMetadata::stereo). Told by content: the right eye
// in extended XMP (whatever its GUID); two pictures of one size that an MP index calls a disparity
// pair, or that a file with the extension .mpo begins with; a stereo pair group in a HEIC file, or
// two top-level pictures of one size and no more. Throws Error where the file is not a picture, is
// damaged, or its eyes have different sizes.
[[nodiscard]] std::optional<StereoPhoto> read_stereo_photo(const std::filesystem::path& path);

// The same from memory; by the extension of `name` an .mpo file is known.
[[nodiscard]] std::optional<StereoPhoto> decode_stereo_photo(std::span<const std::uint8_t> bytes,
                                                             std::string_view name);

}  // namespace vergence::media
