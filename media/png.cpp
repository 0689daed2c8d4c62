// SPDX-License-Identifier: Apache-2.0
// PNG by way of libpng: all bit depths, palettes and transparency; XMP and EXIF chunks.
#include "media/codec.hpp"

#include <csetjmp>
#include <cstring>
#include <stdexcept>

#include <png.h>

namespace vergence::media::codec {
namespace {

// libpng's callbacks jump back to where the call into libpng was made; no C++ object may be born
// between the two.
struct PngErrors {
  std::jmp_buf escape;
  bool too_short = false;
};

[[noreturn]] void on_error(png_structp png, png_const_charp) {
  std::longjmp(static_cast<PngErrors*>(png_get_error_ptr(png))->escape, 1);
}

void on_warning(png_structp, png_const_charp) {}

constexpr const char* kXmpKey = "XML:com.adobe.xmp";

class PngReader {
 public:
  explicit PngReader(const Source& source) : source_(source) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &errors_, on_error, on_warning);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
  }

  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  Decoded decode() {
    if (!read_header()) fail();
    const std::int64_t width = png_get_image_width(png_, info_);
    const std::int64_t height = png_get_image_height(png_, info_);
    check_size(source_, width, height);
    const std::int64_t stored_bits =
        width * png_get_channels(png_, info_) * png_get_bit_depth(png_, info_);
    check_plausible(source_, (stored_bits + 7) / 8 * height, 1040);  // Deflate's best is 1032 : 1
    if (!choose_output()) fail();
    const int depth = png_get_bit_depth(png_, info_) == 16 ? CV_16U : CV_8U;
    Decoded decoded;
    decoded.pixels.create(static_cast<int>(height), static_cast<int>(width),
                          CV_MAKETYPE(depth, png_get_channels(png_, info_)));
    std::vector<png_bytep> rows(static_cast<std::size_t>(height));
    for (int y = 0; y < decoded.pixels.rows; ++y) {
      rows[static_cast<std::size_t>(y)] = decoded.pixels.ptr(y);
    }
    if (!read_rows(rows.data())) fail();
    collect_metadata(decoded);
    return decoded;
  }

 private:
  [[noreturn]] void fail() const {
    throw_damaged(source_,
                  errors_.too_short ? "the PNG data end too early" : "the PNG data are damaged");
  }

  static void read_bytes(png_structp png, png_bytep to, std::size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->source_.bytes.size() - self->at_) {
      self->errors_.too_short = true;
      png_error(png, "too short");
    }
    std::memcpy(to, self->source_.bytes.data() + self->at_, count);
    self->at_ += count;
  }

  bool read_header() {
    if (setjmp(errors_.escape) != 0) return false;
    png_set_read_fn(png_, this, read_bytes);
    png_set_user_limits(png_, 0x7FFFFFFF, 0x7FFFFFFF);  // ours follow, with a better message
    png_read_info(png_, info_);
    return true;
  }

  // Grey, RGB or RGBA of 8 or 16 bit, in this machine's byte order.
  bool choose_output() {
    if (setjmp(errors_.escape) != 0) return false;
    png_set_expand(png_);
    const bool transparent = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_ALPHA) != 0 ||
                             png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
    if (transparent) png_set_gray_to_rgb(png_);
    if constexpr (std::endian::native == std::endian::little) png_set_swap(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  bool read_rows(png_bytepp rows) {
    if (setjmp(errors_.escape) != 0) return false;
    png_read_image(png_, rows);
    png_read_end(png_, info_);
    return true;
  }

  void collect_metadata(Decoded& decoded) {
    png_textp texts = nullptr;
    int count = 0;
    png_get_text(png_, info_, &texts, &count);
    for (const auto& text : std::span(texts, static_cast<std::size_t>(count))) {
      if (std::string_view(text.key) != kXmpKey || text.text == nullptr) continue;
      const bool utf8 = text.compression >= PNG_ITXT_COMPRESSION_NONE;
      decoded.xmp.emplace_back(text.text, utf8 ? text.itxt_length : text.text_length);
    }
    png_uint_32 exif_size = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(png_, info_, &exif_size, &exif) != 0 && exif != nullptr) {
      decoded.exif = as_text({exif, exif_size});
    }
    png_charp name = nullptr;
    int compression = 0;
    png_bytep profile = nullptr;
    png_uint_32 profile_size = 0;
    if (png_get_iCCP(png_, info_, &name, &compression, &profile, &profile_size) != 0) {
      decoded.icc = as_text({profile, profile_size});
    }
  }

  Source source_;
  std::size_t at_ = 0;
  PngErrors errors_{};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

