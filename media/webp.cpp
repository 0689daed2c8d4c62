// SPDX-License-Identifier: Apache-2.0
// WebP by way of libwebp; the RIFF chunks with metadata are found here.
#include "media/codec.hpp"

#include <memory>
#include <new>

#include <webp/decode.h>
#include <webp/encode.h>
#include <webp/mux.h>

namespace vergence::media::codec {
namespace {

// RIFF: "RIFF", size, "WEBP", then chunks of a four-letter name, a little-endian size, the data and
// a pad byte if the size is odd.
void collect_metadata(Bytes bytes, Decoded& decoded) {
  std::size_t at = 12;
  while (at + 8 <= bytes.size()) {
    const auto name = as_text(bytes.subspan(at, 4));
    const std::size_t size = little_endian_u32(bytes.data() + at + 4);
    if (size > bytes.size() - at - 8) return;
    const auto data = as_text(bytes.subspan(at + 8, size));
    if (name == "XMP ") decoded.xmp.emplace_back(data);
    if (name == "ICCP") decoded.icc = data;
    if (name == "EXIF") {
      using namespace std::string_view_literals;
      constexpr auto kHead = "Exif\0\0"sv;  // some writers keep JPEG's prefix
      decoded.exif = data.starts_with(kHead) ? data.substr(kHead.size()) : data;
    }
    at += 8 + size + (size & 1);
  }
}

struct FreeMux {
  void operator()(WebPMux* mux) const { WebPMuxDelete(mux); }
};

// The file with chunks of metadata.
std::vector<std::uint8_t> with_blocks(Bytes bytes, const PictureBlocks& blocks) {
  constexpr int kDoNotCopy = 0;
  const WebPData picture{bytes.data(), bytes.size()};
  const std::unique_ptr<WebPMux, FreeMux> mux(WebPMuxCreate(&picture, kDoNotCopy));
  if (!mux) throw std::bad_alloc();
  const auto set = [&](const char* name, const std::string& block) {
    const WebPData chunk{reinterpret_cast<const std::uint8_t*>(block.data()), block.size()};
    if (!block.empty() && WebPMuxSetChunk(mux.get(), name, &chunk, kDoNotCopy) != WEBP_MUX_OK) {
      throw std::bad_alloc();
    }
  };
  set("ICCP", blocks.icc);
  set("EXIF", blocks.exif);
  set("XMP ", blocks.xmp);
  WebPData whole{};
  if (WebPMuxAssemble(mux.get(), &whole) != WEBP_MUX_OK) throw std::bad_alloc();
  std::vector<std::uint8_t> result(whole.bytes, whole.bytes + whole.size);
  WebPDataClear(&whole);
  return result;
}

}  // namespace

Decoded decode_webp(const Source& source) {
  const auto* data = source.bytes.data();
  const std::size_t size = source.bytes.size();
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data, size, &features) != VP8_STATUS_OK) {
    throw_damaged(source, "the WebP data are damaged or end too early");
  }
  if (features.has_animation != 0) throw_unsupported(source, "an animated WebP");
  check_size(source, features.width, features.height);
  Decoded decoded;
  const bool alpha = features.has_alpha != 0;
  decoded.pixels.create(features.height, features.width, alpha ? CV_8UC4 : CV_8UC3);
  const auto decode = alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  const std::size_t room = decoded.pixels.total() * decoded.pixels.elemSize();
  if (decode(data, size, decoded.pixels.data, room, static_cast<int>(decoded.pixels.step)) ==
      nullptr) {
    throw_damaged(source, "the WebP data are damaged or end too early");
  }
  collect_metadata(source.bytes, decoded);
  return decoded;
}

std::vector<std::uint8_t> encode_webp(const cv::Mat& pixels, const PictureBlocks& blocks) {
  const auto encode = pixels.channels() == 4 ? WebPEncodeLosslessRGBA : WebPEncodeLosslessRGB;
  std::uint8_t* bytes = nullptr;
  const std::size_t size =
      encode(pixels.data, pixels.cols, pixels.rows, static_cast<int>(pixels.step), &bytes);
  if (size == 0) throw std::bad_alloc();
  std::vector<std::uint8_t> result(bytes, bytes + size);
  WebPFree(bytes);
  const bool bare = blocks.exif.empty() && blocks.xmp.empty() && blocks.icc.empty();
  return bare ? result : with_blocks(result, blocks);
}

}  // namespace vergence::media::codec
