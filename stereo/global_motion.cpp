// SPDX-License-Identifier: Apache-2.0
#include "stereo/global_motion.hpp"

#include "core/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

// Unknowns of a step: six of the motion, gain and offset.
constexpr int kUnknowns = 8;
using Normal = cv::Matx<double, kUnknowns, kUnknowns>;
using Unknowns = cv::Vec<double, kUnknowns>;

constexpr int kCoarsestWidth = 32;
constexpr int kCellsAcross = 80;     // one point of each cell is looked at
constexpr float kLeastSlope = 2.0F;  // brightness per pixel that makes a point
constexpr std::size_t kLeastPoints = 24;
constexpr int kMostSteps = 20;
constexpr double kStill = 0.003;    // pixels at the corners: the step is over
constexpr double kGainUnit = 64.0;  // brightness: makes the gain's slope as large as others
constexpr double kDamping = 1e-5;
constexpr double kTiny = 1e-6;
constexpr double kFixed = 1e15;         // what an unknown has to weigh to stay 0
constexpr double kLeastSpread = 1.5;    // of residuals, brightness
constexpr double kTukey = 4.685;        // 95 % efficiency (Holland and Welsch, 1977)
constexpr double kLeastInliers = 0.5;   // of the points, for a motion that is one
constexpr double kMostResidual = 12.0;  // brightness, median

// A pixel of frame a, its brightness and slopes; positions relative to the middle, in halves of the
// width, so that all unknowns are of one size.
struct Point {
  double x;
  double y;
  double u;
  double v;
  float luma;
  float slope_x;
  float slope_y;
  float weight;
};

struct Estimate {
  Affine motion;
  double gain = 1.0;
  double offset = 0.0;
};

// What a step may change of the motion.
enum class Freedom { kShift, kAffine };

struct Fit {
  double residual = 0.0;  // median
  double inliers = 0.0;   // share
};

float slope_at(const cv::Mat& luma, int x, int y, int dx, int dy) {
  return 0.5F * (luma.at<float>(y + dy, x + dx) - luma.at<float>(y - dy, x - dx));
}

// The steepest pixel of each cell.
std::vector<Point> textured_points(const cv::Mat& luma, const cv::Mat& weight) {
  const int cell = std::max(2, luma.cols / kCellsAcross);
  const double unit = 2.0 / luma.cols;
  std::vector<Point> points;
  for (int top = 1; top + cell < luma.rows; top += cell) {
    for (int left = 1; left + cell < luma.cols; left += cell) {
      Point best{};
      float steepest = kLeastSlope * kLeastSlope;
      for (int y = top; y < top + cell; ++y) {
        for (int x = left; x < left + cell; ++x) {
          const float slope_x = slope_at(luma, x, y, 1, 0);
          const float slope_y = slope_at(luma, x, y, 0, 1);
          const float slope = slope_x * slope_x + slope_y * slope_y;
          const float share = weight.empty() ? 1.0F : weight.at<float>(y, x);
          if (slope <= steepest || !(share > 0.0F)) continue;
          steepest = slope;
          best = {static_cast<double>(x),
                  static_cast<double>(y),
                  unit * (x - 0.5 * luma.cols),
                  unit * (y - 0.5 * luma.rows),
                  luma.at<float>(y, x),
                  slope_x,
                  slope_y,
                  share};
        }
      }
      if (best.weight > 0.0F) points.push_back(best);
    }
  }
  return points;
}

// Brightness between pixels, NaN outside.
float luma_at(const cv::Mat& luma, const cv::Point2d& place) {
  const auto x = static_cast<int>(std::floor(place.x));
  const auto y = static_cast<int>(std::floor(place.y));
  if (x < 0 || y < 0 || x + 1 >= luma.cols || y + 1 >= luma.rows) return NAN;
  const auto along = static_cast<float>(place.x - x);
  const auto down = static_cast<float>(place.y - y);
  const float* const above = luma.ptr<float>(y) + x;
  const float* const below = luma.ptr<float>(y + 1) + x;
  const float top = above[0] + (above[1] - above[0]) * along;
  const float bottom = below[0] + (below[1] - below[0]) * along;
  return top + (bottom - top) * down;
}

