// SPDX-License-Identifier: Apache-2.0
#include "projection/sphere_window.hpp"

#include "core/angle.hpp"

#include <random>

#include <gtest/gtest.h>

namespace vergence::projection {
namespace {

using Eigen::Vector2d;
using Eigen::Vector3d;

TEST(SphereWindow, CentreLooksForwardAndLongitudeGrowsToTheRight) {
  const auto window = SphereWindow::whole(400, 200);
  EXPECT_LT((direction_at(window, 200.0, 100.0) - -Vector3d::UnitZ()).norm(), 1e-12);
  EXPECT_LT((direction_at(window, 300.0, 100.0) - Vector3d::UnitX()).norm(), 1e-12);
  EXPECT_LT((direction_at(window, 10.0, 0.0) - Vector3d::UnitY()).norm(), 1e-12);
}

TEST(SphereWindow, PixelsAndDirectionsRoundTripInAnyWindow) {
  std::mt19937 random(7);
  const SphereWindow windows[] = {
      SphereWindow::whole(512, 256),
      {.full_width = 800, .full_height = 400, .left = 100, .top = 50, .width = 300, .height = 200},
      {.full_width = 800, .full_height = 400, .left = 700, .top = 0, .width = 300, .height = 400}};
  for (const auto& window : windows) {
    std::uniform_real_distribution<double> across(0.01, window.width - 0.01);
    std::uniform_real_distribution<double> down(0.01, window.height - 0.01);
    for (int i = 0; i < 1000; ++i) {
      const Vector2d pixel{across(random), down(random)};
      const Vector2d back = pixel_of(window, direction_at(window, pixel.x(), pixel.y()));
      EXPECT_LT((back - pixel).norm(), 1e-9);
    }
  }
}

TEST(SphereWindow, PointsOutsideACropAreOutsideItsPixels) {
  const SphereWindow window{
      .full_width = 800, .full_height = 400, .left = 300, .top = 150, .width = 200, .height = 100};
  EXPECT_GT(pixel_of(window, Vector3d::UnitX()).x(), 200.0);
  EXPECT_LT(pixel_of(window, -Vector3d::UnitX()).x(), 0.0);
  EXPECT_LT(pixel_of(window, Vector3d::UnitY()).y(), 0.0);
}

TEST(SphereWindow, ResizingKeepsThePartOfTheSphere) {
  const SphereWindow window{
      .full_width = 800, .full_height = 400, .left = 200, .top = 100, .width = 400, .height = 200};
  const auto half = window.resized(200);
  EXPECT_EQ(half, (SphereWindow{.full_width = 400,
                                .full_height = 200,
                                .left = 100,
                                .top = 50,
                                .width = 200,
                                .height = 100}));
}

}  // namespace
}  // namespace vergence::projection
