// SPDX-License-Identifier: Apache-2.0
// Segments of encoded video and the other streams of the input become one file, without encoding
// again: all audio, subtitles, chapters, attachments, cover art and metadata.
#pragma once

#include "media/video_reader.hpp"
#include "media/video_writer.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
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
// a warning each.
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

}  // namespace vergence::media
