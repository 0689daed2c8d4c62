// SPDX-License-Identifier: Apache-2.0
#include "evaluation/stereo_metrics.hpp"

#include "core/error.hpp"
#include "core/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::evaluation {
namespace {

void require_same(const cv::Mat& view, const cv::Mat& other, const char* what) {
  if (view.size() == other.size() && view.type() == CV_8UC3 && other.type() == CV_8UC3) return;
  throw Error(fmt::format("the view has {} x {} pixels and the {} {} x {}, or one is not 8-bit RGB",
                          view.cols, view.rows, what, other.cols, other.rows));
}

double largest_disparity(const cv::Mat& disparity) {
  double largest = 0.0;
  for (int y = 0; y < disparity.rows; ++y) {
    const float* const row = disparity.ptr<float>(y);
    for (int x = 0; x < disparity.cols; ++x) {
      if (std::isfinite(row[x])) largest = std::max(largest, static_cast<double>(row[x]));
    }
  }
  return largest;
}

cv::Rect inner_rect(const StereoReference& known, cv::Size size) {
  const double strip = std::min(largest_disparity(known.disparity_px) + 2.0, 1.0 * size.width);
  const int hidden = static_cast<int>(strip);
  const int left = known.eye == Eye::kLeft ? hidden : 0;
  return {left, 0, size.width - hidden, size.height};
}

std::optional<double> psnr(const cv::Mat& a, const cv::Mat& b, const cv::Mat& mask) {
  const int count = cv::countNonZero(mask);
  if (count == 0) return std::nullopt;
  const double squares = cv::norm(a, b, cv::NORM_L2SQR, mask);
  if (squares == 0.0) return std::numeric_limits<double>::infinity();
  return 10.0 * std::log10(255.0 * 255.0 * 3.0 * count / squares);
}

// Mean of the SSIM map inside `inner`, over the channels.
double ssim(const cv::Mat& view, const cv::Mat& reference, const cv::Rect& inner) {
  const auto blur = [](const cv::Mat& values) {
    cv::Mat blurred;
    cv::GaussianBlur(values, blurred, {11, 11}, 1.5);
    return blurred;
  };
  constexpr double kC1 = (0.01 * 255.0) * (0.01 * 255.0);
  constexpr double kC2 = (0.03 * 255.0) * (0.03 * 255.0);
  cv::Mat a;
  cv::Mat b;
  view.convertTo(a, CV_64F);
  reference.convertTo(b, CV_64F);
  const cv::Mat mean_a = blur(a);
  const cv::Mat mean_b = blur(b);
  const cv::Mat aa = mean_a.mul(mean_a);
  const cv::Mat bb = mean_b.mul(mean_b);
  const cv::Mat ab = mean_a.mul(mean_b);
  const cv::Mat variances = blur(a.mul(a)) - aa + blur(b.mul(b)) - bb;
  const cv::Mat covariance = blur(a.mul(b)) - ab;
  const auto plus = [](const cv::Mat& values, double constant) {
    return cv::Mat(values + cv::Scalar::all(constant));
  };
  const cv::Mat numerator = plus(2.0 * ab, kC1).mul(plus(2.0 * covariance, kC2));
  const cv::Mat denominator = plus(aa + bb, kC1).mul(plus(variances, kC2));
  const cv::Mat map = numerator / denominator;
  const cv::Scalar mean = cv::mean(map(inner));
  return (mean[0] + mean[1] + mean[2]) / 3.0;
}

// Of two masks; 1 if both are empty.
double intersection_over_union(const cv::Mat& a, const cv::Mat& b) {
  const int either = cv::countNonZero(a | b);
  return either == 0 ? 1.0 : static_cast<double>(cv::countNonZero(a & b)) / either;
}

double siou(const cv::Mat& view, const cv::Mat& reference, const cv::Mat& source) {
  cv::Mat grey_view;
  cv::Mat grey_reference;
  cv::Mat grey_source;
  cv::cvtColor(view, grey_view, cv::COLOR_RGB2GRAY);
  cv::cvtColor(reference, grey_reference, cv::COLOR_RGB2GRAY);
  cv::cvtColor(source, grey_source, cv::COLOR_RGB2GRAY);
  cv::Mat edges_view;
  cv::Mat edges_reference;
  cv::Canny(grey_view, edges_view, 100.0, 200.0);
  cv::Canny(grey_reference, edges_reference, 100.0, 200.0);
  const auto moved = [&](const cv::Mat& grey) {
    cv::Mat difference;
    cv::absdiff(grey, grey_source, difference);
    return cv::Mat(difference > 5);
  };
  return 0.75 * intersection_over_union(edges_view, edges_reference) +
         0.25 * intersection_over_union(moved(grey_view), moved(grey_reference));
}

constexpr int kBlock = 24;
constexpr int kRowReach = 4;

// The vertical offset of one block of the left picture in the right one, if it is found.
std::optional<double> match_block(const cv::Mat& left, const cv::Mat& right, cv::Rect block,
                                  int reach) {
  constexpr double kLeastTexture = 8.0;  // standard deviation, levels
  constexpr double kLeastMatch = 0.8;    // correlation
  cv::Scalar mean;
  cv::Scalar deviation;
  cv::meanStdDev(left(block), mean, deviation);
  if (deviation[0] < kLeastTexture) return std::nullopt;
  const cv::Rect around(block.x - reach, block.y - kRowReach, block.width + 2 * reach,
                        block.height + 2 * kRowReach);
  const cv::Rect inside = around & cv::Rect({0, 0}, right.size());
  if (inside.height < around.height) return std::nullopt;
  cv::Mat scores;
  cv::matchTemplate(right(inside), left(block), scores, cv::TM_CCOEFF_NORMED);
  double best = 0.0;
  cv::Point at;
  cv::minMaxLoc(scores, nullptr, &best, nullptr, &at);
  if (best < kLeastMatch || at.y == 0 || at.y == scores.rows - 1) return std::nullopt;
  const double above = scores.at<float>(at.y - 1, at.x);
  const double below = scores.at<float>(at.y + 1, at.x);
  const double curvature = above - 2.0 * best + below;
  const double part = curvature < 0.0 ? 0.5 * (above - below) / curvature : 0.0;
  return at.y - kRowReach + part;
}

}  // namespace

