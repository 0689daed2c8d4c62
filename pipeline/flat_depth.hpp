// SPDX-License-Identifier: Apache-2.0
// What one picture's map alone can say about distances.
#pragma once

#include "core/angle.hpp"
#include "core/depth.hpp"

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// The rays of a flat photo's pixels, and the size of the wanted map.
struct PhotoRays {
  Radians fov_x;  // edge to edge
  Radians fov_y;
  cv::Size size;
};

// A relative disparity has an unknown factor and an unknown offset. One view cannot tell the
// offset, so it is set by a rule: what lies at the 1 % quantile (the farthest) is kFarToMedian
// times as far as the median. Nearer to zero than a quarter of that no value gets, so that nothing
// is infinitely far.
inline constexpr double kFarToMedian = 20.0;

// `disparity` with that offset, up to a factor; > 0 wherever it was finite, else NaN. A map without
// variation becomes 1 everywhere.
[[nodiscard]] cv::Mat offset_by_far_quantile(const cv::Mat& disparity);

// Ray distances of a flat photo from a map of any kind but disparity_px that covers it edge to
// edge; bilinear in inverse planar depth. Kinds without an offset get one: disparities as above, a
// planar_depth_affine so that its 1 % quantile (the nearest) is a fifth of its median. The result
// is up to a factor unless the map was in metres.
[[nodiscard]] RayDistance distance_in_photo(const AnyDepth& depth, const PhotoRays& rays);

// Distances along the view axis from those along the rays, at the map's own size.
[[nodiscard]] PlanarDepth planar_depth_in_photo(const RayDistance& distance, const PhotoRays& rays);

// Ray distances of a panorama from one map over the whole of it: distance, inverse_distance, or a
// disparity or log_disparity, which is then taken for a relative inverse *distance*. Throws
// Error(kUsage) for kinds that speak of a view's axis.
[[nodiscard]] RayDistance distance_in_panorama(const AnyDepth& depth);

// The value below which `share` (0-1) of the finite values lie; NaN if there are none.
[[nodiscard]] double quantile(const cv::Mat& values, double share);

// Multiplies a map so that its median is `median`. A map without values stays as it is.
void set_median(RayDistance& distance, double median);

}  // namespace vergence::pipeline
