// SPDX-License-Identifier: Apache-2.0
// Flicker: what changes from frame to frame where the video itself does not.
//
// A pixel stands still between two frames if the pictures, at the size of what is measured and
// averaged over 5 x 5 pixels, differ there by at most 2/255 in every channel. The flicker of a pair
// of frames is the mean absolute change of the measured values over the pixels that stand still;
// that of a clip is the mean over its pairs. Pairs in which less than a twentieth stands still
// (cuts, moving cameras) do not count.
#pragma once

#include <Eigen/Core>
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

// A frame of a 360 clip whose truth is known. All maps are CV_32FC1 equirectangular, of one size.
struct SphereFrame {
  cv::Mat inverse_distance;  // what is judged; not finite or not > 0 does not count
  cv::Mat distance;          // the truth along the rays, metres; not finite (sky) does not count
  cv::Mat still;             // CV_8UC1, 0 = moves by itself: does not count; empty = all is still
  Eigen::Vector3d position = Eigen::Vector3d::Zero();  // of the camera
  Eigen::Matrix3d world_from_camera = Eigen::Matrix3d::Identity();
};

// Flicker of the depth of what stands still in the world while the camera moves: the error of a
// point is the logarithm of estimated over true inverse distance; its flicker is the absolute
// change of that error from one frame to the next, in which the point is looked up where the truth
// says that it is. Points count that both frames see (true distances agree within 3 %). Directions
// are spread evenly over the sphere. 0.01 = estimated distances change by 1 % per frame without
// reason.
class SphereFlickerMeter {
 public:
  // The next frame. Throws std::invalid_argument for maps of other types or sizes.
  void push(const SphereFrame& frame);

  // A new shot: the next frame is not compared with the one before.
  void cut() { before_.distance.release(); }

  // mean_change and common_change (by the median) are of logarithms; still_share is the share of
  // the directions that count.
  [[nodiscard]] Flicker result() const;

 private:
  SphereFrame before_;
  double change_ = 0.0;
  double common_ = 0.0;
  double still_ = 0.0;
  int num_pairs_ = 0;
};

}  // namespace vergence::evaluation
