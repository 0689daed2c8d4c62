// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as a stereo photo, and as a photo whose metadata go on to another. The
// program ends with an error on anything but pictures or vergence::Error.
#include "core/error.hpp"
#include "media/stereo_photo.hpp"

#include <cstdint>
#include <span>

#include <spdlog/spdlog.h>

// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace media = vergence::media;
  spdlog::set_level(spdlog::level::off);
  const std::span bytes(data, size);
  try {
    // The extension by which files without an index are searched, too.
    static_cast<void>(media::decode_stereo_photo(bytes, "photo.mpo"));
  } catch (const vergence::Error&) {
  }
  try {
    const auto photo = media::decode_picture(bytes, "photo");
    const cv::Mat small(8, 8, CV_8UC3, cv::Scalar(1, 2, 3));
    const media::WriteOptions options{.carried = photo.blocks};
    const auto made = media::encode_picture(small, media::PictureFormat::kJpeg, options);
    static_cast<void>(media::decode_picture(made, "made"));
  } catch (const vergence::Error&) {
  }
  return 0;
}
