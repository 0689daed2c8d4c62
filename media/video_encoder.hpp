// SPDX-License-Identifier: Apache-2.0
// Pictures become packets: the encoder that segments and whole files share; not installed.
#pragma once

#include "media/codecs.hpp"
#include "media/libav.hpp"
#include "media/video_writer.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct AVStream;

namespace vergence::media {

// Takes packets as they come out, in decoding order; their times are in the format's time base.
using PacketSink = std::function<void(AVPacket&)>;

class VideoEncoder {
 public:
  // Opens the encoder. Throws Error(kUsage) for words that it does not know, Error when it cannot
  // be opened with this size.
  VideoEncoder(const VideoFormat& format, const EncodeOptions& options);
  ~VideoEncoder();
  VideoEncoder(VideoEncoder&&) noexcept;
  VideoEncoder& operator=(VideoEncoder&&) noexcept;

  // Encodes one frame. Throws std::invalid_argument for one of another size or type, or whose pts
  // is not greater than the one before.
  void write(const VideoFrame& frame, const PacketSink& sink);

  // Encodes what is still inside. Call once, at the end.
  void finish(const PacketSink& sink);

  // Makes `stream` a stream of these packets: codec, size, colours, pixel aspect, HDR and, in its
  // container's words, how the eyes lie.
  void describe(AVStream& stream) const;

  // The parameter sets of the stream (AVCodecContext::extradata).
  [[nodiscard]] std::vector<std::uint8_t> global_header() const;

  // By how many pictures decoding may run ahead of showing.
  [[nodiscard]] int reorder_delay() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::media
