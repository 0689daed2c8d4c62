// SPDX-License-Identifier: Apache-2.0
#include "alignment/observations.hpp"

#include "core/error.hpp"
#include "core/statistics.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::alignment {
namespace {

using Eigen::Vector3d;

std::vector<float> finite_values(const cv::Mat& map, const cv::Mat& valid) {
  std::vector<float> values;
  values.reserve(map.total());
  for (int y = 0; y < map.rows; ++y) {
    for (int x = 0; x < map.cols; ++x) {
      const float value = map.at<float>(y, x);
      if (std::isfinite(value) && valid.at<unsigned char>(y, x) != 0) values.push_back(value);
    }
  }
  return values;
}

// The map as it enters the affine model of its domain: what is affine (or proportional) to inverse
// planar depth in the inverse domain, planar depth in the forward domain.
cv::Mat model_values(const ViewDepth& input) {
  const cv::Mat& map = values_of(input.depth);
  const auto view = input.view.resized(map.cols, map.rows);
  const auto per_pixel = [&](auto function) {
    cv::Mat result(map.size(), CV_32FC1);
    for (int y = 0; y < map.rows; ++y) {
      for (int x = 0; x < map.cols; ++x) {
        const double length = projection::ray_at(view, x + 0.5, y + 0.5).norm();
        result.at<float>(y, x) = function(map.at<float>(y, x), static_cast<float>(length));
      }
    }
    return result;
  };
  switch (kind_of(input.depth)) {
    case DepthKind::kLogDisparity:
      return disparity_from_log_disparity(std::get<LogDisparity>(input.depth)).values();
    case DepthKind::kInverseDistance:
      return per_pixel([](float q, float length) { return q >= 0.0F ? q * length : NAN; });
    case DepthKind::kDistance:
      return per_pixel([](float rho, float length) { return rho > 0.0F ? length / rho : NAN; });
    case DepthKind::kPlanarDepth:
      return per_pixel([](float z, float) { return z > 0.0F ? 1.0F / z : NAN; });
    default:
      return map.clone();
  }
}

// exp(-|gradient| / k): what lies on a depth edge is not to be trusted to a pixel. k = 0.5
// deviations.
cv::Mat edge_confidence(const cv::Mat& normalised) {
  constexpr float kSteep = 0.5F;
  cv::Mat across;
  cv::Mat down;
  cv::Sobel(normalised, across, CV_32F, 1, 0, 3, 0.125);
  cv::Sobel(normalised, down, CV_32F, 0, 1, 3, 0.125);
  cv::Mat slope;
  cv::magnitude(across, down, slope);
  cv::Mat confidence;
  cv::exp(slope * (-1.0F / kSteep), confidence);
  return confidence;
}

PreparedView prepare(const ViewDepth& input, bool free_shift) {
  PreparedView result;
  cv::Mat map = model_values(input);
  result.view = input.view.resized(map.cols, map.rows);
  result.free_shift = free_shift;
  cv::Mat valid(map.size(), CV_8UC1, cv::Scalar(255));
  if (!input.valid.empty()) cv::resize(input.valid, valid, map.size(), 0, 0, cv::INTER_NEAREST);
  auto values = finite_values(map, valid);
  if (values.empty()) return result;  // nothing of this view is inside the picture
  const double middle = quantile_in_place(values, 0.5);
  const double far_value = quantile_in_place(values, 0.02);
  for (auto& value : values) value = std::abs(value - static_cast<float>(middle));
  const double deviation = cv::mean(values)[0];
  result.centre = free_shift ? middle : 0.0;
  result.spread = free_shift ? deviation : std::abs(middle);
  if (!(result.spread > 1e-12)) result.spread = 1.0;
  result.far_value = (far_value - result.centre) / result.spread;
  for (int y = 0; y < map.rows; ++y) {
    for (int x = 0; x < map.cols; ++x) {
      const bool usable = std::isfinite(map.at<float>(y, x)) && valid.at<unsigned char>(y, x) != 0;
      if (!usable) map.at<float>(y, x) = static_cast<float>(middle);
      valid.at<unsigned char>(y, x) = usable ? 255 : 0;
    }
  }
  result.normalised = (map - result.centre) / result.spread;
  result.confidence = edge_confidence(result.normalised);
  result.confidence.setTo(0.0, valid == 0);
  return result;
}

// A network without views yet, of the kind of one of its views.
PreparedViews network_of(const ViewDepth& view) {
  const DepthKind kind = kind_of(view.depth);
  PreparedViews result;
  result.domain = kind == DepthKind::kPlanarDepthAffine ? FitDomain::kForward : FitDomain::kInverse;
  result.metric = kind == DepthKind::kInverseDistance || kind == DepthKind::kDistance ||
                  kind == DepthKind::kPlanarDepth;
  result.in_metres = result.metric && view.in_metres;
  result.network = view.network;
  return result;
}

}  // namespace

