// SPDX-License-Identifier: Apache-2.0
// An empty room of known size around the camera, seen as a panorama and through tangent views.
#pragma once

#include "alignment/panorama_depth.hpp"

#include <random>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::alignment::test {

// Half extents of the room across, up and along; the camera stands in the middle of the plan.
struct BoxRoom {
  double half_width = 3.0;
  double floor = 1.6;    // camera above the floor
  double ceiling = 1.1;  // ceiling above the camera
  double half_length = 4.0;

  // Metres along `direction` (unit length) to the wall.
  [[nodiscard]] double distance(const Eigen::Vector3d& direction) const;

  // The exact panorama, CV_32FC1.
  [[nodiscard]] cv::Mat panorama(const projection::SphereWindow& window) const;
};

// What an affine-invariant network could say: scale * (1/z) (1 + error) + shift + noise, with
// another scale and shift per view; `error` is smooth, of the given standard deviation.
struct Simulation {
  double smooth_error = 0.0;
  double noise = 0.0;
  unsigned seed = 1;
};

[[nodiscard]] std::vector<ViewDepth> simulate_disparity(
    const BoxRoom& room, const std::vector<projection::TangentView>& views,
    const Simulation& simulation);

// The exact map of a view in the given kind (distance, planar_depth, inverse_distance, disparity).
[[nodiscard]] AnyDepth exact_map(const BoxRoom& room, const projection::TangentView& view,
                                 DepthKind kind);

// Mean of |a - b| / b over the sphere's area after one common factor (the median ratio); NaN left
// out.
[[nodiscard]] double relative_error(const cv::Mat& actual, const cv::Mat& expected,
                                    bool free_scale = true);

}  // namespace vergence::alignment::test
