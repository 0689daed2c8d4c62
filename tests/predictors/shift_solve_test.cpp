// SPDX-License-Identifier: Apache-2.0
#include "predictors/shift_solve.hpp"

#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace vergence::predictors {
namespace {

// Random points as a camera of this focal length sees them, given without `shift` along z.
std::vector<SeenPoint> camera_points(double focal, double shift, double noise_px = 0.0) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> place(-1.0, 1.0);
  std::normal_distribution<double> noise(0.0, 1.0);
  std::vector<SeenPoint> points;
  for (int i = 0; i < 2000; ++i) {
    const double z = 2.0 + place(random) + (i % 3 == 0 ? 2.0 : 0.0);
    const double x = z * place(random);
    const double y = z * place(random);
    points.push_back({.x = x,
                      .y = y,
                      .z = z - shift,
                      .u = focal * x / z + noise_px * noise(random),
                      .v = focal * y / z + noise_px * noise(random)});
  }
  return points;
}

TEST(SolveShift, FindsTheShiftForAKnownFocalLength) {
  for (const double shift : {-1.5, -0.2, 0.0, 0.6, 0.95}) {
    const auto solution = solve_shift(camera_points(250.0, shift), 250.0);
    EXPECT_NEAR(solution.shift, shift, 1e-6);
    EXPECT_EQ(solution.focal, 250.0);
  }
}

TEST(SolveShift, FindsTheFocalLengthToo) {
  for (const double shift : {-1.5, -0.2, 0.0, 0.6, 0.95}) {
    const auto solution = solve_shift(camera_points(250.0, shift), 0.0);
    EXPECT_NEAR(solution.shift, shift, 1e-5);
    EXPECT_NEAR(solution.focal, 250.0, 1e-3);
  }
}

TEST(SolveShift, StandsNoise) {
  const auto solution = solve_shift(camera_points(250.0, 0.5, /*noise_px=*/2.0), 250.0);
  EXPECT_NEAR(solution.shift, 0.5, 0.02);
}

TEST(SolveShift, BeginsBeforeTheCameraWhereDepthsAreNot) {
  EXPECT_NEAR(solve_shift(camera_points(250.0, 3.0), 250.0).shift, 3.0, 1e-5);
}

TEST(SolveShift, LeavesTooFewOrUselessPointsAsTheyAre) {
  EXPECT_EQ(solve_shift({}, 100.0).shift, 0.0);
  const std::vector<SeenPoint> one = {{.x = 1, .y = 1, .z = 1, .u = 5, .v = 5}};
  EXPECT_EQ(solve_shift(one, 100.0).shift, 0.0);
  const std::vector<SeenPoint> axis(10, {.x = 0, .y = 0, .z = 1, .u = 0, .v = 0});
  EXPECT_EQ(solve_shift(axis, 100.0).shift, 0.0);
  EXPECT_EQ(solve_shift(axis, 0.0).shift, 0.0);
}

}  // namespace
}  // namespace vergence::predictors
