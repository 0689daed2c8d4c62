// SPDX-License-Identifier: Apache-2.0
// Tags of existing JPEG photos, changed without touching a pixel: GPano and StereoMode in XMP.
#pragma once

#include "media/picture.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::media {

// Whether bytes begin like a JPEG.
[[nodiscard]] bool is_jpeg(std::span<const std::uint8_t> bytes);

// The JPEG with tags that say `view`, or none for a flat picture of one eye, instead of those that
// it has. Pixels, EXIF, colour profile, all other XMP and what lies behind the picture stay byte by
// byte; where a panorama was levelled before, it stays so. Throws Error, naming `name`: not a whole
// JPEG, its right eye lies in the tags (.vr.jpg), no room for them.
[[nodiscard]] std::vector<std::uint8_t> tagged_jpeg_photo(std::span<const std::uint8_t> bytes,
                                                          const PictureView& view,
                                                          std::string_view name);

// The size of the picture in pixels. Throws Error where there is none.
[[nodiscard]] cv::Size jpeg_picture_size(std::span<const std::uint8_t> bytes,
                                         std::string_view name);

}  // namespace vergence::media
