// SPDX-License-Identifier: Apache-2.0
// One scale and one shift per view so that all views agree: robust linear least squares.
// Internal to alignment/.
#pragma once

#include "alignment/observations.hpp"

#include <vector>

namespace vergence::alignment {

// f = factor * (scale * value + shift) for a view's normalised map values.
struct ViewFit {
  double scale = 1.0;
  double shift = 0.0;
  double weight = 1.0;  // trust in this view, from its residuals: 1 = as good as the typical view
  bool refused =
      false;  // its map contradicts its neighbours; scale is then a small positive number
};

struct GlobalFit {
  std::vector<ViewFit> views;
  double condition_number = 1.0;
  bool weak_shift = false;

  // Standard deviation of a view's error at the fused value f: sqrt((relative f)^2 + absolute^2).
  double relative_noise = 0.0;
  double absolute_noise = 0.0;
  double median = 1.0;  // median fused value over the observed directions
};

// The value of a view at an observation, in the fit's domain.
[[nodiscard]] inline double fitted(const ViewFit& fit, const Observation& observation) {
  return observation.factor * (fit.scale * observation.value + fit.shift);
}

// Minimises sum_k sum_i w_ki (f_ki - mean_w f_k)^2 over all directions k and views i with mean
// scale 1, in rounds of iteratively reweighted least squares: w = confidence / noise variance(f) *
// Cauchy weight * view trust. Directions that come out below zero pull the shifts up, because
// inverse distances are positive. Throws Error when no two views overlap.
[[nodiscard]] GlobalFit fit_views(const PreparedViews& views, const Observations& observations,
                                  const AlignmentOptions& options);

// Median over the view's observations of |f_i - f_others| / f_others, per view; NaN without
// overlap.
[[nodiscard]] std::vector<double> relative_residuals(const Observations& observations,
                                                     std::size_t num_views,
                                                     const std::vector<double>& fitted_values);

}  // namespace vergence::alignment
