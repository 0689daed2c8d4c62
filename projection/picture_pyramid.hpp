// SPDX-License-Identifier: Apache-2.0
// A picture and its halved copies, sampled trilinearly. Internal to projection/.
#pragma once

#include <array>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::projection {

class PicturePyramid {
 public:
  using Pixel = std::array<float, 4>;

  // `wraps`: the left and right borders are neighbours. Throws std::invalid_argument for pixel
  // types other than 8U, 16U and 32F with 1 to 4 channels.
  PicturePyramid(const cv::Mat& picture, bool wraps);

  [[nodiscard]] int type() const { return levels_.front().type(); }

  [[nodiscard]] cv::Size size() const { return levels_.front().size(); }

  // The colour at a point of the full picture in pixels (centres at +0.5); `level` 0 = full
  // resolution, 1 = halved, ... ; borders repeat where they do not wrap.
  [[nodiscard]] Pixel sample(double x, double y, double level) const;

  // Writes a sampled colour into pixel x of a row of the picture's own type (rounded, saturated).
  void store(const Pixel& pixel, void* row, int x) const;

 private:
  [[nodiscard]] Pixel sample_level(std::size_t level, double x, double y) const;

  std::vector<cv::Mat> levels_;
  bool wraps_;
};

}  // namespace vergence::projection
