// SPDX-License-Identifier: Apache-2.0
// vergence tag and probe as a user runs them.
#include "core/output_file.hpp"
#include "media/picture.hpp"
#include "media/video_reader.hpp"
#include "tests/cli/program.hpp"
#include "tests/support/process.hpp"

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using media::StereoTag;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Tag : public ProgramTest {
 protected:
  // A clip whose two halves are alike.
  fs::path clip(const std::string& name, const std::string& size = "64x64",
                const std::vector<std::string>& how = {"-movflags", "+faststart"}) const {
    std::vector<std::string> arguments = {"/usr/bin/ffmpeg",
                                          "-nostdin",
                                          "-v",
                                          "error",
                                          "-y",
                                          "-f",
                                          "lavfi",
                                          "-i",
                                          "testsrc2=size=" + size + ":duration=0.2",
                                          "-vf",
                                          "split[a][b];[a][b]hstack",
                                          "-c:v",
                                          "libx264"};
    arguments.insert(arguments.end(), how.begin(), how.end());
    arguments.push_back((folder_ / name).string());
    EXPECT_EQ(run_process(arguments).exit_code, 0);
    return folder_ / name;
  }

  std::string frames(const std::string& name) const {
    return run_process({"/usr/bin/ffmpeg", "-nostdin", "-v", "error", "-i",
                        (folder_ / name).string(), "-f", "framemd5", "-"})
        .output;
  }
};

