// SPDX-License-Identifier: Apache-2.0
// Two other ways to make the view of an eye, for those who compare or want what they know:
// `forward_fill`, compatible with iw3's method of that name, and `backward`, the plain gather that
// most scripts use. Both give worse views than ScanlineWarp.
#pragma once

#include "stereo/scanline_warp.hpp"

#include <opencv2/core.hpp>

namespace vergence::stereo {

struct ForwardWarpOptions {
  // Fill what nothing was moved to from the side behind it; off: it stays black (iw3's `forward`).
  bool fill = true;
};

// Moves each pixel by its parallax, with linear weights to the two target pixels that it falls
// between; of several in one place the nearest stays. Pixels of the background that are seen
// through gaps of a near surface are removed. Differs from iw3 in that fills have no limit of 100
// pixels, and that of two pixels of equal parallax always the right one wins.
// `picture`, `parallax_px` and `eye` as in ScanlineWarp; parallax is finite. `view` gets the
// picture's size and type; it must not be the picture. `holes` (may be null) gets CV_8UC1: 255
// where nothing was moved to, 128 where something was removed, else 0.
// Throws std::invalid_argument for other types or unequal sizes.
void forward_warp(const cv::Mat& picture, const cv::Mat& parallax_px, Eye eye,
                  const ForwardWarpOptions& options, cv::Mat& view, cv::Mat* holes = nullptr);

// Takes each pixel from where the parallax of the *target* pixel points: bilinear, the border
// repeated. Shows ghosts at rims, because that parallax belongs to the source. As iw3's `backward`
// and `grid_sample`, the parallax is scaled by (W - 1) / W. Arguments as of forward_warp.
void backward_warp(const cv::Mat& picture, const cv::Mat& parallax_px, Eye eye, cv::Mat& view);

}  // namespace vergence::stereo
