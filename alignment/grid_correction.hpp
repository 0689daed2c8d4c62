// SPDX-License-Identifier: Apache-2.0
// What one scale and shift per view leave over: a smooth factor per view, close to 1.
// Internal to alignment/.
#pragma once

#include "alignment/global_fit.hpp"

#include <vector>

#include <opencv2/core.hpp>

namespace vergence::alignment {

// ln of a fused value, continued below `floor` by a line in the exponent's place so that it stays
// finite and rises everywhere: soft_log(f) = ln f for f >= floor, ln floor + f / floor - 1 below
// it, never less than ln floor - 3.
[[nodiscard]] float soft_log(float value, float floor);

// One CV_32FC1 grid of options.grid_size^2 control points per view, spread edge to edge; added
// (bilinear) to the logarithm of the view's fitted values. Minimises the squared disagreement of
// the logarithms, weighted by the noise that `fit` found, plus a ridge that pulls every control
// point to 0: without it the seams go but the whole map drifts. Empty when there are fewer than two
// views.
[[nodiscard]] std::vector<cv::Mat> fit_grids(const PreparedViews& views,
                                             const Observations& observations, const GlobalFit& fit,
                                             const AlignmentOptions& options);

}  // namespace vergence::alignment
