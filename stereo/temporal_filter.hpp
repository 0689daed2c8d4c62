// SPDX-License-Identifier: Apache-2.0
// Depth of a video without the flicker that networks leave when they see every frame by itself:
// where neighbouring frames show the same, they have the same depth.
//
// Two steps, both over a bounded window of frames on either side: (1) the scale and offset of the
// whole map become the mean of those of the window (networks give depth up to such an affine map,
// and it wanders), found on the pixels that show the same; (2) each pixel becomes the mean over the
// frames in which it shows the same (joint bilateral filter over time, guided by the pictures;
// Petschnigg et al., "Digital Photography with Flash and No-Flash Image Pairs", SIGGRAPH 2004).
// The camera's motion is followed (global_motion.hpp, sphere_motion.hpp); what moves otherwise
// keeps its own depth.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// A frame as the filter takes it. Only handles: pixels are shared, and must not change.
struct FilterFrame {
  std::int64_t index = 0;  // counts the frames of the video
  cv::Mat guide;           // CV_8UC3 of raw's size, see filter_guide()
  cv::Mat raw;             // CV_32FC1 raw nearness, any scale, not finite = no value
};

// The picture (CV_8UC3 or CV_16UC3) at the size of its depth map, as the filter sees it. Throws
// std::invalid_argument for other types.
[[nodiscard]] cv::Mat filter_guide(const cv::Mat& picture, cv::Size size);

// What the frames show.
enum class FilterPicture {
  kFlat,    // a picture with borders; the camera's motion is affine
  kSphere,  // an equirectangular picture of the whole sphere; the camera turns (sphere_motion.hpp)
};

// For one thread at a time. The result depends on the frames of the window alone; the cameras'
// motions that are kept from call to call are computed from them.
class TemporalFilter {
 public:
  // Frames on either side that are worth the time.
  static constexpr int kReach = 4;

  explicit TemporalFilter(FilterPicture picture = FilterPicture::kFlat);
  ~TemporalFilter();
  TemporalFilter(TemporalFilter&&) noexcept;
  TemporalFilter& operator=(TemporalFilter&&) noexcept;

  // The filtered depth of `window[current]`. `window`: frames with consecutive indices and maps of
  // one size; it may reach across cuts: frames that do not show the same are found out. A frame
  // index stands for the same frame in all calls. Pixels without a value stay without.
  // Throws std::invalid_argument for frames that do not belong together.
  [[nodiscard]] cv::Mat filter(std::span<const FilterFrame> window, std::size_t current);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::stereo
