// SPDX-License-Identifier: Apache-2.0
// The views prepared for the fit, and what they say about directions spread over the sphere.
// Internal to alignment/.
#pragma once

#include "alignment/panorama_depth.hpp"

#include <array>
#include <span>
#include <string>
#include <vector>

#include <Eigen/Core>
#include <opencv2/core.hpp>

namespace vergence::alignment {

// In which quantity the views are affine, and therefore compared:
//   inverse: q   = cos(alpha) (s d + t),   rho = 1 / q
//   forward: rho = (s d + t) / cos(alpha), q = 1 / rho     (planar_depth_affine)
enum class FitDomain { kInverse, kForward };

// One view's map, brought to median 0 and mean absolute deviation 1 when it has a free shift, and
// to median 1 when it has only a scale.
struct PreparedView {
  projection::TangentView view;  // at the size of the map
  cv::Mat normalised;            // CV_32FC1
  cv::Mat confidence;            // CV_32FC1, 0..1: 0 outside the picture, low on steep slopes
  double centre = 0.0;  // normalised = (d - centre) / spread, d as it enters the model above
  double spread = 1.0;
  double far_value = 0.0;  // 2 % quantile of the normalised values: what is farthest in the view
  bool free_shift = true;
};

// The views of one network.
struct PreparedViews {
  std::vector<PreparedView> views;
  FitDomain domain = FitDomain::kInverse;
  // The maps have no shift, and one scale for all of them: scales are pulled to what the maps say.
  bool metric = false;
  bool in_metres = false;  // that scale is metres
  std::string network;
  std::vector<std::size_t> position;  // of each view in what prepare_networks() was given
};

// The views sorted by network, in the order of their first views. Throws Error naming the view when
// a map is empty or of another kind than the network's first.
[[nodiscard]] std::vector<PreparedViews> prepare_networks(std::span<const ViewDepth> views);

// Direction k of `count` spread evenly over the sphere, so that no pole counts twice: a Fibonacci
// lattice (Gonzalez, Math. Geosciences 42, 2010).
[[nodiscard]] Eigen::Vector3d lattice_direction(int k, int count);

// What one view says about one direction.
struct Observation {
  int view = 0;
  float value = 0.0F;       // normalised map value
  float factor = 1.0F;      // cos(alpha), or 1 / cos(alpha) in the forward domain
  float confidence = 0.0F;  // of the map there, times the feather towards the view's border
  float u = 0.0F;           // position in the view, 0..1 across and down
  float v = 0.0F;
};

// Observations grouped by direction; directions seen by fewer than two views are left out.
struct Observations {
  std::vector<Observation> all;
  std::vector<int> first;  // per direction, its first observation; one more entry at the end
  std::vector<Eigen::Vector3f> directions;

  [[nodiscard]] std::size_t num_directions() const { return directions.size(); }

  [[nodiscard]] std::span<const Observation> at(std::size_t direction) const {
    return std::span(all).subspan(
        static_cast<std::size_t>(first[direction]),
        static_cast<std::size_t>(first[direction + 1] - first[direction]));
  }
};

// Looks at `num_samples` directions of the lattice. Directions for which `excluded` (CV_8UC1 over
// the whole sphere, may be empty) is not 0 are left out.
[[nodiscard]] Observations observe(const PreparedViews& views, int num_samples,
                                   const cv::Mat& excluded);

// Distance to the nearest border in units of half a side, 0 at the border and 1 at the centre.
[[nodiscard]] inline float border_distance(float u, float v) {
  const float across = u < 0.5F ? u : 1.0F - u;
  const float down = v < 0.5F ? v : 1.0F - v;
  return 2.0F * (across < down ? across : down);
}

}  // namespace vergence::alignment
