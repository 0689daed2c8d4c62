// SPDX-License-Identifier: Apache-2.0
// HEIC, HEIF and AVIF by way of libheif, 8 to 16 bit in, 8, 10 or 12 bit out. Rotation and
// mirroring are properties of the file that libheif applies itself; EXIF's orientation does not
// count then (ISO/IEC 23008-12).
#include "core/error.hpp"
#include "media/codec.hpp"
#include "media/picture.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include <fmt/format.h>
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
using Encoder = std::unique_ptr<heif_encoder, Release<heif_encoder_release>>;
using EncodingOptions = std::unique_ptr<heif_encoding_options, Release<heif_encoding_options_free>>;
using Nclx = std::unique_ptr<heif_color_profile_nclx, Release<heif_nclx_color_profile_free>>;

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
  decoded.icc.resize(heif_image_handle_get_raw_color_profile_size(handle));
  if (!decoded.icc.empty() &&
      heif_image_handle_get_raw_color_profile(handle, decoded.icc.data()).code != heif_error_Ok) {
    decoded.icc.clear();
  }
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

// Reads the file's structure; `source` must outlive the context.
Context open(const Source& source) {
  Context context(heif_context_alloc());
  heif_context_set_maximum_image_size_limit(context.get(), kMaxPictureWidth);
  check(heif_context_read_from_memory_without_copy(context.get(), source.bytes.data(),
                                                   source.bytes.size(), nullptr),
        source);
  return context;
}

Decoded decode(const Source& source, const heif_image_handle* handle) {
  check_size(source, heif_image_handle_get_width(handle), heif_image_handle_get_height(handle));
  Decoded decoded;
  decoded.upright = true;
  decoded.pixels = decode_pixels(source, handle);
  collect_metadata(handle, decoded);
  return decoded;
}

// Of pictures of more than 8 bit. Phones decode 10-bit HEIC; libheif 1.15 ends the program when it
// passes 10-bit pictures to aom.
int deep_bits(bool av1) {
  return av1 ? 12 : 10;
}

void check_encoded(const heif_error& error, std::string_view coding) {
  if (error.code == heif_error_Ok) return;
  throw Error(fmt::format("the {} encoder failed: {}", coding,
                          error.message != nullptr ? error.message : "no reason given"));
}

// libheif's own copy of the pixels.
Image image_of(const cv::Mat& pixels, bool av1, std::string_view coding) {
  const bool deep = pixels.depth() == CV_16U;
  const int bits = deep ? deep_bits(av1) : 8;
  heif_image* raw = nullptr;
  check_encoded(heif_image_create(
                    pixels.cols, pixels.rows, heif_colorspace_RGB,
                    deep ? heif_chroma_interleaved_RRGGBB_LE : heif_chroma_interleaved_RGB, &raw),
                coding);
  Image image(raw);
  check_encoded(heif_image_add_plane(raw, heif_channel_interleaved, pixels.cols, pixels.rows, bits),
                coding);
  int stride = 0;
  std::uint8_t* to = heif_image_get_plane(raw, heif_channel_interleaved, &stride);
  cv::Mat shallow;
  if (deep) pixels.convertTo(shallow, CV_16U, ((1 << bits) - 1) / 65535.0);
  const cv::Mat& from = deep ? shallow : pixels;
  for (int y = 0; y < from.rows; ++y) {
    std::memcpy(to + std::ptrdiff_t{stride} * y, from.ptr(y),
                static_cast<std::size_t>(from.cols) * from.elemSize());
  }
  return image;
}

// sRGB, in the matrix of still pictures.
Nclx srgb_tags() {
  Nclx tags(heif_nclx_color_profile_alloc());
  tags->color_primaries = heif_color_primaries_ITU_R_BT_709_5;
  tags->transfer_characteristics = heif_transfer_characteristic_IEC_61966_2_1;
  tags->matrix_coefficients = heif_matrix_coefficients_ITU_R_BT_601_6;
  tags->full_range_flag = 1;
  return tags;
}

