// SPDX-License-Identifier: Apache-2.0
#include "mesh/mesh_from_depth.hpp"

#include "core/error.hpp"
#include "mesh/clean_up.hpp"
#include "tests/mesh/fixtures.hpp"
#include "tests/support/matchers.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <random>

#include <Eigen/Geometry>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::mesh {
namespace {

using test::panorama_of;
using test::random_star;
using test::room_distance;
using test::whole_sphere;
using vergence::test::error_of;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

void expect_closed_surface(const Mesh& mesh) {
  const auto topology = analyse(weld(mesh));
  EXPECT_TRUE(topology.edge_manifold);
  EXPECT_TRUE(topology.vertex_manifold);
  EXPECT_TRUE(topology.oriented);
  EXPECT_EQ(topology.euler, 2);
  EXPECT_EQ(topology.boundary_edges, 0U);
  EXPECT_LT(topology.signed_volume, 0.0) << "front faces are to look inward";
}

TEST(MeshFromPanorama, HasTheKnownSizeVolumeAndAreaOfARoom) {
  const Mesh mesh = mesh_from_depth(panorama_of(1024, 512, room_distance), whole_sphere());
  EXPECT_EQ(mesh.positions.size(), 526'848U);
  EXPECT_EQ(mesh.triangles.size(), 1'048'576U);
  EXPECT_EQ(mesh.uvs.size(), mesh.positions.size());
  EXPECT_EQ(mesh.normals.size(), mesh.positions.size());
  expect_closed_surface(mesh);
  const auto topology = analyse(weld(mesh));
  EXPECT_NEAR(topology.signed_volume, -143.99, 0.005);
  EXPECT_NEAR(topology.area, 179.4, 0.05);
}

class AnyStarShape : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(AnyStarShape, IsClosedAndManifoldWithoutCuts) {
  const int width = 3 + static_cast<int>(GetParam() * 37 % 90);
  const int height = 1 + static_cast<int>(GetParam() * 23 % 50);
  const int grid = 4 + static_cast<int>(GetParam() * 29 % 120);
  SCOPED_TRACE(::testing::Message() << width << " x " << height << " on a grid of " << grid);
  expect_closed_surface(mesh_from_depth(random_star(GetParam(), width, height), whole_sphere(),
                                        {.grid_width = grid, .cut_edges = false}));
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnyStarShape, ::testing::Range(1U, 25U));

TEST(MeshFromPanorama, PutsEveryVertexWhereItsTextureCoordinateLooks) {
  const RayDistance map = random_star(7, 96, 48);
  const Mesh mesh = mesh_from_depth(map, whole_sphere(), {.grid_width = 64, .cut_edges = false});
  const auto unit = projection::SphereWindow::whole(1, 1);
  int num_closing = 0;
  for (std::size_t i = 0; i < mesh.positions.size(); ++i) {
    ASSERT_GE(mesh.uvs[i].minCoeff(), 0.0F);
    ASSERT_LE(mesh.uvs[i].maxCoeff(), 1.0F);
    // The column that closes the seam stands on the first one and ends the picture.
    const bool closes = mesh.uvs[i].x() == 1.0F && mesh.uvs[i].y() > 0.0F && mesh.uvs[i].y() < 1.0F;
    num_closing += closes ? 1 : 0;
    const double u = closes ? 0.5 / 64 : mesh.uvs[i].x();
    const Eigen::Vector3d expected = direction_at(unit, u, mesh.uvs[i].y());
    const Eigen::Vector3d actual = mesh.positions[i].cast<double>().normalized();
    ASSERT_LT((actual - expected).norm(), 1e-5) << "vertex " << i << " uv " << mesh.uvs[i];
    ASSERT_LT(mesh.normals[i].dot(mesh.positions[i]), 0.0F) << "normals look inward";
    ASSERT_NEAR(mesh.normals[i].norm(), 1.0F, 1e-5F);
  }
  EXPECT_EQ(num_closing, 32);
}

TEST(MeshFromPanorama, LooksToMinusZInTheMiddleAndToPlusXOnTheRight) {
  const Mesh mesh =
      mesh_from_depth(panorama_of(64, 32, room_distance), whole_sphere(), {.grid_width = 64});
  const auto front = test::uv_seen(mesh, {0.01, 0.01, -1});
  const auto right = test::uv_seen(mesh, {1, 0.01, 0.01});
  const auto up = test::uv_seen(mesh, {0.01, 1, -0.01});
  ASSERT_TRUE(front && right && up);
  EXPECT_NEAR(front->x(), 0.5, 0.02);
  EXPECT_NEAR(front->y(), 0.5, 0.02);
  EXPECT_NEAR(right->x(), 0.75, 0.02);
  EXPECT_NEAR(up->y(), 0.0, 0.02);
}

TEST(MeshFromPanorama, ClosesTheSeamWithTheSameGeometryAndNormals) {
  const Mesh mesh = mesh_from_depth(random_star(3, 64, 32), whole_sphere(),
                                    {.grid_width = 64, .cut_edges = false});
  std::map<std::array<float, 3>, std::size_t> first;
  std::size_t num_shared = 0;
  for (std::size_t i = 0; i < mesh.positions.size(); ++i) {
    const auto& p = mesh.positions[i];
    const auto [where, is_new] = first.try_emplace({p.x(), p.y(), p.z()}, i);
    if (is_new) continue;
    ++num_shared;
    EXPECT_EQ(mesh.normals[i], mesh.normals[where->second]);
    EXPECT_NE(mesh.uvs[i], mesh.uvs[where->second]);
  }
  EXPECT_EQ(num_shared, 32U + 2 * 63U) << "one column and the poles";
}

// Quads of the grid by what their triangles became and what their corners belong to.
struct CutStatistics {
  int num_quads = 0;
  int num_inside = 0;      // all four corners on one object
  int num_false_cuts = 0;  // of those, without one or both triangles
  int num_across = 0;      // corners on two objects
  int num_true_cuts = 0;
};

CutStatistics cuts_of_pillar_room(int width, const MeshOptions& options) {
  cv::Mat is_pillar(width / 2, width, CV_8UC1);
  const auto window = projection::SphereWindow::whole(width, width / 2);
  cv::Mat map(width / 2, width, CV_32FC1);
  for (int y = 0; y < map.rows; ++y) {
    for (int x = 0; x < map.cols; ++x) {
      bool hit = false;
      const Eigen::Vector3d ray = direction_at(window, x + 0.5, y + 0.5);
      map.at<float>(y, x) = static_cast<float>(test::pillar_room_distance(ray, hit));
      is_pillar.at<std::uint8_t>(y, x) = hit ? 1 : 0;
    }
  }
  const Mesh mesh = mesh_from_depth(RayDistance(map), whole_sphere(), options);
  cv::Mat count = cv::Mat::zeros(map.size(), CV_8UC1);
  for (const auto& triangle : mesh.triangles) {
    int row = map.rows;
    int column = map.cols;
    for (const auto vertex : triangle) {
      row = std::min(row, static_cast<int>(mesh.uvs[vertex].y() * static_cast<float>(map.rows)));
      column =
          std::min(column, static_cast<int>(mesh.uvs[vertex].x() * static_cast<float>(map.cols)));
    }
    ++count.at<std::uint8_t>(row, column);
  }
  CutStatistics result;
  for (int y = 1; y + 2 < map.rows; ++y) {  // the outermost rows share their count with the poles
    for (int x = 0; x < map.cols; ++x) {
      const int right = (x + 1) % map.cols;
      const int sum = is_pillar.at<std::uint8_t>(y, x) + is_pillar.at<std::uint8_t>(y, right) +
                      is_pillar.at<std::uint8_t>(y + 1, x) +
                      is_pillar.at<std::uint8_t>(y + 1, right);
      const bool cut = count.at<std::uint8_t>(y, x) < 2;
      ++result.num_quads;
      const bool inside = sum == 0 || sum == 4;
      result.num_inside += inside ? 1 : 0;
      result.num_false_cuts += inside && cut ? 1 : 0;
      result.num_across += inside ? 0 : 1;
      result.num_true_cuts += !inside && cut ? 1 : 0;
    }
  }
  return result;
}

TEST(MeshEdges, AreCutAtAPillarAndNeverOnFloorsAndWalls) {
  for (const int width : {512, 1024}) {
    SCOPED_TRACE(width);
    const auto cuts = cuts_of_pillar_room(width, {.grid_width = width});
    EXPECT_EQ(cuts.num_false_cuts, 0);
    EXPECT_GT(cuts.num_across, width / 8);
    EXPECT_GT(cuts.num_true_cuts, 0.7 * cuts.num_across);
  }
}

TEST(MeshEdges, ARelativeRuleAloneWouldCutTheFloorOfACoarseGrid) {
  const auto cuts =
      cuts_of_pillar_room(512, {.grid_width = 512, .edge_rel = 0.01, .edge_grazing = Radians(0)});
  EXPECT_GT(cuts.num_false_cuts, cuts.num_quads / 10);
}

TEST(MeshEdges, KeepTheGoodTriangleOfAQuad) {
  // One far pixel in a flat neighbourhood spoils one corner of four quads.
  RayDistance map = panorama_of(32, 16, [](const Eigen::Vector3d&) { return 2.0; });
  map.values().at<float>(8, 10) = 9.0F;
  const Mesh whole = mesh_from_depth(map, whole_sphere(), {.grid_width = 32, .cut_edges = false});
  const Mesh cut = mesh_from_depth(map, whole_sphere(), {.grid_width = 32});
  EXPECT_EQ(cut.triangles.size(), whole.triangles.size() - 4);
  EXPECT_EQ(cut.positions.size(), whole.positions.size() - 1) << "nothing uses the far vertex";
}

TEST(MeshEdges, HolesAreLeftOutWithTheGoodTrianglesKept) {
  RayDistance map = panorama_of(32, 16, [](const Eigen::Vector3d&) { return 2.0; });
  map.values().at<float>(8, 10) = kNan;
  map.values().at<float>(4, 20) = -1.0F;
  const Mesh mesh = mesh_from_depth(map, whole_sphere(), {.grid_width = 32, .cut_edges = false});
  EXPECT_EQ(mesh.triangles.size(), 32U * 15 * 2 + 64 - 8);
  for (const auto& position : mesh.positions) EXPECT_TRUE(position.allFinite());
  EXPECT_EQ(analyse(weld(mesh)).boundary_edges, 8U);
}

TEST(MeshEdges, SegmentsAreNeverJoined) {
  const RayDistance map = panorama_of(64, 32, [](const Eigen::Vector3d&) { return 2.0; });
  cv::Mat sky = cv::Mat::zeros(32, 64, CV_8UC1);
  sky.rowRange(0, 16).setTo(255);
  const Mesh mesh =
      mesh_from_depth(map, whole_sphere(), {.grid_width = 64, .cut_edges = false, .segments = sky});
  EXPECT_EQ(mesh.triangles.size(), 64U * 32 * 2 - 64 * 2);
  EXPECT_EQ(remove_small_components(mesh, 2048).triangles.size(), 0U) << "two equal halves";
}

TEST(MeshGrid, CoarserThanTheMapKeepsEdgesSharp) {
  // Columns of 1 m and 4 m: no vertex may lie between.
  const RayDistance map =
      panorama_of(512, 256, [](const Eigen::Vector3d& ray) { return ray.x() > 0.13 ? 4.0 : 1.0; });
  for (const int grid : {48, 100, 128, 256}) {
    const Mesh mesh = mesh_from_depth(map, whole_sphere(), {.grid_width = grid});
    for (const auto& position : mesh.positions) {
      const float distance = position.norm();
      ASSERT_TRUE(std::abs(distance - 1.0F) < 1e-4F || std::abs(distance - 4.0F) < 1e-4F)
          << distance << " on a grid of " << grid;
    }
  }
}

TEST(MeshGrid, CoarserThanTheMapAveragesNoise) {
  std::mt19937 random(5);
  std::normal_distribution<double> noise(0.0, 0.01);
  const RayDistance map =
      panorama_of(1024, 512, [&](const Eigen::Vector3d&) { return 2.0 * (1 + noise(random)); });
  const Mesh mesh = mesh_from_depth(map, whole_sphere(), {.grid_width = 128, .cut_edges = false});
  double sum = 0.0;
  double square = 0.0;
  for (const auto& position : mesh.positions) {
    const double error = position.norm() - 2.0;
    sum += error;
    square += error * error;
  }
  const auto count = static_cast<double>(mesh.positions.size());
  EXPECT_NEAR(sum / count, 0.0, 0.001);
  EXPECT_LT(std::sqrt(square / count), 0.02 / 6) << "64 samples of sigma 0.02 in a cell";
}

TEST(MeshGrid, FinerThanTheMapInterpolatesPlanesAndNotAcrossEdges) {
  const RayDistance room = panorama_of(512, 256, room_distance);
  const Mesh mesh = mesh_from_depth(room, whole_sphere(), {.grid_width = 900, .cut_edges = false});
  double worst = 0.0;
  for (const auto& position : mesh.positions) {
    const double expected = room_distance(position.cast<double>().normalized());
    worst = std::max(worst, std::abs(position.norm() - expected) / expected);
  }
  EXPECT_LT(worst, 0.012) << "half a pixel beside a corner of the room";
  const RayDistance step =
      panorama_of(128, 64, [](const Eigen::Vector3d& ray) { return ray.x() > 0.13 ? 4.0 : 1.0; });
  const Mesh fine = mesh_from_depth(step, whole_sphere(), {.grid_width = 500});
  for (const auto& position : fine.positions) {
    const float distance = position.norm();
    ASSERT_TRUE(std::abs(distance - 1.0F) < 1e-4F || std::abs(distance - 4.0F) < 1e-4F) << distance;
  }
}

TEST(MeshOfACroppedPanorama, IsOpenAndShowsThePictureOnly) {
  const projection::SphereWindow window{
      .full_width = 400, .full_height = 200, .left = 150, .top = 60, .width = 100, .height = 50};
  const cv::Mat map(50, 100, CV_32FC1, cv::Scalar(2.0));
  const Mesh mesh = mesh_from_depth(RayDistance(map), window, {.grid_width = 100});
  EXPECT_EQ(mesh.positions.size(), 100U * 50);
  EXPECT_EQ(mesh.triangles.size(), 99U * 49 * 2);
  EXPECT_EQ(analyse(weld(mesh)).euler, 1) << "a disc";
  // The picture's centre: longitude 0, latitude 90 - (60 + 25) * 0.9 degrees.
  const double latitude = Radians::from_degrees(90 - 85 * 0.9).value();
  const auto seen = test::uv_seen(mesh, {1e-3, std::sin(latitude) + 1e-3, -std::cos(latitude)});
  ASSERT_TRUE(seen);
  EXPECT_NEAR(seen->x(), 0.5, 0.01);
  EXPECT_NEAR(seen->y(), 0.5, 0.01);
  EXPECT_FALSE(test::uv_seen(mesh, {0.01, 0.02, 1}));
}

TEST(MeshOfACroppedPanorama, GetsAPoleOnlyWhereThePictureReachesIt) {
  projection::SphereWindow window{
      .full_width = 64, .full_height = 32, .left = 0, .top = 0, .width = 64, .height = 20};
  const cv::Mat map(20, 64, CV_32FC1, cv::Scalar(2.0));
  const auto topology = [&](const projection::SphereWindow& part) {
    return analyse(weld(mesh_from_depth(RayDistance(map), part, {.grid_width = 64})));
  };
  EXPECT_EQ(topology(window).euler, 1) << "a bowl: one rim of 64 edges";
  EXPECT_EQ(topology(window).boundary_edges, 64U);
  window.top = 6;
  EXPECT_EQ(topology(window).euler, 0) << "a band";
  EXPECT_EQ(topology(window).boundary_edges, 128U);
  window.width = 40;
  EXPECT_EQ(topology(window).euler, 1) << "a patch";
}

TEST(MeshOfAFlatPhoto, IsTheWallThatItShows) {
  projection::TangentView view;
  view.width = 300;
  view.height = 200;
  view.fov_x = Radians::from_degrees(70);
  view.fov_y = Radians(2 * std::atan(std::tan(view.fov_x.value() / 2) * 200 / 300));
  cv::Mat map(200, 300, CV_32FC1);
  for (int y = 0; y < map.rows; ++y) {
    for (int x = 0; x < map.cols; ++x) {
      map.at<float>(y, x) = static_cast<float>(3.0 * ray_at(view, x + 0.5, y + 0.5).norm());
    }
  }
  const Mesh mesh = mesh_from_depth(RayDistance(map), view, {.grid_width = 120});
  EXPECT_EQ(mesh.positions.size(), 120U * 80);
  EXPECT_EQ(mesh.triangles.size(), 119U * 79 * 2);
  const double half_width = 3.0 * std::tan(view.fov_x.value() / 2);
  for (std::size_t i = 0; i < mesh.positions.size(); ++i) {
    ASSERT_NEAR(mesh.positions[i].z(), -3.0F, 2e-3F);
    ASSERT_NEAR(mesh.positions[i].x(), (2 * mesh.uvs[i].x() - 1) * half_width, 2e-3);
    ASSERT_GT(mesh.normals[i].z(), 0.98F) << "towards the camera";
  }
}

TEST(MeshFromDepth, AcceptsTheSmallestMaps) {
  for (const cv::Size size : {cv::Size(1, 1), cv::Size(2, 1), cv::Size(1, 2)}) {
    const cv::Mat map(size, CV_32FC1, cv::Scalar(2.0));
    expect_closed_surface(mesh_from_depth(RayDistance(map), whole_sphere(), {.grid_width = 8}));
  }
}

TEST(MeshFromDepth, SaysWhyThereIsNoMesh) {
  const RayDistance holes(cv::Mat(8, 16, CV_32FC1, cv::Scalar(kNan)));
  EXPECT_THAT(error_of([&] { (void)mesh_from_depth(holes, whole_sphere()); }),
              ::testing::HasSubstr("no valid distance"));
  EXPECT_THAT(error_of([&] { (void)mesh_from_depth(RayDistance(), whole_sphere()); }),
              ::testing::HasSubstr("is empty"));
  const RayDistance flat(cv::Mat(8, 16, CV_32FC1, cv::Scalar(1.0)));
  for (const int width : {-5, 1, 3, 1'000'000}) {
    EXPECT_THAT(
        error_of([&] { (void)mesh_from_depth(flat, whole_sphere(), {.grid_width = width}); }),
        ::testing::HasSubstr("use 4 to 32768 columns"));
  }
  EXPECT_THAT(error_of([&] {
                (void)mesh_from_depth(flat, whole_sphere(),
                                      {.edge_grazing = Radians::from_degrees(90)});
              }),
              ::testing::HasSubstr("90 degrees"));
}

}  // namespace
}  // namespace vergence::mesh
