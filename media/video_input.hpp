// SPDX-License-Identifier: Apache-2.0
// A video file or pipe that is open for demuxing, with nothing but its own bytes: playlists and
// references to other files and addresses are refused; not installed.
#pragma once

#include "media/libav.hpp"
#include "media/video_reader.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

struct AVCodecContext;
struct AVInputFormat;
struct AVStream;

namespace vergence::media {

class VideoInput {
 public:
  // Opens a file, or stdin for "-", and finds its streams. Throws Error: missing, a folder, empty,
  // a picture, a playlist, not a video. Ctrl-C ends a wait for a pipe.
  explicit VideoInput(const std::filesystem::path& path);
  ~VideoInput();
  VideoInput(VideoInput&&) noexcept;
  VideoInput& operator=(VideoInput&&) noexcept;

  [[nodiscard]] AVFormatContext& context() const { return *context_; }

  // Whether it is a file (of which any part can be read again).
  [[nodiscard]] bool seekable() const;

  // The stream that is the video: not cover art, the default one before others, then the largest.
  // Throws Error where there is none, with what the file holds instead.
  [[nodiscard]] AVStream& video() const;

  [[nodiscard]] std::vector<StreamInfo> streams() const;

  // When the file begins, in seconds of its own clock; what start and end times count from.
  [[nodiscard]] double begin_s() const;

  // Throws Error where a read failed for another reason than the file's end.
  void check_bytes() const;

 private:
  class Bytes;

  [[nodiscard]] const AVInputFormat& probe(const std::string& url) const;
  [[nodiscard]] int find_streams();

  std::filesystem::path path_;
  std::unique_ptr<Bytes> bytes_;
  libav::InputPtr context_;
};

// An opened decoder of a stream; `threads` 0 = FFmpeg's choice. Pictures beyond the limits of
// media/picture.hpp are refused. Throws Error, naming `path`, where there is none for its codec.
[[nodiscard]] libav::CodecPtr open_decoder(const AVStream& stream, int threads, bool keyframes_only,
                                           const std::filesystem::path& path);

}  // namespace vergence::media