std::vector<PreparedViews> prepare_networks(std::span<const ViewDepth> views) {
  if (views.empty()) throw Error("there are no views to align");
  std::vector<PreparedViews> networks;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const auto& view = views[i];
    const DepthKind kind = kind_of(view.depth);
    auto same = std::find_if(networks.begin(), networks.end(),
                             [&](const auto& other) { return other.network == view.network; });
    if (same == networks.end()) {
      networks.push_back(network_of(view));
      same = networks.end() - 1;
    }
    const auto& first = same->position.empty() ? view : views[same->position.front()];
    if (kind != kind_of(first.depth) || kind == DepthKind::kPixelDisparity) {
      throw Error(fmt::format("the map of '{}' is of kind '{}'", view.view.name, to_string(kind)))
          .hint("all views of one network must be of one kind, and not disparity_px");
    }
    if (values_of(view.depth).empty()) {
      throw Error(fmt::format("the map of '{}' is empty", view.view.name));
    }
    same->views.push_back(prepare(view, !same->metric));
    same->position.push_back(i);
  }
  return networks;
}

Vector3d lattice_direction(int k, int count) {
  const double golden_angle = kPi * (3.0 - std::sqrt(5.0));
  const double height = 1.0 - (2.0 * k + 1.0) / count;
  const double ring = std::sqrt(1.0 - height * height);
  return {ring * std::cos(golden_angle * k), height, ring * std::sin(golden_angle * k)};
}

Observations observe(const PreparedViews& views, int num_samples, const cv::Mat& excluded) {
  Observations result;
  result.first.push_back(0);
  const auto sphere =
      projection::SphereWindow::whole(std::max(1, excluded.cols), std::max(1, excluded.rows));
  for (int k = 0; k < num_samples; ++k) {
    const Vector3d direction = lattice_direction(k, num_samples);
    if (!excluded.empty()) {
      const auto pixel = projection::pixel_of(sphere, direction);
      const int x = std::clamp(static_cast<int>(pixel.x()), 0, excluded.cols - 1);
      const int y = std::clamp(static_cast<int>(pixel.y()), 0, excluded.rows - 1);
      if (excluded.at<unsigned char>(y, x) != 0) continue;
    }
    const std::size_t before = result.all.size();
    for (std::size_t i = 0; i < views.views.size(); ++i) {
      const auto& view = views.views[i];
      if (view.normalised.empty()) continue;
      const auto pixel = projection::project(view.view, direction);
      if (!pixel) continue;
      const float cosine = static_cast<float>(-view.view.world_from_view.col(2).dot(direction));
      const int x = std::clamp(static_cast<int>(pixel->x()), 0, view.view.width - 1);
      const int y = std::clamp(static_cast<int>(pixel->y()), 0, view.view.height - 1);
      const auto u = static_cast<float>(pixel->x() / view.view.width);
      const auto v = static_cast<float>(pixel->y() / view.view.height);
      const float confidence = view.confidence.at<float>(y, x);
      if (confidence <= 0.0F) continue;
      result.all.push_back({.view = static_cast<int>(i),
                            .value = view.normalised.at<float>(y, x),
                            .factor = views.domain == FitDomain::kInverse ? cosine : 1.0F / cosine,
                            .confidence = confidence,
                            .u = u,
                            .v = v});
    }
    if (result.all.size() - before < 2) {
      result.all.resize(before);
      continue;
    }
    result.directions.emplace_back(direction.cast<float>());
    result.first.push_back(static_cast<int>(result.all.size()));
  }
  return result;
}

}  // namespace vergence::alignment
