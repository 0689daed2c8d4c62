// SPDX-License-Identifier: Apache-2.0
// Blender as the judge: size, picture, and what its camera at the origin sees.
#include "mesh/mesh_file.hpp"
#include "tests/mesh/fixtures.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::mesh {
namespace {

namespace fs = std::filesystem;

class InBlender : public ::testing::TestWithParam<std::string> {};

TEST_P(InBlender, LooksAsThePictureDoesAtTheRightSize) {
  if (!fs::exists("/usr/bin/blender")) GTEST_SKIP() << "blender is not installed";
  const vergence::test::TemporaryFolder folder;
  const Mesh mesh = mesh_from_depth(test::panorama_of(128, 64, test::room_distance),
                                    test::whole_sphere(), {.grid_width = 128});
  const Texture texture = test::uv_texture(256, 128);
  const fs::path path = folder / ("my room" + GetParam());
  write_mesh(path, mesh, &texture);
  const auto script = vergence::test::source_dir() / "tests" / "mesh" / "blender_look.py";
  vergence::test::ProcessOptions patient;
  patient.timeout_seconds = 300;
  const auto result = vergence::test::run_process(
      {"/usr/bin/blender", "-b", "--factory-startup", "--python-exit-code", "3", "--python",
       script.string(), "--", path.string(), (folder / "seen.png").string()},
      patient);
  ASSERT_EQ(result.exit_code, 0) << result.output << result.errors;

  // Lines "name number number ..." behind the word RESULT.
  std::map<std::string, std::vector<double>> found;
  std::istringstream lines(result.output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    std::string name;
    words >> word >> name;
    if (word != "RESULT") continue;
    for (double value = 0.0; words >> value;) found[name].push_back(value);
  }
  using ::testing::DoubleNear;
  using ::testing::ElementsAre;
  EXPECT_THAT(found["triangles"], ElementsAre(static_cast<double>(mesh.triangles.size())));
  // Blender's Z is up, and its -Y is our +Z.
  EXPECT_THAT(found["size"],
              ElementsAre(DoubleNear(6, 0.03), DoubleNear(8, 0.03), DoubleNear(3, 0.03)));
  EXPECT_THAT(found["picture"], ElementsAre(256, 128));
  // Red and green at the middle and near the edges of a view of 90 degrees along the front: the
  // picture's u = 0.5 +- 0.1, v = 0.5 +- 0.2.
  EXPECT_THAT(found["centre"], ElementsAre(DoubleNear(127.5, 4), DoubleNear(127.5, 4)));
  EXPECT_THAT(found["left"], ElementsAre(DoubleNear(102, 4), DoubleNear(127.5, 4)));
  EXPECT_THAT(found["right"], ElementsAre(DoubleNear(153, 4), DoubleNear(127.5, 4)));
  EXPECT_THAT(found["top"], ElementsAre(DoubleNear(127.5, 4), DoubleNear(76.5, 4)));
  EXPECT_THAT(found["bottom"], ElementsAre(DoubleNear(127.5, 4), DoubleNear(178.5, 4)));
}

INSTANTIATE_TEST_SUITE_P(Formats, InBlender, ::testing::Values(".glb", ".gltf", ".fbx", ".obj"),
                         [](const auto& test) { return test.param.substr(1); });

}  // namespace
}  // namespace vergence::mesh
