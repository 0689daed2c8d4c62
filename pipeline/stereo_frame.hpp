// SPDX-License-Identifier: Apache-2.0
// One picture and its depth become one 3D frame: what photos and videos have in common.
#pragma once

#include "core/depth.hpp"
#include "stereo/layout.hpp"
#include "stereo/parallax.hpp"
#include "stereo/scanline_warp.hpp"

#include <memory>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// All of the group `stereo` that one frame needs; grows with the configuration.
struct StereoFrameOptions {
  std::string method = "scanline";
  stereo::ParallaxOptions parallax;
  stereo::LayoutOptions layout;
  std::vector<int> edge_dilation = {2, 1};
};

// What a network's map says as raw nearness: larger = nearer, any scale, CV_32FC1, not finite = no
// value. iw3's rule: disparities as they are, distances negated.
[[nodiscard]] cv::Mat raw_nearness(const AnyDepth& depth);

// Makes frames of one size one after another without allocating for each. For one thread at a time.
class StereoFrameMaker {
 public:
  explicit StereoFrameMaker(const StereoFrameOptions& options);
  ~StereoFrameMaker();

  // The size of the packed frame for pictures of this size.
  [[nodiscard]] cv::Size frame_size(cv::Size picture) const;

  // `nearness`: CV_32FC1 0..1, of any size (the network's); `convergence`: of this frame.
  void make(const cv::Mat& picture, const cv::Mat& nearness, float convergence, cv::Mat& frame);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::pipeline
