// SPDX-License-Identifier: Apache-2.0
#include "stereo/layout.hpp"

#include "core/parallel.hpp"
#include "stereo/pixel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

constexpr std::array<std::string_view, 12> kWords = {
    "full_sbs",           "half_sbs",     "full_tb",  "half_tb",   "cross_eyed", "row_interleaved",
    "column_interleaved", "checkerboard", "anaglyph", "full_rgbd", "half_rgbd",  "depth"};

int half_of(int length) {
  return (length + 1) / 2;
}

// Averages where pixels are merged; copies where nothing changes.
void resize_into(const cv::Mat& picture, cv::Mat part) {
  if (picture.size() == part.size()) {
    picture.copyTo(part);
  } else {
    cv::resize(picture, part, part.size(), 0.0, 0.0, cv::INTER_AREA);
  }
}

void pack_side_by_side(const cv::Mat& first, const cv::Mat& second, cv::Mat& frame) {
  const int middle = frame.cols / 2;
  resize_into(first, frame.colRange(0, middle));
  resize_into(second, frame.colRange(middle, frame.cols));
}

void pack_top_bottom(const cv::Mat& first, const cv::Mat& second, cv::Mat& frame) {
  const int middle = frame.rows / 2;
  resize_into(first, frame.rowRange(0, middle));
  resize_into(second, frame.rowRange(middle, frame.rows));
}

// Pixels in turn: `rows` and `columns` say along which axes the eye changes.
void interleave(const cv::Mat& first, const cv::Mat& second, bool rows, bool columns,
                cv::Mat& frame) {
  const std::size_t pixel = first.elemSize();
  parallel_for(0, frame.rows, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      const bool swapped = rows && y % 2 == 1;
      const cv::Mat& even = swapped ? second : first;
      const cv::Mat& odd = swapped ? first : second;
      even.row(y).copyTo(frame.row(y));
      if (!columns) continue;
      for (int x = 1; x < frame.cols; x += 2) {
        std::memcpy(frame.ptr(y, x), odd.ptr(y, x), pixel);
      }
    }
  });
}

cv::Mat grey_of(const cv::Mat& nearness, int type) {
  const double full = CV_MAT_DEPTH(type) == CV_8U    ? 255.0
                      : CV_MAT_DEPTH(type) == CV_16U ? 65535.0
                                                     : 1.0;
  cv::Mat grey;
  nearness.convertTo(grey, CV_MAT_DEPTH(type), full);
  cv::Mat picture;
  cv::merge(std::vector<cv::Mat>(static_cast<std::size_t>(CV_MAT_CN(type)), grey), picture);
  return picture;
}

}  // namespace

std::string_view to_string(Layout layout) {
  return kWords.at(static_cast<std::size_t>(layout));
}

std::optional<Layout> layout_from_string(std::string_view word) {
  std::string plain(word);
  std::replace(plain.begin(), plain.end(), '-', '_');
  const auto found = std::find(kWords.begin(), kWords.end(), plain);
  if (found == kWords.end()) return std::nullopt;
  return static_cast<Layout>(found - kWords.begin());
}

std::span<const std::string_view> layout_words() {
  return kWords;
}

bool shows_depth(Layout layout) {
  return layout == Layout::kFullRgbd || layout == Layout::kHalfRgbd || layout == Layout::kDepth;
}

cv::Size frame_size(Layout layout, cv::Size eye) {
  switch (layout) {
    case Layout::kFullSideBySide:
    case Layout::kCrossEyed:
    case Layout::kFullRgbd:
      return {2 * eye.width, eye.height};
    case Layout::kHalfSideBySide:
    case Layout::kHalfRgbd:
      return {2 * half_of(eye.width), eye.height};
    case Layout::kFullTopBottom:
      return {eye.width, 2 * eye.height};
    case Layout::kHalfTopBottom:
      return {eye.width, 2 * half_of(eye.height)};
    case Layout::kRowInterleaved:
    case Layout::kColumnInterleaved:
    case Layout::kCheckerboard:
    case Layout::kAnaglyph:
    case Layout::kDepth:
      return eye;
  }
  throw std::invalid_argument("an unknown layout");
}

