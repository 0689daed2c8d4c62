// SPDX-License-Identifier: Apache-2.0
// Pictures of a video, one after another: demuxed, decoded, filtered, upright, as RGB.
#pragma once

#include "media/video.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vergence::media {

struct VideoReadOptions {
  std::optional<double> start_s;  // the first frame at or after this; nothing = from the beginning
  std::optional<double> end_s;    // frames before this; nothing = to the end
  std::string filter;             // FFmpeg's filters before anything else ("yadif"); empty = none
  double max_fps = 0.0;           // drops frames of faster videos; 0 = keeps all
  bool keyframes_only = false;    // decodes key frames only, at least keyframe_interval_s apart
  double keyframe_interval_s = 4.0;
  int threads = 0;     // of the decoder; 0 = FFmpeg's choice
  std::string matrix;  // overrides what the file says or leaves open: "bt709", "bt601"...
  std::optional<bool> full_range;  // the same for the range
};

// One line for each stream of a file, for messages and for choosing a container.
struct StreamInfo {
  int index = 0;
  std::string kind;   // "video", "audio", "subtitle", "attachment", "data"
  std::string codec;  // FFmpeg's name: "h264", "subrip", "hdmv_pgs_subtitle"
  std::string language;
  bool cover_art = false;
};

struct VideoInfo {
  std::filesystem::path path;
  std::string container;         // FFmpeg's name: "mov,mp4,m4a,3gp,3g2,mj2"
  cv::Size size;                 // of the frames as they are given: upright, filtered
  Rational pixel_aspect;         // 1/1 unless the file says otherwise
  int rotation_deg = 0;          // that the file asks for; already done to the frames
  Rational time_base;            // of VideoFrame::pts
  Rational frame_rate;           // the mean; of a VFR video the best guess
  double duration_s = 0.0;       // of what will be read; 0 = not known (a pipe)
  std::int64_t frame_count = 0;  // of what will be read, an estimate; 0 = not known
  std::string codec;
  std::string pixel_format;  // FFmpeg's name, of the decoded frames
  int bit_depth = 8;         // of a channel
  bool grey = false;
  bool alpha = false;  // dropped: the pictures are composed over black
  bool interlaced = false;
  ColorTags color;  // matrix and range are those used, guessed where the file is silent
  HdrMetadata hdr;
  std::optional<StereoTag> stereo;  // that the file says it is already
  std::vector<StreamInfo> streams;
};

// Reads a video file, or "-": a pipe of Matroska, y4m or anything else that FFmpeg can read without
// seeking. Damaged packets are skipped with a warning, as long as a frame can be made; a truncated
// file ends early, with a warning.
class VideoReader {
 public:
  // Throws Error: missing, a folder, not a video (with what it is), no video stream, no decoder, a
  // filter that FFmpeg does not know or that fails.
  explicit VideoReader(const std::filesystem::path& path, const VideoReadOptions& options = {});
  ~VideoReader();
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;

  [[nodiscard]] const VideoInfo& info() const;

  // The next frame; false at the end. `frame.picture` is a new picture unless it had the right size
  // and type and nobody else holds it. Throws Error when not a single frame can be decoded, on a
  // read error, and when the picture's size changes on the way (it names the time).
  [[nodiscard]] bool read(VideoFrame& frame);

  // Goes on so that the next frame is the first one with that pts or a later one, exactly as if all
  // frames before had been read; `index` is the number that this frame then gets. Throws Error for
  // a pipe.
  void seek(std::int64_t pts, std::int64_t index);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether the name looks like a video (extension in upper or lower case); "-" is none.
[[nodiscard]] bool is_video_file(const std::filesystem::path& path);

}  // namespace vergence::media
