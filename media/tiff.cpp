// SPDX-License-Identifier: Apache-2.0
// TIFF by way of libtiff: strips and tiles, together or one plane per channel, 8 and 16 bit and
// floating point; anything else (palettes, bilevel, CMYK, YCbCr) by libtiff's own 8-bit conversion.
#include "media/codec.hpp"
#include "media/metadata.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

#include <opencv2/imgproc.hpp>
#include <tiffio.h>

namespace vergence::media::codec {
namespace {

// A file in memory, for libtiff's callbacks.
struct MemoryFile {
  const std::uint8_t* data = nullptr;  // reading
  std::size_t size = 0;
  std::vector<std::uint8_t> written;  // writing
  std::size_t at = 0;
};

tmsize_t read_memory(thandle_t handle, void* to, tmsize_t count) {
  auto& file = *static_cast<MemoryFile*>(handle);
  const Bytes all = file.data != nullptr ? Bytes(file.data, file.size) : Bytes(file.written);
  if (file.at >= all.size()) return 0;
  const std::size_t available = std::min(static_cast<std::size_t>(count), all.size() - file.at);
  std::memcpy(to, all.data() + file.at, available);
  file.at += available;
  return static_cast<tmsize_t>(available);
}

tmsize_t write_memory(thandle_t handle, void* from, tmsize_t count) {
  auto& file = *static_cast<MemoryFile*>(handle);
  const std::size_t end = file.at + static_cast<std::size_t>(count);
  if (file.written.size() < end) file.written.resize(end);
  std::memcpy(file.written.data() + file.at, from, static_cast<std::size_t>(count));
  file.at = end;
  return count;
}

toff_t file_size(thandle_t handle) {
  const auto& file = *static_cast<MemoryFile*>(handle);
  return file.data != nullptr ? file.size : file.written.size();
}

toff_t seek_memory(thandle_t handle, toff_t offset, int whence) {
  auto& file = *static_cast<MemoryFile*>(handle);
  const toff_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? file.at : file_size(handle);
  file.at = static_cast<std::size_t>(base + offset);
  return file.at;
}

int close_memory(thandle_t) {
  return 0;
}

int silent(TIFF*, void*, const char*, const char*, va_list) {
  return 1;
}

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};

using Tiff = std::unique_ptr<TIFF, CloseTiff>;

// "m": libtiff is not to map the file, which is in memory already.
Tiff open(MemoryFile& file, const char* mode) {
  constexpr tmsize_t kMaxAllocation = tmsize_t{1} << 31;
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(
      TIFFOpenOptionsAlloc(), &TIFFOpenOptionsFree);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxAllocation);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), silent, nullptr);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), silent, nullptr);
  return Tiff(TIFFClientOpenExt("memory", mode, &file, read_memory, write_memory, seek_memory,
                                close_memory, file_size, nullptr, nullptr, options.get()));
}

template <class Value>
Value tag(TIFF* tiff, std::uint32_t name, Value fallback) {
  Value value = fallback;
  return TIFFGetFieldDefaulted(tiff, name, &value) == 1 ? value : fallback;
}

// How the pixels of a file are stored.
struct Layout {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  int bits = 1;
  int channels = 1;
  int sample_format = SAMPLEFORMAT_UINT;
  bool separate = false;  // one plane per channel
  int photometric = PHOTOMETRIC_RGB;
  bool premultiplied = false;

  // Whether the stored samples can be used as they are.
  [[nodiscard]] bool plain() const {
    const bool unsigned_integer = sample_format == SAMPLEFORMAT_UINT && (bits == 8 || bits == 16);
    const bool floating = sample_format == SAMPLEFORMAT_IEEEFP && (bits == 32 || bits == 64);
    const bool grey = photometric == PHOTOMETRIC_MINISBLACK && channels <= 2;
    const bool rgb = photometric == PHOTOMETRIC_RGB && (channels == 3 || channels == 4);
    return (unsigned_integer || floating) && (grey || rgb);
  }

