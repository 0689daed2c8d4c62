// SPDX-License-Identifier: Apache-2.0
#include "mesh/mesh_file.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "tests/mesh/fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <cmath>
#include <cstring>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::mesh {
namespace {

using vergence::test::error_of;
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using vergence::test::TemporaryFolder;

Mesh small_room(int width = 32) {
  return mesh_from_depth(test::panorama_of(width, width / 2, test::room_distance),
                         test::whole_sphere(), {.grid_width = width});
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A binary PLY: the header's lines and the bytes behind it.
struct Ply {
  std::vector<std::string> header;
  std::string body;

  explicit Ply(const fs::path& path) {
    const std::string bytes = read_file(path);
    const std::size_t end = bytes.find("end_header\n") + 11;
    std::istringstream lines(bytes.substr(0, end));
    for (std::string line; std::getline(lines, line);) header.push_back(line);
    body = bytes.substr(end);
  }

  [[nodiscard]] std::vector<float> floats(std::size_t offset, std::size_t count) const {
    std::vector<float> values(count);
    std::memcpy(values.data(), body.data() + offset, count * sizeof(float));
    return values;
  }
};

TEST(MeshFile, WritesTheFilesThatBelongTogetherAndNothingElse) {
  const Texture texture = test::uv_texture(32, 16);
  const auto files_of = [&](const std::string& name) {
    const TemporaryFolder folder;
    write_mesh(folder / name, small_room(), &texture);
    return names_in(folder.path());
  };
  EXPECT_THAT(files_of("a.glb"), ElementsAre("a.glb"));
  EXPECT_THAT(files_of("a.FBX"), ElementsAre("a.FBX"));
  EXPECT_THAT(files_of("my room.gltf"), ElementsAre("my room.gltf", "my_room.bin"));
  EXPECT_THAT(files_of("my room.obj"),
              ElementsAre("my room.obj", "my_room.mtl", "my_room_texture.png"));
  EXPECT_THAT(files_of("a.ply"), ElementsAre("a.ply", "a_texture.png"));
}

TEST(MeshFile, WorksWithoutAPicture) {
  const TemporaryFolder folder;
  for (const auto& extension : mesh_extensions()) {
    EXPECT_NO_THROW(write_mesh(folder / ("a" + extension), small_room(), nullptr)) << extension;
  }
  EXPECT_THAT(names_in(folder.path()),
              ElementsAre("a.bin", "a.fbx", "a.glb", "a.gltf", "a.obj", "a.ply"));
}

TEST(MeshFile, KeepsEveryVertexInGlb) {
  const TemporaryFolder folder;
  const Mesh mesh = small_room(128);
  write_mesh(folder / "a.glb", mesh, nullptr);
  const std::string glb = read_file(folder / "a.glb");
  EXPECT_THAT(glb.substr(0, 4000),
              HasSubstr("\"count\":" + std::to_string(mesh.positions.size()) + ","));
}

TEST(MeshFile, PlyHoldsPositionsNormalsAndCoordinatesFromTheLowerLeft) {
  const TemporaryFolder folder;
  const Mesh mesh = small_room();
  const Texture texture = test::uv_texture(32, 16);
  write_mesh(folder / "a.ply", mesh, &texture);
  const Ply ply(folder / "a.ply");
  EXPECT_THAT(ply.header, ::testing::Contains("comment TextureFile a_texture.png"));
  EXPECT_THAT(ply.header, ::testing::Contains("format binary_little_endian 1.0"));
  const std::size_t num_vertices = mesh.positions.size();
  ASSERT_EQ(ply.body.size(), num_vertices * 32 + mesh.triangles.size() * 13);
  const std::size_t vertex = num_vertices / 3;
  const auto values = ply.floats(vertex * 32, 8);
  EXPECT_EQ(Eigen::Vector3f(values.data()), mesh.positions[vertex]);
  EXPECT_EQ(Eigen::Vector3f(values.data() + 3), mesh.normals[vertex]);
  EXPECT_EQ(values[6], mesh.uvs[vertex].x());
  EXPECT_EQ(values[7], 1.0F - mesh.uvs[vertex].y());
  Triangle first{};
  EXPECT_EQ(ply.body[num_vertices * 32], 3);
  std::memcpy(first.data(), ply.body.data() + num_vertices * 32 + 1, sizeof(first));
  EXPECT_EQ(first, mesh.triangles.front());
}

TEST(MeshFile, ObjNumbersReadBackExactly) {
  const TemporaryFolder folder;
  Mesh mesh;
  mesh.positions = {{0.1F, -1e-7F, 12345.678F}, {1e9F, 2, 3}, {-0.0F, 5, 0.333333343F}};
  mesh.uvs = {{0.0F, 1.0F}, {1.0004883F, 0.25F}, {0.5F, 0.123456F}};
  mesh.normals = {{0, 0, 1}, {-0.70710677F, 0.70710677F, 0}, {-1, 0, 0}};
  mesh.triangles = {{0, 1, 2}};
  write_mesh(folder / "a.obj", mesh, nullptr, {.name = "my \"room\""});
  std::istringstream lines(read_file(folder / "a.obj"));
  std::size_t v = 0;
  std::size_t vt = 0;
  std::size_t vn = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind;
    std::array<std::string, 3> n;
    words >> kind >> n[0] >> n[1] >> n[2];
    if (kind == "v") {
      for (int i = 0; i < 3; ++i)
        EXPECT_EQ(std::stof(n[static_cast<std::size_t>(i)]), mesh.positions[v][i]) << line;
      ++v;
    } else if (kind == "vt") {
      EXPECT_NEAR(std::stof(n[0]), mesh.uvs[vt].x(), 6e-7F) << line;
      EXPECT_NEAR(std::stof(n[1]), 1.0F - mesh.uvs[vt].y(), 6e-7F) << line;
      ++vt;
    } else if (kind == "vn") {
      for (int i = 0; i < 3; ++i)
        EXPECT_NEAR(std::stof(n[static_cast<std::size_t>(i)]), mesh.normals[vn][i], 6e-7F) << line;
      ++vn;
    } else if (kind == "f") {
      EXPECT_EQ(line, "f 1/1/1 2/2/2 3/3/3");
    } else if (kind == "o") {
      EXPECT_EQ(line, "o my__room_");
    }
  }
  EXPECT_EQ(v + vt + vn, 9U);
}

TEST(MeshFile, LargeObjKeepsItsOrder) {
  const TemporaryFolder folder;
  const Mesh mesh = small_room(512);
  write_mesh(folder / "a.obj", mesh, nullptr);
  std::istringstream lines(read_file(folder / "a.obj"));
  std::size_t v = 0;
  std::size_t f = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("v ")) {
      ASSERT_EQ(std::stof(line.substr(2)), mesh.positions[v].x()) << v;
      ++v;
    } else if (line.starts_with("f ")) {
      ASSERT_EQ(std::stoul(line.substr(2)), mesh.triangles[f][0] + 1) << f;
      ++f;
    }
  }
  EXPECT_EQ(v, mesh.positions.size());
  EXPECT_EQ(f, mesh.triangles.size());
}

