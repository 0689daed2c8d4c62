// SPDX-License-Identifier: Apache-2.0
// What is under the camera: how far the floor is, and what to put where the tripod stands.
#include "alignment/panorama_depth.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <Eigen/Cholesky>
#include <opencv2/imgproc.hpp>

namespace vergence::alignment {
namespace {

using Eigen::Vector3d;
using projection::SphereWindow;

constexpr double kFloorReach = 75.0;  // degrees from straight down in which the floor is looked for
constexpr double kNarrowest = 0.04;   // share of the samples that makes a level floor

// Calls function(direction, distance, solid angle) for valid pixels within `angle` of straight
// down, about one per half degree.
template <class Function>
void for_each_below(const RayDistance& distance, const SphereWindow& window, double angle,
                    Function function) {
  const int stride = std::max(1, window.full_width / 720);
  for (int y = 0; y < distance.height(); y += stride) {
    const double latitude = kPi / 2.0 - (window.top + y + 0.5) / window.full_height * kPi;
    if (latitude > angle - kPi / 2.0) continue;
    for (int x = 0; x < distance.width(); x += stride) {
      const float rho = distance.values().at<float>(y, x);
      if (!std::isfinite(rho) || rho <= 0.0F) continue;
      function(projection::direction_at(window, x + 0.5, y + 0.5), static_cast<double>(rho),
               std::cos(latitude));
    }
  }
}

// The height with the most weight within +-8 %, by a sliding window over the sorted heights.
struct Mode {
  double value = 0.0;
  double share = 0.0;
};

Mode strongest_mode(std::vector<std::pair<double, double>> weighted) {
  std::sort(weighted.begin(), weighted.end());
  double total = 0.0;
  for (const auto& entry : weighted) total += entry.second;
  Mode best;
  double inside = 0.0;
  double moment = 0.0;
  std::size_t first = 0;
  for (const auto& [value, weight] : weighted) {
    inside += weight;
    moment += weight * value;
    while (weighted[first].first < value / 1.17) {
      inside -= weighted[first].second;
      moment -= weighted[first].second * weighted[first].first;
      ++first;
    }
    if (inside > best.share * total) best = {moment / inside, inside / total};
  }
  return best;
}

// q = a . direction is a plane: inverse distance is linear in the direction (n . p = h, p = rho d).
Vector3d fit_plane(const std::vector<Vector3d>& directions, const std::vector<double>& inverse) {
  Vector3d plane = Vector3d::Zero();
  std::vector<double> weights(directions.size(), 1.0);
  for (int round = 0; round < 5; ++round) {
    Eigen::Matrix3d normal = 1e-12 * Eigen::Matrix3d::Identity();
    Vector3d right = Vector3d::Zero();
    for (std::size_t i = 0; i < directions.size(); ++i) {
      normal += weights[i] * directions[i] * directions[i].transpose();
      right += weights[i] * inverse[i] * directions[i];
    }
    plane = normal.ldlt().solve(right);
    for (std::size_t i = 0; i < directions.size(); ++i) {
      const double residual = (inverse[i] - plane.dot(directions[i])) / (0.05 * inverse[i]);
      weights[i] = 1.0 / (1.0 + residual * residual);
    }
  }
  return plane;
}

}  // namespace

double camera_height(const RayDistance& distance, const SphereWindow& window) {
  std::vector<std::pair<double, double>> heights;
  for_each_below(distance, window, Radians::from_degrees(kFloorReach).value(),
                 [&](const Vector3d& direction, double rho, double weight) {
                   heights.emplace_back(-direction.y() * rho, weight);
                 });
  const Mode floor = strongest_mode(std::move(heights));
  if (floor.share < kNarrowest) {
    throw Error("no level floor was found under the camera")
        .hint("leave scale.camera_height_m at 0 or give scale.factor");
  }
  return floor.value;
}

void rescale(PanoramaDepth& depth, double factor) {
  depth.distance.values() *= factor;
  depth.inverse_distance.values() *= 1.0 / factor;
}

void patch_nadir(PanoramaDepth& depth, const SphereWindow& window, Radians angle) {
  // The ring around the hole is half as wide again as the hole, at least 5 degrees.
  const double inner = angle.value();
  const double outer = std::min(kPi / 2.0 - 0.05, inner + std::max(0.5 * inner, 0.0873));
  std::vector<Vector3d> directions;
  std::vector<double> inverse;
  for_each_below(depth.distance, window, outer, [&](const Vector3d& direction, double rho, double) {
    if (std::acos(std::clamp(-direction.y(), -1.0, 1.0)) < inner) return;
    directions.push_back(direction);
    inverse.push_back(1.0 / rho);
  });
  if (directions.size() < 3) return;  // the picture does not reach down there
  const Vector3d plane = fit_plane(directions, inverse);
  cv::Mat& q = depth.inverse_distance.values();
  cv::Mat& rho = depth.distance.values();
  const double fade = 0.15 * inner;  // from the plane to what the views say, inside the rim
  parallel_for(0, q.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const double latitude = kPi / 2.0 - (window.top + y + 0.5) / window.full_height * kPi;
      const double from_nadir = latitude + kPi / 2.0;
      if (from_nadir >= inner) continue;
      const double share = std::clamp((inner - from_nadir) / fade, 0.0, 1.0);
      for (int x = 0; x < q.cols; ++x) {
        const double on_plane = plane.dot(projection::direction_at(window, x + 0.5, y + 0.5));
        auto& value = q.at<float>(y, x);
        if (on_plane <= 0.0) continue;
        value = static_cast<float>(std::isfinite(value) ? share * on_plane + (1.0 - share) * value
                                                        : on_plane);
        rho.at<float>(y, x) = 1.0F / value;
        depth.valid.at<unsigned char>(y, x) = 255;
      }
    }
  });
}

}  // namespace vergence::alignment
