// SPDX-License-Identifier: Apache-2.0
#include "predictors/shift_solve.hpp"

#include <algorithm>
#include <cmath>

namespace vergence::predictors {
namespace {

// The sum of squares at a shift, its focal length, and what a Gauss-Newton step needs.
struct State {
  double shift = 0.0;
  double focal = 0.0;
  double error = 0.0;
  double gradient = 0.0;   // residuals . their derivatives by the shift
  double curvature = 0.0;  // derivatives . derivatives
};

// With an unknown focal length the best one for each shift is a function of it, which is put into
// the residuals (variable projection).
State state_at(std::span<const SeenPoint> points, double shift, double known_focal) {
  double pp = 0.0;  // p = (x, y) / (z + shift), p' = its derivative, q = (u, v)
  double pq = 0.0;
  double pp_slope = 0.0;  // p . p'
  double pq_slope = 0.0;  // p' . q
  for (const auto& [x, y, z, u, v] : points) {
    const double inverse = 1.0 / (z + shift);
    const double square = (x * x + y * y) * inverse * inverse;
    const double product = (x * u + y * v) * inverse;
    pp += square;
    pq += product;
    pp_slope -= square * inverse;
    pq_slope -= product * inverse;
  }
  State state{.shift = shift, .focal = known_focal};
  double focal_slope = 0.0;
  if (known_focal == 0.0) {
    state.focal = pq / pp;
    focal_slope = (pq_slope - 2.0 * state.focal * pp_slope) / pp;
  }
  for (const auto& [x, y, z, u, v] : points) {
    const double inverse = 1.0 / (z + shift);
    const double slope = (focal_slope - state.focal * inverse) * inverse;
    const double error_x = state.focal * x * inverse - u;
    const double error_y = state.focal * y * inverse - v;
    state.error += error_x * error_x + error_y * error_y;
    state.gradient += (error_x * x + error_y * y) * slope;
    state.curvature += (x * x + y * y) * slope * slope;
  }
  return state;
}

}  // namespace

ShiftSolution solve_shift(std::span<const SeenPoint> points, double focal) {
  if (points.size() < 2) return {.shift = 0.0, .focal = focal};
  const auto [nearest, farthest] = std::minmax_element(
      points.begin(), points.end(), [](const auto& a, const auto& b) { return a.z < b.z; });
  // Networks give z above 0; where one does not, begin with all points before the camera.
  const double range = std::max(farthest->z - nearest->z, 1e-6);
  State state = state_at(points, nearest->z > 0.0 ? 0.0 : range - nearest->z, focal);
  double damping = 1e-3;
  constexpr int kMostSteps = 200;
  for (int i = 0; i < kMostSteps && state.curvature > 0.0; ++i) {
    const double step = -state.gradient / (state.curvature * (1.0 + damping));
    if (std::abs(step) <= 1e-10 * (range + std::abs(state.shift))) break;
    const double shift = state.shift + step;
    const bool before_camera = nearest->z + shift > 0.0;
    const State next = before_camera ? state_at(points, shift, focal) : state;
    if (before_camera && next.error < state.error) {
      state = next;
      damping = std::max(damping / 10.0, 1e-12);
    } else {
      damping *= 10.0;
    }
  }
  return {.shift = state.shift, .focal = state.focal};
}

}  // namespace vergence::predictors
