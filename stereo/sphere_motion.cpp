// SPDX-License-Identifier: Apache-2.0
#include "stereo/sphere_motion.hpp"

#include "core/angle.hpp"
#include "core/parallel.hpp"
#include "core/statistics.hpp"
#include "projection/picture_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include <Eigen/Cholesky>
#include <Eigen/Geometry>
#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

using Eigen::Matrix3d;
using Eigen::Vector3d;
using projection::SphereWindow;

constexpr int kWidth = 256;
constexpr int kCoarsestWidth = 32;
constexpr int kMostPoints = 6000;
constexpr std::size_t kLeastPoints = 60;
constexpr double kHighest = 75.0;    // degrees of latitude: nearer to the poles slopes mean little
constexpr double kLeastSlope = 1.5;  // brightness per pixel that makes a point
constexpr int kMostSteps = 15;
constexpr double kStill = 0.002;         // pixels: the step is over
constexpr double kTukey = 4.685;         // 95 % efficiency (Holland and Welsch, 1977)
constexpr double kLeastSpread = 1.5;     // of residuals, brightness
constexpr double kLeastInliers = 0.5;    // of the points, for a rotation that is one
constexpr double kMostResidual = 12.0;   // brightness, median
constexpr double kWeightOfNadir = 0.25;  // of 1 above the horizon

// A direction of frame a, its brightness, and how that changes with the direction.
struct Point {
  Vector3d direction;
  Vector3d turn;  // change of brightness when the point turns by a small rotation vector
  double luma;
  double weight;
};

// Brightness between pixels; longitude wraps.
double luma_at(const cv::Mat& luma, const Eigen::Vector2d& place) {
  const double left = std::floor(place.x() - 0.5);
  const double top = std::floor(place.y() - 0.5);
  const double along = place.x() - 0.5 - left;
  const double down = place.y() - 0.5 - top;
  const int x0 = (static_cast<int>(left) + luma.cols) % luma.cols;
  const int x1 = (x0 + 1) % luma.cols;
  const int y0 = std::clamp(static_cast<int>(top), 0, luma.rows - 1);
  const int y1 = std::clamp(static_cast<int>(top) + 1, 0, luma.rows - 1);
  const double upper = std::lerp(luma.at<float>(y0, x0), luma.at<float>(y0, x1), along);
  const double lower = std::lerp(luma.at<float>(y1, x0), luma.at<float>(y1, x1), along);
  return std::lerp(upper, lower, down);
}

double weight_at(double latitude) {
  return latitude > 0.0 ? 1.0 : 1.0 + (1.0 - kWeightOfNadir) * latitude / (kPi / 2.0);
}

// Pixels with texture, about as many per solid angle everywhere.
std::vector<Point> textured_points(const cv::Mat& luma) {
  const auto sphere = SphereWindow::whole(luma.cols, luma.rows);
  const double step = 2.0 * kPi / luma.cols;
  const int stride =
      std::max(1, static_cast<int>(std::sqrt(static_cast<double>(luma.total()) / kMostPoints)));
  std::vector<Point> points;
  for (int y = 1; y + 1 < luma.rows; y += stride) {
    const double latitude = kPi / 2.0 - (y + 0.5) / luma.rows * kPi;
    if (std::abs(latitude) > Radians::from_degrees(kHighest).value()) continue;
    const double cosine = std::cos(latitude);
    for (double at = 0.0; at < luma.cols; at += stride / cosine) {
      const int x = static_cast<int>(at);
      const double slope_x = 0.5 *
                             (luma.at<float>(y, (x + 1) % luma.cols) -
                              luma.at<float>(y, (x + luma.cols - 1) % luma.cols)) /
                             cosine;
      const double slope_y = 0.5 * (luma.at<float>(y + 1, x) - luma.at<float>(y - 1, x));
      if (std::hypot(slope_x, slope_y) < kLeastSlope) continue;
      const Vector3d direction = projection::direction_at(sphere, x + 0.5, y + 0.5);
      const double longitude = (x + 0.5) * step - kPi;
      const Vector3d east(std::cos(longitude), 0.0, std::sin(longitude));
      const Vector3d south = direction.cross(east);
      const Vector3d slope = (slope_x * east + slope_y * south) / step;
      points.push_back(
          {direction, direction.cross(slope), luma.at<float>(y, x), weight_at(latitude)});
    }
  }
  return points;
}

struct Estimate {
  Matrix3d rotation = Matrix3d::Identity();
  double gain = 1.0;
  double offset = 0.0;
};

// Alignment on one level of the pyramid; inverse compositional, as global_motion.cpp.
class Aligner {
 public:
  Aligner(const cv::Mat& luma_a, const cv::Mat& luma_b)
      : luma_b_(luma_b),
        sphere_(SphereWindow::whole(luma_b.cols, luma_b.rows)),
        points_(textured_points(luma_a)),
        seen_(points_.size()),
        residuals_(points_.size()) {}

  [[nodiscard]] bool has_texture() const { return points_.size() >= kLeastPoints; }

  void align(Estimate& estimate) {
    look(estimate);
    for (int step = 0; step < kMostSteps; ++step) {
      const double moved = improve(estimate);
      look(estimate);
      if (moved * luma_b_.cols / (2.0 * kPi) < kStill) break;
    }
  }

  [[nodiscard]] bool explained() const {
    const double bound = 2.5 * std::max(kLeastSpread, kMadToSigma * spread_);
    const auto inliers = std::count_if(residuals_.begin(), residuals_.end(), [&](double residual) {
      return std::abs(residual) <= std::min(bound, 2.0 * kMostResidual);
    });
    return spread_ <= kMostResidual &&
           static_cast<double>(inliers) >= kLeastInliers * static_cast<double>(points_.size());
  }

