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

// Times count from the file's beginning, as players show them.
struct VideoReadOptions {
  std::optional<double> start_s;  // the first frame at or after this; nothing = from the beginning
  std::optional<double> end_s;    // frames before this; nothing = to the end
  // FFmpeg's filters ("yadif,crop=1280:536:0:92"), on frames that are upright already; empty =
  // none.
  std::string filter;
  // Drops frames of faster videos: of those between two multiples of 1/max_fps the first stays, so
  // that a frame's fate depends on its own time and its forerunner's only. 0 = all stay.
  double max_fps = 0.0;
  bool keyframes_only = false;  // decodes key frames only, at least keyframe_interval_s apart
  double keyframe_interval_s = 4.0;
  int threads = 0;     // of the decoder and of filters; 0 = FFmpeg's choice
  std::string matrix;  // overrides what the file says or leaves open: "bt709", "bt601"...
  std::optional<bool> full_range;  // the same for the range
  // Gives the luminance plane's own numbers, CV_8UC1 or CV_16UC1, without any scaling: for videos
  // that hold depth. Videos without such a plane give the grey of their RGB.
  bool grey = false;
  // Keeps the packets of the other streams until a VideoWriter takes them (video_join.hpp): of a
  // pipe they cannot be read again.
  bool keep_other_streams = false;
};

class KeptPackets;

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
  std::string container;       // FFmpeg's name: "mov,mp4,m4a,3gp,3g2,mj2"
  bool seekable = true;        // false: a pipe
  cv::Size size;               // of the pictures as they are given: upright, filtered
  Rational pixel_aspect;       // 1/1 unless the file says otherwise
  int rotation_deg = 0;        // clockwise, that the file asks for; already done to the pictures
  Rational time_base;          // of VideoFrame::pts
  std::int64_t start_pts = 0;  // the pts at which the file begins: start_s and end_s count from it
  Rational frame_rate;         // the mean; of a VFR video the best guess
  double duration_s = 0.0;     // of what will be read; 0 = not known (a pipe)
  std::int64_t frame_count = 0;  // of what will be read, an estimate; 0 = not known
  std::string codec;
  std::string pixel_format;  // FFmpeg's name, of the frames that the pictures are made of
  int bit_depth = 8;         // of a channel
  bool grey = false;
  bool alpha = false;  // dropped: the pictures are composed over black
  bool interlaced = false;
  ColorTags color;  // matrix and range are those used, guessed where the file is silent
  HdrMetadata hdr;
  std::optional<StereoTag> stereo;            // that the file says it is already
  bool stereo_right_first = false;            // and that the right eye lies on the left or above
  std::optional<StereoTag> bitstream_stereo;  // that its frame packing messages say
  std::optional<SphericalTag> spherical;      // that the file says what part of the sphere it shows
  std::vector<StreamInfo> streams;
};

// Reads a video file, or "-": a pipe of Matroska, y4m or anything else that FFmpeg can read without
// seeking. Damaged packets are skipped, as long as a frame can be made, and a truncated file ends
// early; one warning tells of them when the end is reached or the reader goes. Times are the file's
// own; frames without a time follow their forerunners, and times always grow. Ctrl-C
// (core/interrupt.hpp) ends a wait for a pipe with an Error of code kInterrupted.
class VideoReader {
 public:
  // Throws Error: missing, a folder, not a video (with what it is), no video stream, no decoder,
  // not one frame that can be decoded, a filter that FFmpeg does not know or that fails.
  explicit VideoReader(const std::filesystem::path& path, const VideoReadOptions& options = {});
  ~VideoReader();
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;

  [[nodiscard]] const VideoInfo& info() const;

  // The next frame; false at the end. `frame.picture` is a new picture unless it had the right size
  // and type and nobody else holds it. Throws Error on a read error, and when the picture's size or
  // pixel format changes on the way (it names the time).
  [[nodiscard]] bool read(VideoFrame& frame);

  // Goes on so that the next frame is the first one with that pts or a later one, exactly as if all
  // frames before had been read; `index` is the number that this frame then gets. Quick where the
  // filters look at few frames at a time (yadif, crop, scale ...); behind any other filter, and in
  // files without times, it decodes from the beginning. Throws Error for a pipe.
  void seek(std::int64_t pts, std::int64_t index);

  // For VideoWriter; null unless keep_other_streams was asked for.
  [[nodiscard]] KeptPackets* other_streams() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether the name looks like a video (extension in upper or lower case); "-" is none.
[[nodiscard]] bool is_video_file(const std::filesystem::path& path);

}  // namespace vergence::media
