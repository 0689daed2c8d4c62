// SPDX-License-Identifier: Apache-2.0
// Depth quantities. Each meaning is a type of its own around a CV_32FC1 matrix [height, width] in
// which NaN marks an invalid pixel; only named functions turn one into another, so that mixing two
// meanings up does not compile. The types, with their words in configuration and sidecars:
//
// - Disparity (disparity): a network's relative inverse planar depth; affine, larger = nearer.
// - LogDisparity (log_disparity): natural logarithm of such a disparity.
// - InverseDistance (inverse_distance): 1 / ray distance, 1/m, or up to one scale.
// - RayDistance (distance): metres along the ray, or up to one scale.
// - PlanarDepth (planar_depth): metres along the view axis.
// - PlanarDepthAffine (planar_depth_affine): planar depth up to scale and shift.
// - PixelDisparity (disparity_px): left-to-right shift of a stereo pair, pixels of its picture.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <opencv2/core.hpp>

namespace vergence {

enum class DepthKind {
  kDisparity,
  kLogDisparity,
  kInverseDistance,
  kDistance,
  kPlanarDepth,
  kPlanarDepthAffine,
  kPixelDisparity,
};

// The word for a kind in configuration, sidecars and messages ("distance").
[[nodiscard]] std::string_view to_string(DepthKind kind);

// The kind for a word; nothing if the word is not one of them.
[[nodiscard]] std::optional<DepthKind> depth_kind_from_string(std::string_view word);

// A map of one depth quantity. A cheap handle: copies share pixels, as cv::Mat does.
template <DepthKind kKindOfMap>
class DepthMap {
 public:
  static constexpr DepthKind kKind = kKindOfMap;

  DepthMap() = default;

  // Takes a CV_32FC1 matrix (an empty one too); throws std::invalid_argument for any other type.
  explicit DepthMap(cv::Mat values) : values_(std::move(values)) {
    if (!values_.empty() && values_.type() != CV_32FC1) {
      throw std::invalid_argument("a depth map holds CV_32FC1 values");
    }
  }

  [[nodiscard]] const cv::Mat& values() const { return values_; }

  [[nodiscard]] cv::Mat& values() { return values_; }

  [[nodiscard]] int width() const { return values_.cols; }

  [[nodiscard]] int height() const { return values_.rows; }

  [[nodiscard]] bool empty() const { return values_.empty(); }

 private:
  cv::Mat values_;
};

using Disparity = DepthMap<DepthKind::kDisparity>;
using LogDisparity = DepthMap<DepthKind::kLogDisparity>;
using InverseDistance = DepthMap<DepthKind::kInverseDistance>;
using RayDistance = DepthMap<DepthKind::kDistance>;
using PlanarDepth = DepthMap<DepthKind::kPlanarDepth>;
using PlanarDepthAffine = DepthMap<DepthKind::kPlanarDepthAffine>;
using PixelDisparity = DepthMap<DepthKind::kPixelDisparity>;

// A map whose meaning is known only at run time: what a network gives or a file holds.
using AnyDepth = std::variant<Disparity, LogDisparity, InverseDistance, RayDistance, PlanarDepth,
                              PlanarDepthAffine, PixelDisparity>;

// Wraps a CV_32FC1 matrix in the type of `kind`.
[[nodiscard]] AnyDepth make_depth(DepthKind kind, cv::Mat values);

[[nodiscard]] DepthKind kind_of(const AnyDepth& depth);

// The pixels, whatever they mean.
[[nodiscard]] const cv::Mat& values_of(const AnyDepth& depth);

// 1/x per pixel; values that are not finite and > 0 become NaN.
[[nodiscard]] InverseDistance inverse_distance_from_distance(const RayDistance& distance);
[[nodiscard]] RayDistance distance_from_inverse_distance(const InverseDistance& inverse);

// exp(x) per pixel.
[[nodiscard]] Disparity disparity_from_log_disparity(const LogDisparity& log_disparity);

}  // namespace vergence
