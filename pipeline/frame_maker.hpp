// SPDX-License-Identifier: Apache-2.0
// What a video job does to each frame: flat 3D, VR180 and other layouts of stereo videos alike.
#pragma once

#include "stereo/depth_stabilizer.hpp"
#include "stereo/viewing.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// A frame of a video and what its parallax is made of. Only handles: pixels are shared and must not
// change.
struct StereoMoment {
  std::int64_t index = 0;  // counts the frames of the video; the same frame in all calls
  cv::Mat picture;
  cv::Mat raw;  // what the job's DepthSource gave; empty where it gives nothing
  stereo::FrameDecision decision;
};

// Makes the frames of one video one after another, keeping what memory it can. For one thread at a
// time (it uses all threads itself). What it makes depends on its options and arguments alone, so
// that an interrupted job goes on with the same.
class FrameMaker {
 public:
  virtual ~FrameMaker() = default;

  // The size of the packed frame for pictures of this size. Throws Error(kUsage) where the options
  // do not suit each other or the picture.
  [[nodiscard]] virtual cv::Size frame_size(cv::Size picture) const = 0;

  // The frame for `window[current]`, packed as players expect it. `window`: frames of one shot with
  // consecutive indices and one size.
  virtual void make(std::span<const StereoMoment> window, std::size_t current, cv::Mat& frame) = 0;

  // Whether grey pictures become grey frames.
  [[nodiscard]] virtual bool keeps_grey() const { return true; }

  // What the last frame asks of the viewer's eyes; nothing where there is nothing to tell.
  [[nodiscard]] virtual stereo::ComfortReport comfort() const { return {}; }
};

}  // namespace vergence::pipeline