cv::Mat disoccluded_pixels(const cv::Mat& disparity_px, Eye eye) {
  const int width = disparity_px.cols;
  cv::Mat mask(disparity_px.size(), CV_8UC1, cv::Scalar(255));
  for (int y = 0; y < mask.rows; ++y) {
    const float* const row = disparity_px.ptr<float>(y);
    unsigned char* const out = mask.ptr(y);
    for (int x = 0; x < width; ++x) {
      const float target = static_cast<float>(x) + (eye == Eye::kRight ? -row[x] : row[x]);
      if (!(target > -2.0F && target < static_cast<float>(width) + 1.0F)) continue;
      // Of an integer target the neighbour on the side of the source.
      const int hit =
          static_cast<int>(eye == Eye::kRight ? std::floor(target) : std::ceil(target) - 1.0F);
      if (hit >= 0 && hit < width) out[hit] = 0;
      if (hit + 1 >= 0 && hit + 1 < width) out[hit + 1] = 0;
    }
  }
  return mask;
}

StereoMetrics compare_views(const cv::Mat& view, const cv::Mat& reference,
                            const StereoReference& known) {
  require_same(view, reference, "reference");
  cv::Rect inner({0, 0}, view.size());
  StereoMetrics metrics;
  metrics.psnr =
      psnr(view, reference, cv::Mat(view.size(), CV_8UC1, cv::Scalar(255))).value_or(0.0);
  if (!known.disparity_px.empty()) {
    if (known.disparity_px.size() != view.size() || known.disparity_px.type() != CV_32FC1) {
      throw Error("the disparity has another size than the view");
    }
    inner = inner_rect(known, view.size());
  }
  if (inner.width == 0) return metrics;
  if (!known.disparity_px.empty()) {
    const cv::Mat holes = disoccluded_pixels(known.disparity_px, known.eye)(inner);
    const cv::Mat all(inner.size(), CV_8UC1, cv::Scalar(255));
    metrics.psnr_inner = psnr(view(inner), reference(inner), all);
    metrics.psnr_visible = psnr(view(inner), reference(inner), ~holes);
    metrics.psnr_disoccluded = psnr(view(inner), reference(inner), holes);
    metrics.disoccluded_share = static_cast<double>(cv::countNonZero(holes)) / inner.area();
  }
  metrics.ssim = ssim(view, reference, inner);
  if (!known.source.empty()) {
    require_same(view, known.source, "source");
    metrics.siou = siou(view(inner), reference(inner), known.source(inner));
  }
  return metrics;
}

std::optional<VerticalDisparity> measure_vertical_disparity(const cv::Mat& left,
                                                            const cv::Mat& right, int reach_px) {
  require_same(left, right, "other eye's");
  cv::Mat grey_left;
  cv::Mat grey_right;
  cv::cvtColor(left, grey_left, cv::COLOR_RGB2GRAY);
  cv::cvtColor(right, grey_right, cv::COLOR_RGB2GRAY);
  // About 20 x 12 blocks, however large the picture is.
  const int across = std::max(kBlock, left.cols / 20);
  const int down = std::max(kBlock, left.rows / 12);
  std::vector<double> offsets;
  for (int y = 0; y + kBlock <= left.rows; y += down) {
    for (int x = 0; x + kBlock <= left.cols; x += across) {
      const auto offset = match_block(grey_left, grey_right, {x, y, kBlock, kBlock}, reach_px);
      if (offset) offsets.push_back(*offset);
    }
  }
  constexpr std::size_t kFewest = 8;
  if (offsets.size() < kFewest) return std::nullopt;
  VerticalDisparity result;
  result.num_blocks = static_cast<int>(offsets.size());
  for (const double offset : offsets) result.mean_absolute_px += std::abs(offset);
  result.mean_absolute_px /= result.num_blocks;
  result.median_px = quantile_in_place(offsets, 0.5);
  return result;
}

}  // namespace vergence::evaluation
