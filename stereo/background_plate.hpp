// SPDX-License-Identifier: Apache-2.0
// What is behind the foreground, from other frames of the shot. A moving foreground uncovers in
// earlier and later frames what it hides in this one; there the fills of the warp
// (scanline_warp.hpp) are replaced by what was really seen. Cameras may move: frames are aligned by
// the motion of what is far (global_motion.hpp), and around each gap once more.
//
// Only taken where it is sure: the depth of the other frame must say background there, the picture
// around must agree with this frame's, and the place must have changed (what is the same in both
// frames has uncovered nothing). Elsewhere the warp's fill stays; a still scene stays as it is.
#pragma once

#include "core/eye.hpp"
#include "stereo/scanline_warp.hpp"

#include <cstdint>
#include <memory>
#include <span>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// A frame as the warp takes it. Only handles: pixels are shared, and must not change.
struct PlateFrame {
  std::int64_t index = 0;  // counts the frames of the video
  cv::Mat picture;         // [height, width], CV_8U, CV_16U or CV_32F, 1, 3 or 4 channels
  cv::Mat parallax_px;     // CV_32FC1 of one eye, pixels of the picture; of its size or smaller
};

// For one thread at a time (it uses all threads itself). The result depends on the frames of the
// window alone; what is kept from call to call (brightness, motion) is computed from them.
class BackgroundPlate {
 public:
  BackgroundPlate();
  ~BackgroundPlate();
  BackgroundPlate(BackgroundPlate&&) noexcept;
  BackgroundPlate& operator=(BackgroundPlate&&) noexcept;

  // Replaces fills of a view that ScanlineWarp::render() made of `window[current]` for this eye,
  // and gives the number of pixels replaced. `window`: frames of one shot with consecutive indices,
  // all of one size and type; a frame index stands for the same frame in all calls.
  // `disocclusions`: as render() listed them. Returns at once where there are none, or no other
  // frame. Memory: per frame of the window a byte per pixel and 4 bytes per pixel of its parallax
  // map. Throws std::invalid_argument for frames that do not belong together.
  std::int64_t fill(std::span<const PlateFrame> window, std::size_t current, Eye eye,
                    std::span<const Disocclusion> disocclusions, cv::Mat& view);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::stereo
