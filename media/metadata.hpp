// SPDX-License-Identifier: Apache-2.0
// GPano XMP and EXIF: from the blocks that a decoder found to what they mean; not installed.
#pragma once

#include "media/codec.hpp"
#include "media/picture.hpp"

#include <string>

namespace vergence::media::codec {

// The EXIF tags that matter to us, of a TIFF structure as JPEG, PNG, WebP and HEIF carry it.
// Whatever is missing or damaged stays at its default.
[[nodiscard]] ExifFacts parse_exif(const std::string& tiff_structure);

// Fills the metadata's GPano part from an XMP packet, if it has one. `size` is the picture's real
// size; the crop is scaled to it. A crop that contradicts itself or the picture is left out with a
// warning that names the file. Damaged XML counts as no metadata.
void apply_xmp(const std::string& packet, cv::Size size, std::string_view name,
               PictureMetadata& metadata);

}  // namespace vergence::media::codec
