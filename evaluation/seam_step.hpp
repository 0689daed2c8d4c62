// SPDX-License-Identifier: Apache-2.0
// How visible the meridian at +-180 degrees is in a panorama's depth, against its other columns.
#pragma once

#include "core/depth.hpp"

#include <optional>

namespace vergence::evaluation {

// A column's step is the mean over the rows of |ln(distance) - ln(distance of the next column)|,
// rows with an invalid pixel left out. It has no unit and does not change with the scale.
struct SeamStep {
  double seam = 0.0;           // from column W-1 to column 0
  double mean = 0.0;           // mean, 95th percentile (linear, as numpy's) and largest step
  double percentile_95 = 0.0;  // between all other neighbouring columns
  double max = 0.0;
  int rank = 0;       // 1 = the seam is the largest step of all, num_steps = the smallest
  int num_steps = 0;  // column pairs that have a row with two valid pixels, the seam among them
};

// The seam step of an equirectangular map that covers the full circle. Pixels that are not finite
// and > 0 are invalid. Nothing where there are fewer than 3 columns, or no row is valid on both
// sides of the seam, or none between any other neighbours.
[[nodiscard]] std::optional<SeamStep> measure_seam_step(const RayDistance& panorama);

}  // namespace vergence::evaluation
