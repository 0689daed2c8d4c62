// SPDX-License-Identifier: Apache-2.0
#include "pipeline/outputs.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "tests/support/paths.hpp"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kExtensions = {".exr", ".png"};

class OutputPlan : public ::testing::Test {
 protected:
  std::vector<BatchItem> plan(const std::vector<std::string>& inputs, const fs::path& output) {
    return plan_batch(inputs, output, {"_depth", ".exr", kExtensions});
  }

  std::string message_of(const std::vector<std::string>& inputs, const fs::path& output) {
    try {
      plan(inputs, output);
    } catch (const Error& error) {
      code_ = error.code();
      return error.what();
    }
    return "accepted";
  }

  std::string file(const fs::path& name) {
    fs::create_directories((folder_ / name).parent_path());
    write_file(folder_ / name, "x");
    return (folder_ / name).string();
  }

  test::TemporaryFolder folder_;
  ErrorCode code_ = ErrorCode::kFailed;
};

TEST_F(OutputPlan, NamesResultsBesideTheInputs) {
  const auto items = plan({"a/room.jpg", "b/hall.png"}, "");
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].output, "a/room_depth.exr");
  EXPECT_EQ(items[1].output, "b/hall_depth.exr");
}

TEST_F(OutputPlan, WritesToTheFileThatWasNamed) {
  EXPECT_EQ(plan({"room.jpg"}, folder_ / "x.PNG").at(0).output, folder_ / "x.PNG");
  EXPECT_EQ(plan({"room.jpg"}, "/dev/null").at(0).output, "/dev/null");
}

TEST_F(OutputPlan, WritesIntoFolders) {
  EXPECT_EQ(plan({"room.jpg"}, folder_.path()).at(0).output, folder_ / "room_depth.exr");
  EXPECT_EQ(plan({"room.jpg"}, folder_ / "new/").at(0).output, folder_ / "new/room_depth.exr");
  EXPECT_EQ(plan({"a.jpg", "b.jpg"}, folder_ / "two").at(1).output, folder_ / "two/b_depth.exr");
  EXPECT_TRUE(fs::is_directory(folder_ / "two"));
}

TEST_F(OutputPlan, TakesAFolderForThePicturesInIt) {
  file("in/b.jpg");
  file("in/a.PNG");
  file("in/notes.txt");
  file("in/a_depth.exr");
  file("in/a_depth_preview.png");
  const auto items = plan({(folder_ / "in").string()}, "");
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].input.filename(), "a.PNG");
  EXPECT_EQ(items[1].output, folder_ / "in/b_depth.exr");
  fs::create_directory(folder_ / "empty");
  EXPECT_THAT(message_of({(folder_ / "empty").string()}, ""),
              testing::HasSubstr("there are no pictures in the folder"));
}

TEST_F(OutputPlan, RefusesWhatWouldLoseWork) {
  EXPECT_THAT(message_of({"a/x.jpg", "b/x.jpg"}, folder_ / "out/"),
              testing::HasSubstr("would both be written to"));
  EXPECT_EQ(code_, ErrorCode::kUsage);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  EXPECT_THAT(message_of({"x.jpg", "x.png"}, ""), testing::HasSubstr("would both be written to"));
  const auto input = file("room.exr");
  EXPECT_THAT(message_of({input}, input), testing::HasSubstr("is an input too"));
  fs::create_symlink(input, folder_ / "link.exr");
  EXPECT_THAT(message_of({input}, folder_ / "link.exr"), testing::HasSubstr("is an input too"));
  EXPECT_EQ(code_, ErrorCode::kUsage);
}

TEST_F(OutputPlan, RefusesFormatsItDoesNotKnow) {
  EXPECT_EQ(message_of({"a.jpg"}, folder_ / "a.doc"),
            "cannot tell the format of '" + (folder_ / "a.doc").string() +
                "': unknown extension '.doc'; end it in '.exr' or '.png'");
  EXPECT_EQ(code_, ErrorCode::kUsage);
  EXPECT_THAT(message_of({"a.jpg", "b.jpg"}, folder_ / "all.exr"),
              testing::HasSubstr("several inputs cannot be written to one file"));
  fs::create_directory(folder_ / "trap.exr");
  EXPECT_THAT(message_of({"a.jpg"}, folder_ / "trap.exr"), testing::HasSubstr("it is a folder"));
  EXPECT_THAT(message_of({"a.jpg"}, folder_ / "no/such/a.exr"),
              testing::HasSubstr("there is no folder"));
}

TEST_F(OutputPlan, WritesAllFilesOrNone) {
  const auto target = folder_ / "a.exr";
  const auto paths = write_together(target, ".exr", [](const fs::path& place) {
    write_file(place, "map");
    write_file(place.parent_path() / "a.exr.toml", "about");
  });
  EXPECT_THAT(paths, testing::ElementsAre(target, folder_ / "a.exr.toml"));
  EXPECT_EQ(read_file(target), "map");
  try {
    write_together(folder_ / "b.exr", ".exr", [](const fs::path& place) {
      write_file(place, "map");
      throw Error("cannot write '" + place.string() + "': no");
    });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), "cannot write '" + (folder_ / "b.exr").string() + "': no");
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 2);
}

TEST_F(OutputPlan, WritesOneFileIntoADevice) {
  std::string extension;
  const auto paths = write_together("/dev/null", ".glb", [&](const fs::path& place) {
    extension = place.extension();
    write_file(place, "bytes");
    write_file(place.parent_path() / "more", "bytes");
  });
  EXPECT_EQ(extension, ".glb");
  EXPECT_THAT(paths, testing::ElementsAre("/dev/null"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_FALSE(fs::exists("/dev/more"));
}

}  // namespace
}  // namespace vergence::pipeline