Encoder make_encoder(heif_context* context, const HeifOptions& options, std::string_view coding) {
  const auto format = options.av1 ? heif_compression_AV1 : heif_compression_HEVC;
  heif_encoder* raw = nullptr;
  if (heif_context_get_encoder_for_format(context, format, &raw).code != heif_error_Ok) {
    throw Error(fmt::format("this machine's libheif has no encoder for {}", coding))
        .hint(options.av1 ? "install libheif's AV1 encoder (aom), or use .jpg, .png or .webp"
                          : "install libheif's HEVC encoder (x265), or use .vr.jpg or .mpo");
  }
  Encoder encoder(raw);
  check_encoded(heif_encoder_set_lossy_quality(raw, options.quality), coding);
  // Phones' HEVC decoders know 4:2:0 alone.
  const bool full_color = options.av1 && options.quality >= 90;
  check_encoded(heif_encoder_set_parameter_string(raw, "chroma", full_color ? "444" : "420"),
                coding);
  // Several times as fast as what libheif takes itself, at the same quality and a few per cent more
  // bytes. Encoders other than x265 and aom may not know the word; they keep their own pace.
  static_cast<void>(options.av1 ? heif_encoder_set_parameter(raw, "speed", "8")
                                : heif_encoder_set_parameter(raw, "preset", "fast"));
  return encoder;
}

void add_blocks(heif_context* context, const heif_image_handle* handle, const PictureBlocks& blocks,
                std::string_view coding) {
  if (!blocks.exif.empty()) {
    check_encoded(heif_context_add_exif_metadata(context, handle, blocks.exif.data(),
                                                 static_cast<int>(blocks.exif.size())),
                  coding);
  }
  if (!blocks.xmp.empty()) {
    check_encoded(heif_context_add_XMP_metadata(context, handle, blocks.xmp.data(),
                                                static_cast<int>(blocks.xmp.size())),
                  coding);
  }
}

heif_error append(heif_context*, const void* data, std::size_t size, void* bytes) {
  const auto* from = static_cast<const std::uint8_t*>(data);
  auto& to = *static_cast<std::vector<std::uint8_t>*>(bytes);
  to.insert(to.end(), from, from + size);
  return {heif_error_Ok, heif_suberror_Unspecified, ""};
}

}  // namespace

Decoded decode_heif(const Source& source) {
  const Context context = open(source);
  heif_image_handle* raw = nullptr;
  check(heif_context_get_primary_image_handle(context.get(), &raw), source);
  const Handle handle(raw);
  return decode(source, handle.get());
}

Decoded decode_heif_item(const Source& source, std::uint32_t item) {
  const Context context = open(source);
  heif_image_handle* raw = nullptr;
  check(heif_context_get_image_handle(context.get(), item, &raw), source);
  const Handle handle(raw);
  return decode(source, handle.get());
}

std::vector<HeifItem> heif_items(const Source& source) {
  const Context context = open(source);
  const int count = heif_context_get_number_of_top_level_images(context.get());
  std::vector<heif_item_id> ids(static_cast<std::size_t>(std::max(count, 0)));
  heif_context_get_list_of_top_level_image_IDs(context.get(), ids.data(), count);
  std::vector<HeifItem> items;
  for (const auto id : ids) {
    heif_image_handle* raw = nullptr;
    check(heif_context_get_image_handle(context.get(), id, &raw), source);
    const Handle handle(raw);
    items.push_back({id, {heif_image_handle_get_width(raw), heif_image_handle_get_height(raw)}});
  }
  return items;
}

std::vector<std::uint8_t> encode_heif(std::span<const HeifPicture> pictures,
                                      const HeifOptions& options) {
  const std::string_view coding = options.av1 ? "AVIF" : "HEIC";
  const Context context(heif_context_alloc());
  const Encoder encoder = make_encoder(context.get(), options, coding);
  const Nclx tags = srgb_tags();
  const EncodingOptions encoding(heif_encoding_options_alloc());
  encoding->output_nclx_profile = tags.get();
  encoding->save_two_colr_boxes_when_ICC_and_nclx_available = 1;
  encoding->macOS_compatibility_workaround_no_nclx_profile = 0;
  std::vector<std::uint8_t> bytes;
  for (const auto& picture : pictures) {
    const auto image = image_of(picture.pixels, options.av1, coding);
    const auto& icc = picture.blocks.icc;
    check_encoded(
        icc.empty() ? heif_image_set_nclx_color_profile(image.get(), tags.get())
                    : heif_image_set_raw_color_profile(image.get(), "prof", icc.data(), icc.size()),
        coding);
    heif_image_handle* raw = nullptr;
    check_encoded(
        heif_context_encode_image(context.get(), image.get(), encoder.get(), encoding.get(), &raw),
        coding);
    const Handle handle(raw);
    add_blocks(context.get(), raw, picture.blocks, coding);
  }
  heif_writer writer{1, append};
  check_encoded(heif_context_write(context.get(), &writer, &bytes), coding);
  return bytes;
}

}  // namespace vergence::media::codec
