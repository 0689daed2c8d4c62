// SPDX-License-Identifier: Apache-2.0
// What bad input, bad outputs and interruptions come to: outcome, exact line and exit code.
#include "core/output_file.hpp"
#include "media/picture.hpp"
#include "tests/cli/program.hpp"

#include <filesystem>
#include <functional>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kNobody = 65534;
constexpr const char* kPictureKinds =
    "give a JPEG, PNG, TIFF, WebP, HEIC, AVIF, HDR, EXR, BMP or PPM file";

cv::Mat small_scene() {
  cv::Mat picture(64, 128, CV_8UC3);
  cv::randu(picture, cv::Scalar::all(0), cv::Scalar::all(255));
  return picture;
}

void write_bytes(const fs::path& path, const std::string& bytes) {
  write_file(path, bytes);
}

struct BadInput {
  const char* name;
  std::function<void(const fs::path&)> make;  // makes the input
  const char* input;
  std::string line;  // the last line on stderr
};

void PrintTo(const BadInput& row, std::ostream* stream) {  // NOLINT(readability-identifier-naming)
  *stream << row.name;
}

class BadInputTable : public ProgramTest, public testing::WithParamInterface<BadInput> {};

TEST_P(BadInputTable, IsOneSentenceAndLeavesNothing) {
  const auto& row = GetParam();
  row.make(folder_ / row.input);
  const auto before = names();
  for (const char* command : {"depth", "mesh"}) {
    const std::string output = std::string("out") + (command[0] == 'd' ? ".exr" : ".glb");
    const auto result = vergence(quick({command, row.input, "-o", output}));
    EXPECT_EQ(result.exit_code, 1) << command;
    EXPECT_EQ(result.errors, "error: " + row.line + "\n") << command;
    EXPECT_EQ(result.output, "");
    EXPECT_EQ(names(), before);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Inputs, BadInputTable,
    testing::Values(
        BadInput{"missing", [](const fs::path&) {}, "room.jpg",
                 "cannot read 'room.jpg': no such file or directory; check the path"},
        BadInput{"empty", [](const fs::path& path) { write_bytes(path, ""); }, "room.jpg",
                 fmt::format("'room.jpg' is not a picture: it is empty; {}", kPictureKinds)},
        BadInput{"truncated",
                 [](const fs::path& path) {
                   media::write_picture(path, small_scene());
                   const auto whole = read_file(path);
                   write_bytes(path, whole.substr(0, whole.size() / 2));
                 },
                 "room.jpg",
                 "cannot read 'room.jpg': the JPEG data end too early; the file was cut short or "
                 "damaged; copy it again from where it came from"},
        BadInput{
            "pdf", [](const fs::path& path) { write_bytes(path, "%PDF-1.4\n%abc\n"); }, "room.jpg",
            fmt::format("'room.jpg' is not a picture: it looks like a PDF; {}", kPictureKinds)},
        BadInput{"one_pixel",
                 [](const fs::path& path) {
                   media::write_picture(path, small_scene()(cv::Rect(0, 0, 1, 1)));
                 },
                 "dot.png", "'dot.png' is only 1x1 pixels; give a picture of at least 16x16"},
        BadInput{"three_to_one",
                 [](const fs::path& path) {
                   media::write_picture(path, cv::Mat::zeros(100, 300, CV_8UC3));
                 },
                 "wide.png",
                 "cannot tell what 'wide.png' shows: 300x100 is 3:1, neither a photo nor a whole "
                 "360 panorama, and it has no GPano metadata; give input.projection=flat or "
                 "input.projection=equirectangular, or add the GPano tags"},
        BadInput{"empty_folder", [](const fs::path& path) { fs::create_directory(path); }, "photos",
                 "there are no pictures in the folder 'photos'; name a folder with pictures, or "
                 "the files themselves"}),
    [](const auto& row) { return row.param.name; });

struct GoodInput {
  const char* name;
  std::function<cv::Mat()> picture;
};

void PrintTo(const GoodInput& row, std::ostream* stream) {  // NOLINT(readability-identifier-naming)
  *stream << row.name;
}

class UnusualInputTable : public ProgramTest, public testing::WithParamInterface<GoodInput> {};

TEST_P(UnusualInputTable, Works) {
  media::write_picture(folder_ / "room.png", GetParam().picture());
  const auto result = vergence(quick({"depth", "room.png", "-o", "out.exr"}));
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, "out.exr\nout.exr.toml\nout_preview.png\n");
}

