// SPDX-License-Identifier: Apache-2.0
// Where the packets of the streams other than the video come from: a file of their own, or the
// reader that decodes the video of a pipe; not installed.
#pragma once

#include "media/libav.hpp"
#include "media/muxer.hpp"
#include "media/video_input.hpp"

#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>

namespace vergence::media {

// Packets that a reader came across. It puts them in while another thread takes them out; as many
// are held as the frames that are on their way go with.
class KeptPackets {
 public:
  explicit KeptPackets(const MuxSource& source) : source_(source) {}

  [[nodiscard]] const MuxSource& source() const { return source_; }

  void push(const AVPacket& packet);

  // The oldest one; null if there is none now.
  [[nodiscard]] libav::PacketPtr pop();

 private:
  MuxSource source_;
  std::mutex mutex_;
  std::deque<libav::PacketPtr> packets_;
};

class OtherStreams {
 public:
  // Opens a file.
  explicit OtherStreams(const std::filesystem::path& path);
  // Takes what a reader keeps.
  explicit OtherStreams(KeptPackets& kept);

  [[nodiscard]] const MuxSource& source() const { return source_; }

  // Gives `muxer` all packets due up to `seconds` (of the source's clock) that it has not yet got.
  // A damaged source ends early, with a warning.
  void write_until(double seconds, Muxer& muxer);

 private:
  [[nodiscard]] libav::PacketPtr next();

  std::optional<VideoInput> input_;
  KeptPackets* kept_ = nullptr;
  MuxSource source_;
  libav::PacketPtr pending_;
  bool ended_ = false;
};

}  // namespace vergence::media
