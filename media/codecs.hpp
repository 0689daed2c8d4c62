// SPDX-License-Identifier: Apache-2.0
// The video encoders that we offer: their words for quality and speed, what is usual, and which
// pixel format suits which pictures; not installed.
#pragma once

#include "media/video_writer.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::media {

// One encoder of FFmpeg. The lists of words are empty where there is no such thing.
struct CodecTraits {
  std::string_view name = {};  // FFmpeg's: "libx264"
  std::string_view quality_option =
      {};  // "crf", "qp", ...; empty = lossless, by profile or by bitrate
  double usual_quality = 0.0;
  double worst_quality = 0.0;  // the largest number; 0 is the best
  std::string_view usual_preset = {};
  std::span<const std::string_view> presets = {};
  std::span<const std::string_view> tunes = {};
  std::span<const std::string_view> profiles = {};
  int least_size = 1;  // of width and height
  bool lossless = false;
  bool keeps_chroma = false;  // for editing rather than watching: chroma as fine as the input's
  bool odd_sizes = false;     // takes odd sizes with subsampled chroma
  std::string_view device =
      {};  // FFmpeg's type of the device its frames must lie on; empty = memory
};

// The "encoder" whose packets are frames in memory: for the muxer of Y4M only.
inline constexpr std::string_view kUncompressed = "wrapped_avframe";

// The traits of the encoder that FFmpeg knows by that name. Throws Error(kUsage), with the names
// that there are, when we do not offer it or this FFmpeg lacks it.
[[nodiscard]] const CodecTraits& find_codec(const std::string& name);

// The names that we offer and that this FFmpeg has. A hardware encoder among them may still lack
// its hardware.
[[nodiscard]] std::vector<std::string> codec_names();

// FFmpeg's name of what the encoder of these options makes ("h264"). Throws as find_codec().
[[nodiscard]] std::string stream_codec(const EncodeOptions& options);

// FFmpeg's names of the pixel formats of an encoder, its favourite first.
[[nodiscard]] std::vector<std::string> pixel_formats(const CodecTraits& codec);

// The size that is encoded: odd sizes grow by one column or row where the codec cannot have them
// with this pixel format. (4:4:4 could keep them, but hardly any player decodes it in hardware;
// one repeated line beside or below both eyes moves neither.)
[[nodiscard]] cv::Size coded_size(const CodecTraits& codec, cv::Size size,
                                  const std::string& pixel_format);

}  // namespace vergence::media
