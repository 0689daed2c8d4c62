// SPDX-License-Identifier: Apache-2.0
// The depth of a video as a video: FFV1, 16-bit grey, in Matroska. Beside it stands FILE.csv, which
// says what each frame's grey means: code 1 is the line's min, 65535 its max, 0 no value.
#pragma once

#include "core/progress.hpp"
#include "media/video_reader.hpp"
#include "pipeline/video_job.hpp"
#include "stereo/nearness.hpp"

#include <cstdint>
#include <filesystem>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// The name of the file of ranges beside a depth video.
[[nodiscard]] std::filesystem::path depth_ranges_path(const std::filesystem::path& video);

// Writes the raw nearness of all frames that a job with these options would make, exactly as that
// job uses it; both files appear when they are whole. Does nothing where they are there already,
// made of the same input with the same depth settings. Throws Error as run_video_job() does, and
// Error(kUsage) for a pipe or another extension than .mkv.
void export_depth_video(const std::filesystem::path& input, const std::filesystem::path& output,
                        const VideoJobOptions& options, const DepthSource& depth,
                        Progress& progress);

// Reads the maps of such a video, or of any other video of grey depth.
class DepthVideoReader {
 public:
  // `scale`: what a step of the stored numbers is worth where there is no file of ranges (or it is
  // not wanted: `use_ranges` false). Throws Error where the video or its ranges cannot be read.
  DepthVideoReader(const std::filesystem::path& path, double scale, bool use_ranges);

  // Whether a file of ranges says what the numbers mean.
  [[nodiscard]] bool has_ranges() const { return !ranges_.empty(); }

  // The map of a frame, CV_32FC1; no value = NaN. Quick where indices grow. Throws Error naming the
  // frame where the video is shorter.
  [[nodiscard]] cv::Mat map_of(std::int64_t index);

 private:
  std::filesystem::path path_;
  double scale_;
  std::vector<stereo::DepthRange> ranges_;  // of each frame; empty = none
  media::VideoReader reader_;
  media::VideoFrame frame_;
  std::int64_t next_ = 0;
};

}  // namespace vergence::pipeline
