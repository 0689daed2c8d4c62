// SPDX-License-Identifier: Apache-2.0
// How far pixels move for each eye: from nearness (nearness.hpp), with iw3's parameters or those of
// the scripts that move everything out of the screen by a number of pixels.
#pragma once

#include <opencv2/core.hpp>

namespace vergence::stereo {

// Which eyes are made; the other one is the picture itself, and the made one moves twice as far.
enum class SyntheticView { kBoth, kLeft, kRight };

struct ParallaxOptions {
  // Range of the parallax between both eyes, percent of the picture's long side.
  float divergence = 2.0F;

  // Nearness that stands on the screen, 0..1; nearer comes out of it.
  float convergence = 0.5F;

  SyntheticView synthetic_view = SyntheticView::kBoth;

  // Parallax fades to 0 at the left and right border, so that no window is violated.
  bool preserve_screen_border = false;
};

// Parallax of one eye that nearness 1 has over nearness 0, pixels of a picture of this size:
// divergence / 100 * long side / 2, twice that for one synthetic view.
[[nodiscard]] float parallax_range_px(cv::Size picture, const ParallaxOptions& options);

// parallax_range_px * (nearness - convergence), CV_32FC1 in pixels of the picture, for
// ScanlineWarp. `nearness` has the picture's size, or is a smaller map for a picture of size
// `picture`.
[[nodiscard]] cv::Mat parallax_from_nearness(const cv::Mat& nearness, cv::Size picture,
                                             const ParallaxOptions& options);

// parallax_px * nearness: the farthest on the screen, the nearest so many pixels before it in each
// eye, whatever the picture's size (peterplv's scripts; 15 there).
[[nodiscard]] cv::Mat parallax_out_of_screen(const cv::Mat& nearness, float parallax_px);

// Parallax that reproduces a stereo pair from one of its pictures: the other eye's view alone is
// made, moved by the pair's whole disparity (CV_32FC1, x_left - x_right, pixels). NaN counts as 0.
[[nodiscard]] cv::Mat parallax_from_disparity(const cv::Mat& disparity_px);

// Turns the ramps that enlarging a depth map leaves at its edges back into steps: a pixel around
// which the parallax spans more than a pixel takes the nearest or the farthest of it, whichever is
// closer to its own. A ramp would be drawn as a stretched surface between near and far; after this
// the warp sees where one ends. For ScanlineWarp; iw3 has no such step, so leave it out before
// forward_warp where compatibility matters. `enlargement`: picture width / map width; up to 1 there
// is nothing to do. The square around a pixel reaches 0.7 * enlargement to each side.
void sharpen_rims(double enlargement, cv::Mat& parallax_px);

}  // namespace vergence::stereo
