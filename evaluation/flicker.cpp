// SPDX-License-Identifier: Apache-2.0
#include "evaluation/flicker.hpp"

#include <array>
#include <cmath>
#include <stdexcept>

#include <opencv2/imgproc.hpp>

namespace vergence::evaluation {
namespace {

constexpr double kStill = 2.0;  // 255ths
constexpr double kLeastStill = 0.05;

// The picture in 255ths at the size of the values, without its noise.
cv::Mat reduced(const cv::Mat& picture, cv::Size size) {
  cv::Mat small;
  const bool smaller = size.width < picture.cols;
  cv::resize(picture, small, size, 0, 0, smaller ? cv::INTER_AREA : cv::INTER_LINEAR);
  small.convertTo(small, CV_32F, picture.depth() == CV_16U ? 1.0 / 257.0 : 1.0);
  cv::blur(small, small, {5, 5});
  return small;
}

// Mean of the channels, in 255ths for pictures.
cv::Mat comparable(const cv::Mat& values) {
  if (values.type() == CV_32FC1) return values.clone();
  cv::Mat wide;
  values.convertTo(wide, CV_32F, values.depth() == CV_16U ? 1.0 / 257.0 : 1.0);
  return wide;
}

cv::Mat largest_channel(const cv::Mat& difference) {
  std::array<cv::Mat, 3> channels;
  cv::split(difference, channels.data());
  return cv::max(channels[0], cv::max(channels[1], channels[2]));
}

cv::Mat mean_channel(const cv::Mat& difference) {
  if (difference.channels() == 1) return difference;
  std::array<cv::Mat, 3> channels;
  cv::split(difference, channels.data());
  return (channels[0] + channels[1] + channels[2]) / 3.0;
}

}  // namespace

FlickerMeter::FlickerMeter(int reach_px) : reach_px_(reach_px) {
  if (reach_px < 0) throw std::invalid_argument("a reach is not negative");
}

void FlickerMeter::push(const cv::Mat& picture, const cv::Mat& values) {
  const auto is_picture = [](int type) { return type == CV_8UC3 || type == CV_16UC3; };
  if (!is_picture(picture.type()) || (values.type() != CV_32FC1 && !is_picture(values.type())) ||
      picture.empty() || values.empty()) {
    throw std::invalid_argument("flicker is measured of RGB views or CV_32FC1 maps");
  }
  const cv::Mat now = comparable(values);
  if (!values_.empty() && (now.size() != values_.size() || now.type() != values_.type())) {
    throw std::invalid_argument("the frames of a clip are of one size and type");
  }
  const cv::Mat small = reduced(picture, values.size());
  if (!values_.empty()) {
    cv::Mat difference;
    cv::absdiff(small, picture_, difference);
    cv::Mat still = largest_channel(difference) <= kStill;
    if (reach_px_ > 0) cv::erode(still, still, cv::Mat::ones(1, 2 * reach_px_ + 1, CV_8UC1));
    cv::subtract(now, values_, difference);
    const cv::Mat change = mean_channel(cv::abs(difference));
    still &= change < HUGE_VAL;  // neither infinite nor NaN
    const double share =
        static_cast<double>(cv::countNonZero(still)) / static_cast<double>(still.total());
    if (share >= kLeastStill) {
      change_ += cv::mean(change, still)[0];
      common_ += std::abs(cv::mean(mean_channel(difference), still)[0]);
      still_ += share;
      ++num_pairs_;
    }
  }
  picture_ = small;
  values_ = now;
}

Flicker FlickerMeter::result() const {
  if (num_pairs_ == 0) return {};
  return {change_ / num_pairs_, common_ / num_pairs_, still_ / num_pairs_, num_pairs_};
}

}  // namespace vergence::evaluation