  [[nodiscard]] int depth() const {
    return bits == 8 ? CV_8U : bits == 16 ? CV_16U : bits == 32 ? CV_32F : CV_64F;
  }
};

Layout layout_of(TIFF* tiff) {
  Layout layout;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &layout.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &layout.height);
  layout.bits = tag<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 1);
  layout.channels = tag<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  layout.sample_format = tag<std::uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  layout.separate =
      tag<std::uint16_t>(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
  layout.photometric = tag<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
  std::uint16_t extra_count = 0;
  std::uint16_t* extras = nullptr;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extras);
  layout.premultiplied = extra_count > 0 && extras[0] == EXTRASAMPLE_ASSOCALPHA;
  return layout;
}

// A strip or a tile: where it lies in the picture and how large its buffer is.
struct Block {
  int x = 0;
  int y = 0;
  int width = 0;  // of the buffer
  int height = 0;
  int plane = 0;
};

// Copies the part of a block's buffer that lies inside the picture.
void place(const Block& block, const std::vector<std::uint8_t>& buffer, bool separate,
           cv::Mat& pixels) {
  const std::size_t sample = pixels.elemSize1();
  const std::size_t stored = separate ? sample : pixels.elemSize();
  const int columns = std::min(block.width, pixels.cols - block.x);
  const int rows = std::min(block.height, pixels.rows - block.y);
  for (int row = 0; row < rows; ++row) {
    const std::uint8_t* from = buffer.data() + static_cast<std::size_t>(row) *
                                                   static_cast<std::size_t>(block.width) * stored;
    std::uint8_t* to =
        pixels.ptr(block.y + row, block.x) + static_cast<std::size_t>(block.plane) * sample;
    if (stored == pixels.elemSize()) {
      std::memcpy(to, from, static_cast<std::size_t>(columns) * stored);
      continue;
    }
    for (int x = 0; x < columns; ++x, from += sample, to += pixels.elemSize()) {
      std::memcpy(to, from, sample);
    }
  }
}

constexpr const char* kDamaged = "the TIFF data are damaged or end too early";

cv::Mat read_plain(const Source& source, TIFF* tiff, const Layout& layout) {
  cv::Mat pixels(static_cast<int>(layout.height), static_cast<int>(layout.width),
                 CV_MAKETYPE(layout.depth(), layout.channels));
  const bool tiled = TIFFIsTiled(tiff) != 0;
  std::uint32_t block_width = layout.width;
  std::uint32_t block_height = layout.height;
  if (tiled) {
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &block_width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &block_height);
  } else {
    block_height = std::min(layout.height, tag(tiff, TIFFTAG_ROWSPERSTRIP, layout.height));
  }
  const tmsize_t size = tiled ? TIFFTileSize(tiff) : TIFFStripSize(tiff);
  const auto expected = std::uint64_t{block_width} * block_height *
                        (layout.separate ? pixels.elemSize1() : pixels.elemSize());
  check_size(source, block_width, block_height);
  if (size <= 0 || static_cast<std::uint64_t>(size) != expected) throw_damaged(source, kDamaged);
  std::vector<std::uint8_t> buffer(static_cast<std::size_t>(size));
  Block block{.width = static_cast<int>(block_width), .height = static_cast<int>(block_height)};
  const int planes = layout.separate ? layout.channels : 1;
  for (block.plane = 0; block.plane < planes; ++block.plane) {
    for (block.y = 0; block.y < pixels.rows; block.y += block.height) {
      for (block.x = 0; block.x < pixels.cols; block.x += block.width) {
        const auto x = static_cast<std::uint32_t>(block.x);
        const auto y = static_cast<std::uint32_t>(block.y);
        const auto plane = static_cast<std::uint16_t>(block.plane);
        const auto read = tiled ? TIFFReadTile(tiff, buffer.data(), x, y, 0, plane)
                                : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, plane),
                                                       buffer.data(), size);
        if (read < 0) throw_damaged(source, kDamaged);
        place(block, buffer, layout.separate, pixels);
      }
    }
  }
  return pixels;
}

