// SPDX-License-Identifier: Apache-2.0
// The metadata of pictures that are written: what they show, and what they hand on of the photo
// that they are made of; not installed.
#pragma once

#include "media/picture.hpp"
#include "media/xmp.hpp"

#include <string>

#include <opencv2/core.hpp>

namespace vergence::media::codec {

// EXIF for a picture of `size` made of the photo with this EXIF block: upright, of the new size,
// without thumbnail, maker note and what else does not hold any more. Empty for damaged EXIF.
[[nodiscard]] std::string handed_on_exif(const std::string& exif, cv::Size size);

// GPano and StereoMode for a picture of `frame` pixels; nothing for a flat picture of one eye.
void describe_view(const PictureView& view, cv::Size frame, XmpPacket& xmp);

// All blocks of a picture with these pixels.
[[nodiscard]] PictureBlocks blocks_for(const cv::Mat& pixels, const PictureView& view,
                                       const PictureBlocks& carried);

}  // namespace vergence::media::codec
