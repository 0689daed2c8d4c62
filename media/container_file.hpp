// SPDX-License-Identifier: Apache-2.0
// A file that one of FFmpeg's muxers writes, with errors that name it; not installed.
#pragma once

#include "media/libav.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace vergence::media {

// Written directly, under the given name. A full disk is noticed at the next packet, at the latest
// by finish().
class ContainerFile {
 public:
  // `format`: FFmpeg's name of the muxer ("nut", "mp4", "matroska"). The path "-" is standard
  // output. Throws Error for a muxer that this FFmpeg lacks.
  ContainerFile(std::filesystem::path path, const std::string& format);

  // For streams, metadata and chapters, before begin().
  [[nodiscard]] AVFormatContext& context() { return *context_; }

  // Opens the file and writes the header. Throws Error.
  void begin(libav::Dictionary& options);

  // Takes the packet's data. Its times are in its own time_base; every stream's grow.
  void write(AVPacket& packet);

  // The same; false where the muxer does not take this packet.
  [[nodiscard]] bool try_write(AVPacket& packet);

  // Writes the end, and syncs and closes the file. Throws Error.
  void finish();

  // Bytes written so far.
  [[nodiscard]] std::int64_t size() const;

 private:
  void check(int code) const;
  void sync() const;

  std::filesystem::path path_;
  libav::OutputPtr context_;
};

}  // namespace vergence::media