INSTANTIATE_TEST_SUITE_P(Inputs, UnusualInputTable,
                         testing::Values(GoodInput{"sixteen_bit",
                                                   [] {
                                                     cv::Mat wide;
                                                     small_scene().convertTo(wide, CV_16U, 257.0);
                                                     return wide;
                                                   }},
                                         GoodInput{"grey",
                                                   [] {
                                                     cv::Mat grey;
                                                     cv::extractChannel(small_scene(), grey, 1);
                                                     return grey;
                                                   }},
                                         GoodInput{"alpha",
                                                   [] {
                                                     cv::Mat rgba(64, 128, CV_8UC4,
                                                                  cv::Scalar(90, 120, 30, 128));
                                                     return rgba;
                                                   }}),
                         [](const auto& row) { return row.param.name; });

struct BadOutput {
  const char* name;
  const char* command;
  const char* output;
  int exit_code;
  std::string line;
};

void PrintTo(const BadOutput& row, std::ostream* stream) {  // NOLINT(readability-identifier-naming)
  *stream << row.name;
}

class BadOutputTable : public ProgramTest, public testing::WithParamInterface<BadOutput> {};

TEST_P(BadOutputTable, IsOneSentenceAndLeavesNothing) {
  const auto& row = GetParam();
  write_scene("room.png");
  fs::create_directory(folder_ / "trap.exr");
  fs::create_directory(folder_ / "trap.glb");
  fs::create_directory(folder_ / "mine");
  write_bytes(folder_ / "mine/letter.txt", "dear");
  const auto before = names();
  const auto result = vergence(quick({row.command, "room.png", "-o", row.output}));
  EXPECT_EQ(result.exit_code, row.exit_code);
  EXPECT_EQ(last_line(result.errors), row.line);
  EXPECT_EQ(result.output, "");
  EXPECT_EQ(names(), before);
  EXPECT_TRUE(fs::is_empty(folder_ / "trap.exr"));
}

constexpr const char* kFull =
    "error: cannot write '/dev/full': no space left on device; free some space or choose another "
    "disk with -o";

INSTANTIATE_TEST_SUITE_P(
    Outputs, BadOutputTable,
    testing::Values(
        BadOutput{"depth_extension", "depth", "out.doc", 2,
                  "error: cannot tell the format of 'out.doc': unknown extension '.doc'; end it in "
                  "'.exr', '.pfm', '.npy' or '.png'"},
        BadOutput{"mesh_extension", "mesh", "out.blend", 2,
                  "error: cannot tell the format of 'out.blend': unknown extension '.blend'; end "
                  "it in '.glb', '.gltf', '.fbx', '.obj' or '.ply'"},
        BadOutput{"depth_folder", "depth", "trap.exr", 1,
                  "error: cannot write 'trap.exr': it is a folder; name a file inside it with -o"},
        BadOutput{"mesh_folder", "mesh", "trap.glb", 1,
                  "error: cannot write 'trap.glb': it is a folder; name a file inside it with -o"},
        BadOutput{"no_folder", "depth", "no/such/out.exr", 1,
                  "error: cannot write 'no/such/out.exr': there is no folder 'no/such'; create it "
                  "first"},
        BadOutput{"depth_full_device", "depth", "/dev/full", 1, kFull},
        BadOutput{"mesh_full_device", "mesh", "/dev/full", 1, kFull},
        BadOutput{"input_as_output", "depth", "room.png", 2,
                  "error: the output 'room.png' is an input too; name another one with -o"},
        BadOutput{"views_file", "views", "room.png", 1,
                  "error: cannot write 'room.png': it is not a folder; name another folder with "
                  "-o"},
        BadOutput{"views_device", "views", "/dev/null", 1,
                  "error: cannot write '/dev/null': it is not a folder; name another folder with "
                  "-o"},
        BadOutput{"views_foreign_folder", "views", "mine", 1,
                  "error: cannot write views to 'mine': the folder holds other things; name a new "
                  "folder with -o"}),
    [](const auto& row) { return row.param.name; });

using BadPlace = ProgramTest;

TEST_F(BadPlace, ADeviceTakesTheResult) {
  write_scene("room.png");
  for (const char* command : {"depth", "mesh"}) {
    const auto result = vergence(quick({command, "room.png", "-o", "/dev/null"}));
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    EXPECT_EQ(result.output, "/dev/null\n");
  }
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_FALSE(fs::exists("/dev/null.toml"));
  EXPECT_THAT(names(), testing::ElementsAre("room.png"));
}

