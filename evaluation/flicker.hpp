// SPDX-License-Identifier: Apache-2.0
// Flicker: what changes from frame to frame where the video itself does not.
//
// A pixel stands still between two frames if the pictures, at the size of what is measured and
// averaged over 5 x 5 pixels, differ there by at most 2/255 in every channel. The flicker of a pair
// of frames is the mean absolute change of the measured values over the pixels that stand still;
// that of a clip is the mean over its pairs. Pairs in which less than a twentieth stands still
// (cuts, moving cameras) do not count.
#pragma once

#include <opencv2/core.hpp>

namespace vergence::evaluation {

struct Flicker {
  double mean_change = 0.0;    // of the values, in their unit, per frame
  double common_change = 0.0;  // the part that all pixels share (pumping): mean over the pairs of
                               // the absolute mean change with its sign
  double still_share = 0.0;    // of the pixels, mean over the pairs that count
  int num_pairs = 0;           // that count
};

// Takes a clip frame by frame.
class FlickerMeter {
 public:
  // `reach_px`: how far from its place in the picture a pixel of the measured values may come from
  // along the row; all pixels that near must stand still. 0 for depth maps; for synthesised views
  // the largest parallax in pixels.
  explicit FlickerMeter(int reach_px = 0);

  // `picture`: CV_8UC3 or CV_16UC3 of the video. `values`: CV_32FC1 (nearness 0..1, say), or
  // CV_8UC3 / CV_16UC3 (a view; its change is the mean of the channels', in 255ths); one size and
  // type for the whole clip. Not finite values do not count. Throws std::invalid_argument for
  // others.
  void push(const cv::Mat& picture, const cv::Mat& values);

  [[nodiscard]] Flicker result() const;

 private:
  int reach_px_;
  cv::Mat picture_;  // the frame before
  cv::Mat values_;
  double change_ = 0.0;
  double common_ = 0.0;
  double still_ = 0.0;
  int num_pairs_ = 0;
};

}  // namespace vergence::evaluation
