// SPDX-License-Identifier: Apache-2.0
// A whole video file: encoded video and, from the input, everything else; not installed.
#pragma once

#include "media/container_file.hpp"
#include "media/libav.hpp"
#include "media/video_encoder.hpp"
#include "media/video_join.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace vergence::media {

// The input whose other streams are kept.
struct MuxSource {
  const AVFormatContext* context = nullptr;  // null = there is none
  int video_index = -1;                      // the stream that the new video replaces
  double begin_s = 0.0;                      // where start and end times count from
};

class Muxer {
 public:
  // Nothing is written yet.
  Muxer(const std::filesystem::path& output, const std::string& container,
        const VideoEncoder& encoder, const VideoFormat& format, const JoinOptions& options,
        const MuxSource& source);
  ~Muxer();
  Muxer(const Muxer&) = delete;
  Muxer& operator=(const Muxer&) = delete;

  // Writes the header. `first_pts`: of the first video frame in display order; the output begins
  // there where the input's beginning is cut off. Warns of streams that do not fit.
  void begin(std::int64_t first_pts);

  // The next video packet in decoding order, with pts and duration in the format's time base. Its
  // dts is made here.
  void write_video(AVPacket& packet);

  // The next packet of another stream of the source, as the demuxer gave it. What is not kept or
  // outside of the part that is kept is ignored. A packet that does not suit the container is left
  // out with a warning.
  void write_other(const AVPacket& packet);

  // When the next video packet is due, in seconds of the source: packets of other streams up to it
  // belong before it.
  [[nodiscard]] double seconds_of(std::int64_t pts) const;

  void finish();

  [[nodiscard]] std::int64_t size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::media