TEST_F(BadPlace, AFolderWithoutPermission) {
  if (::geteuid() != 0) GTEST_SKIP() << "becoming another user needs root";
  fs::permissions(folder_.path(), fs::perms(0755));
  const ProcessOptions as_nobody{.user_id = kNobody};
  try {
    if (vergence({"--version"}, as_nobody).exit_code != 0) GTEST_SKIP() << "nobody cannot run it";
  } catch (const std::runtime_error&) {
    GTEST_SKIP() << "another user cannot reach the build folder";
  }
  write_scene("room.png");
  const auto before = names();
  for (const char* output : {"out.exr", "out.glb"}) {
    const char* command = output == std::string("out.exr") ? "depth" : "mesh";
    const auto result = vergence(quick({command, "room.png", "-o", output}), as_nobody);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.errors,
              fmt::format("error: cannot write '{}': permission denied; choose another place with "
                          "-o, or change the folder's permissions\n",
                          output));
    EXPECT_EQ(names(), before);
  }
}

TEST_F(BadPlace, APictureWithoutPermission) {
  if (::geteuid() != 0) GTEST_SKIP() << "becoming another user needs root";
  fs::permissions(folder_.path(), fs::perms(0777));
  write_scene("room.png");
  fs::permissions(folder_ / "room.png", fs::perms(0600));
  try {
    const auto result = vergence(quick({"depth", "room.png"}), {.user_id = kNobody});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.errors,
              "error: cannot read 'room.png': permission denied; check its permissions\n");
  } catch (const std::runtime_error&) {
    GTEST_SKIP() << "another user cannot reach the build folder";
  }
}

TEST_F(BadPlace, AFullDisk) {
  const auto disk = folder_ / "disk";
  fs::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=16k") != 0) {
    GTEST_SKIP() << "mounting a small disk needs root";
  }
  write_scene("room.png");
  for (const char* output : {"disk/out.npy", "disk/out.glb", "disk/out.obj"}) {
    const char* command = output == std::string("disk/out.npy") ? "depth" : "mesh";
    const auto result = vergence(quick({command, "room.png", "-o", output}));
    EXPECT_EQ(result.exit_code, 1) << output;
    EXPECT_EQ(last_line(result.errors),
              fmt::format("error: cannot write '{}': no space left on device; free some space or "
                          "choose another disk with -o",
                          output));
    EXPECT_TRUE(fs::is_empty(disk)) << output;
  }
  const auto views = vergence(quick({"views", "room.png", "-o", "disk/views"}));
  EXPECT_EQ(views.exit_code, 1);
  EXPECT_THAT(last_line(views.errors),
              testing::MatchesRegex("error: cannot write 'disk/views/view_0[0-9].png': no space "
                                    "left on device; free some space or choose another disk with "
                                    "-o"));
  EXPECT_TRUE(fs::is_empty(disk));
  ::umount(disk.c_str());
}

class CtrlC : public ProgramTest {
 protected:
  // A job that takes seconds, and a signal when its network is at work.
  ProcessResult interrupted(const std::vector<std::string>& arguments, int num_signals,
                            int signal_number = SIGINT) {
    media::write_picture(folder_ / "room.png", scene(2048, 1024));
    auto all = arguments;
    all.emplace_back("--progress=plain");
    return vergence(all, {.timeout_seconds = 60.0,
                          .signal_when =
                              [](const std::string& errors) {
                                return errors.find("predicting:") != std::string::npos ||
                                       errors.find("writing views:") != std::string::npos;
                              },
                          .signal_number = signal_number,
                          .num_signals = num_signals});
  }
};

TEST_F(CtrlC, EndsTheWorkAndLeavesNothing) {
  for (const int signal_number : {SIGINT, SIGTERM}) {
    const auto result = interrupted({"mesh", "room.png", "-o", "out.glb"}, 1, signal_number);
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_EQ(last_line(result.errors), "interrupted");
    EXPECT_EQ(result.output, "");
    EXPECT_THAT(names(), testing::ElementsAre("room.png"));
  }
}

TEST_F(CtrlC, EndsViewsWithoutHalfAFolder) {
  const auto result = interrupted({"views", "room.png", "-o", "views", "views.size_px=1024"}, 1);
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_EQ(last_line(result.errors), "interrupted");
  EXPECT_THAT(names(), testing::ElementsAre("room.png"));
}

TEST_F(CtrlC, TwiceEndsAtOnce) {
  const auto result = interrupted({"views", "room.png", "-o", "views", "views.size_px=2048"}, 2);
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_THAT(names(), testing::ElementsAre("room.png"));
}

TEST_F(CtrlC, EndsABatchAtOnce) {
  write_scene("a.png");
  write_scene("z.png");
  const auto result = interrupted({"depth", "room.png", "a.png", "z.png", "-o", "out/"}, 1);
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_TRUE(fs::is_empty(folder_ / "out"));
}

}  // namespace
}  // namespace vergence::test
