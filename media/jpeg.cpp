// SPDX-License-Identifier: Apache-2.0
// JPEG by way of libjpeg itself, because a file that is cut short must be an error: most wrappers
// paint what is missing grey and say nothing.
#include "media/codec.hpp"
#include "media/jpeg_segments.hpp"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <jerror.h>
#include <jpeglib.h>

namespace vergence::media::codec {
namespace {

// libjpeg reports through callbacks that must not return; they jump back to where the call into
// libjpeg was made. No C++ object may be born between the two.
struct JpegErrors {
  jpeg_error_mgr base;
  std::jmp_buf escape;
  const char* reason;
};

const char* reason_for(int message_code) {
  switch (message_code) {
    case JWRN_JPEG_EOF:
    case JERR_INPUT_EOF:
    case JERR_INPUT_EMPTY:
      return "the JPEG data end too early";
    case JERR_OUT_OF_MEMORY:
      return "there is not enough memory for its JPEG data";
    default:
      return "the JPEG data are damaged";
  }
}

[[noreturn]] void escape_with(j_common_ptr info, int message_code) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->reason = reason_for(message_code);
  std::longjmp(errors->escape, 1);
}

void on_error(j_common_ptr info) {
  escape_with(info, info->err->msg_code);
}

// Warnings mean lost pixels, and so are errors, but for these: bytes between segments, odd headers.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_TOO_MUCH_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_BOGUS_ICC:
      return;
    default:
      escape_with(info, info->err->msg_code);
  }
}

void silent(j_common_ptr) {}

// A hostile progressive file can hold thousands of scans that each cost a pass over all pixels.
void limit_scans(j_common_ptr info) {
  constexpr int kMaxScans = 256;
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) {
    escape_with(info, JERR_BAD_PROGRESSION);
  }
}

jpeg_error_mgr* prepare(JpegErrors& errors) {
  jpeg_std_error(&errors.base);
  errors.base.error_exit = on_error;
  errors.base.emit_message = on_message;
  errors.base.output_message = silent;
  errors.reason = "";
  return &errors.base;
}

class JpegReader {
 public:
  explicit JpegReader(const Source& source) : source_(source) {
    info_.err = prepare(errors_);
    jpeg_create_decompress(&info_);
    progress_.progress_monitor = limit_scans;
    info_.progress = &progress_;
  }

  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  cv::Mat decode() {
    if (!read_header()) throw_damaged(source_, errors_.reason);
    check_size(source_, info_.image_width, info_.image_height);
    // A block of 64 samples takes at least one bit.
    const auto samples =
        std::int64_t{info_.image_width} * info_.image_height * info_.num_components;
    check_plausible(source_, samples, 1024);
    choose_output();
    cv::Mat pixels(static_cast<int>(info_.image_height), static_cast<int>(info_.image_width),
                   CV_8UC(info_.out_color_components == 4 ? 3 : channels_));
    inks_.resize(channels_ == 4 ? std::size_t{info_.image_width} * 4 : 0);
    if (!read_rows(pixels)) throw_damaged(source_, errors_.reason);
    return pixels;
  }

 private:
  bool read_header() {
    if (setjmp(errors_.escape) != 0) return false;
    jpeg_mem_src(&info_, source_.bytes.data(), static_cast<unsigned long>(source_.bytes.size()));
    jpeg_read_header(&info_, TRUE);
    return true;
  }

  void choose_output() {
    switch (info_.jpeg_color_space) {
      case JCS_GRAYSCALE:
        info_.out_color_space = JCS_GRAYSCALE;
        channels_ = 1;
        break;
      case JCS_YCbCr:
      case JCS_RGB:
        info_.out_color_space = JCS_RGB;
        channels_ = 3;
        break;
      case JCS_CMYK:
      case JCS_YCCK:
        info_.out_color_space = JCS_CMYK;
        channels_ = 4;
        break;
      default:
        throw_unsupported(source_, "a JPEG of this colour space");
    }
    info_.out_color_components = channels_;
  }

  bool read_rows(cv::Mat& pixels) {
    if (setjmp(errors_.escape) != 0) return false;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      const auto y = static_cast<int>(info_.output_scanline);
      JSAMPROW row = inks_.empty() ? pixels.ptr(y) : inks_.data();
      jpeg_read_scanlines(&info_, &row, 1);
      if (!inks_.empty()) print_inks(pixels.ptr(y), pixels.cols);
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  // Ink coverage to RGB, without a colour profile. Adobe's files store 255 - ink.
  void print_inks(std::uint8_t* rgb, int width) const {
    const int flip = info_.saw_Adobe_marker != 0 ? 0 : 255;
    const std::uint8_t* ink = inks_.data();
    for (int x = 0; x < width; ++x, rgb += 3, ink += 4) {
      const int paper = ink[3] ^ flip;
      for (int c = 0; c < 3; ++c) {
        rgb[c] = static_cast<std::uint8_t>(((ink[c] ^ flip) * paper + 127) / 255);
      }
    }
  }

  Source source_;
  jpeg_decompress_struct info_{};
  JpegErrors errors_{};
  jpeg_progress_mgr progress_{};
  int channels_ = 3;
  std::vector<std::uint8_t> inks_;
};

// Owns what jpeg_mem_dest allocates.
struct JpegWriter {
  jpeg_compress_struct info{};
  JpegErrors errors{};
  unsigned char* data = nullptr;
  unsigned long size = 0;

  JpegWriter() {
    info.err = prepare(errors);
    jpeg_create_compress(&info);
  }

  ~JpegWriter() {
    jpeg_destroy_compress(&info);
    std::free(data);
  }

  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  bool write(const cv::Mat& pixels, int quality) {
    if (setjmp(errors.escape) != 0) return false;
    jpeg_mem_dest(&info, &data, &size);
    info.image_width = static_cast<JDIMENSION>(pixels.cols);
    info.image_height = static_cast<JDIMENSION>(pixels.rows);
    info.input_components = pixels.channels();
    info.in_color_space = pixels.channels() == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    if (quality >= 90) info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
      auto* row = const_cast<JSAMPROW>(pixels.ptr(static_cast<int>(info.next_scanline)));
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    return true;
  }
};

}  // namespace

Decoded decode_jpeg(const Source& source) {
  Decoded decoded;
  decoded.pixels = JpegReader(source).decode();
  const auto segments = jpeg_segments(source.bytes);
  decoded.exif = jpeg_exif(segments);
  decoded.xmp = jpeg_xmp(segments);
  decoded.icc = jpeg_icc(segments);
  decoded.extended_xmp = jpeg_extended_xmp(segments, decoded.xmp, source.bytes.size());
  apply_jps(segments, decoded.metadata);
  return decoded;
}

std::vector<std::uint8_t> encode_jpeg(const cv::Mat& pixels, int quality) {
  JpegWriter writer;
  if (!writer.write(pixels, std::clamp(quality, 1, 100))) {
    throw std::invalid_argument("this picture cannot be a JPEG");
  }
  return {writer.data, writer.data + writer.size};
}

}  // namespace vergence::media::codec
