// SPDX-License-Identifier: Apache-2.0
#include "pipeline/flat_depth.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// result = f(value, x, y) for every pixel.
template <class Function>
cv::Mat map_pixels(const cv::Mat& values, const Function& f) {
  cv::Mat result(values.size(), CV_32FC1);
  parallel_for(0, values.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const auto* from = values.ptr<float>(y);
      auto* to = result.ptr<float>(y);
      for (int x = 0; x < values.cols; ++x) to[x] = static_cast<float>(f(from[x], x, y));
    }
  });
  return result;
}

cv::Mat reciprocal(const cv::Mat& values) {
  return inverse_distance_from_distance(RayDistance(values)).values();
}

// Length of the ray with z = -1 through a pixel of a map of `size`.
double ray_length(const PhotoRays& rays, cv::Size size, int x, int y) {
  const double across = (2.0 * (x + 0.5) / size.width - 1.0) * std::tan(rays.fov_x.value() / 2.0);
  const double up = (1.0 - 2.0 * (y + 0.5) / size.height) * std::tan(rays.fov_y.value() / 2.0);
  return std::sqrt(across * across + up * up + 1.0);
}

cv::Mat inverse_planar_depth(const AnyDepth& depth, const PhotoRays& rays) {
  const auto& values = values_of(depth);
  switch (kind_of(depth)) {
    case DepthKind::kDisparity:
      return offset_by_far_quantile(values);
    case DepthKind::kLogDisparity:
      return offset_by_far_quantile(
          disparity_from_log_disparity(std::get<LogDisparity>(depth)).values());
    case DepthKind::kInverseDistance:
      return map_pixels(values, [&](float inverse, int x, int y) {
        return inverse * ray_length(rays, values.size(), x, y);
      });
    case DepthKind::kDistance:
      return map_pixels(reciprocal(values), [&](float inverse, int x, int y) {
        return inverse * ray_length(rays, values.size(), x, y);
      });
    case DepthKind::kPlanarDepth:
      return reciprocal(values);
    case DepthKind::kPlanarDepthAffine: {
      const double nearest = quantile(values, 0.01);
      const double offset = (quantile(values, 0.5) - nearest) / 4.0 - nearest;
      return map_pixels(values, [&](float z, int, int) {
        return 1.0 / std::max(z + offset, (nearest + offset) / 4.0);
      });
    }
    case DepthKind::kPixelDisparity:
      break;
  }
  throw Error(ErrorCode::kUsage,
              "a map of pixel shifts (disparity_px) says nothing about one photo")
      .hint("give a map of another kind");
}

}  // namespace

double quantile(const cv::Mat& values, double share) {
  std::vector<float> finite;
  finite.reserve(values.total());
  for (int y = 0; y < values.rows; ++y) {
    const auto* row = values.ptr<float>(y);
    std::copy_if(row, row + values.cols, std::back_inserter(finite),
                 [](float value) { return std::isfinite(value); });
  }
  if (finite.empty()) return kNan;
  const auto rank = static_cast<std::ptrdiff_t>(
      std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(finite.size() - 1)));
  std::nth_element(finite.begin(), finite.begin() + rank, finite.end());
  return finite[static_cast<std::size_t>(rank)];
}

cv::Mat offset_by_far_quantile(const cv::Mat& disparity) {
  const double far = quantile(disparity, 0.01);
  const double range = quantile(disparity, 0.5) - far;
  if (!(range > 0.0)) {
    return map_pixels(disparity,
                      [](float value, int, int) { return std::isfinite(value) ? 1.0F : kNan; });
  }
  const double at_far = 1.0 / kFarToMedian;
  return map_pixels(disparity, [&](float value, int, int) {
    if (!std::isfinite(value)) return static_cast<double>(kNan);
    return std::max(at_far + (1.0 - at_far) * (value - far) / range, at_far / 4.0);
  });
}

RayDistance distance_in_photo(const AnyDepth& depth, const PhotoRays& rays) {
  cv::Mat inverse = inverse_planar_depth(depth, rays);
  if (inverse.size() != rays.size) {
    cv::resize(inverse, inverse, rays.size, 0, 0, cv::INTER_LINEAR);
  }
  return RayDistance(map_pixels(inverse, [&](float value, int x, int y) {
    return value > 0.0F && std::isfinite(value) ? ray_length(rays, rays.size, x, y) / value : kNan;
  }));
}

PlanarDepth planar_depth_in_photo(const RayDistance& distance, const PhotoRays& rays) {
  const auto& values = distance.values();
  return PlanarDepth(map_pixels(values, [&](float value, int x, int y) {
    return value / ray_length(rays, values.size(), x, y);
  }));
}

RayDistance distance_in_panorama(const AnyDepth& depth) {
  switch (kind_of(depth)) {
    case DepthKind::kDistance:
      return std::get<RayDistance>(depth);
    case DepthKind::kInverseDistance:
      return distance_from_inverse_distance(std::get<InverseDistance>(depth));
    case DepthKind::kDisparity:
      return distance_from_inverse_distance(
          InverseDistance(offset_by_far_quantile(values_of(depth))));
    case DepthKind::kLogDisparity:
      return distance_in_panorama(disparity_from_log_disparity(std::get<LogDisparity>(depth)));
    default:
      throw Error(ErrorCode::kUsage,
                  fmt::format("a panorama has no view axis, so its depth cannot be of kind '{}'",
                              to_string(kind_of(depth))))
          .hint("give input.depth_kind=distance or inverse_distance");
  }
}

void set_median(RayDistance& distance, double median) {
  const double now = quantile(distance.values(), 0.5);
  if (now > 0.0) distance.values() *= median / now;
}

}  // namespace vergence::pipeline
