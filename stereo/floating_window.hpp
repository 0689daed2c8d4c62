// SPDX-License-Identifier: Apache-2.0
// What comes out of the screen and is cut off by its left or right border contradicts itself: the
// border covers what stands before it. A floating window brings the border forward: a black bar at
// the left of the left eye's picture and at the right of the right eye's, as wide as the disparity
// of what is cut off, shows the window where that thing is (Mendiburu, "3D Movie Making", 2009,
// ch. 5).
#pragma once

#include "core/eye.hpp"

#include <opencv2/core.hpp>

namespace vergence::stereo {

// Widths of the bars, pixels.
struct WindowBars {
  float left = 0.0F;   // in the left eye's picture, at its left border
  float right = 0.0F;  // in the right eye's picture, at its right border
};

// The bars for things at the borders that stand `left_disparity_px` and `right_disparity_px`
// (x_left - x_right between both eyes) before the screen: so wide, none for what is behind it, at
// most a twentieth of the width. They are as steady as what they are made from: take the borders'
// nearness from FrameDecision, through the mapper and the strength that the frame has.
[[nodiscard]] WindowBars window_bars(float left_disparity_px, float right_disparity_px,
                                     int width_px);

// Blackens the bar of this eye, the last pixel in part. `view`: CV_8U, CV_16U or CV_32F, 1, 3 or 4
// channels; the fourth one (alpha) stays. Throws std::invalid_argument for other types.
void draw_window_bar(const WindowBars& bars, Eye eye, cv::Mat& view);

}  // namespace vergence::stereo