TEST(PointFile, HoldsPositionsNormalsAndColors) {
  const TemporaryFolder folder;
  PointCloud cloud;
  cloud.positions = {{1, 2, 3}, {4, 5, 6}};
  cloud.normals = {{0, 1, 0}, {0, 0, 1}};
  cloud.colors = {{10, 20, 30}, {40, 50, 60}};
  write_points(folder / "a.ply", cloud);
  const Ply ply(folder / "a.ply");
  EXPECT_THAT(ply.header, ::testing::Contains("element vertex 2"));
  ASSERT_EQ(ply.body.size(), 2U * 27);
  EXPECT_THAT(ply.floats(27, 6), ElementsAre(4, 5, 6, 0, 0, 1));
  EXPECT_EQ(ply.body.substr(51), "\x28\x32\x3C");
}

TEST(SplatFile, EncodesAsViewersExpect) {
  const TemporaryFolder folder;
  Splats splats;
  splats.positions = {{1, 2, 3}};
  splats.scales = {{0.5F, 1.0F, 2.0F}};
  splats.rotations = {{1, 0, 0, 0}};
  splats.colors = {{0, 255, 51}};
  splats.opacity = 0.95F;
  write_splats(folder / "a.ply", splats);
  const Ply ply(folder / "a.ply");
  std::vector<std::string> names;
  for (const auto& line : ply.header) {
    if (line.starts_with("property float ")) names.push_back(line.substr(15));
  }
  EXPECT_THAT(names,
              ElementsAre("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity",
                          "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"));
  ASSERT_EQ(ply.body.size(), 17U * 4);
  const auto values = ply.floats(0, 17);
  EXPECT_EQ(values[2], 3.0F);
  EXPECT_NEAR(0.5 + 0.28209479 * values[6], 0.0, 1e-6);
  EXPECT_NEAR(0.5 + 0.28209479 * values[7], 1.0, 1e-6);
  EXPECT_NEAR(0.5 + 0.28209479 * values[8], 0.2, 1e-6);
  EXPECT_NEAR(1 / (1 + std::exp(-values[9])), 0.95, 1e-6);
  EXPECT_NEAR(std::exp(values[10]), 0.5, 1e-6);
  EXPECT_NEAR(std::exp(values[12]), 2.0, 1e-6);
  EXPECT_EQ(values[13], 1.0F);
}

