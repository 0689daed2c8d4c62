// SPDX-License-Identifier: Apache-2.0
// Pictures into a video. A long video is encoded in segments, files of their own that are later
// joined without encoding again (video_join.hpp).
#pragma once

#include "media/video.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace vergence::media {

// How to encode.
struct EncodeOptions {
  // FFmpeg's name: libx264, libx265, libsvtav1, prores_ks, ffv1, utvideo, ... (codecs.cpp)
  std::string codec = "libx264";
  // Nothing = the codec's usual one, unless bitrate_kbps is given; with both, the bitrate is what
  // the rate may not exceed.
  std::optional<double> crf = {};
  int bitrate_kbps = 0;     // 0 = by quality
  std::string preset = {};  // empty = the codec's usual one
  std::string tune = {};    // several with commas
  std::string profile = {};
  std::string pixel_format = {};  // FFmpeg's name; empty = the codec's best for the input's bits
  double keyframe_interval_s = 2.0;
  int threads = 0;
  std::map<std::string, std::string> extra = {};  // any further option of the codec
};

// What the frames are.
struct VideoFormat {
  cv::Size size;
  Rational pixel_aspect = {1, 1};  // of the input's pixels, before an eye was squeezed
  Rational time_base;
  Rational frame_rate;
  int bit_depth = 8;               // of the input; decides the pixel format where none is asked for
  bool grey = false;               // one channel, or three equal ones
  std::string input_pixel_format;  // FFmpeg's name; empty = not known: 4:2:0 then
  ColorTags color;
  HdrMetadata hdr;
  StereoTag stereo = StereoTag::kNone;
  bool squeezed = false;     // each eye has half its width (kSideBySide) or height (kTopBottom)
  bool right_first = false;  // the right eye's picture is on the left, on top or first
  std::optional<SphericalTag> spherical = {};  // what players are told of each eye's picture
  bool apple = false;       // also Apple's boxes (vexu, hfov), of HEVC in MP4 or MOV: experimental
  double hfov_deg = 0.0;    // of a flat picture, for Apple's boxes; 0 = not known
  double baseline_m = 0.0;  // between the eyes, for Apple's boxes; 0 = not known

  // The usual time between two frames, in the time base, at least 1; 25 a second if not known.
  [[nodiscard]] std::int64_t ticks_per_frame() const;
};

// Encodes one segment (or a whole video without other streams). The same frames with the same
// options give the same bytes (thread counts included).
class SegmentWriter {
 public:
  // Opens `path` for writing, directly: whoever calls decides when the file is whole. Throws
  // Error(kUsage) for a codec, preset, pixel format or option that FFmpeg does not know (with what
  // there is), Error when the size does not suit the codec or the file cannot be written.
  SegmentWriter(const std::filesystem::path& path, const VideoFormat& format,
                const EncodeOptions& options);
  ~SegmentWriter();
  SegmentWriter(SegmentWriter&&) noexcept;
  SegmentWriter& operator=(SegmentWriter&&) noexcept;

  // The next frame, of the format's size, CV_8UC3 or CV_16UC3 RGB; pts grow.
  void write(const VideoFrame& frame);

  // Encodes what is left, writes the end and syncs the file. Throws Error (full disk).
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The pixel format that `options` and `format` lead to: what SegmentWriter will use.
[[nodiscard]] std::string chosen_pixel_format(const VideoFormat& format,
                                              const EncodeOptions& options);

// The extension of segment files, with the dot.
[[nodiscard]] std::string segment_extension();

}  // namespace vergence::media