class PngWriter {
 public:
  PngWriter() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, &errors_, on_error, on_warning);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) {
      png_destroy_write_struct(&png_, nullptr);
      throw std::bad_alloc();
    }
  }

  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }

  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  std::vector<std::uint8_t> encode(const cv::Mat& pixels, const PictureBlocks& blocks) {
    std::vector<png_bytep> rows(static_cast<std::size_t>(pixels.rows));
    for (int y = 0; y < pixels.rows; ++y) {
      rows[static_cast<std::size_t>(y)] = const_cast<png_bytep>(pixels.ptr(y));
    }
    const int color = pixels.channels() == 1   ? PNG_COLOR_TYPE_GRAY
                      : pixels.channels() == 3 ? PNG_COLOR_TYPE_RGB
                                               : PNG_COLOR_TYPE_RGB_ALPHA;
    Chunks chunks;
    chunks.exif.assign(blocks.exif.begin(), blocks.exif.end());
    chunks.xmp = blocks.xmp;
    chunks.icc =
        as_text({reinterpret_cast<const std::uint8_t*>(blocks.icc.data()), blocks.icc.size()});
    if (!write(pixels, color, rows.data(), chunks)) {
      throw std::invalid_argument("this picture cannot be a PNG");
    }
    return std::move(bytes_);
  }

 private:
  static void write_bytes(png_structp png, png_bytep from, std::size_t count) {
    auto& bytes = static_cast<PngWriter*>(png_get_io_ptr(png))->bytes_;
    bytes.insert(bytes.end(), from, from + count);
  }

  // As libpng wants them: it takes no constant data.
  struct Chunks {
    std::vector<png_byte> exif;
    std::string xmp_key = kXmpKey;
    std::string xmp;
    std::string_view icc;
  };

  void set_chunks(Chunks& chunks) {
    if (!chunks.exif.empty()) {
      png_set_eXIf_1(png_, info_, static_cast<png_uint_32>(chunks.exif.size()), chunks.exif.data());
    }
    if (!chunks.icc.empty()) {
      png_set_benign_errors(png_, 1);  // a profile that libpng does not like is left out
      png_set_iCCP(png_, info_, "ICC profile", PNG_COMPRESSION_TYPE_BASE,
                   reinterpret_cast<png_const_bytep>(chunks.icc.data()),
                   static_cast<png_uint_32>(chunks.icc.size()));
    }
    if (!chunks.xmp.empty()) {
      png_text text{};
      text.compression = PNG_ITXT_COMPRESSION_NONE;
      text.key = chunks.xmp_key.data();
      text.text = chunks.xmp.data();
      text.itxt_length = chunks.xmp.size();
      png_set_text(png_, info_, &text, 1);
    }
  }

  bool write(const cv::Mat& pixels, int color, png_bytepp rows, Chunks& chunks) {
    if (setjmp(errors_.escape) != 0) return false;
    png_set_write_fn(png_, this, write_bytes, nullptr);
    png_set_compression_level(png_, 4);  // within a few per cent of 6 in size, twice as fast
    png_set_IHDR(png_, info_, static_cast<png_uint_32>(pixels.cols),
                 static_cast<png_uint_32>(pixels.rows), pixels.depth() == CV_16U ? 16 : 8, color,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    set_chunks(chunks);
    png_write_info(png_, info_);
    if constexpr (std::endian::native == std::endian::little) png_set_swap(png_);
    png_write_image(png_, rows);
    png_write_end(png_, nullptr);  // with the info it would write EXIF once more
    return true;
  }

  PngErrors errors_{};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace

Decoded decode_png(const Source& source) {
  return PngReader(source).decode();
}

std::vector<std::uint8_t> encode_png(const cv::Mat& pixels, const PictureBlocks& blocks) {
  return PngWriter().encode(pixels, blocks);
}

}  // namespace vergence::media::codec