void pack_eyes(const cv::Mat& left, const cv::Mat& right, const LayoutOptions& options,
               cv::Mat& frame) {
  if (left.empty() || left.size() != right.size() || left.type() != right.type()) {
    throw std::invalid_argument("a frame is made of two eyes of one size and type");
  }
  frame.create(frame_size(options.layout, left.size()), left.type());
  const cv::Mat& first = options.first == Eye::kLeft ? left : right;
  const cv::Mat& second = options.first == Eye::kLeft ? right : left;
  switch (options.layout) {
    case Layout::kFullSideBySide:
    case Layout::kHalfSideBySide:
      return pack_side_by_side(first, second, frame);
    case Layout::kCrossEyed:
      return pack_side_by_side(second, first, frame);
    case Layout::kFullTopBottom:
    case Layout::kHalfTopBottom:
      return pack_top_bottom(first, second, frame);
    case Layout::kRowInterleaved:
      return interleave(first, second, true, false, frame);
    case Layout::kColumnInterleaved:
      return interleave(first, second, false, true, frame);
    case Layout::kCheckerboard:
      return interleave(first, second, true, true, frame);
    case Layout::kAnaglyph:
      return make_anaglyph(left, right, options.anaglyph, frame);
    case Layout::kFullRgbd:
    case Layout::kHalfRgbd:
    case Layout::kDepth:
      break;
  }
  throw std::invalid_argument("a layout that shows depth has no eyes");
}

void pack_depth(const cv::Mat& picture, const cv::Mat& nearness, Layout layout, cv::Mat& frame) {
  if (!shows_depth(layout)) throw std::invalid_argument("a layout that shows no depth");
  if (nearness.type() != CV_32FC1 || nearness.size() != picture.size()) {
    throw std::invalid_argument("nearness is CV_32FC1 of the picture's size");
  }
  frame.create(frame_size(layout, picture.size()), picture.type());
  const cv::Mat grey = grey_of(nearness, picture.type());
  if (layout == Layout::kDepth) {
    grey.copyTo(frame);
  } else {
    pack_side_by_side(picture, grey, frame);
  }
}

cv::Mat letterbox(const cv::Mat& picture, cv::Size size) {
  const double scale = std::min(static_cast<double>(size.width) / picture.cols,
                                static_cast<double>(size.height) / picture.rows);
  const auto scaled = [scale](int length, int limit) {
    return std::clamp(static_cast<int>(std::lround(scale * length)), 1, limit);
  };
  const cv::Size inner(scaled(picture.cols, size.width), scaled(picture.rows, size.height));
  cv::Mat framed = cv::Mat::zeros(size, picture.type());
  cv::Mat part =
      framed(cv::Rect({(size.width - inner.width) / 2, (size.height - inner.height) / 2}, inner));
  cv::resize(picture, part, inner, 0.0, 0.0, scale < 1.0 ? cv::INTER_AREA : cv::INTER_CUBIC);
  return framed;
}

cv::Size fit_within(cv::Size size, cv::Size limit) {
  double scale = 1.0;
  if (limit.width > 0) scale = std::min(scale, static_cast<double>(limit.width) / size.width);
  if (limit.height > 0) scale = std::min(scale, static_cast<double>(limit.height) / size.height);
  if (scale == 1.0) return size;
  const auto even = [scale](int length) {
    return std::max(2, 2 * static_cast<int>(scale * length / 2.0 + 1e-6));
  };
  return {even(size.width), even(size.height)};
}

void pad_for_eye_distance(float offset_percent, cv::Mat& left, cv::Mat& right) {
  const int long_side = std::max(left.cols, left.rows);
  int pad = static_cast<int>(std::abs(offset_percent) * 0.01F * static_cast<float>(long_side));
  pad -= pad % 2;
  if (pad == 0) return;
  const int outer = offset_percent > 0.0F ? 2 * pad : pad;
  const int inner = 3 * pad - outer;
  cv::copyMakeBorder(left, left, 0, 0, outer, inner, cv::BORDER_CONSTANT);
  cv::copyMakeBorder(right, right, 0, 0, inner, outer, cv::BORDER_CONSTANT);
}

}  // namespace vergence::stereo