TEST_F(Tag, ChangesTheFileAndSaysWhat) {
  clip("film.mp4");
  const std::string before = frames("film.mp4");
  const auto result = vergence({"tag", "film.mp4", "--as", "vr180-sbs"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, "film.mp4\n");
  EXPECT_THAT(result.errors, HasSubstr("180 degrees, side by side"));
  EXPECT_THAT(result.errors, HasSubstr("call it 'film_180_LR.mp4'"));
  EXPECT_EQ(frames("film.mp4"), before);
  const auto info = media::VideoReader(folder_ / "film.mp4").info();
  EXPECT_EQ(info.stereo, StereoTag::kSideBySide);
  ASSERT_TRUE(info.spherical);
  EXPECT_EQ(info.spherical->left, 0.25);
  EXPECT_THAT(names(), ::testing::ElementsAre("film.mp4"));
}

TEST_F(Tag, WritesANewFileWhereAsked) {
  clip("film.mp4");
  const std::string bytes = read_file(folder_ / "film.mp4");
  for (const std::string out : {"new.mp4", "new.mkv"}) {
    const auto result = vergence({"tag", "film.mp4", "--as", "360", "-o", out});
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    EXPECT_EQ(result.output, out + "\n");
    EXPECT_TRUE(media::VideoReader(folder_ / out).info().spherical);
  }
  EXPECT_TRUE(read_file(folder_ / "film.mp4") == bytes);
}

TEST_F(Tag, NarrowsTheFieldOfView) {
  clip("film.mp4");
  EXPECT_EQ(vergence({"tag", "film.mp4", "--as", "vr180-sbs", "--fov", "144"}).exit_code, 0);
  EXPECT_NEAR(media::VideoReader(folder_ / "film.mp4").info().spherical->left, 0.3, 1e-9);
}

TEST_F(Tag, TagsPhotosWithoutEncodingThem) {
  write_scene("hall.png");
  media::write_picture(folder_ / "hall.jpg", media::read_picture(folder_ / "hall.png").rgb);
  const cv::Mat before = media::read_picture(folder_ / "hall.jpg").rgb;
  EXPECT_EQ(vergence({"tag", "hall.jpg", "--as", "360"}).exit_code, 0);
  const auto after = media::read_picture(folder_ / "hall.jpg");
  EXPECT_TRUE(after.metadata.equirectangular);
  EXPECT_EQ(cv::norm(before, after.rgb, cv::NORM_INF), 0);
  const auto png = vergence({"tag", "hall.png", "--as", "360"});
  EXPECT_EQ(png.exit_code, 1);
  EXPECT_THAT(png.errors, HasSubstr("only JPEG can"));
}

TEST_F(Tag, WarnsWhereTagsContradictThePicture) {
  clip("film.mp4");
  EXPECT_THAT(vergence({"tag", "film.mp4", "--as", "360-sbs"}).errors,
              AllOf(Not(HasSubstr("wrong")), Not(HasSubstr("two halves"))));
  EXPECT_THAT(vergence({"tag", "film.mp4", "--as", "360-tb"}).errors,
              HasSubstr("the two halves of 'film.mp4' do not look like two eyes' views"));
  clip("odd.mp4", "48x64");
  EXPECT_THAT(vergence({"tag", "odd.mp4", "--as", "360"}).errors,
              HasSubstr("a picture of 96x64 has eyes of 1.50:1"));
}

TEST_F(Tag, IsClearAboutWhatIsWrong) {
  clip("film.mp4");
  fs::create_directory(folder_ / "folder.mp4");
  write_file(folder_ / "text.mp4", "these are words and no film at all");
  const auto fails = [&](const std::vector<std::string>& arguments, int code,
                         const std::string& words) {
    const auto result = vergence(arguments);
    EXPECT_EQ(result.exit_code, code) << result.errors;
    EXPECT_THAT(result.errors, HasSubstr(words));
    EXPECT_EQ(result.output, "");
  };
  fails({"tag", "film.mp4"}, 2, "--as");
  fails({"tag", "film.mp4", "--as", "vr18-sbs"}, 2, "vr180-sbs");
  fails({"tag", "no.mp4", "--as", "360"}, 1, "'no.mp4'");
  fails({"tag", "folder.mp4", "--as", "360"}, 1, "folder");
  fails({"tag", "text.mp4", "--as", "360"}, 1, "'text.mp4'");
  fails({"tag", "film.mp4", "--as", "fisheye-sbs"}, 2, "Apple");
  fails({"tag", "film.mp4", "--as", "360", "--apple"}, 1, "'hvc1'");
  fails({"tag", "film.mp4", "film.mp4", "--as", "360", "-o", "x.mp4"}, 2, "several inputs");
  fails({"tag", "film.mp4", "--as", "360", "-o", "nowhere/x.mp4"}, 1, "nowhere");
  fails({"probe", "no.mp4"}, 1, "'no.mp4'");
  fails({"probe", "text.mp4"}, 1, "'text.mp4'");
  ASSERT_EQ(::chmod((folder_ / "film.mp4").c_str(), 0444), 0);
  fails({"tag", "film.mp4", "--as", "360"}, 1, "read-only");
  clip("frag.mp4", "64x64", {"-movflags", "frag_keyframe+empty_moov"});
  fails({"tag", "frag.mp4", "--as", "360"}, 1, "fragmented");
}

TEST_F(Tag, GoesByContentNotByName) {
  media::write_picture(folder_ / "photo.jpg", scene(128, 64));
  fs::rename(folder_ / "photo.jpg", folder_ / "photo.mp4");
  EXPECT_EQ(vergence({"tag", "photo.mp4", "--as", "360"}).exit_code, 0);
  EXPECT_THAT(vergence({"probe", "photo.mp4"}).output,
              AllOf(HasSubstr("photo.mp4: photo"), HasSubstr("360 x 180")));
  clip("film.mp4");
  fs::rename(folder_ / "film.mp4", folder_ / "film.jpg");
  EXPECT_EQ(vergence({"tag", "film.jpg", "--as", "sbs"}).exit_code, 0);
  EXPECT_THAT(vergence({"probe", "film.jpg"}).output, HasSubstr("film.jpg: mp4, h264"));
}

TEST_F(Tag, TagsAreThereEvenWhereThePictureIsDamaged) {
  media::write_picture(folder_ / "photo.jpg", scene(128, 64));
  const auto bytes = read_file(folder_ / "photo.jpg");
  write_file(folder_ / "photo.jpg", bytes.substr(0, bytes.size() - 400) + "\xFF\xD9");
  const auto result = vergence({"tag", "photo.jpg", "--as", "360"});
  const bool changed =
      read_file(folder_ / "photo.jpg").find("equirectangular") != std::string::npos;
  EXPECT_EQ(result.exit_code == 0, changed) << result.errors;
}

TEST_F(Tag, DoesNotWaitForPipes) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe.mp4").c_str(), 0600), 0);
  ProcessOptions options;
  options.timeout_seconds = 20.0;
  for (const char* command : {"tag", "probe"}) {
    std::vector<std::string> arguments = {command, "pipe.mp4"};
    if (std::string(command) == "tag") arguments.insert(arguments.end(), {"--as", "360"});
    const auto result = vergence(arguments, options);
    EXPECT_EQ(result.exit_code, 1) << command;
    EXPECT_THAT(result.errors, HasSubstr("pipe.mp4'")) << command;
  }
}

