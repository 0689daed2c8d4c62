// SPDX-License-Identifier: Apache-2.0
#include "projection/picture_model.hpp"

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <Eigen/Geometry>
#include <gtest/gtest.h>

namespace vergence::projection {
namespace {

using Eigen::Vector2d;
using Eigen::Vector3d;

Radians degrees(double value) {
  return Radians::from_degrees(value);
}

Vector3d vector(const cv::Point3f& point) {
  return {point.x, point.y, point.z};
}

// Each kind as it usually comes, and with less usual fields of view.
std::vector<PictureModel> models() {
  std::vector<PictureModel> all;
  for (const PictureKind kind : all_picture_kinds()) {
    all.push_back(PictureModel::of(kind, {1536, 1024}));
  }
  all.push_back(PictureModel::half_equirectangular({801, 500}, degrees(150), degrees(120)));
  all.push_back(PictureModel::flat({640, 480}, degrees(120), degrees(60)));
  all.push_back(PictureModel::fisheye({1000, 1000}, degrees(190)));
  all.push_back(PictureModel::fisheye({1000, 600}, degrees(360)));
  all.push_back(PictureModel::dual_fisheye({2000, 1000}, degrees(204)));
  all.push_back(PictureModel::of(PictureKind::kEquisolid, {900, 900}, degrees(360)));
  all.push_back(PictureModel::of(PictureKind::kStereographic, {900, 900}, degrees(300)));
  all.push_back(PictureModel::of(PictureKind::kPannini, {900, 500}, degrees(220)));
  all.push_back(PictureModel::equirectangular({4096, 2048, 3500, 100, 900, 700}));
  all.push_back(PictureModel::equirectangular({4096, 2048, 0, 500, 4096, 800}));
  return all;
}

Vector3d random_direction(std::mt19937& random) {
  std::normal_distribution<double> normal;
  return Vector3d(normal(random), normal(random), normal(random)).normalized();
}

TEST(PictureModel, WordsOfKindsAreTheirOwn) {
  for (const PictureKind kind : all_picture_kinds()) {
    EXPECT_EQ(picture_kind_from_string(to_string(kind)), kind) << to_string(kind);
  }
  EXPECT_EQ(to_string(PictureKind::kEquiangularCubemap), "eac");
  EXPECT_EQ(to_string(PictureKind::kHammer), "hammer");
  EXPECT_FALSE(picture_kind_from_string("mesh"));
}

TEST(PictureModel, EveryPointComesBackFromItsDirection) {
  std::mt19937 random(1);
  for (const PictureModel& model : models()) {
    std::uniform_real_distribution<double> x(0.01, model.size().width - 0.01);
    std::uniform_real_distribution<double> y(0.01, model.size().height - 0.01);
    int shown = 0;
    for (int i = 0; i < 4000; ++i) {
      const Vector2d point(x(random), y(random));
      const auto direction = model.direction_at(point.x(), point.y());
      if (!direction) continue;
      ASSERT_NEAR(direction->norm(), 1.0, 1e-12);
      const auto back = model.pixel_of(*direction);
      // Where both lenses look, the direction is shown by the other one.
      if (model.kind() == PictureKind::kDualFisheye &&
          (direction->z() > 0.0) == (point.x() > model.size().width / 2.0)) {
        continue;
      }
      // Padding of cube maps, and what lies beyond a full turn of a lens, is shown elsewhere.
      const bool padding = model.kind() == PictureKind::kEquiangularCubemap && back &&
                           (*back - point).norm() > 1e-6 &&
                           (point.x() < 2.0 || point.x() > model.size().width - 2.0 ||
                            std::abs(std::fmod(point.y(), model.size().height / 2.0) -
                                     model.size().height / 4.0) > model.size().height / 4.0 - 2.0);
      if (padding) continue;
      ++shown;
      ASSERT_TRUE(back) << to_string(model.kind()) << ' ' << point.transpose();
      EXPECT_NEAR((*back - point).norm(), 0.0, 1e-6)
          << to_string(model.kind()) << ' ' << point.transpose();
    }
    EXPECT_GT(shown, 2000) << to_string(model.kind());
  }
}

TEST(PictureModel, EveryDirectionComesBackFromItsPoint) {
  std::mt19937 random(2);
  for (const PictureModel& model : models()) {
    std::vector<Vector3d> directions{{0, 0, -1}, {1e-9, 0, -1}};
    for (int i = 0; i < 4000; ++i) directions.push_back(random_direction(random));
    // The seam behind, and the poles.
    for (const double tiny : {-1e-7, 1e-7}) {
      directions.emplace_back(tiny, 0.3, 1.0);
      directions.emplace_back(tiny, 1.0, 1e-7);
      directions.emplace_back(1e-7, -1.0, tiny);
    }
    for (const Vector3d& direction : directions) {
      const auto point = model.pixel_of(direction * 7.0);
      if (!point) continue;
      const auto back = model.direction_at(point->x(), point->y());
      ASSERT_TRUE(back) << to_string(model.kind()) << ' ' << direction.transpose();
      EXPECT_LT((*back - direction.normalized()).norm(), 1e-7)
          << to_string(model.kind()) << ' ' << direction.transpose();
    }
  }
}

TEST(PictureModel, WholeSphereKindsShowEveryDirection) {
  std::mt19937 random(3);
  for (const PictureKind kind :
       {PictureKind::kEquirectangular, PictureKind::kDualFisheye, PictureKind::kCubemap,
        PictureKind::kCubemapRow, PictureKind::kCubemapColumn, PictureKind::kEquiangularCubemap,
        PictureKind::kCylindricalEqualArea, PictureKind::kSinusoidal, PictureKind::kHammer}) {
    const auto model = PictureModel::of(kind, {1200, 800});
    for (int i = 0; i < 5000; ++i) {
      const Vector3d direction = random_direction(random);
      ASSERT_TRUE(model.pixel_of(direction)) << to_string(kind) << ' ' << direction.transpose();
    }
  }
}

TEST(PictureModel, ManyAtOnceAreAsExactAsOne) {
  std::mt19937 random(4);
  for (const PictureModel& small : models()) {
    // As many pixels per turn as an 8K panorama has.
    const double scale = 8192.0 / (2.0 * kPi) / small.pixels_per_radian();
    const auto model = small.resized({static_cast<int>(small.size().width * scale),
                                      static_cast<int>(small.size().height * scale)});
    std::vector<cv::Point3f> directions;
    for (int i = 0; i < 3000; ++i) {
      const Vector3d d = random_direction(random) * (i % 2 == 0 ? 1.0 : 0.1);
      directions.emplace_back(static_cast<float>(d.x()), static_cast<float>(d.y()),
                              static_cast<float>(d.z()));
    }
    std::vector<cv::Point2f> points(directions.size());
    model.pixels_of(directions, points);
    int differently_seen = 0;
    double worst = 0.0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto exact = model.pixel_of(vector(directions[i]));
      if (exact.has_value() == std::isnan(points[i].x)) {
        ++differently_seen;
      } else if (exact) {
        // Where a map stretches, equal angles are more pixels.
        const double here = std::max(1.0, exact->norm() / 8192.0);
        worst = std::max(worst, (Vector2d(points[i].x, points[i].y) - *exact).norm() / here);
      }
    }
    EXPECT_LE(differently_seen, 1) << to_string(model.kind());
    EXPECT_LT(worst, 0.01) << to_string(model.kind()) << ' ' << model.size();
    std::vector<cv::Point3f> back(points.size());
    model.directions_at(points, back);
    for (std::size_t i = 0; i < points.size(); ++i) {
      EXPECT_EQ(std::isnan(points[i].x), std::isnan(back[i].x));
      if (std::isnan(points[i].x)) continue;
      // At the rims of some kinds many directions share a pixel.
      const bool steep = model.kind() == PictureKind::kOrthographic ||
                         model.kind() == PictureKind::kEquisolid ||
                         model.kind() == PictureKind::kCylindricalEqualArea ||
                         model.kind() == PictureKind::kHammer;
      EXPECT_LT((vector(back[i]) - vector(directions[i]).normalized()).norm(), steep ? 2e-3 : 4e-6)
          << to_string(model.kind());
    }
  }
}

TEST(PictureModel, MiddlesAndBordersLieWhereTheFieldOfViewSays) {
  const cv::Size size(600, 400);
  for (const PictureKind kind :
       {PictureKind::kHalfEquirectangular, PictureKind::kFlat, PictureKind::kFisheye,
        PictureKind::kStereographic, PictureKind::kEquisolid, PictureKind::kOrthographic,
        PictureKind::kCylindrical, PictureKind::kCylindricalEqualArea, PictureKind::kMercator,
        PictureKind::kPannini}) {
    const auto model = PictureModel::of(kind, size, degrees(120), degrees(100));
    EXPECT_LT((*model.pixel_of({0, 0, -1}) - Vector2d(300, 200)).norm(), 1e-9) << to_string(kind);
    const Vector3d right = *model.direction_at(600, 200);
    EXPECT_NEAR(std::atan2(right.x(), -right.z()), degrees(60).value(), 1e-9) << to_string(kind);
    const Vector3d top = *model.direction_at(300, 0);
    EXPECT_NEAR(std::atan2(top.y(), -top.z()), degrees(50).value(), 1e-9) << to_string(kind);
  }
}

TEST(PictureModel, FacesOfCubesLookWhereTheyShould) {
  const auto grid = PictureModel::cubemap({300, 200});
  const auto looks = [](const PictureModel& model, double x, double y, const Vector3d& towards) {
    EXPECT_LT((*model.direction_at(x, y) - towards.normalized()).norm(), 1e-9) << x << ' ' << y;
  };
  looks(grid, 50, 50, {1, 0, 0});
  looks(grid, 150, 50, {-1, 0, 0});
  looks(grid, 250, 50, {0, 1, 0});
  looks(grid, 50, 150, {0, -1, 0});
  looks(grid, 150, 150, {0, 0, -1});
  looks(grid, 250, 150, {0, 0, 1});
  looks(grid, 199.999999999, 150, {1, 0, -1});  // the front face's right border
  looks(PictureModel::of(PictureKind::kCubemapRow, {600, 100}), 450, 50, {0, 0, -1});
  looks(PictureModel::of(PictureKind::kCubemapColumn, {100, 600}), 50, 350, {0, -1, 0});
  const auto eac = PictureModel::equiangular_cubemap({304, 208});
  looks(eac, 52, 52, {-1, 0, 0});
  looks(eac, 152, 52, {0, 0, -1});
  looks(eac, 252, 52, {1, 0, 0});
  looks(eac, 52, 156, {0, -1, 0});
  looks(eac, 152, 156, {0, 0, 1});
  looks(eac, 252, 156, {0, 1, 0});
  // Equal angles, a quarter of the face being 22.5 degrees.
  looks(eac, 177, 52, {std::tan(degrees(22.5).value()), 0, -1});
}

TEST(PictureModel, WindowsOfTheSphereAreKnown) {
  const SphereWindow window{4096, 2048, 100, 200, 1000, 700};
  EXPECT_EQ(PictureModel::equirectangular(window).window(), window);
  const SphereWindow half{4096, 2048, 1024, 0, 2048, 2048};
  EXPECT_EQ(PictureModel::half_equirectangular({2048, 2048}).window(), half);
  EXPECT_EQ(PictureModel::half_equirectangular({1024, 1024}).resized({2048, 2048}).window(), half);
  EXPECT_FALSE(PictureModel::half_equirectangular({1001, 1001}).window());
  EXPECT_FALSE(PictureModel::fisheye({100, 100}, degrees(180)).window());
}

TEST(PictureModel, ImpossibleFieldsOfViewAreRefused) {
  const cv::Size size(100, 100);
  for (const double wrong : {0.0, -10.0, 180.0, 400.0, std::nan("")}) {
    EXPECT_THROW(PictureModel::flat(size, degrees(wrong), degrees(60)), std::invalid_argument);
  }
  EXPECT_THROW(PictureModel::half_equirectangular(size, degrees(181)), std::invalid_argument);
  EXPECT_THROW(PictureModel::fisheye(size, degrees(361)), std::invalid_argument);
  EXPECT_THROW(PictureModel::fisheye({0, 100}, degrees(180)), std::invalid_argument);
  EXPECT_THROW(PictureModel::of(PictureKind::kHammer, size, degrees(180)), std::invalid_argument);
  EXPECT_THROW(PictureModel::equirectangular({}), std::invalid_argument);
}

TEST(PictureModel, DirectionsThatAreNoneAreNotShown) {
  const float nan = std::nanf("");
  const std::vector<cv::Point3f> directions{{nan, 0, 0}, {0, nan, -1}, {nan, nan, nan}};
  std::vector<cv::Point2f> points(3);
  for (const PictureModel& model : models()) {
    model.pixels_of(directions, points);
    for (const auto& point : points) EXPECT_TRUE(std::isnan(point.x)) << to_string(model.kind());
  }
  EXPECT_THROW(models().front().pixels_of(directions, std::span(points).first(2)),
               std::invalid_argument);
}

}  // namespace
}  // namespace vergence::projection
