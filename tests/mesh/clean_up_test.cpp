// SPDX-License-Identifier: Apache-2.0
#include "mesh/clean_up.hpp"

#include "tests/mesh/fixtures.hpp"

#include <cmath>
#include <random>

#include <Eigen/Geometry>
#include <gtest/gtest.h>

namespace vergence::mesh {
namespace {

Mesh tetrahedron() {
  Mesh mesh;
  mesh.positions = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  mesh.triangles = {{0, 2, 1}, {0, 1, 3}, {0, 3, 2}, {1, 2, 3}};
  return mesh;
}

TEST(Analyse, KnowsATetrahedron) {
  const auto topology = analyse(tetrahedron());
  EXPECT_TRUE(topology.edge_manifold);
  EXPECT_TRUE(topology.vertex_manifold);
  EXPECT_TRUE(topology.oriented);
  EXPECT_EQ(topology.euler, 2);
  EXPECT_EQ(topology.boundary_edges, 0U);
  EXPECT_NEAR(topology.signed_volume, 1.0 / 6, 1e-9);
  EXPECT_NEAR(topology.area, 1.5 + std::sqrt(3.0) / 2, 1e-6);
}

TEST(Analyse, SeesATurnedTriangle) {
  Mesh mesh = tetrahedron();
  std::swap(mesh.triangles[0][0], mesh.triangles[0][1]);
  EXPECT_FALSE(analyse(mesh).oriented);
}

TEST(Analyse, SeesAHole) {
  Mesh mesh = tetrahedron();
  mesh.triangles.pop_back();
  const auto topology = analyse(mesh);
  EXPECT_EQ(topology.boundary_edges, 3U);
  EXPECT_EQ(topology.euler, 1);
  EXPECT_TRUE(topology.edge_manifold && topology.vertex_manifold && topology.oriented);
}

TEST(Analyse, SeesAnEdgeOfThreeTrianglesAndAVertexOfTwoFans) {
  Mesh fin = tetrahedron();
  fin.positions.emplace_back(2, 2, 2);
  fin.triangles.push_back({0, 1, 4});
  EXPECT_FALSE(analyse(fin).edge_manifold);
  Mesh bow_tie;
  bow_tie.positions = {{0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {-1, 0, 0}, {-1, -1, 0}};
  bow_tie.triangles = {{0, 1, 2}, {0, 3, 4}};
  EXPECT_TRUE(analyse(bow_tie).edge_manifold);
  EXPECT_FALSE(analyse(bow_tie).vertex_manifold);
}

TEST(Weld, JoinsEqualPositionsAndDropsWhatCollapses) {
  Mesh mesh;
  mesh.positions = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {1, 0, -0.0F}, {0, 1, 0}, {1, 1, 0}};
  mesh.triangles = {{0, 1, 2}, {3, 5, 4}, {1, 3, 5}};
  const Mesh welded = weld(mesh);
  EXPECT_EQ(welded.positions.size(), 4U);
  EXPECT_EQ(welded.triangles.size(), 2U);
  EXPECT_EQ(analyse(welded).boundary_edges, 4U);
}

TEST(RemoveSmallComponents, KeepsPiecesThatHangTogetherAcrossTheSeam) {
  // A band of 8 rows around the sphere, cut apart behind the seam, and a speck.
  auto map = test::panorama_of(64, 32, [](const Eigen::Vector3d&) { return 2.0; });
  auto& values = map.values();
  values.rowRange(0, 12).setTo(-1.0F);
  values.rowRange(20, 32).setTo(-1.0F);
  values.colRange(10, 14).setTo(-1.0F);
  values(cv::Rect(30, 2, 3, 3)).setTo(2.0F);
  const Mesh mesh = mesh_from_depth(map, test::whole_sphere(), {.grid_width = 64});
  constexpr std::size_t kBand = 826;  // 59 x 7 quads
  EXPECT_EQ(mesh.triangles.size(), kBand + 8);
  const Mesh kept = remove_small_components(mesh, 9);
  EXPECT_EQ(kept.triangles.size(), kBand);
  EXPECT_EQ(kept.uvs.size(), kept.positions.size());
  EXPECT_EQ(remove_small_components(mesh, kBand).triangles.size(), kBand) << "one piece, not two";
  EXPECT_EQ(remove_small_components(mesh, kBand + 1).triangles.size(), 0U);
  EXPECT_EQ(remove_small_components(mesh, 0).triangles.size(), mesh.triangles.size());
}

// How far the picture is from its place in the middle of triangles, as the eye at the origin sees
// it.
struct TextureError {
  double mean = 0.0;  // over the sphere
  double worst = 0.0;
};

TextureError texture_error(const Mesh& mesh) {
  const auto unit = projection::SphereWindow::whole(2, 1);
  TextureError error;
  double whole = 0.0;
  for (const auto& [a, b, c] : mesh.triangles) {
    const Eigen::Vector3f point = (mesh.positions[a] + mesh.positions[b] + mesh.positions[c]) / 3;
    const Eigen::Vector2f uv = (mesh.uvs[a] + mesh.uvs[b] + mesh.uvs[c]) / 3;
    const Eigen::Vector3d shown = direction_at(unit, 2 * uv.x(), uv.y());
    const double angle = (shown - point.cast<double>().normalized()).norm();
    const Eigen::Vector3f corner = mesh.positions[a].normalized();
    const double size = (mesh.positions[b].normalized() - corner)
                            .cross(mesh.positions[c].normalized() - corner)
                            .norm();
    error.worst = std::max(error.worst, angle);
    error.mean += angle * size;
    whole += size;
  }
  error.mean /= whole;
  return error;
}

TEST(Decimate, KeepsTheRoomClosedAndThePictureInItsPlace) {
  const Mesh mesh = mesh_from_depth(test::panorama_of(512, 256, test::room_distance),
                                    test::whole_sphere(), {.grid_width = 512});
  const Mesh small = decimate(mesh, 20'000);
  EXPECT_LE(small.triangles.size(), 21'000U);
  EXPECT_GT(small.triangles.size(), 15'000U);
  ASSERT_EQ(small.uvs.size(), small.positions.size());
  ASSERT_EQ(small.normals.size(), small.positions.size());
  const auto topology = analyse(weld(small));
  EXPECT_EQ(topology.boundary_edges, 0U);
  EXPECT_EQ(topology.euler, 2);
  EXPECT_TRUE(topology.edge_manifold);
  EXPECT_TRUE(topology.vertex_manifold);
  EXPECT_TRUE(topology.oriented);
  EXPECT_NEAR(topology.signed_volume, -144.0, 0.1);
  // Triangles are 2 degrees wide by now.
  EXPECT_LT(texture_error(small).mean, Radians::from_degrees(0.06).value());
  EXPECT_LT(texture_error(small).worst, Radians::from_degrees(0.6).value());
  const auto unit = projection::SphereWindow::whole(2, 1);
  for (std::size_t i = 0; i < small.positions.size(); ++i) {
    // u = 1 closes the seam half a cell further.
    const bool closes = small.uvs[i].x() == 1.0F && std::abs(small.uvs[i].y() - 0.5F) < 0.5F;
    const double u = closes ? 1.0 + 0.5 / 512 : small.uvs[i].x();
    const Eigen::Vector3d expected = direction_at(unit, 2 * u, small.uvs[i].y());
    ASSERT_LT((small.positions[i].cast<double>().normalized() - expected).norm(), 1e-5);
  }
}

TEST(Decimate, LeavesAnyStarShapeClosedAndManifold) {
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    const Mesh mesh = mesh_from_depth(test::random_star(seed, 200, 100), test::whole_sphere(),
                                      {.grid_width = 200, .cut_edges = false});
    for (const std::size_t target : {20'000U, 4'000U, 1'500U}) {
      const Mesh small = decimate(mesh, target);
      EXPECT_LE(small.triangles.size(), target);
      const auto topology = analyse(weld(small));
      EXPECT_TRUE(topology.edge_manifold) << target;
      EXPECT_TRUE(topology.vertex_manifold) << target;
      EXPECT_TRUE(topology.oriented) << target;
      EXPECT_EQ(topology.euler, 2) << target;
      EXPECT_EQ(topology.boundary_edges, 0U) << target;
    }
  }
}

TEST(Decimate, KeepsTheRimsOfCuts) {
  const RayDistance map = test::panorama_of(256, 128, [](const Eigen::Vector3d& ray) {
    bool hit = false;
    return test::pillar_room_distance(ray, hit);
  });
  const Mesh mesh = mesh_from_depth(map, test::whole_sphere(), {.grid_width = 256});
  const Mesh small = decimate(mesh, mesh.triangles.size() / 4);
  EXPECT_EQ(analyse(weld(small)).boundary_edges, analyse(weld(mesh)).boundary_edges);
  EXPECT_NEAR(static_cast<double>(small.triangles.size()),
              static_cast<double>(mesh.triangles.size()) / 4,
              static_cast<double>(mesh.triangles.size()) / 40);
}

TEST(Decimate, LeavesASmallMeshAlone) {
  EXPECT_EQ(decimate(tetrahedron(), 4).triangles.size(), 4U);
  EXPECT_EQ(decimate(Mesh{}, 4).triangles.size(), 0U);
}

}  // namespace
}  // namespace vergence::mesh