// Greg Ward's logarithmic colours hold scene light: libtiff decodes them to CIE XYZ.
cv::Mat read_log_luv(const Source& source, TIFF* tiff, Layout layout) {
  TIFFSetField(tiff, TIFFTAG_SGILOGDATAFMT, SGILOGDATAFMT_FLOAT);
  layout.bits = 32;
  layout.channels = 3;
  layout.separate = false;
  cv::Mat pixels = read_plain(source, tiff, layout);
  cv::cvtColor(pixels, pixels, cv::COLOR_XYZ2RGB);
  return pixels;
}

cv::Mat read_converted(const Source& source, TIFF* tiff, const Layout& layout) {
  char reason[1024] = "";
  if (TIFFRGBAImageOK(tiff, reason) == 0 || layout.bits > 16 ||
      layout.sample_format == SAMPLEFORMAT_IEEEFP) {
    throw_unsupported(source, "a TIFF with this kind of pixels");
  }
  cv::Mat pixels(static_cast<int>(layout.height), static_cast<int>(layout.width), CV_8UC4);
  // Orientation is left to EXIF's rules: stored top-left in, top-left out.
  TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  if (TIFFReadRGBAImageOriented(tiff, layout.width, layout.height, pixels.ptr<std::uint32_t>(),
                                ORIENTATION_TOPLEFT, 1) == 0) {
    throw_damaged(source, kDamaged);
  }
  return pixels;
}

// Grey with opacity becomes RGBA; double becomes float; colour times opacity becomes colour.
cv::Mat simplified(cv::Mat pixels, bool premultiplied) {
  if (pixels.depth() == CV_64F) pixels.convertTo(pixels, CV_32F);
  if (pixels.channels() == 2) {
    cv::Mat rgba(pixels.size(), CV_MAKETYPE(pixels.depth(), 4));
    cv::mixChannels(pixels, rgba, {0, 0, 0, 1, 0, 2, 1, 3});
    pixels = rgba;
  }
  if (pixels.channels() == 4 && premultiplied) {
    std::vector<cv::Mat> planes;
    cv::split(pixels, planes);
    const double full = pixels.depth() == CV_8U ? 255.0 : pixels.depth() == CV_16U ? 65535.0 : 1.0;
    for (std::size_t c = 0; c < 3; ++c) cv::divide(planes[c], planes[3], planes[c], full);
    cv::merge(planes, pixels);
  }
  return pixels;
}

std::string text_tag(TIFF* tiff, std::uint32_t name) {
  const char* text = nullptr;
  return TIFFGetField(tiff, name, &text) == 1 && text != nullptr ? std::string(text)
                                                                 : std::string();
}

void collect_metadata(TIFF* tiff, Decoded& decoded) {
  ExifFacts facts;
  facts.make = text_tag(tiff, TIFFTAG_MAKE);
  facts.model = text_tag(tiff, TIFFTAG_MODEL);
  facts.date_time = text_tag(tiff, TIFFTAG_DATETIME);
  std::uint32_t size = 0;
  const char* packet = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_XMLPACKET, &size, &packet) == 1 && packet != nullptr) {
    decoded.xmp.emplace_back(packet, size);
  }
  const std::uint8_t* profile = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_ICCPROFILE, &size, &profile) == 1 && profile != nullptr) {
    decoded.icc = as_text({profile, size});
  }
  toff_t exif_offset = 0;
  if (TIFFGetField(tiff, TIFFTAG_EXIFIFD, &exif_offset) == 1 &&
      TIFFReadEXIFDirectory(tiff, exif_offset) == 1) {
    float focal_mm = 0.0F;
    std::uint16_t focal_35mm = 0;
    if (TIFFGetField(tiff, EXIFTAG_FOCALLENGTH, &focal_mm) == 1) facts.focal_mm = focal_mm;
    if (TIFFGetField(tiff, EXIFTAG_FOCALLENGTHIN35MMFILM, &focal_35mm) == 1) {
      facts.focal_35mm = focal_35mm;
    }
  }
  decoded.facts = facts;
}

