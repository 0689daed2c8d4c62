// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pair_distance.hpp"

#include "core/parallel.hpp"
#include "projection/sphere_sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include <opencv2/calib3d.hpp>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace {

using projection::PictureModel;
using stereo::EyeGeometry;

constexpr int kMostColumns = 1024;
constexpr double kNearestIpds = 4.0;
constexpr int kBehindInfinity = 4;       // columns of disparity that crooked cameras may have
constexpr double kLeastDisparity = 0.3;  // columns; less is too far to tell
constexpr double kAgreement = 1.5;       // columns
constexpr float kFar = 1e9F;
constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

// Rows are epipolar lines: column 0 begins at the angle -reach_x, row 0 at +reach_y. Of parallel
// eyes columns count the angle from the plane between them towards the right eye, rows the angle
// around the axis through them; of omnidirectional ones they are longitude and latitude.
struct RowDomain {
  bool parallel;
  double reach_x;
  double reach_y;
  cv::Size size;
  double per_radian;

  [[nodiscard]] double angle_of_column(double x) const { return x / per_radian - reach_x; }

  [[nodiscard]] double angle_of_row(double y) const { return reach_y - y / per_radian; }

  [[nodiscard]] cv::Point3f direction_at(double x, double y) const {
    const double across = angle_of_column(x);
    const double up = angle_of_row(y);
    const Eigen::Vector3d d =
        parallel ? Eigen::Vector3d(std::sin(across), std::cos(across) * std::sin(up),
                                   -std::cos(across) * std::cos(up))
                 : projection::direction_from_lon_lat(across, up);
    return {static_cast<float>(d.x()), static_cast<float>(d.y()), static_cast<float>(d.z())};
  }

  // The nearest pixel; outside of the domain where the direction is.
  [[nodiscard]] cv::Point pixel_of(const cv::Point3f& d) const {
    const double across = parallel ? std::atan2(d.x, std::hypot(d.y, d.z)) : std::atan2(d.x, -d.z);
    const double up = parallel ? std::atan2(d.y, -d.z) : std::atan2(d.y, std::hypot(d.x, d.z));
    return {static_cast<int>(std::floor((across + reach_x) * per_radian)),
            static_cast<int>(std::floor((reach_y - up) * per_radian))};
  }
};

RowDomain domain_for(const PictureModel& model, EyeGeometry geometry) {
  RowDomain domain{.parallel = geometry == EyeGeometry::kParallel,
                   .reach_x = kPi,
                   .reach_y = kPi / 2.0,
                   .size = {},
                   .per_radian = 0.0};
  if (domain.parallel) {
    const cv::Size size = model.size();
    const auto right = model.direction_at(size.width, size.height / 2.0);
    const auto top = model.direction_at(size.width / 2.0, 0.0);
    const auto reach = [](double side, double ahead) {
      return std::clamp(std::atan2(std::abs(side), ahead), 0.05, kPi / 2.0);
    };
    domain.reach_x = right ? reach(right->x(), -right->z()) : kPi / 2.0;
    domain.reach_y = top ? reach(top->y(), -top->z()) : kPi / 2.0;
  }
  domain.per_radian = std::min(model.pixels_per_radian(), kMostColumns / (2.0 * domain.reach_x));
  domain.size = {
      std::max(16, static_cast<int>(std::lround(2 * domain.reach_x * domain.per_radian))),
      std::max(16, static_cast<int>(std::lround(2 * domain.reach_y * domain.per_radian)))};
  return domain;
}

cv::Mat grey_in_rows(const cv::Mat& eye, const PictureModel& model, const RowDomain& domain) {
  cv::Mat grey;
  cv::cvtColor(eye, grey, cv::COLOR_RGB2GRAY);
  if (grey.depth() == CV_16U) grey.convertTo(grey, CV_8U, 1.0 / 257.0);
  const projection::SphereSampler sampler(grey, model, projection::SphereInterpolation::kBilinear,
                                          model.pixels_per_radian() / domain.per_radian);
  cv::Mat result(domain.size, CV_8UC1);
  parallel_for(0, result.rows, [&](int first, int last) {
    std::vector<cv::Point3f> row(static_cast<std::size_t>(result.cols));
    for (int y = first; y < last; ++y) {
      for (int x = 0; x < result.cols; ++x) {
        row[static_cast<std::size_t>(x)] = domain.direction_at(x + 0.5, y + 0.5);
      }
      sampler.sample(row, result.ptr(y), nullptr);
    }
  });
  return result;
}

// Columns that what `eye` shows lies further right than in `other`, CV_32FC1; NaN = not found.
cv::Mat disparity_of(const cv::Mat& eye, const cv::Mat& other, int most, bool wraps) {
  constexpr int kBlock = 5;
  const int num = (most + kBehindInfinity + 15) / 16 * 16;
  const auto matcher =
      cv::StereoSGBM::create(-kBehindInfinity, num, kBlock, 8 * kBlock * kBlock,
                             32 * kBlock * kBlock, 1, 31, 5, 60, 2, cv::StereoSGBM::MODE_SGBM_3WAY);
  const int border = num + kBehindInfinity;
  const int kind = wraps ? cv::BORDER_WRAP : cv::BORDER_REPLICATE;
  cv::Mat wide_eye;
  cv::Mat wide_other;
  cv::copyMakeBorder(eye, wide_eye, 0, 0, border, border, kind);
  cv::copyMakeBorder(other, wide_other, 0, 0, border, border, kind);
  cv::Mat fixed;
  matcher->compute(wide_eye, wide_other, fixed);
  cv::medianBlur(fixed, fixed, 5);
  cv::Mat result;
  const cv::Mat inner = fixed.colRange(border, border + eye.cols);
  inner.convertTo(result, CV_32F, 1.0 / static_cast<int>(cv::StereoMatcher::DISP_SCALE));
  result.setTo(kUnknown,
               inner < -kBehindInfinity * static_cast<int>(cv::StereoMatcher::DISP_SCALE));
  return result;
}

