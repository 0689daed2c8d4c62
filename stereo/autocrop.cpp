// SPDX-License-Identifier: Apache-2.0
#include "stereo/autocrop.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

// In 255ths.
constexpr int kBlackest = 16;
constexpr int kWhitest = 235;
constexpr double kMostMean = 32.0;
constexpr double kMostOffset = 16.0;
constexpr double kFlatShare = 0.99;

constexpr double kShareOfFrames = 0.95;
constexpr int kLeastPart = 4;

// 8-bit luma is enough for rules in 255ths.
cv::Mat luma_of(const cv::Mat& picture) {
  cv::Mat grey;
  cv::cvtColor(picture, grey, cv::COLOR_RGB2GRAY);
  if (grey.depth() == CV_16U) grey.convertTo(grey, CV_8U, 1.0 / 257.0);
  return grey;
}

bool is_black(const cv::Mat& row) {
  const auto* const begin = row.ptr<unsigned char>();
  const auto count = static_cast<double>(row.cols);
  double sum = 0.0;
  int least = kWhitest;
  int most = kBlackest;
  for (int x = 0; x < row.cols; ++x) {
    const int value = std::clamp<int>(begin[x], kBlackest, kWhitest);
    sum += value;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  const double mean = sum / count;
  return mean <= kMostMean && mean - least < kMostOffset && most - mean < kMostOffset;
}

bool is_flat(const cv::Mat& row) {
  std::vector<unsigned char> values(row.begin<unsigned char>(), row.end<unsigned char>());
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  const double median = *middle;
  const auto near = std::count_if(values.begin(), values.end(), [&](unsigned char value) {
    return std::abs(value - median) <= kMostOffset;
  });
  return static_cast<double>(near) > kFlatShare * static_cast<double>(values.size());
}

void count_bars(const cv::Mat& luma, bool flat, std::vector<int>& bars) {
  for (int y = 0; y < luma.rows; ++y) {
    const cv::Mat row = luma.row(y);
    bars[static_cast<std::size_t>(y)] += (flat ? is_flat(row) : is_black(row)) ? 1 : 0;
  }
}

struct Kept {
  int first;
  int last;
};

// The lines between the bars at both ends, at even places; all of them where too few are left.
Kept kept_lines(const std::vector<int>& bars, int num_frames) {
  const auto is_bar = [&](int count) { return count >= kShareOfFrames * num_frames; };
  const auto count = static_cast<int>(bars.size());
  const auto begin = std::find_if_not(bars.begin(), bars.end(), is_bar);
  const auto end = std::find_if_not(bars.rbegin(), bars.rend(), is_bar);
  int first = static_cast<int>(begin - bars.begin());
  int last = count - static_cast<int>(end - bars.rbegin());
  first += first % 2;
  if (last < count) last -= last % 2;
  return (last - first) * kLeastPart > count ? Kept{first, last} : Kept{0, count};
}

}  // namespace

std::optional<Autocrop> autocrop_from_string(std::string_view word) {
  std::string name = lower(word);
  std::replace(name.begin(), name.end(), '-', '_');
  if (name == "black_tb") return Autocrop::kBlackTopBottom;
  if (name == "black") return Autocrop::kBlack;
  if (name == "flat_tb") return Autocrop::kFlatTopBottom;
  if (name == "flat") return Autocrop::kFlat;
  return std::nullopt;
}

void BarFinder::add(const cv::Mat& picture) {
  if (picture.empty() || (picture.type() != CV_8UC3 && picture.type() != CV_16UC3)) {
    throw std::invalid_argument("bars are looked for in RGB pictures of 8 or 16 bits");
  }
  if (num_frames_ > 0 && picture.size() != size_) {
    throw std::invalid_argument("bars are looked for in frames of one size");
  }
  if (num_frames_ == kMostFrames) return;
  if (num_frames_ == 0) {
    size_ = picture.size();
    bar_rows_.assign(static_cast<std::size_t>(size_.height), 0);
    bar_columns_.assign(static_cast<std::size_t>(size_.width), 0);
  }
  ++num_frames_;
  const bool flat = rule_ == Autocrop::kFlat || rule_ == Autocrop::kFlatTopBottom;
  const cv::Mat luma = luma_of(picture);
  count_bars(luma, flat, bar_rows_);
  if (rule_ == Autocrop::kBlack || rule_ == Autocrop::kFlat) {
    count_bars(luma.t(), flat, bar_columns_);
  }
}

cv::Rect BarFinder::crop() const {
  if (num_frames_ == 0) return {};
  const Kept rows = kept_lines(bar_rows_, num_frames_);
  const Kept columns = kept_lines(bar_columns_, num_frames_);
  return {columns.first, rows.first, columns.last - columns.first, rows.last - rows.first};
}

cv::Mat put_bars_back(const cv::Mat& picture, const cv::Rect& crop, const cv::Mat& middle) {
  if (middle.size() != crop.size() || middle.type() != picture.type() ||
      (crop & cv::Rect({}, picture.size())) != crop) {
    throw std::invalid_argument("the middle has the crop's size and the picture's type");
  }
  cv::Mat whole = picture.clone();
  middle.copyTo(whole(crop));
  return whole;
}

}  // namespace vergence::stereo
