// SPDX-License-Identifier: Apache-2.0
// The shift along the view axis that a network's affine points lack (MoGe: Wang et al., CVPR 2025,
// arXiv 2410.19115, section 3.2).
#pragma once

#include <span>

namespace vergence::predictors {

// A point (x right, y down, z forward; any scale) and where it is seen, from the principal point.
struct SeenPoint {
  double x, y, z;
  double u, v;  // pixels
};

struct ShiftSolution {
  double shift = 0.0;  // to be added to z
  double focal = 0.0;  // pixels
};

// The shift, and the focal length where `focal` is 0, that bring the projections f * x / (z +
// shift), f * y / (z + shift) closest to (u, v) in the sum of squares; z + shift stays above 0 for
// all points. Levenberg-Marquardt from shift 0; for fewer than two points shift 0.
[[nodiscard]] ShiftSolution solve_shift(std::span<const SeenPoint> points, double focal);

}  // namespace vergence::predictors
