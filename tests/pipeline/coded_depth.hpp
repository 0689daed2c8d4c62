// SPDX-License-Identifier: Apache-2.0
// A network that needs no weights: it reads depth out of the pictures' blue, and errs as networks
// do.
#pragma once

#include "core/predictor.hpp"
#include "tests/support/sphere_clip.hpp"

#include <atomic>

namespace vergence::test {

// The sight's picture with inverse distance as blue: 0 = infinitely far, 255 = half a metre.
[[nodiscard]] cv::Mat coded_picture(const SphereSight& sight);

// A disparity: an affine function, another one for every picture, of inverse planar depth, with a
// smooth error that belongs to the place in the view.
class CodedDepth final : public DepthPredictor {
 public:
  // `wander`: how much scale and offset change from picture to picture, 0.1 = by a tenth.
  explicit CodedDepth(double wander = 0.1) : wander_(wander) {}

  [[nodiscard]] const PredictorInfo& info() const override { return info_; }

  [[nodiscard]] std::vector<AnyDepth> predict(std::span<const PredictorInput> pictures,
                                              Progress& progress) override;

  // Pictures seen so far.
  [[nodiscard]] int num_pictures() const { return num_pictures_; }

 private:
  PredictorInfo info_{.name = "coded",
                      .licence = "Apache-2.0",
                      .kind = DepthKind::kDisparity,
                      .metric = false,
                      .preferred_size_px = 64};
  double wander_;
  std::atomic<int> num_pictures_ = 0;
};

}  // namespace vergence::test