TEST_F(Tag, ExplainsQuickTime) {
  clip("film.mov");
  const auto result = vergence({"tag", "film.mov", "--as", "360"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.errors, HasSubstr("QuickTime files (.mov)"));
}

// Killed at any moment, a file is as it was or tagged.
TEST_F(Tag, NeverLeavesHalfAFile) {
  clip("film.mp4", "640x320", {"-t", "0.2"});
  const std::string before = frames("film.mp4");
  for (int round = 0; round < 6; ++round) {
    fs::copy_file(folder_ / "film.mp4", folder_ / "work.mp4", fs::copy_options::overwrite_existing);
    int polls = 0;
    (void)vergence({"tag", "work.mp4", "--as", "vr180-sbs"},
                   {.signal_when = [&](const std::string&) { return ++polls > 3 * round; },
                    .signal_number = SIGKILL});
    EXPECT_EQ(frames("work.mp4"), before);
  }
}

TEST_F(Tag, LoadsNoNetworkAndNoMeshLibrary) {
  clip("film.mp4");
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"tag", "film.mp4", "--as", "360"}, {"probe", "film.mp4"}}) {
    const auto log = mapped_by(arguments);
    EXPECT_THAT(log, HasSubstr("libvergence_media"));
    for (const char* heavy : {"libtorch", "libc10", "libOpen3D", "torch.so", "open3d.so"}) {
      EXPECT_THAT(log, Not(HasSubstr(heavy))) << arguments[0];
    }
  }
}

TEST_F(Tag, ProbeTellsWherePlayersDisagree) {
  clip("walk_360_TB.mp4");
  ASSERT_EQ(vergence({"tag", "walk_360_TB.mp4", "--as", "vr180-sbs"}).exit_code, 0);
  const auto result = vergence({"probe", "walk_360_TB.mp4"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("YouTube                 180 degrees, side by side"));
  EXPECT_THAT(result.output, HasSubstr("SKYBOX                  360 degrees, top-bottom"));
  EXPECT_THAT(result.output, HasSubstr("the tags say 180 degrees, side by side, the name says 360 "
                                       "degrees, top-bottom"));
  EXPECT_THAT(result.output, HasSubstr("'walk_180_LR.mp4'"));
}

TEST_F(Tag, ProbeAgreesWithANameThatSaysTheSame) {
  clip("walk_180_LR.mp4");
  ASSERT_EQ(vergence({"tag", "walk_180_LR.mp4", "--as", "vr180-sbs"}).exit_code, 0);
  const auto result = vergence({"probe", "walk_180_LR.mp4"});
  EXPECT_THAT(result.output, Not(HasSubstr("warning")));
  EXPECT_THAT(result.output, HasSubstr("Meta Quest TV           180 degrees, side by side"));
}

TEST_F(Tag, ProbeWritesJson) {
  clip("a.mp4");
  clip("b_180.mp4");
  const auto result = vergence({"probe", "a.mp4", "b_180.mp4", "--json", "-"});
  const auto json = nlohmann::json::parse(result.output);
  ASSERT_EQ(json.size(), 2U);
  EXPECT_EQ(json[0]["file"], "a.mp4");
  EXPECT_EQ(json[0]["tags"], nullptr);
  EXPECT_EQ(json[0]["size"][0], 128);
  EXPECT_GE(json[1]["players"].size(), 6U);
  EXPECT_THAT(json[1]["warnings"].dump(), HasSubstr("--as 180"));
  EXPECT_EQ(vergence({"probe", "a.mp4", "no.mp4", "--json", "all.json"}).exit_code, 1);
  EXPECT_EQ(nlohmann::json::parse(read_file(folder_ / "all.json")).size(), 1U);
}

}  // namespace
}  // namespace vergence::test
