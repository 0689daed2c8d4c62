// SPDX-License-Identifier: Apache-2.0
#include "media/animation.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <webp/encode.h>
#include <webp/mux.h>

namespace vergence::media {
namespace {

struct EncoderCloser {
  void operator()(WebPAnimEncoder* encoder) const { WebPAnimEncoderDelete(encoder); }
};

using Encoder = std::unique_ptr<WebPAnimEncoder, EncoderCloser>;

// Owns a picture's memory.
class WebPFrame {
 public:
  explicit WebPFrame(const cv::Mat& rgb) {
    if (WebPPictureInit(&picture_) == 0) throw std::bad_alloc();
    picture_.use_argb = 1;
    picture_.width = rgb.cols;
    picture_.height = rgb.rows;
    if (WebPPictureImportRGB(&picture_, rgb.data, static_cast<int>(rgb.step)) == 0) {
      WebPPictureFree(&picture_);
      throw std::bad_alloc();
    }
  }

  WebPFrame(const WebPFrame&) = delete;
  WebPFrame& operator=(const WebPFrame&) = delete;

  ~WebPFrame() { WebPPictureFree(&picture_); }

  WebPPicture* get() { return &picture_; }

 private:
  WebPPicture picture_;
};

void check(const Encoder& encoder, int good, const std::filesystem::path& path) {
  if (good != 0) return;
  throw Error(
      fmt::format("cannot write '{}': {}", path.string(), WebPAnimEncoderGetError(encoder.get())));
}

}  // namespace

void write_animation(const std::filesystem::path& path, std::span<const cv::Mat> frames,
                     int frame_ms) {
  if (frames.empty()) throw std::invalid_argument("an animation has a frame");
  const cv::Size size = frames.front().size();
  for (const auto& frame : frames) {
    if (frame.type() != CV_8UC3 || frame.size() != size || size.width > WEBP_MAX_DIMENSION ||
        size.height > WEBP_MAX_DIMENSION) {
      throw std::invalid_argument("frames of an animation are CV_8UC3 of one size");
    }
  }
  WebPAnimEncoderOptions options;
  WebPAnimEncoderOptionsInit(&options);
  const Encoder encoder(WebPAnimEncoderNew(size.width, size.height, &options));
  if (!encoder) throw std::bad_alloc();
  WebPConfig config;
  WebPConfigInit(&config);
  config.quality = 85.0F;
  int time_ms = 0;
  for (const auto& frame : frames) {
    WebPFrame picture(frame);
    check(encoder, WebPAnimEncoderAdd(encoder.get(), picture.get(), time_ms, &config), path);
    time_ms += frame_ms;
  }
  check(encoder, WebPAnimEncoderAdd(encoder.get(), nullptr, time_ms, nullptr), path);
  WebPData data;
  WebPDataInit(&data);
  const int good = WebPAnimEncoderAssemble(encoder.get(), &data);
  const std::string bytes(reinterpret_cast<const char*>(data.bytes), data.size);
  WebPDataClear(&data);
  check(encoder, good, path);
  write_file(path, bytes);
}

}  // namespace vergence::media
