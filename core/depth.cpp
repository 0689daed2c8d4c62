// SPDX-License-Identifier: Apache-2.0
#include "core/depth.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace vergence {
namespace {

constexpr std::array<std::pair<DepthKind, std::string_view>, 7> kKindNames{{
    {DepthKind::kDisparity, "disparity"},
    {DepthKind::kLogDisparity, "log_disparity"},
    {DepthKind::kInverseDistance, "inverse_distance"},
    {DepthKind::kDistance, "distance"},
    {DepthKind::kPlanarDepth, "planar_depth"},
    {DepthKind::kPlanarDepthAffine, "planar_depth_affine"},
    {DepthKind::kPixelDisparity, "disparity_px"},
}};

template <class Function>
cv::Mat map_pixels(const cv::Mat& source, Function function) {
  cv::Mat result(source.size(), CV_32FC1);
  for (int y = 0; y < source.rows; ++y) {
    const auto* from = source.ptr<float>(y);
    auto* to = result.ptr<float>(y);
    for (int x = 0; x < source.cols; ++x) to[x] = function(from[x]);
  }
  return result;
}

float reciprocal(float value) {
  return std::isfinite(value) && value > 0.0F ? 1.0F / value
                                              : std::numeric_limits<float>::quiet_NaN();
}

template <std::size_t kIndex = 0>
AnyDepth make_alternative(DepthKind kind, cv::Mat values) {
  if constexpr (kIndex == std::variant_size_v<AnyDepth>) {
    throw std::invalid_argument("not a depth kind");
  } else {
    using Map = std::variant_alternative_t<kIndex, AnyDepth>;
    if (Map::kKind == kind) return Map(std::move(values));
    return make_alternative<kIndex + 1>(kind, std::move(values));
  }
}

}  // namespace

std::string_view to_string(DepthKind kind) {
  for (const auto& [candidate, name] : kKindNames) {
    if (candidate == kind) return name;
  }
  return "unknown";
}

std::optional<DepthKind> depth_kind_from_string(std::string_view word) {
  for (const auto& [kind, name] : kKindNames) {
    if (name == word) return kind;
  }
  return std::nullopt;
}

AnyDepth make_depth(DepthKind kind, cv::Mat values) {
  return make_alternative(kind, std::move(values));
}

DepthKind kind_of(const AnyDepth& depth) {
  return std::visit([](const auto& map) { return map.kKind; }, depth);
}

const cv::Mat& values_of(const AnyDepth& depth) {
  return std::visit([](const auto& map) -> const cv::Mat& { return map.values(); }, depth);
}

InverseDistance inverse_distance_from_distance(const RayDistance& distance) {
  return InverseDistance(map_pixels(distance.values(), reciprocal));
}

RayDistance distance_from_inverse_distance(const InverseDistance& inverse) {
  return RayDistance(map_pixels(inverse.values(), reciprocal));
}

Disparity disparity_from_log_disparity(const LogDisparity& log_disparity) {
  return Disparity(map_pixels(log_disparity.values(), [](float v) { return std::exp(v); }));
}

}  // namespace vergence
