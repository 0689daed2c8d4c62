// SPDX-License-Identifier: Apache-2.0
#include "evaluation/flicker.hpp"

#include "core/angle.hpp"
#include "core/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace vergence::evaluation {
namespace {

constexpr double kStill = 2.0;  // 255ths
constexpr double kLeastStill = 0.05;

constexpr int kDirections = 8000;    // on the sphere
constexpr double kSamePoint = 0.03;  // of its distance

// Direction k spread evenly over the sphere: a Fibonacci lattice.
Eigen::Vector3d lattice_direction(int k) {
  const double golden_angle = kPi * (3.0 - std::sqrt(5.0));
  const double height = 1.0 - (2.0 * k + 1.0) / kDirections;
  const double ring = std::sqrt(1.0 - height * height);
  return {ring * std::cos(golden_angle * k), height, ring * std::sin(golden_angle * k)};
}

// The pixel that shows a direction of the camera.
cv::Point pixel_of(const Eigen::Vector3d& direction, cv::Size size) {
  const double longitude = std::atan2(direction.x(), -direction.z());
  const double latitude = std::asin(std::clamp(direction.y() / direction.norm(), -1.0, 1.0));
  const int x = static_cast<int>((longitude / (2.0 * kPi) + 0.5) * size.width) % size.width;
  const int y = static_cast<int>((0.5 - latitude / kPi) * size.height);
  return {x, std::clamp(y, 0, size.height - 1)};
}

// What a frame says about one of its pixels.
struct SpherePoint {
  double distance;  // true
  double error;     // log of estimated over true inverse distance
};

std::optional<SpherePoint> point_at(const SphereFrame& frame, const cv::Point& pixel) {
  const double distance = frame.distance.at<float>(pixel);
  const double inverse = frame.inverse_distance.at<float>(pixel);
  const bool still = frame.still.empty() || frame.still.at<unsigned char>(pixel) != 0;
  if (!still || !(distance > 0.0) || !std::isfinite(distance)) return std::nullopt;
  if (!(inverse > 0.0) || !std::isfinite(inverse)) return std::nullopt;
  return SpherePoint{distance, std::log(inverse * distance)};
}

// The changes of errors between two frames.
std::vector<double> error_changes(const SphereFrame& a, const SphereFrame& b) {
  std::vector<double> changes;
  const cv::Size size = a.distance.size();
  for (int k = 0; k < kDirections; ++k) {
    const Eigen::Vector3d direction = lattice_direction(k);
    const auto pixel = pixel_of(direction, size);
    const auto here = point_at(a, pixel);
    if (!here) continue;
    const Eigen::Vector3d world = a.position + here->distance * (a.world_from_camera * direction);
    const Eigen::Vector3d ray = b.world_from_camera.transpose() * (world - b.position);
    const auto there = point_at(b, pixel_of(ray, size));
    if (!there || std::abs(there->distance / ray.norm() - 1.0) > kSamePoint) continue;
    changes.push_back(there->error - here->error);
  }
  return changes;
}

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

void SphereFlickerMeter::push(const SphereFrame& frame) {
  const cv::Size size = frame.distance.size();
  const bool good =
      frame.distance.type() == CV_32FC1 && !frame.distance.empty() &&
      frame.inverse_distance.type() == CV_32FC1 && frame.inverse_distance.size() == size &&
      (frame.still.empty() || (frame.still.type() == CV_8UC1 && frame.still.size() == size)) &&
      (before_.distance.empty() || before_.distance.size() == size);
  if (!good) throw std::invalid_argument("the frames of a clip have maps of one size");
  if (!before_.distance.empty()) {
    auto changes = error_changes(before_, frame);
    const double share = static_cast<double>(changes.size()) / kDirections;
    if (share >= kLeastStill) {
      double sum = 0.0;
      for (const double change : changes) sum += std::abs(change);
      change_ += sum / static_cast<double>(changes.size());
      common_ += std::abs(quantile_in_place(changes, 0.5));
      still_ += share;
      ++num_pairs_;
    }
  }
  before_ = frame;
}

Flicker SphereFlickerMeter::result() const {
  if (num_pairs_ == 0) return {};
  return {change_ / num_pairs_, common_ / num_pairs_, still_ / num_pairs_, num_pairs_};
}

}  // namespace vergence::evaluation
