// SPDX-License-Identifier: Apache-2.0
// Bars around a picture, found over several frames, taken off before the work and put back behind
// it; with iw3's --autocrop rules.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// What counts as a bar. The words in configuration stand in brackets.
enum class Autocrop {
  kBlackTopBottom,  // [black_tb] black rows above and below
  kBlack,           // [black] those, and black columns at the sides
  kFlatTopBottom,   // [flat_tb] rows of one colour, whichever
  kFlat,            // [flat] those, and columns
};

// The rule for a word, '-' or '_', capitals or not; nothing if there is none ("none" is none).
[[nodiscard]] std::optional<Autocrop> autocrop_from_string(std::string_view word);

// Looks for bars in up to 40 frames of one size. In a frame a row (column) is a bar if
// - black: the mean of its luma is at most 32/255 and no pixel is 16/255 or more away from it
//   (luma below 16/255 counts as 16/255, above 235/255 as that);
// - flat: more than 99 % of its luma is within 16/255 of its median.
// Rows (columns) from a border inwards that are bars in at least 95 % of the frames are cut off.
class BarFinder {
 public:
  static constexpr int kMostFrames = 40;

  explicit BarFinder(Autocrop rule) : rule_(rule) {}

  // `picture`: CV_8UC3 or CV_16UC3 RGB. Does nothing once kMostFrames are in. Throws
  // std::invalid_argument for another type, or a size other than the first one's.
  void add(const cv::Mat& picture);

  [[nodiscard]] int num_frames() const { return num_frames_; }

  // What is left without the bars: its corners stand at even rows and columns, inwards, except
  // where a side has no bar. The whole picture where there are no bars, no frames, or where a
  // quarter or less of either side would be left (a dark scene is no picture full of bars).
  [[nodiscard]] cv::Rect crop() const;

 private:
  Autocrop rule_;
  cv::Size size_;
  int num_frames_ = 0;
  std::vector<int> bar_rows_;     // frames in which a row is a bar
  std::vector<int> bar_columns_;  // the same for columns
};

// The picture with `crop` replaced by `middle` (of crop's size and the picture's type): bars are
// those of the original. Throws std::invalid_argument if they do not fit.
[[nodiscard]] cv::Mat put_bars_back(const cv::Mat& picture, const cv::Rect& crop,
                                    const cv::Mat& middle);

}  // namespace vergence::stereo
