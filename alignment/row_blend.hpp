// SPDX-License-Identifier: Apache-2.0
// All views resampled onto the sphere, row by row: their weighted mean and the gradients of the
// most central ones. Internal to alignment/.
#pragma once

#include "projection/tangent_view.hpp"

#include <span>

#include <opencv2/core.hpp>

namespace vergence::alignment {

// A view ready to be resampled.
struct BlendView {
  projection::TangentView view;  // at the size of the maps
  cv::Mat value;                 // CV_32FC1, whatever is blended
  cv::Mat confidence;            // CV_32FC1, 0..1, 0 = not usable
  float trust = 1.0F;            // of the view as a whole
  cv::Mat edge_weight = {};      // CV_32FC1 as `value`, >= 0, on its gradients; empty = 1
  std::size_t index = 0;         // among its network's views
};

// How much a view counts at `border`, the border_distance(): everywhere alike but near the border.
[[nodiscard]] float feather(float border);

struct BlendedRows {
  cv::Mat base;     // CV_32FC1: mean of the views; 0 where not covered
  cv::Mat covered;  // CV_8UC1: 255 where some view has data
  cv::Mat
      gradient_x;  // CV_32FC1 forward differences, for solve_sphere_poisson; empty if not asked for
  cv::Mat gradient_y;
};

// Blends over the whole sphere at width x height. The mean takes every view that sees a direction
// alike, fading only near its border: averaging many views cancels their errors. The gradients are
// means, with the same fading, of differences taken inside single views: no view's border leaves a
// step.
[[nodiscard]] BlendedRows blend_rows(std::span<const BlendView> views, int width, int height,
                                     bool with_gradients);

}  // namespace vergence::alignment
