// SPDX-License-Identifier: Apache-2.0
// Trilinear sampling: Williams, "Pyramidal Parametrics", SIGGRAPH 1983.
#include "projection/picture_pyramid.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>

#include <opencv2/imgproc.hpp>

namespace vergence::projection {
namespace {

using Pixel = PicturePyramid::Pixel;

// Calls `function` with a null pointer of the matrix's element type.
template <class Function>
auto with_element_type(int depth, Function function) {
  switch (depth) {
    case CV_8U:
      return function(static_cast<const std::uint8_t*>(nullptr));
    case CV_16U:
      return function(static_cast<const std::uint16_t*>(nullptr));
    default:
      return function(static_cast<const float*>(nullptr));
  }
}

struct Taps {
  int first;
  int second;
  float weight_of_second;
};

// The two neighbours of a coordinate in pixels (centres at +0.5) and how to mix them.
Taps taps_at(double coordinate, int size, bool wraps) {
  const double shifted = coordinate - 0.5;
  const double base = std::floor(shifted);
  const auto index = static_cast<int>(base);
  const auto weight = static_cast<float>(shifted - base);
  if (wraps) {
    const int first = ((index % size) + size) % size;
    return {first, first + 1 == size ? 0 : first + 1, weight};
  }
  return {std::clamp(index, 0, size - 1), std::clamp(index + 1, 0, size - 1), weight};
}

template <class Element>
Pixel bilinear(const cv::Mat& picture, const Taps& across, const Taps& down) {
  const int channels = picture.channels();
  const auto* top = picture.ptr<Element>(down.first);
  const auto* bottom = picture.ptr<Element>(down.second);
  Pixel result{};
  for (int c = 0; c < channels; ++c) {
    const auto at = [&](const Element* row, int x) {
      return static_cast<float>(row[x * channels + c]);
    };
    const float upper = at(top, across.first) +
                        across.weight_of_second * (at(top, across.second) - at(top, across.first));
    const float lower =
        at(bottom, across.first) +
        across.weight_of_second * (at(bottom, across.second) - at(bottom, across.first));
    result[static_cast<std::size_t>(c)] = upper + down.weight_of_second * (lower - upper);
  }
  return result;
}

}  // namespace

PicturePyramid::PicturePyramid(const cv::Mat& picture, bool wraps) : wraps_(wraps) {
  const int depth = picture.depth();
  if (picture.empty() || picture.channels() > 4 ||
      (depth != CV_8U && depth != CV_16U && depth != CV_32F)) {
    throw std::invalid_argument("a picture has 1 to 4 channels of 8U, 16U or 32F");
  }
  levels_.push_back(picture);
  while (std::min(levels_.back().cols, levels_.back().rows) >= 4) {
    cv::Mat half;
    cv::resize(levels_.back(), half,
               cv::Size((levels_.back().cols + 1) / 2, (levels_.back().rows + 1) / 2), 0.0, 0.0,
               cv::INTER_AREA);
    levels_.push_back(half);
  }
}

Pixel PicturePyramid::sample_level(std::size_t level, double x, double y) const {
  const cv::Mat& picture = levels_[level];
  const cv::Mat& full = levels_.front();
  const Taps across = taps_at(level == 0 ? x : x * picture.cols / full.cols, picture.cols, wraps_);
  const Taps down = taps_at(level == 0 ? y : y * picture.rows / full.rows, picture.rows, false);
  return with_element_type(picture.depth(), [&](auto tag) {
    return bilinear<std::remove_cvref_t<decltype(*tag)>>(picture, across, down);
  });
}

Pixel PicturePyramid::sample(double x, double y, double level) const {
  if (level <= 0.0) return sample_level(0, x, y);
  const auto last = static_cast<double>(levels_.size() - 1);
  const double clamped = std::min(level, last);
  const auto below = static_cast<std::size_t>(clamped);
  const auto weight = static_cast<float>(clamped - static_cast<double>(below));
  Pixel pixel = sample_level(below, x, y);
  if (weight > 0.0F) {
    const Pixel coarser = sample_level(below + 1, x, y);
    for (std::size_t c = 0; c < 4; ++c) pixel[c] += weight * (coarser[c] - pixel[c]);
  }
  return pixel;
}

void PicturePyramid::store(const Pixel& pixel, void* row, int x) const {
  const int channels = CV_MAT_CN(type());
  with_element_type(CV_MAT_DEPTH(type()), [&](auto tag) {
    using Element = std::remove_cvref_t<decltype(*tag)>;
    auto* target = static_cast<Element*>(row) + static_cast<std::ptrdiff_t>(x) * channels;
    for (int c = 0; c < channels; ++c) {
      target[c] = cv::saturate_cast<Element>(pixel[static_cast<std::size_t>(c)]);
    }
  });
}

}  // namespace vergence::projection