 private:
  using Normal = Eigen::Matrix<double, 5, 5>;
  using Row = Eigen::Matrix<double, 5, 1>;

  void look(const Estimate& estimate) {
    std::vector<double> sizes(points_.size());
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const Vector3d there = estimate.rotation * points_[i].direction;
      seen_[i] = luma_at(luma_b_, projection::pixel_of(sphere_, there));
      residuals_[i] = estimate.gain * seen_[i] + estimate.offset - points_[i].luma;
      sizes[i] = std::abs(residuals_[i]);
    }
    spread_ = quantile_in_place(sizes, 0.5);
  }

  // One Gauss-Newton step; the angle that it turns by.
  double improve(Estimate& estimate) const {
    const double bound = kTukey * std::max(kLeastSpread, kMadToSigma * spread_);
    Normal normal = Normal::Zero();
    Row right = Row::Zero();
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const double ratio = residuals_[i] / bound;
      if (!(std::abs(ratio) < 1.0)) continue;
      const double weight = points_[i].weight * (1.0 - ratio * ratio) * (1.0 - ratio * ratio);
      Row row;
      row << points_[i].turn, -seen_[i], -1.0;
      normal += weight * row * row.transpose();
      right += weight * residuals_[i] * row;
    }
    normal.diagonal() *= 1.0 + 1e-6;
    normal.diagonal().array() += 1e-9;
    const Row step = normal.ldlt().solve(right);
    estimate.gain += step[3];
    estimate.offset += step[4];
    const Vector3d turn = step.head<3>();
    const double angle = turn.norm();
    if (angle > 0.0) {
      estimate.rotation =
          estimate.rotation * Eigen::AngleAxisd(-angle, turn / angle).toRotationMatrix();
    }
    return angle;
  }

  const cv::Mat& luma_b_;
  SphereWindow sphere_;
  std::vector<Point> points_;
  std::vector<double> seen_;
  std::vector<double> residuals_;
  double spread_ = 0.0;
};

// Halves of halves: means of 2 x 2 pixels keep their places on the sphere.
std::vector<cv::Mat> pyramid_of(const cv::Mat& finest) {
  std::vector<cv::Mat> levels = {finest};
  while (levels.back().cols >= 2 * kCoarsestWidth && levels.back().cols % 2 == 0 &&
         levels.back().rows % 2 == 0) {
    cv::Mat half;
    const cv::Mat& last = levels.back();
    cv::resize(last, half, {last.cols / 2, last.rows / 2}, 0, 0, cv::INTER_AREA);
    levels.push_back(half);
  }
  return levels;
}

}  // namespace

cv::Mat sphere_luma(const cv::Mat& picture) {
  if (picture.empty() || (picture.type() != CV_8UC3 && picture.type() != CV_16UC3)) {
    throw std::invalid_argument("luma is that of RGB pictures of 8 or 16 bits");
  }
  cv::Mat luma;
  const int width = std::min(kWidth, picture.cols);
  cv::resize(picture, luma, {width, std::max(2, width / 2)}, 0, 0, cv::INTER_AREA);
  cv::cvtColor(luma, luma, cv::COLOR_RGB2GRAY);
  luma.convertTo(luma, CV_32F, picture.depth() == CV_16U ? 1.0 / 257.0 : 1.0);
  return luma;
}

std::optional<Matrix3d> sphere_rotation(const cv::Mat& luma_a, const cv::Mat& luma_b) {
  if (luma_a.type() != CV_32FC1 || luma_b.type() != CV_32FC1 || luma_a.size() != luma_b.size() ||
      luma_a.empty()) {
    throw std::invalid_argument("rotation is found between CV_32FC1 luma of one size");
  }
  const auto levels_a = pyramid_of(luma_a);
  const auto levels_b = pyramid_of(luma_b);
  Estimate estimate;
  estimate.offset = cv::mean(luma_a)[0] - cv::mean(luma_b)[0];
  bool explained = false;
  for (std::size_t level = levels_a.size(); level-- > 0;) {
    Aligner aligner(levels_a[level], levels_b[level]);
    if (!aligner.has_texture()) continue;
    aligner.align(estimate);
    explained = aligner.explained();
  }
  return explained ? std::optional(estimate.rotation) : std::nullopt;
}

cv::Mat turned_sphere(const cv::Mat& of_b, const Matrix3d& b_from_a) {
  const auto model =
      projection::PictureModel::equirectangular(SphereWindow::whole(of_b.cols, of_b.rows));
  cv::Mat places(of_b.size(), CV_32FC2);
  const Eigen::Matrix3f turn = b_from_a.cast<float>();
  cv::Mat directions = model.direction_table();
  parallel_for(0, of_b.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      auto* row = directions.ptr<cv::Point3f>(y);
      const std::span ray(row, static_cast<std::size_t>(of_b.cols));
      for (auto& d : ray) {
        const Eigen::Vector3f there = turn * Eigen::Vector3f(d.x, d.y, d.z);
        d = {there.x(), there.y(), there.z()};
      }
      auto* place = places.ptr<cv::Point2f>(y);
      model.pixels_of(ray, {place, ray.size()});
      // Into the copy that has a column more on each side.
      for (int x = 0; x < of_b.cols; ++x) place[x] += cv::Point2f(0.5F, -0.5F);
    }
  });
  cv::Mat padded;
  cv::copyMakeBorder(of_b, padded, 0, 0, 1, 1, cv::BORDER_WRAP);
  cv::Mat result;
  cv::remap(padded, result, places, cv::noArray(), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  return result;
}

}  // namespace vergence::stereo
