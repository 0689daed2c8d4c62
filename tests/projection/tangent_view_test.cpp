// SPDX-License-Identifier: Apache-2.0
#include "projection/tangent_view.hpp"

#include "core/error.hpp"
#include "core/rotation.hpp"

#include <random>

#include <Eigen/LU>
#include <gtest/gtest.h>

namespace vergence::projection {
namespace {

using Eigen::Vector3d;

Vector3d random_direction(std::mt19937& random) {
  std::normal_distribution<double> normal;
  return Vector3d(normal(random), normal(random), normal(random)).normalized();
}

TangentView example_view() {
  return {.name = "v",
          .width = 320,
          .height = 240,
          .fov_x = Radians::from_degrees(100.0),
          .fov_y = Radians::from_degrees(80.0),
          .world_from_view = rotation_looking_at({0.3, -0.5, 0.8})};
}

TEST(TangentView, PixelsAndRaysRoundTrip) {
  const auto view = example_view();
  std::mt19937 random(3);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  for (int i = 0; i < 1000; ++i) {
    const Eigen::Vector2d pixel{unit(random) * view.width, unit(random) * view.height};
    const auto back = project(view, view.world_from_view * ray_at(view, pixel.x(), pixel.y()));
    ASSERT_TRUE(back.has_value());
    EXPECT_LT((*back - pixel).norm(), 1e-9);
  }
}

TEST(TangentView, FirstPixelIsUpAndToTheLeftAndNothingBehindIsSeen) {
  const auto view = example_view();
  const Vector3d corner = ray_at(view, 0.5, 0.5);
  EXPECT_LT(corner.x(), 0.0);
  EXPECT_GT(corner.y(), 0.0);
  EXPECT_FALSE(project(view, view.world_from_view * Vector3d(0.0, 0.0, 1.0)).has_value());
}

TEST(CoveringViews, CoverEveryDirectionFromTheSmallestFieldOfViewOn) {
  std::mt19937 random(5);
  for (const int count : {20, 12, 6}) {
    const auto fov = Radians(smallest_covering_fov(count).value() + 0.0018);
    const auto views = covering_views(count, fov, 64);
    ASSERT_EQ(views.size(), static_cast<std::size_t>(count));
    for (int i = 0; i < 2000; ++i) {
      const Vector3d direction = random_direction(random);
      const bool seen = std::any_of(views.begin(), views.end(), [&](const auto& view) {
        return project(view, direction).has_value();
      });
      EXPECT_TRUE(seen) << count << ": " << direction.transpose();
    }
  }
}

TEST(CoveringViews, AreEvenlySpreadAndLevel) {
  for (const int count : {20, 12, 6}) {
    const auto views = covering_views(count, Radians::from_degrees(100.0), 64);
    Vector3d sum = Vector3d::Zero();
    std::vector<double> nearest;
    for (const auto& view : views) {
      const Vector3d axis = -view.world_from_view.col(2);
      sum += axis;
      double best = -1.0;
      for (const auto& other : views) {
        if (other.name != view.name) {
          best = std::max(best, axis.dot(-other.world_from_view.col(2)));
        }
      }
      nearest.push_back(best);
      EXPECT_NEAR(view.world_from_view.determinant(), 1.0, 1e-12);
      EXPECT_NEAR(view.world_from_view(1, 0), 0.0, 1e-12);
    }
    EXPECT_LT(sum.norm(), 1e-9);
    for (const double cosine : nearest) EXPECT_NEAR(cosine, nearest.front(), 1e-9);
  }
}

TEST(CoveringViews, RefuseOtherCountsAndGaps) {
  EXPECT_THROW(static_cast<void>(covering_views(7, Radians::from_degrees(100.0), 64)), Error);
  EXPECT_THROW(static_cast<void>(covering_views(6, Radians::from_degrees(80.0), 64)), Error);
  EXPECT_THROW(static_cast<void>(covering_views(20, Radians::from_degrees(60.0), 64)), Error);
  EXPECT_NO_THROW(static_cast<void>(covering_views(20, Radians::from_degrees(80.0), 64)));
}

}  // namespace
}  // namespace vergence::projection