TEST(MeshFile, RefusesUnknownExtensionsAndEmptyMeshes) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { write_mesh(folder / "a.stl", small_room(), nullptr); }),
              HasSubstr("'.glb', '.gltf', '.fbx', '.obj' or '.ply'"));
  EXPECT_THAT(error_of([&] { write_mesh(folder / "a.glb", Mesh{}, nullptr); }),
              HasSubstr("no triangles"));
  EXPECT_TRUE(names_in(folder.path()).empty());
}

TEST(MeshFile, LeavesNothingBehindWhenOneOfItsFilesCannotBeWritten) {
  const Texture texture = test::uv_texture(32, 16);
  const std::vector<std::pair<std::string, std::string>> blocked{{"a.obj", "a.mtl"},
                                                                 {"a.obj", "a_texture.png"},
                                                                 {"a.gltf", "a.bin"},
                                                                 {"a.ply", "a_texture.png"}};
  for (const auto& pair : blocked) {
    const auto& obstacle = pair.second;
    const TemporaryFolder folder;
    fs::create_directory(folder / obstacle);
    EXPECT_THAT(error_of([&] { write_mesh(folder / pair.first, small_room(), &texture); }),
                HasSubstr("it is a folder"))
        << obstacle;
    EXPECT_THAT(names_in(folder.path()), ElementsAre(obstacle));
  }
  for (const auto& extension : mesh_extensions()) {
    EXPECT_THAT(
        error_of([&] { write_mesh("/nowhere/at/all" + extension, small_room(), &texture); }),
        HasSubstr("there is no folder"));
  }
}

TEST(MeshFile, NamesAFullDisk) {
  const TemporaryFolder folder;
  for (const auto& extension : mesh_extensions()) {
    const fs::path path = folder / ("full" + extension);
    fs::create_symlink("/dev/full", path);
    EXPECT_THAT(error_of([&] { write_mesh(path, small_room(), nullptr); }),
                HasSubstr("no space left on device"))
        << extension;
  }
  fs::create_symlink("/dev/full", folder / "points.ply");
  const auto cloud =
      points_from_depth(test::panorama_of(32, 16, test::room_distance), {}, test::whole_sphere());
  EXPECT_THAT(error_of([&] { write_points(folder / "points.ply", cloud); }),
              HasSubstr("no space left on device"));
}

class ValidGltf : public ::testing::TestWithParam<std::string> {};

TEST_P(ValidGltf, HasNoErrorsAndNoWarnings) {
  const fs::path tools = vergence::test::source_dir() / "tests" / "tools";
  if (!fs::is_directory(tools / "node_modules" / "gltf-validator")) {
    GTEST_SKIP() << "gltf-validator is missing (npm ci in tests/tools)";
  }
  const TemporaryFolder folder;
  const Texture texture = test::uv_texture(64, 32);
  for (const bool unlit : {true, false}) {
    const auto path = folder / ("a room" + GetParam());
    write_mesh(path, small_room(64), &texture, {.unlit = unlit});
    const auto result = vergence::test::run_process(
        {"/usr/bin/env", "node", (tools / "validate_gltf.js").string(), path.string()});
    EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
    EXPECT_THAT(result.output, HasSubstr("errors 0 warnings 0"));
    const auto extension = HasSubstr("KHR_materials_unlit");
    if (unlit) {
      EXPECT_THAT(result.output, extension);
    } else {
      EXPECT_THAT(result.output, ::testing::Not(extension));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, ValidGltf, ::testing::Values(".glb", ".gltf"),
                         [](const auto& test) { return test.param.substr(1); });

}  // namespace
}  // namespace vergence::mesh
