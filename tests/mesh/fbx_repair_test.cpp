// SPDX-License-Identifier: Apache-2.0
#include "mesh/fbx_repair.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "mesh/mesh_file.hpp"
#include "tests/mesh/fixtures.hpp"
#include "tests/support/paths.hpp"

#include <cstring>
#include <random>

#include <gtest/gtest.h>

namespace vergence::mesh {
namespace {

std::string small_fbx() {
  const vergence::test::TemporaryFolder folder;
  const Mesh mesh = mesh_from_depth(test::panorama_of(16, 8, test::room_distance),
                                    test::whole_sphere(), {.grid_width = 16});
  const Texture texture = test::uv_texture(16, 8);
  write_mesh(folder / "a.fbx", mesh, &texture);
  return read_file(folder / "a.fbx");
}

TEST(RepairFbx, LeavesARepairedFileAsItIs) {
  const std::string fbx = small_fbx();
  EXPECT_EQ(repair_fbx(fbx), fbx);
}

TEST(RepairFbx, EndsEveryNestedListWithANullRecord) {
  const std::string fbx = small_fbx();
  std::uint64_t end = 0;
  std::memcpy(&end, fbx.data() + 27, sizeof(end));  // of the first node, FBXHeaderExtension
  ASSERT_LT(end, fbx.size());
  EXPECT_EQ(fbx.substr(end - 25, 25), std::string(25, '\0'));
  EXPECT_EQ(fbx.size() % 16, (4 + 120 + 16) % 16U) << "the footer stands on a multiple of 16";
}

TEST(RepairFbx, RefusesWhatIsCutShortOrNoFbx) {
  const std::string fbx = small_fbx();
  EXPECT_THROW((void)repair_fbx(""), Error);
  EXPECT_THROW((void)repair_fbx("solid nonsense that is long enough to be a header"), Error);
  for (std::size_t length = 0; length < fbx.size() / 2; length += 97) {
    EXPECT_THROW((void)repair_fbx(std::string_view(fbx).substr(0, length)), Error) << length;
  }
}

TEST(RepairFbx, SurvivesFlippedBytes) {
  const std::string fbx = small_fbx();
  std::mt19937 random(11);
  std::uniform_int_distribution<std::size_t> where(0, fbx.size() - 1);
  std::uniform_int_distribution<int> value(0, 255);
  for (int round = 0; round < 3000; ++round) {
    std::string broken = fbx;
    for (int i = 0; i < 3; ++i) broken[where(random)] = static_cast<char>(value(random));
    try {
      (void)repair_fbx(broken);
    } catch (const Error&) {  // expected of most
    }
  }
}

}  // namespace
}  // namespace vergence::mesh