cv::Mat mirrored(const cv::Mat& picture) {
  cv::Mat result;
  cv::flip(picture, result, 1);
  return result;
}

// Drops what the other eye does not confirm. `side`: +1 where the other eye's columns are smaller.
void drop_unconfirmed(const cv::Mat& other, int side, bool wraps, cv::Mat& own) {
  for (int y = 0; y < own.rows; ++y) {
    auto* row = own.ptr<float>(y);
    const auto* there = other.ptr<float>(y);
    for (int x = 0; x < own.cols; ++x) {
      if (std::isnan(row[x])) continue;
      int at = x - side * static_cast<int>(std::lround(row[x]));
      if (wraps) at = (at + own.cols) % own.cols;
      const bool agrees = at < 0 || at >= own.cols || std::abs(there[at] - row[x]) <= kAgreement;
      if (!agrees) row[x] = kUnknown;
    }
  }
}

// `side`: +1 for the left eye.
double distance_of(const RowDomain& domain, double column, double row, double disparity, int side,
                   double ipd_m) {
  if (disparity < kLeastDisparity) return kFar;
  const double angle = domain.angle_of_column(column);
  const double parallax = disparity / domain.per_radian;
  if (!domain.parallel) {
    const double ring = std::cos(domain.angle_of_row(row));
    return ipd_m / 2.0 / std::max(1e-9, std::sin(parallax / 2.0) * ring);
  }
  // tan(angle) = x / distance from the axis, and x differs by the distance between the eyes.
  const double other = angle - side * parallax;
  constexpr double kPole = kPi / 2.0 - 0.02;
  if (std::abs(angle) > kPole || std::abs(other) > kPole) return kUnknown;
  const double from_axis = ipd_m / std::abs(std::tan(angle) - std::tan(other));
  return from_axis / std::cos(angle);
}

// Distances in the domain, brought to the eye's own picture.
RayDistance in_eye(const RowDomain& domain, const PictureModel& model, const cv::Mat& disparity,
                   int side, double ipd_m) {
  const double shrink = std::max(1.0, model.pixels_per_radian() / domain.per_radian);
  const cv::Size size(std::max(1, static_cast<int>(std::lround(model.size().width / shrink))),
                      std::max(1, static_cast<int>(std::lround(model.size().height / shrink))));
  const cv::Mat directions = model.resized(size).direction_table();
  cv::Mat distance(size, CV_32FC1);
  parallel_for(0, size.height, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const auto* direction = directions.ptr<cv::Point3f>(y);
      auto* to = distance.ptr<float>(y);
      for (int x = 0; x < size.width; ++x) {
        to[x] = kUnknown;
        if (std::isnan(direction[x].x)) continue;
        const cv::Point at = domain.pixel_of(direction[x]);
        if (!cv::Rect({}, domain.size).contains(at)) continue;
        const float found = disparity.at<float>(at);
        if (std::isnan(found)) continue;
        to[x] = static_cast<float>(distance_of(domain, at.x + 0.5, at.y + 0.5, found, side, ipd_m));
      }
    }
  });
  return RayDistance(distance);
}

}  // namespace

PairDistance match_eyes(const cv::Mat& left, const cv::Mat& right, const PictureModel& model,
                        EyeGeometry geometry, double ipd_m) {
  const bool fits = left.size() == model.size() && right.size() == model.size() &&
                    left.type() == right.type() &&
                    (left.type() == CV_8UC3 || left.type() == CV_16UC3);
  if (!fits) throw std::invalid_argument("both eyes have the model's size and one colour type");
  if (!(ipd_m > 0.0)) throw std::invalid_argument("the eyes are apart");
  const RowDomain domain = domain_for(model, geometry);
  const bool wraps = !domain.parallel;
  const cv::Mat left_rows = grey_in_rows(left, model, domain);
  const cv::Mat right_rows = grey_in_rows(right, model, domain);
  const double nearest = 2.0 * std::atan(0.5 / kNearestIpds);
  const int most = static_cast<int>(std::ceil(nearest * domain.per_radian));
  cv::Mat of_left = disparity_of(left_rows, right_rows, most, wraps);
  cv::Mat of_right = mirrored(disparity_of(mirrored(right_rows), mirrored(left_rows), most, wraps));
  const cv::Mat first = of_left.clone();
  drop_unconfirmed(of_right, 1, wraps, of_left);
  drop_unconfirmed(first, -1, wraps, of_right);
  return {in_eye(domain, model, of_left, 1, ipd_m), in_eye(domain, model, of_right, -1, ipd_m)};
}

}  // namespace vergence::pipeline
