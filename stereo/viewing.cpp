// SPDX-License-Identifier: Apache-2.0
#include "stereo/viewing.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace vergence::stereo {
namespace {

// Share of a bound up to which parallax is left as it is.
constexpr double kKnee = 0.6;

void require_valid(const Viewing& viewing) {
  for (const double length : {viewing.ipd_m, viewing.screen_width_m, viewing.viewing_distance_m,
                              static_cast<double>(viewing.picture_width_px)}) {
    if (!(length > 0.0 && std::isfinite(length))) {
      throw std::invalid_argument("eyes, screen and distance have positive lengths");
    }
  }
}

void require_map(const cv::Mat& map) {
  if (map.type() != CV_32FC1) throw std::invalid_argument("maps for viewing are CV_32FC1");
}

// Metres on the screen between both eyes' pictures for a pixel of parallax.
double metres_per_pixel(const Viewing& viewing) {
  const double moving = viewing.synthetic_view == SyntheticView::kBoth ? 2.0 : 1.0;
  return moving * viewing.screen_width_m / viewing.picture_width_px;
}

Radians vergence_of(double separation_m, const Viewing& viewing) {
  return Radians{2.0 * std::atan(separation_m / (2.0 * viewing.viewing_distance_m))};
}

void require_limit(Radians limit) {
  if (!(limit.value() > 0.0)) throw std::invalid_argument("the limit of comfort is positive");
}

// One side of cap_comfort(): parallax and bound >= 0.
float compressed(float parallax, float knee, float bound) {
  if (parallax <= knee) return parallax;
  const float rest = bound - knee;
  return rest > 0.0F ? knee + rest * (1.0F - std::exp(-(parallax - knee) / rest)) : bound;
}

}  // namespace

cv::Mat parallax_from_distance(const cv::Mat& distance_m, double screen_distance_m,
                               const Viewing& viewing) {
  require_valid(viewing);
  require_map(distance_m);
  if (!(screen_distance_m > 0.0 && std::isfinite(screen_distance_m))) {
    throw std::invalid_argument("the distance of the screen is positive");
  }
  const double parallel = viewing.ipd_m / metres_per_pixel(viewing);
  cv::Mat parallax(distance_m.size(), CV_32FC1);
  for (int y = 0; y < parallax.rows; ++y) {
    const float* const from = distance_m.ptr<float>(y);
    float* const to = parallax.ptr<float>(y);
    for (int x = 0; x < parallax.cols; ++x) {
      const double ratio = from[x] > 0.0F ? screen_distance_m / from[x] : 1.0;
      to[x] = static_cast<float>(parallel * (ratio - 1.0));
    }
  }
  return parallax;
}

cv::Mat parallax_from_relative(const cv::Mat& nearness, float convergence, const Viewing& viewing) {
  require_valid(viewing);
  require_map(nearness);
  if (!(convergence > 0.0F && std::isfinite(convergence))) {
    throw std::invalid_argument("the nearness of the screen is positive");
  }
  const double parallel = viewing.ipd_m / metres_per_pixel(viewing);
  cv::Mat parallax;
  nearness.convertTo(parallax, CV_32F, parallel / convergence, -parallel);
  return parallax;
}

Radians vergence_difference(double parallax_px, const Viewing& viewing) {
  require_valid(viewing);
  const double separation = viewing.ipd_m + parallax_px * metres_per_pixel(viewing);
  return Radians{vergence_of(separation, viewing).value() -
                 vergence_of(viewing.ipd_m, viewing).value()};
}

double parallax_for_vergence(Radians difference, const Viewing& viewing) {
  require_valid(viewing);
  const double vergence = vergence_of(viewing.ipd_m, viewing).value() + difference.value();
  if (std::abs(vergence) >= kPi) {
    return std::copysign(std::numeric_limits<double>::infinity(), vergence);
  }
  const double separation = 2.0 * viewing.viewing_distance_m * std::tan(0.5 * vergence);
  return (separation - viewing.ipd_m) / metres_per_pixel(viewing);
}

double parallel_parallax_px(const Viewing& viewing) {
  require_valid(viewing);
  return -viewing.ipd_m / metres_per_pixel(viewing);
}

ComfortReport comfort_report(const cv::Mat& parallax_px, Radians limit, const Viewing& viewing) {
  require_valid(viewing);
  require_map(parallax_px);
  require_limit(limit);
  const auto most = static_cast<float>(parallax_for_vergence(limit, viewing));
  const auto least = static_cast<float>(parallax_for_vergence(Radians{-limit.value()}, viewing));
  const auto parallel = static_cast<float>(parallel_parallax_px(viewing));
  float nearest = -std::numeric_limits<float>::infinity();
  float farthest = std::numeric_limits<float>::infinity();
  std::int64_t count = 0;
  std::int64_t beyond = 0;
  std::int64_t diverging = 0;
  for (int y = 0; y < parallax_px.rows; ++y) {
    const float* const row = parallax_px.ptr<float>(y);
    for (int x = 0; x < parallax_px.cols; ++x) {
      if (!std::isfinite(row[x])) continue;
      ++count;
      nearest = std::max(nearest, row[x]);
      farthest = std::min(farthest, row[x]);
      beyond += row[x] > most || row[x] < least ? 1 : 0;
      diverging += row[x] < parallel ? 1 : 0;
    }
  }
  ComfortReport report;
  if (count == 0) return report;
  report.nearest = vergence_difference(nearest, viewing);
  report.farthest = vergence_difference(farthest, viewing);
  report.share_beyond = static_cast<double>(beyond) / static_cast<double>(count);
  report.share_diverging = static_cast<double>(diverging) / static_cast<double>(count);
  return report;
}

void cap_comfort(Radians limit, const Viewing& viewing, cv::Mat& parallax_px) {
  require_valid(viewing);
  require_map(parallax_px);
  require_limit(limit);
  const auto near_bound = static_cast<float>(parallax_for_vergence(limit, viewing));
  const double far_bound = std::max(parallax_for_vergence(Radians{-limit.value()}, viewing),
                                    parallel_parallax_px(viewing));
  const auto behind_bound = static_cast<float>(-far_bound);
  const float near_knee = static_cast<float>(kKnee) * near_bound;
  const float behind_knee = static_cast<float>(kKnee) * behind_bound;
  parallel_for(0, parallax_px.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      float* const row = parallax_px.ptr<float>(y);
      for (int x = 0; x < parallax_px.cols; ++x) {
        if (row[x] > near_knee) {
          row[x] = compressed(row[x], near_knee, near_bound);
        } else if (row[x] < -behind_knee) {
          row[x] = -compressed(-row[x], behind_knee, behind_bound);
        }
      }
    }
  });
}

}  // namespace vergence::stereo
