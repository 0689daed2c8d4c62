// SPDX-License-Identifier: Apache-2.0
// HEIC, HEIF and AVIF by way of libheif, 8 to 16 bit. Rotation and mirroring are properties of the
// file that libheif applies itself; EXIF's orientation does not count then (ISO/IEC 23008-12).
#include "media/codec.hpp"
#include "media/picture.hpp"

#include <cstring>
#include <memory>

#include <libheif/heif.h>

namespace vergence::media::codec {
namespace {

template <auto kFree>
struct Release {
  template <class Object>
  void operator()(Object* object) const {
    kFree(object);
  }
};

using Context = std::unique_ptr<heif_context, Release<heif_context_free>>;
using Handle = std::unique_ptr<heif_image_handle, Release<heif_image_handle_release>>;
using Image = std::unique_ptr<heif_image, Release<heif_image_release>>;
using Options = std::unique_ptr<heif_decoding_options, Release<heif_decoding_options_free>>;

void check(const heif_error& error, const Source& source) {
  if (error.code == heif_error_Ok) return;
  if (error.code == heif_error_Unsupported_filetype ||
      error.code == heif_error_Unsupported_feature) {
    throw_unsupported(source, "a HEIF file of this kind");
  }
  if (error.code == heif_error_Memory_allocation_error) {
    throw_damaged(source, "the HEIF data ask for too much memory");
  }
  throw_damaged(source, "the HEIF data are damaged or end too early");
}

// libheif keeps the sample's own range, 10 bit as 0-1023; a 16-bit picture uses all of 0-65535.
void stretch_to_16_bit(cv::Mat& pixels, int bits) {
  if (bits < 16) pixels.convertTo(pixels, -1, 65535.0 / ((1 << bits) - 1));
}

cv::Mat decode_pixels(const Source& source, const heif_image_handle* handle) {
  const bool alpha = heif_image_handle_has_alpha_channel(handle) != 0;
  const int bits = heif_image_handle_get_luma_bits_per_pixel(handle);
  const bool deep = bits > 8;
  const auto chroma =
      deep ? (alpha ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBB_LE)
           : (alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB);
  const Options options(heif_decoding_options_alloc());
  options->strict_decoding = 1;
  heif_image* raw = nullptr;
  check(heif_decode_image(handle, &raw, heif_colorspace_RGB, chroma, options.get()), source);
  const Image image(raw);
  int stride = 0;
  const auto* data = heif_image_get_plane_readonly(image.get(), heif_channel_interleaved, &stride);
  const int width = heif_image_get_width(image.get(), heif_channel_interleaved);
  const int height = heif_image_get_height(image.get(), heif_channel_interleaved);
  if (data == nullptr) throw_damaged(source, "the HEIF data are damaged or end too early");
  check_size(source, width, height);
  cv::Mat pixels(height, width, CV_MAKETYPE(deep ? CV_16U : CV_8U, alpha ? 4 : 3));
  for (int y = 0; y < height; ++y) {
    std::memcpy(pixels.ptr(y), data + std::ptrdiff_t{stride} * y,
                static_cast<std::size_t>(width) * pixels.elemSize());
  }
  if (deep) {
    stretch_to_16_bit(pixels,
                      heif_image_get_bits_per_pixel_range(image.get(), heif_channel_interleaved));
  }
  return pixels;
}

void collect_metadata(const heif_image_handle* handle, Decoded& decoded) {
  const int count = heif_image_handle_get_number_of_metadata_blocks(handle, nullptr);
  if (count <= 0) return;
  std::vector<heif_item_id> ids(static_cast<std::size_t>(count));
  heif_image_handle_get_list_of_metadata_block_IDs(handle, nullptr, ids.data(), count);
  for (const auto id : ids) {
    const std::string type = heif_image_handle_get_metadata_type(handle, id);
    const std::string content = heif_image_handle_get_metadata_content_type(handle, id);
    std::string block(heif_image_handle_get_metadata_size(handle, id), '\0');
    if (block.empty() ||
        heif_image_handle_get_metadata(handle, id, block.data()).code != heif_error_Ok) {
      continue;
    }
    if (type == "mime" && content == "application/rdf+xml") {
      decoded.xmp.push_back(std::move(block));
    } else if (type == "Exif" && block.size() > 4) {
      // Such an item starts with a big-endian offset to the TIFF header behind it.
      const std::size_t skip =
          4 + std::size_t{big_endian_u32(reinterpret_cast<const std::uint8_t*>(block.data()))};
      if (skip < block.size()) decoded.exif = block.substr(skip);
    }
  }
}

}  // namespace

Decoded decode_heif(const Source& source) {
  const Context context(heif_context_alloc());
  heif_context_set_maximum_image_size_limit(context.get(), kMaxPictureWidth);
  check(heif_context_read_from_memory_without_copy(context.get(), source.bytes.data(),
                                                   source.bytes.size(), nullptr),
        source);
  heif_image_handle* raw = nullptr;
  check(heif_context_get_primary_image_handle(context.get(), &raw), source);
  const Handle handle(raw);
  check_size(source, heif_image_handle_get_width(handle.get()),
             heif_image_handle_get_height(handle.get()));
  Decoded decoded;
  decoded.upright = true;
  decoded.pixels = decode_pixels(source, handle.get());
  collect_metadata(handle.get(), decoded);
  return decoded;
}

}  // namespace vergence::media::codec
