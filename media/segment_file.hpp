// SPDX-License-Identifier: Apache-2.0
// Packets of one encoder between two moments, in a file of their own; not installed.
#pragma once

#include "media/container_file.hpp"
#include "media/decoding_times.hpp"
#include "media/libav.hpp"
#include "media/video_encoder.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

namespace vergence::media {

// The container is NUT: of those that FFmpeg writes it alone keeps times in any time base as they
// are (Matroska rounds to milliseconds; MP4 keeps the first time in milliseconds), takes every
// codec that we offer with its packets unchanged, and can be played as it is. It keeps neither
// decoding times, which follow from the order of the packets, nor durations. Those of the last
// frame and the number of frames stand in a second stream of one packet of text, which ends the
// file: without it, it is truncated.
class SegmentFileWriter {
 public:
  // `step`: the usual time between two frames, in the encoder's time base.
  SegmentFileWriter(const std::filesystem::path& path, const VideoEncoder& encoder,
                    std::int64_t step);

  void write(AVPacket& packet);
  void finish();

 private:
  void begin(std::int64_t first_pts);

  ContainerFile file_;
  DecodingTimes decoding_times_;
  std::int64_t num_packets_ = 0;
  std::int64_t last_pts_ = 0;
  std::int64_t last_duration_ = 0;
  std::optional<std::int64_t> origin_;
};

class SegmentFileReader {
 public:
  // `time_base`: the encoder's. Throws Error when it is no segment.
  SegmentFileReader(std::filesystem::path path, Rational time_base);

  // The parameter sets of the stream (AVCodecContext::extradata).
  [[nodiscard]] std::vector<std::uint8_t> global_header() const;

  // The next packet, in decoding order: its pts is in the encoder's time base, its dts is not
  // known. False at the end. Throws Error for a damaged or truncated file.
  [[nodiscard]] bool read(AVPacket& packet);

  // After the end: how long the last frame is shown; 0 = not known.
  [[nodiscard]] std::int64_t last_duration() const { return last_duration_; }

 private:
  std::filesystem::path path_;
  Rational time_base_;
  libav::InputPtr input_;
  std::int64_t origin_ = 0;
  std::int64_t num_packets_ = 0;
  std::int64_t last_duration_ = 0;
};

}  // namespace vergence::media
