// SPDX-License-Identifier: Apache-2.0
// Small videos, depth without a network, and FFmpeg's program as judge, for tests of video jobs.
#pragma once

#include "pipeline/video_job.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vergence::test {

// Runs `ffmpeg` (or `ffprobe`) with arguments; its stdout. Throws std::runtime_error with its
// messages where it fails.
std::string ffmpeg(const std::vector<std::string>& arguments);
std::string ffprobe(const std::vector<std::string>& arguments);

struct Clip {
  int num_frames = 60;
  std::string size = "96x54";
  std::string rate = "24";
  std::string codec = "libx264";
  std::string pixel_format = "yuv420p";
  bool audio = false;
  std::vector<std::string> extra = {};  // further arguments before the output
};

// A moving test picture in `path`, in the format of its extension.
void write_clip(const std::filesystem::path& path, const Clip& clip);

// A hash of every decoded picture of the first video stream with its time, one a line.
std::string frame_hashes(const std::filesystem::path& path);

// Near = bright, at a quarter of the size. A pure function of the picture.
pipeline::DepthSource depth_from_luma();

// x264 at its quickest, segments of half a second (12 frames at 24 fps), full side by side.
pipeline::VideoJobOptions small_job_options(float divergence = 2.0F);

}  // namespace vergence::test
