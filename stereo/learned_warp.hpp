// SPDX-License-Identifier: Apache-2.0
// Views of an eye made by a network that learned where their pixels come from (row_flow, mlbw of
// iw3). The network works at the size of the depth map; its shifts are enlarged (bilinear, corner
// pixels aligned) and the picture is gathered through them, as iw3 does.
#pragma once

#include "core/warp_network.hpp"
#include "stereo/parallax.hpp"
#include "stereo/scanline_warp.hpp"

#include <vector>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// How many times `network` warps for this divergence (percent, between both eyes; of one synthetic
// view twice the configured one): iw3's automatic --warp-steps. At least 1.
[[nodiscard]] int automatic_warp_steps(const WarpNetworkInfo& network, float divergence);

struct LearnedWarpOptions {
  // Divergence, convergence, which eyes are made, and whether the screen's border is preserved.
  ParallaxOptions parallax;

  // Networks that take several steps: each moves the picture and the nearness by a part of the
  // divergence. 0 = automatic_warp_steps().
  int steps = 0;
};

// Warps pictures one after another. Not for several threads at once.
class LearnedWarp {
 public:
  // Keeps a reference to the network.
  explicit LearnedWarp(WarpNetwork& network) : network_(network) {}

  // Runs the network for the eyes that are made, at the size of `nearness` (CV_32FC1, 0..1; the
  // depth network's size is what it was trained for). Keeps a reference to the picture's pixels;
  // they must not change until the last view is made. `picture`: CV_8U, CV_16U or CV_32F (0..1), 1,
  // 3 or 4 channels, of any size with about the map's shape.
  // Throws Error where the network cannot run, std::invalid_argument for other types or a map below
  // 4 x 4.
  void set_source(const cv::Mat& picture, const cv::Mat& nearness,
                  const LearnedWarpOptions& options);

  // The view of one eye, of the picture's size and type; the picture itself for an eye that is not
  // synthetic. `holes` (may be null) gets CV_8UC1, 255 where the network thinks that the source saw
  // nothing (probability above 0.15); all 0 for networks that do not tell. `view` must not be the
  // picture. Throws std::logic_error before set_source.
  void render(Eye eye, cv::Mat& view, cv::Mat* holes = nullptr);

 private:
  [[nodiscard]] std::vector<WarpLayers>& steps_of(Eye eye);

  WarpNetwork& network_;
  cv::Mat picture_;
  // What each step gathers, in the orientation of the picture; empty: the eye is not made.
  std::vector<WarpLayers> left_;
  std::vector<WarpLayers> right_;
};

}  // namespace vergence::stereo
