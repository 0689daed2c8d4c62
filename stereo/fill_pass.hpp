// SPDX-License-Identifier: Apache-2.0
// The second pass over a view's disocclusions: along the columns; not installed.
#pragma once

#include "stereo/scanline_row.hpp"

#include <optional>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// Rows are filled each by itself (scanline_row.hpp), with the colour where the surface behind comes
// into sight. What is behind may have another structure: rows tear where they differ, and what runs
// down, such as a post or a window's frame, ends at the hole. So each fill is evened with those
// above and below it, then mixed with the colours that the same surface has where the hole's column
// ends, above and below: the more the nearer they are, the more they agree with each other, and the
// more the surface changes along the row.
class FillPass {
 public:
  // `sigma_px` as ScanlineOptions::fill_smoothing_px. `one_end`: weight of one end of a hole in its
  // column where the other one shows another surface.
  FillPass(float sigma_px, bool wrap, float one_end = 0.3F);

  // Makes room for a view of this size and type. `eye`: whose rows take_row() will be given;
  // without one fills are only evened.
  void begin(cv::Size size, int type, std::optional<Eye> eye);

  // Takes over what the first pass found for row y; `parallax` is that of the source's row. May be
  // called for several rows at once.
  void take_row(int y, const ScanlineRow& row, const float* parallax);

  // Visibility of the view's pixels, and (where they are disoccluded) their colours.
  [[nodiscard]] cv::Mat& visibility() { return visibility_; }

  [[nodiscard]] cv::Mat& fills() { return fills_; }

  // Replaces the disoccluded pixels of the view.
  void finish(cv::Mat& view);

 private:
  template <class T, int kChannels>
  friend class FillRows;

  // The nearest rows above and below that are not filled, by column; for one band of rows.
  struct Columns {
    std::vector<int> above;
    std::vector<int> below;
  };

  bool wrap_;
  float one_end_;
  std::optional<Eye> eye_;
  std::vector<float> weights_;  // of a Gaussian
  cv::Mat visibility_;          // CV_8UC1
  cv::Mat fills_;               // of the view's type, with slack for vectors
  cv::Mat shifts_;              // CV_8UC1: how far each pixel's surface moved
  std::vector<Columns> columns_;
};

}  // namespace vergence::stereo
