// SPDX-License-Identifier: Apache-2.0
#include "alignment/sphere_fusion.hpp"

#include "alignment/sphere_poisson.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>

#include <opencv2/imgproc.hpp>

namespace vergence::alignment {

using projection::SphereWindow;

namespace {

// Gives pixels without data the smooth continuation of their surroundings: averages over ever
// coarser levels, filled in from the coarsest (Gortler et al., "The Lumigraph", SIGGRAPH 1996,
// pull-push).
void fill_gaps(cv::Mat& map, const cv::Mat& covered) {
  if (cv::countNonZero(covered) == static_cast<int>(covered.total())) return;
  cv::Mat weight;
  covered.convertTo(weight, CV_32FC1, 1.0 / 255.0);
  if (std::min(map.cols, map.rows) <= 1) {
    const double total = cv::sum(weight)[0];
    const double mean = total > 0.0 ? cv::sum(map.mul(weight))[0] / total : 0.0;
    map.setTo(mean, covered == 0);
    return;
  }
  const cv::Size half((map.cols + 1) / 2, (map.rows + 1) / 2);
  cv::Mat coarse;
  cv::Mat coarse_weight;
  cv::resize(map.mul(weight), coarse, half, 0.0, 0.0, cv::INTER_AREA);
  cv::resize(weight, coarse_weight, half, 0.0, 0.0, cv::INTER_AREA);
  const cv::Mat coarse_covered = coarse_weight > 1e-6;
  cv::divide(coarse, cv::max(coarse_weight, 1e-6), coarse);
  fill_gaps(coarse, coarse_covered);
  cv::Mat continued;
  cv::resize(coarse, continued, map.size(), 0.0, 0.0, cv::INTER_LINEAR);
  continued.copyTo(map, covered == 0);
}

// Inside the masked region and across its border the gradients become those of the base: what is
// there must not bend its surroundings, nor they it.
void ignore_gradients(BlendedRows& rows, const cv::Mat& masked) {
  parallel_for(0, masked.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const int next = std::min(y + 1, masked.rows - 1);
      const auto* here = masked.ptr(y);
      const auto* below = masked.ptr(next);
      const auto* base = rows.base.ptr<float>(y);
      const auto* base_below = rows.base.ptr<float>(next);
      auto* gx = rows.gradient_x.ptr<float>(y);
      auto* gy = rows.gradient_y.ptr<float>(y);
      for (int x = 0; x < masked.cols; ++x) {
        const int right = x + 1 == masked.cols ? 0 : x + 1;
        if (here[x] != 0 || here[right] != 0) gx[x] = base[right] - base[x];
        if (here[x] != 0 || below[x] != 0) gy[x] = base_below[x] - base[x];
      }
    }
  });
}

}  // namespace

cv::Mat mask_at(const cv::Mat& mask, cv::Size size) {
  cv::Mat result;
  cv::resize(mask, result, size, 0.0, 0.0, cv::INTER_LINEAR);
  return result > 127;
}

FusedSphere fuse_sphere(std::span<const BlendView> views, int width, int height, const cv::Mat& sky,
                        const FusionOptions& options) {
  BlendedRows rows = blend_rows(views, width, height, options.gradients);
  const cv::Mat sky_here = sky.empty() ? cv::Mat::zeros(rows.covered.size(), CV_8UC1)
                                       : mask_at(sky, rows.covered.size());
  fill_gaps(rows.base, rows.covered);
  if (!options.gradients) return {rows.base, rows.covered};
  ignore_gradients(rows, (rows.covered == 0) | sky_here);
  return {solve_sphere_poisson(rows.base, rows.gradient_x, rows.gradient_y, options.screening),
          rows.covered};
}

cv::Mat crop_sphere(const cv::Mat& sphere, const SphereWindow& window, int interpolation) {
  if (window.is_whole() && sphere.size() == cv::Size(window.width, window.height)) return sphere;
  const double factor_x = static_cast<double>(sphere.cols) / window.full_width;
  const double factor_y = static_cast<double>(sphere.rows) / window.full_height;
  cv::Mat columns(1, window.width, CV_32FC1);
  for (int x = 0; x < window.width; ++x) {
    columns.at<float>(0, x) =
        static_cast<float>(std::fmod((window.left + x + 0.5) * factor_x, sphere.cols) - 0.5 + 1.0);
  }
  // One column more on each side makes the interpolation wrap.
  cv::Mat padded;
  cv::copyMakeBorder(sphere, padded, 0, 0, 1, 1, cv::BORDER_WRAP);
  cv::Mat result(window.height, window.width, sphere.type());
  parallel_for(
      0, window.height,
      [&](int first, int last) {
        cv::Mat across;
        cv::Mat down(last - first, window.width, CV_32FC1);
        cv::repeat(columns, last - first, 1, across);
        for (int y = first; y < last; ++y) {
          down.row(y - first) = static_cast<float>((window.top + y + 0.5) * factor_y - 0.5);
        }
        cv::Mat part = result.rowRange(first, last);
        cv::remap(padded, part, across, down, interpolation, cv::BORDER_REPLICATE);
      },
      64);
  return result;
}

std::vector<float> values_even_by_area(const cv::Mat& map, const cv::Mat& usable,
                                       const SphereWindow& window) {
  std::vector<float> values;
  const int stride = std::max(1, window.width / 2048);
  for (int y = 0; y < map.rows; y += stride) {
    const double latitude = kPi / 2.0 - (window.top + y + 0.5) / window.full_height * kPi;
    const double step = stride / std::max(std::cos(latitude), 1e-3);
    for (double x = 0.0; x < map.cols; x += step) {
      const auto column = static_cast<int>(x);
      if (usable.at<unsigned char>(y, column) != 0) values.push_back(map.at<float>(y, column));
    }
  }
  return values;
}

void push_back_sky(cv::Mat& inverse, const cv::Mat& sky, float nearest, float far) {
  constexpr float kSureOfNearest = 0.1F;
  parallel_for(0, inverse.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      auto* row = inverse.ptr<float>(y);
      const auto* is_sky = sky.ptr(y);
      for (int x = 0; x < inverse.cols; ++x) {
        if (is_sky[x] == 0) continue;
        const float t =
            std::clamp((row[x] / nearest - kSureOfNearest) / (1.0F - kSureOfNearest), 0.0F, 1.0F);
        row[x] = far + t * t * (3.0F - 2.0F * t) * std::max(row[x] - far, 0.0F);
      }
    }
  });
}

}  // namespace vergence::alignment