void set_layout(TIFF* tiff, const cv::Mat& pixels) {
  const bool floating = pixels.depth() == CV_32F;
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(pixels.cols));
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(pixels.rows));
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, static_cast<int>(8 * pixels.elemSize1()));
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, pixels.channels());
  TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, floating ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC,
               pixels.channels() == 1 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
  TIFFSetField(tiff, TIFFTAG_ZIPQUALITY, 3);  // a few per cent larger than 6, three times as fast
  TIFFSetField(tiff, TIFFTAG_PREDICTOR, floating ? PREDICTOR_FLOATINGPOINT : PREDICTOR_HORIZONTAL);
  TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 16);
}

// The EXIF that has tags of TIFF's own; libtiff cannot take a whole block.
void set_blocks(TIFF* tiff, const PictureBlocks& blocks) {
  const auto facts = parse_exif(blocks.exif);
  const auto set_text = [tiff](std::uint32_t name, const std::string& text) {
    if (!text.empty()) TIFFSetField(tiff, name, text.c_str());
  };
  set_text(TIFFTAG_MAKE, facts.make);
  set_text(TIFFTAG_MODEL, facts.model);
  set_text(TIFFTAG_DATETIME, facts.date_time);
  const auto set_data = [tiff](std::uint32_t name, const std::string& data) {
    const auto size = static_cast<std::uint32_t>(data.size());
    if (size > 0) TIFFSetField(tiff, name, size, data.data());
  };
  set_data(TIFFTAG_XMLPACKET, blocks.xmp);
  set_data(TIFFTAG_ICCPROFILE, blocks.icc);
}

}  // namespace

Decoded decode_tiff(const Source& source) {
  MemoryFile file;
  file.data = source.bytes.data();
  file.size = source.bytes.size();
  const Tiff tiff = open(file, "rm");
  if (!tiff) throw_damaged(source, kDamaged);
  std::uint8_t* dng_version = nullptr;
  if (TIFFGetField(tiff.get(), TIFFTAG_DNGVERSION, &dng_version) == 1) {
    throw_unsupported(source, "a camera's raw file (DNG)");
  }
  const Layout layout = layout_of(tiff.get());
  check_size(source, layout.width, layout.height);
  // Reading the pixels may change what libtiff says about them, and the EXIF directory changes all.
  const auto orientation = tag<std::uint16_t>(tiff.get(), TIFFTAG_ORIENTATION, 1);
  Decoded decoded;
  if (layout.plain()) {
    decoded.pixels = simplified(read_plain(source, tiff.get(), layout), layout.premultiplied);
  } else if (layout.photometric == PHOTOMETRIC_LOGLUV) {
    decoded.pixels = read_log_luv(source, tiff.get(), layout);
  } else {
    decoded.pixels = simplified(read_converted(source, tiff.get(), layout), true);
  }
  collect_metadata(tiff.get(), decoded);
  decoded.facts->orientation = orientation;
  return decoded;
}

std::vector<std::uint8_t> encode_tiff(const cv::Mat& pixels, const PictureBlocks& blocks) {
  MemoryFile file;
  {
    const Tiff tiff = open(file, "wm");
    if (!tiff) throw std::bad_alloc();
    set_layout(tiff.get(), pixels);
    set_blocks(tiff.get(), blocks);
    // The predictor works in the buffer that it is given, so every row goes through a copy.
    std::vector<std::uint8_t> row(static_cast<std::size_t>(pixels.cols) * pixels.elemSize());
    for (int y = 0; y < pixels.rows; ++y) {
      std::memcpy(row.data(), pixels.ptr(y), row.size());
      if (TIFFWriteScanline(tiff.get(), row.data(), static_cast<std::uint32_t>(y), 0) != 1) {
        throw std::invalid_argument("this picture cannot be a TIFF");
      }
    }
  }
  return std::move(file.written);
}

}  // namespace vergence::media::codec
