// SPDX-License-Identifier: Apache-2.0
// GPano XMP and EXIF: from the blocks that a decoder found to what they mean; not installed.
#pragma once

#include "media/codec.hpp"
#include "media/picture.hpp"

#include <string>
#include <string_view>

namespace vergence::media::codec {

// The EXIF tags that matter to us, of a TIFF structure as JPEG, PNG, WebP and HEIF carry it.
// Whatever is missing or damaged stays at its default.
[[nodiscard]] ExifFacts parse_exif(const std::string& tiff_structure);

// An XMP packet without the pictures and sounds in it (base64 text of more than 4096 characters).
[[nodiscard]] std::string without_data(std::string_view packet);

// Fills the metadata's GPano part from an XMP packet, if it has one. `size` is the picture's real
// size; the crop is scaled to it, or to one eye's part of it where metadata.stereo is set or the
// packet says so. A crop that contradicts itself or the picture is left out with a
// warning that names the file. Damaged XML counts as no metadata.
void apply_xmp(const std::string& packet, cv::Size size, std::string_view name,
               PictureMetadata& metadata);

}  // namespace vergence::media::codec