// Alignment on one level of the pyramid.
class Aligner {
 public:
  Aligner(const cv::Mat& luma_a, const cv::Mat& weight_a, const cv::Mat& luma_b)
      : luma_b_(luma_b),
        unit_(2.0 / luma_a.cols),
        middle_(0.5 * luma_a.cols, 0.5 * luma_a.rows),
        points_(textured_points(luma_a, weight_a)),
        seen_(points_.size()),
        residuals_(points_.size()) {}

  [[nodiscard]] bool has_texture() const { return points_.size() >= kLeastPoints; }

  // False where too little of the points is within frame b.
  bool align(Freedom freedom, Estimate& estimate) {
    for (int step = 0; step < kMostSteps; ++step) {
      if (!look(estimate)) return false;
      if (improve(freedom, estimate) < kStill) break;
    }
    return look(estimate);
  }

  [[nodiscard]] Fit fit() const {
    const double bound = 2.5 * spread();
    std::size_t count = 0;
    for (const double residual : residuals_) {
      count += std::abs(residual) <= bound && std::abs(residual) < 2.0 * kMostResidual ? 1 : 0;
    }
    return {spread_, static_cast<double>(count) / static_cast<double>(points_.size())};
  }

 private:
  [[nodiscard]] double spread() const { return std::max(kLeastSpread, kMadToSigma * spread_); }

  bool look(const Estimate& estimate) {
    std::vector<double> sizes;
    sizes.reserve(points_.size());
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const Point& point = points_[i];
      seen_[i] = luma_at(luma_b_, moved(estimate.motion, point.x, point.y));
      residuals_[i] = estimate.gain * seen_[i] + estimate.offset - point.luma;
      if (!std::isnan(residuals_[i])) sizes.push_back(std::abs(residuals_[i]));
    }
    if (sizes.size() < kLeastPoints) return false;
    spread_ = quantile_in_place(sizes, 0.5);
    return true;
  }

  // One Gauss-Newton step; how far it moves the corners, pixels.
  double improve(Freedom freedom, Estimate& estimate) {
    Normal normal = Normal::zeros();
    Unknowns right = Unknowns::all(0.0);
    sum_up(normal, right);
    for (int r = 0; r < kUnknowns; ++r) {
      normal(r, r) += kDamping * normal(r, r) + kTiny;
      for (int c = 0; c < r; ++c) normal(r, c) = normal(c, r);
    }
    if (freedom == Freedom::kShift) {
      for (const int linear : {0, 1, 3, 4}) normal(linear, linear) += kFixed;
    }
    const Unknowns step = normal.solve(right, cv::DECOMP_CHOLESKY);
    estimate.gain += step[6] / kGainUnit;
    estimate.offset += step[7];
    // Frame a moved by the step, x + s0 u + s1 v + s2; undone before the motion.
    const Affine moved_a(1.0 + step[0] * unit_, step[1] * unit_,
                         step[2] - unit_ * (step[0] * middle_.x + step[1] * middle_.y),
                         step[3] * unit_, 1.0 + step[4] * unit_,
                         step[5] - unit_ * (step[3] * middle_.x + step[4] * middle_.y));
    estimate.motion = compose(estimate.motion, inverse(moved_a));
    double reach = 0.0;
    for (int i = 0; i < 6; ++i) reach += std::abs(step[i]);
    return reach;
  }

  // The upper half of the weighted normal equations.
  void sum_up(Normal& normal, Unknowns& right) const {
    const double bound = kTukey * spread();
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const double ratio = residuals_[i] / bound;
      if (!(std::abs(ratio) < 1.0)) continue;
      const Point& point = points_[i];
      const double tukey = 1.0 - ratio * ratio;
      const double weight = point.weight * tukey * tukey;
      const double gx = point.slope_x;
      const double gy = point.slope_y;
      const std::array<double, kUnknowns> row = {gx * point.u,          gx * point.v, gx,
                                                 gy * point.u,          gy * point.v, gy,
                                                 -seen_[i] / kGainUnit, -1.0};
      for (int r = 0; r < kUnknowns; ++r) {
        const double weighted = row[static_cast<std::size_t>(r)] * weight;
        for (int c = r; c < kUnknowns; ++c) {
          normal(r, c) += weighted * row[static_cast<std::size_t>(c)];
        }
        right[r] += weighted * residuals_[i];
      }
    }
  }

  const cv::Mat& luma_b_;
  double unit_;
  cv::Point2d middle_;
  std::vector<Point> points_;
  std::vector<double> seen_;       // brightness of b at the points
  std::vector<double> residuals_;  // NaN outside
  double spread_ = 0.0;            // median of their sizes
};

