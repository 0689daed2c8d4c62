// SPDX-License-Identifier: Apache-2.0
#include "core/module.hpp"
#include "mesh/clean_up.hpp"
#include "mesh/mesh_from_depth.hpp"
#include "tests/mesh/fixtures.hpp"

#include <algorithm>
#include <limits>
#include <random>

#include <Eigen/Geometry>
#include <gtest/gtest.h>

namespace vergence::mesh {
namespace {

cv::Mat red_left_blue_right(int width, int height) {
  cv::Mat rgb(height, width, CV_8UC3, cv::Scalar(255, 0, 0));
  rgb.colRange(width / 2, width).setTo(cv::Scalar(0, 0, 255));
  return rgb;
}

TEST(PointsFromDepth, LieOnTheWallsWithTheirNormalsAndColors) {
  const auto cloud = points_from_depth(test::panorama_of(256, 128, test::room_distance),
                                       red_left_blue_right(1024, 512), test::whole_sphere());
  ASSERT_EQ(cloud.normals.size(), cloud.positions.size());
  ASSERT_EQ(cloud.colors.size(), cloud.positions.size());
  std::size_t num_wrong_normals = 0;
  for (std::size_t i = 0; i < cloud.positions.size(); ++i) {
    const Eigen::Vector3f p = cloud.positions[i];
    const Eigen::Vector3f to_walls = (Eigen::Vector3f(3.0F, 1.5F, 4.0F) - p.cwiseAbs()).cwiseAbs();
    int axis = 0;
    ASSERT_LT(to_walls.minCoeff(&axis), 1e-4F);
    num_wrong_normals += std::abs(cloud.normals[i][axis]) < 0.99F ? 1 : 0;
    EXPECT_LT(cloud.normals[i].dot(p), 0.0F);
    EXPECT_EQ(cloud.colors[i], (p.x() < 0.0F ? Rgb8{255, 0, 0} : Rgb8{0, 0, 255}));
  }
  EXPECT_LT(num_wrong_normals, cloud.positions.size() / 20) << "only along the room's corners";
}

TEST(PointsFromDepth, AreEvenlyDenseUnlessAskedForEveryCell) {
  const auto sphere = test::panorama_of(128, 64, [](const Eigen::Vector3d&) { return 1.0; });
  const auto all = points_from_depth(sphere, {}, test::whole_sphere(), {.thin_poles = false});
  EXPECT_EQ(all.positions.size(), 128U * 64);
  EXPECT_TRUE(all.colors.empty());
  const auto even = points_from_depth(sphere, {}, test::whole_sphere());
  EXPECT_NEAR(static_cast<double>(even.positions.size()), 128 * 64 * 2 / kPi, 60);
  const auto num_above = [&](float y) {
    return std::count_if(even.positions.begin(), even.positions.end(),
                         [y](const auto& p) { return p.y() > y; });
  };
  // Area above a height is linear in it.
  EXPECT_NEAR(static_cast<double>(num_above(0.5F)) / static_cast<double>(num_above(0.0F)), 0.5,
              0.03);
}

TEST(PointsFromDepth, SkipHolesAndCoarsenTheGrid) {
  auto map = test::panorama_of(128, 64, [](const Eigen::Vector3d&) { return 1.0; });
  map.values().rowRange(0, 32).setTo(std::numeric_limits<float>::infinity());
  const auto cloud = points_from_depth(map, {}, test::whole_sphere(),
                                       {.grid_width = 32, .thin_poles = false, .normals = false});
  EXPECT_EQ(cloud.positions.size(), 32U * 8);
  EXPECT_TRUE(cloud.normals.empty());
  for (const auto& p : cloud.positions) EXPECT_LT(p.y(), 0.0F);
}

TEST(SplatsFromDepth, AreFlatDiscsOnTheSurface) {
  const auto splats =
      splats_from_depth(test::panorama_of(256, 128, test::room_distance), {}, test::whole_sphere());
  ASSERT_EQ(splats.scales.size(), splats.positions.size());
  ASSERT_EQ(splats.rotations.size(), splats.positions.size());
  ASSERT_EQ(splats.colors.size(), splats.positions.size());
  const double step = kPi / 128;
  std::size_t num_flat = 0;
  for (std::size_t i = 0; i < splats.positions.size(); ++i) {
    const auto& q = splats.rotations[i];
    ASSERT_NEAR(q.norm(), 1.0F, 1e-5F);
    const Eigen::Vector3f normal =
        Eigen::Quaternionf(q[0], q[1], q[2], q[3]) * Eigen::Vector3f::UnitZ();
    const auto& scales = splats.scales[i];
    const double width = splats.positions[i].norm() * step / 1.2;
    EXPECT_NEAR(scales.y(), width, 1e-5);
    EXPECT_NEAR(scales.z(), 0.1 * width, 1e-5);
    EXPECT_GE(scales.x(), scales.y() * 0.999F);
    EXPECT_LE(scales.x(), scales.y() * 5.001F);
    num_flat += normal.cwiseAbs().maxCoeff() > 0.99F ? 1U : 0U;
  }
  EXPECT_GT(num_flat, splats.positions.size() * 19 / 20);
}

TEST(RemoveOutliers, DropsStrayPointsAndLoadsOpen3DOnlyThen) {
  std::mt19937 random(9);
  std::uniform_real_distribution<float> inside(0.0F, 1.0F);
  PointCloud cloud;
  for (int i = 0; i < 2000; ++i) {
    cloud.positions.emplace_back(inside(random), inside(random), 0.0F);
    cloud.colors.push_back({static_cast<std::uint8_t>(i % 256), 0, 0});
  }
  cloud.positions[100] = {5.0F, 5.0F, 5.0F};
  cloud.positions[1500] = {-7.0F, 0.0F, 3.0F};
  EXPECT_FALSE(module_loaded("open3d"));
  const auto clean = remove_outliers(cloud);
  EXPECT_TRUE(module_loaded("open3d"));
  EXPECT_GT(clean.positions.size(), 1800U);
  EXPECT_LT(clean.positions.size(), 2000U);
  EXPECT_EQ(clean.colors.size(), clean.positions.size());
  for (const auto& position : clean.positions) EXPECT_LT(position.norm(), 2.0F);
  EXPECT_THROW((void)remove_outliers(cloud, {.neighbours = 0}), std::runtime_error);
  EXPECT_TRUE(remove_outliers(PointCloud{}).positions.empty());
}

}  // namespace
}  // namespace vergence::mesh
