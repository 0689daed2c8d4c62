// SPDX-License-Identifier: Apache-2.0
// Order statistics that several rooms need.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace vergence {

// The standard deviation of a normal distribution as a multiple of its median absolute deviation.
inline constexpr double kMadToSigma = 1.4826;

// What an observation counts, 0..1, whose residual is so many standard deviations: Cauchy's weight,
// of 95 % efficiency where errors are normal (Holland and Welsch, "Robust Regression Using
// Iteratively Reweighted Least-Squares", 1977).
[[nodiscard]] inline double cauchy_weight(double deviations) {
  const double standardised = deviations / 2.385;
  return 1.0 / (1.0 + standardised * standardised);
}

// The value below which `share` (0..1) of the values lie, by nearest rank below; Number{} when
// there are none. Reorders `values`.
template <class Number>
[[nodiscard]] Number quantile_in_place(std::vector<Number>& values, double share) {
  if (values.empty()) return Number{};
  const auto index = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + index, values.end());
  return values[static_cast<std::size_t>(index)];
}

template <class Number>
[[nodiscard]] Number quantile(std::vector<Number> values, double share) {
  return quantile_in_place(values, share);
}

template <class Number>
[[nodiscard]] Number median(std::vector<Number> values) {
  return quantile_in_place(values, 0.5);
}

}  // namespace vergence