std::vector<cv::Mat> pyramid_of(const cv::Mat& finest) {
  std::vector<cv::Mat> levels = {finest};
  while (!finest.empty() && levels.back().cols >= 2 * kCoarsestWidth &&
         levels.back().rows >= kCoarsestWidth) {
    cv::Mat half;
    cv::pyrDown(levels.back(), half);
    levels.push_back(half);
  }
  return levels;
}

// Where a camera that still shows the same things can have gone to.
bool is_plausible(const Affine& motion) {
  const double scale = motion(0, 0) * motion(1, 1) - motion(0, 1) * motion(1, 0);
  return scale > 0.5 && scale < 2.0;
}

}  // namespace

Affine identity_motion() {
  return {1.0, 0.0, 0.0, 0.0, 1.0, 0.0};
}

Affine compose(const Affine& c_from_b, const Affine& b_from_a) {
  const cv::Matx22d turn = c_from_b.get_minor<2, 2>(0, 0) * b_from_a.get_minor<2, 2>(0, 0);
  const cv::Point2d shift = moved(c_from_b, b_from_a(0, 2), b_from_a(1, 2));
  return {turn(0, 0), turn(0, 1), shift.x, turn(1, 0), turn(1, 1), shift.y};
}

Affine inverse(const Affine& b_from_a) {
  const cv::Matx22d turn = b_from_a.get_minor<2, 2>(0, 0).inv();
  const cv::Vec2d shift = turn * cv::Vec2d(b_from_a(0, 2), b_from_a(1, 2));
  return {turn(0, 0), turn(0, 1), -shift[0], turn(1, 0), turn(1, 1), -shift[1]};
}

Affine scaled_motion(const Affine& b_from_a, double factor) {
  // A pixel's centre stands half a pixel from the corner that both sizes share.
  const auto to_large = [&](double value) { return factor * (value + 0.5) - 0.5; };
  const cv::Point2d corner = moved(b_from_a, 0.5 / factor - 0.5, 0.5 / factor - 0.5);
  return {b_from_a(0, 0), b_from_a(0, 1), to_large(corner.x),
          b_from_a(1, 0), b_from_a(1, 1), to_large(corner.y)};
}

std::optional<Affine> global_motion(const cv::Mat& luma_a, const cv::Mat& luma_b,
                                    const cv::Mat& weight_a) {
  const bool weighted = !weight_a.empty();
  if (luma_a.type() != CV_32FC1 || luma_b.type() != CV_32FC1 || luma_a.size() != luma_b.size() ||
      luma_a.empty() ||
      (weighted && (weight_a.type() != CV_32FC1 || weight_a.size() != luma_a.size()))) {
    throw std::invalid_argument("motion is found between CV_32FC1 luma of one size");
  }
  const std::vector<cv::Mat> levels_a = pyramid_of(luma_a);
  const std::vector<cv::Mat> levels_b = pyramid_of(luma_b);
  Estimate estimate{identity_motion()};
  estimate.offset = cv::mean(luma_a)[0] - cv::mean(luma_b)[0];
  Fit fit;
  bool aligned = false;
  for (std::size_t level = levels_a.size(); level-- > 0;) {
    cv::Mat weight;
    if (weighted) cv::resize(weight_a, weight, levels_a[level].size(), 0, 0, cv::INTER_AREA);
    Aligner aligner(levels_a[level], weight, levels_b[level]);
    if (aligner.has_texture()) {
      const bool first = !aligned;
      aligned = (!first || aligner.align(Freedom::kShift, estimate)) &&
                aligner.align(Freedom::kAffine, estimate);
      if (!aligned || !is_plausible(estimate.motion)) return std::nullopt;
      fit = aligner.fit();
    }
    if (level > 0) {
      const double factor = static_cast<double>(levels_a[level - 1].cols) / levels_a[level].cols;
      // pyrDown keeps the centre of the first pixel.
      estimate.motion(0, 2) *= factor;
      estimate.motion(1, 2) *= factor;
    }
  }
  const bool explained = fit.inliers >= kLeastInliers && fit.residual <= kMostResidual;
  return aligned && explained ? std::optional(estimate.motion) : std::nullopt;
}

}  // namespace vergence::stereo
