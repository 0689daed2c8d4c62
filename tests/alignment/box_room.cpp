// SPDX-License-Identifier: Apache-2.0
#include "tests/alignment/box_room.hpp"

#include <algorithm>
#include <cmath>

#include <opencv2/imgproc.hpp>

namespace vergence::alignment::test {
namespace {

using Eigen::Vector3d;
using projection::TangentView;

template <class Function>
cv::Mat per_pixel(const TangentView& view, Function function) {
  cv::Mat map(view.height, view.width, CV_32FC1);
  for (int y = 0; y < view.height; ++y) {
    for (int x = 0; x < view.width; ++x) {
      const Vector3d ray = projection::ray_at(view, x + 0.5, y + 0.5);
      map.at<float>(y, x) = static_cast<float>(function(ray));
    }
  }
  return map;
}

}  // namespace

double BoxRoom::distance(const Vector3d& direction) const {
  const double up = direction.y() > 0.0 ? ceiling : floor;
  const auto along = [](double extent, double component) {
    return extent / std::max(std::abs(component), 1e-9);
  };
  return std::min({along(half_width, direction.x()), along(up, direction.y()),
                   along(half_length, direction.z())});
}

cv::Mat BoxRoom::panorama(const projection::SphereWindow& window) const {
  cv::Mat map(window.height, window.width, CV_32FC1);
  for (int y = 0; y < window.height; ++y) {
    for (int x = 0; x < window.width; ++x) {
      map.at<float>(y, x) =
          static_cast<float>(distance(projection::direction_at(window, x + 0.5, y + 0.5)));
    }
  }
  return map;
}

AnyDepth exact_map(const BoxRoom& room, const TangentView& view, DepthKind kind) {
  return make_depth(kind, per_pixel(view, [&](const Vector3d& ray) {
                      const double rho = room.distance(view.world_from_view * ray.normalized());
                      switch (kind) {
                        case DepthKind::kDistance:
                          return rho;
                        case DepthKind::kInverseDistance:
                          return 1.0 / rho;
                        case DepthKind::kPlanarDepth:
                          return rho / ray.norm();
                        case DepthKind::kPlanarDepthAffine:
                          return 0.4 * rho / ray.norm() - 0.3;
                        case DepthKind::kLogDisparity:
                          return std::log(ray.norm() / rho);
                        default:
                          return ray.norm() / rho;
                      }
                    }));
}

std::vector<ViewDepth> simulate_disparity(const BoxRoom& room,
                                          const std::vector<TangentView>& views,
                                          const Simulation& simulation) {
  std::mt19937 random(simulation.seed);
  std::normal_distribution<float> normal(0.0F, 1.0F);
  std::uniform_real_distribution<float> scale(0.5F, 20.0F);
  std::uniform_real_distribution<float> shift(-1.0F, 1.0F);
  std::vector<ViewDepth> result;
  for (const auto& view : views) {
    cv::Mat map = values_of(exact_map(room, view, DepthKind::kDisparity)).clone();
    cv::Mat control(4, 4, CV_32FC1);
    for (int i = 0; i < 16; ++i) {
      control.at<float>(i / 4, i % 4) =
          static_cast<float>(simulation.smooth_error) * normal(random);
    }
    cv::Mat error;
    cv::resize(control, error, map.size(), 0.0, 0.0, cv::INTER_CUBIC);
    const float a = scale(random);
    const float b = shift(random);
    for (int y = 0; y < map.rows; ++y) {
      for (int x = 0; x < map.cols; ++x) {
        auto& value = map.at<float>(y, x);
        value = a * (value * (1.0F + error.at<float>(y, x)) +
                     static_cast<float>(simulation.noise) * normal(random)) +
                b;
      }
    }
    result.push_back({view, Disparity(map), {}});
  }
  return result;
}

double relative_error(const cv::Mat& actual, const cv::Mat& expected, bool free_scale) {
  std::vector<double> ratios;
  for (int y = 0; y < actual.rows; ++y) {
    for (int x = 0; x < actual.cols; ++x) {
      const double ratio = actual.at<float>(y, x) / expected.at<float>(y, x);
      if (std::isfinite(ratio)) ratios.push_back(ratio);
    }
  }
  if (ratios.empty()) return std::numeric_limits<double>::infinity();
  auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
  std::nth_element(ratios.begin(), middle, ratios.end());
  const double factor = free_scale ? *middle : 1.0;
  double sum = 0.0;
  double total = 0.0;
  for (int y = 0; y < actual.rows; ++y) {
    const double weight = std::cos(kPi / 2.0 - (y + 0.5) / actual.rows * kPi);
    for (int x = 0; x < actual.cols; ++x) {
      const double ratio = actual.at<float>(y, x) / expected.at<float>(y, x) / factor;
      if (!std::isfinite(ratio)) continue;
      sum += weight * std::abs(ratio - 1.0);
      total += weight;
    }
  }
  return sum / total;
}

}  // namespace vergence::alignment::test
