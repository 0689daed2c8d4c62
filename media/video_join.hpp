// SPDX-License-Identifier: Apache-2.0
// Whole video files: segments of encoded video, or frames as they come, and the other streams of
// the input, without encoding those again: all audio, subtitles, chapters, attachments, cover art
// and metadata.
#pragma once

#include "media/handed_on.hpp"
#include "media/video_reader.hpp"
#include "media/video_writer.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vergence::media {

enum class SubtitleMode {
  kCopy,    // as they are
  kStereo,  // text becomes ASS, placed in each eye; bitmaps stay as they are
  kNone,
};

struct JoinOptions {
  std::filesystem::path source;   // whose other streams are kept; empty = none
  std::optional<double> start_s;  // what of it: as VideoReadOptions
  std::optional<double> end_s;
  SubtitleMode subtitles = SubtitleMode::kCopy;
  double subtitle_parallax_px = 0.0;  // of kStereo, per eye; > 0 = before the screen
  HandedOn metadata = HandedOn::kAll;
};

// The container for an output and why: "mp4" unless a stream does not fit ("Matroska, because MP4
// cannot hold the subtitle stream 3 (hdmv_pgs_subtitle)").
struct ContainerChoice {
  std::string extension;  // ".mp4", ".mkv", ".mov"
  std::string reason;     // empty where it is what was asked for
};

// Decides the container for the input's streams with these subtitles: `wanted` is an extension with
// dot, or empty for what suits the input. A wanted container that cannot hold everything is changed
// only where `may_change`; otherwise the streams that do not fit are dropped by join_segments with
// a warning each. Throws Error(kUsage) where the video itself does not fit and nothing may change.
[[nodiscard]] ContainerChoice choose_container(const VideoInfo& input, const EncodeOptions& encode,
                                               const std::string& wanted, bool may_change,
                                               SubtitleMode subtitles = SubtitleMode::kCopy);

// Writes `output` (in the format of its extension) from the segments, in their order, and the other
// streams. Writes directly: whoever calls renames. `format` and `encode` are those the segments
// were made with. `advance(bytes)` is called as it goes on. Throws Error when segments do not fit
// together or the file cannot be written.
void join_segments(std::span<const std::filesystem::path> segments, const VideoFormat& format,
                   const EncodeOptions& encode, const std::filesystem::path& output,
                   const JoinOptions& options,
                   const std::function<void(std::int64_t bytes)>& advance);

// Encodes frames straight into a whole file or a pipe, for jobs that cannot be resumed.
class VideoWriter {
 public:
  // `path`: a file, written directly (whoever calls renames), or "-" for standard output.
  // `container`: an extension with dot; empty = the path's, and ".mkv" for a pipe. ".y4m" is
  // uncompressed, whatever codec is asked for, of constant frame rate, and video only.
  // `options.source`: a file; for a pipe give the `reader` of its pictures instead, which was
  // opened with keep_other_streams and must outlive the writer.
  // Throws Error as SegmentWriter and join_segments do; Error(kUsage) for a container that cannot
  // be a pipe.
  VideoWriter(const std::filesystem::path& path, const VideoFormat& format,
              const EncodeOptions& encode, const JoinOptions& options,
              const std::string& container = "", VideoReader* reader = nullptr);
  ~VideoWriter();
  VideoWriter(VideoWriter&&) noexcept;
  VideoWriter& operator=(VideoWriter&&) noexcept;

  // The next frame, as for SegmentWriter.
  void write(const VideoFrame& frame);

  // Encodes what is left, copies the rest of the other streams, writes the end and syncs the file.
  // Throws Error where there was no frame.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::media
