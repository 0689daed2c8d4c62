// SPDX-License-Identifier: Apache-2.0
// vergence vr180 as a user runs it; ffprobe and exiftool judge.
#include "core/output_file.hpp"
#include "media/depth_file.hpp"
#include "media/picture.hpp"
#include "tests/cli/program.hpp"
#include "tests/media/fixtures.hpp"

#include <cmath>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

class Vr180 : public ProgramTest {
 protected:
  // Runs `vr180` with quick networks; expects success and gives stdout.
  [[nodiscard]] std::string vr180(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "vr180");
    const auto result = vergence(quick(std::move(arguments)));
    errors_ = result.errors;
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return result.output;
  }

  // Expects failure and gives stderr.
  [[nodiscard]] std::string failing(int exit_code, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "vr180");
    const auto result = vergence(quick(std::move(arguments)));
    EXPECT_EQ(result.exit_code, exit_code) << result.errors;
    EXPECT_EQ(result.output, "");
    return result.errors;
  }

  // A panorama, everything of it 2 m away.
  void write_panorama(const std::string& name, int width = 256) const {
    media::write_picture(folder_ / name, scene(width, width / 2));
    write_depth("depth.npy", {width, width / 2}, 2.0);
  }

  void write_depth(const std::string& name, cv::Size size, double distance_m) const {
    media::write_depth(folder_ / name, RayDistance(cv::Mat(size, CV_32FC1, cv::Scalar(distance_m))),
                       {});
  }

  // A moving test picture with sound.
  void write_clip(const std::string& name, const std::string& size, int frames,
                  const std::string& more = "-c:v libx264 -preset ultrafast") const {
    run(
        fmt::format("ffmpeg -v error -f lavfi -i testsrc2=s={}:r=24 -f lavfi -i sine=r=48000 "
                    "-shortest -frames:v {} -pix_fmt yuv420p {} '{}'",
                    size, frames, more, (folder_ / name).string()));
  }

  [[nodiscard]] std::string ffprobe(const std::string& name, const std::string& entries) const {
    return run(fmt::format("ffprobe -v error -select_streams v -show_entries {} -of compact '{}'",
                           entries, (folder_ / name).string()));
  }

  [[nodiscard]] std::string exiftool(const std::string& name, const std::string& tags) const {
    return run(fmt::format("exiftool -n -s -s {} '{}'", tags, (folder_ / name).string()));
  }

  [[nodiscard]] cv::Mat read(const std::string& name) const {
    return media::read_picture(folder_ / name).rgb;
  }

  std::string errors_;  // of the last run
};

// ---- Photos

TEST_F(Vr180, A360PhotoBecomesAVr180PhotoThatViewersKnow) {
  write_panorama("in.jpg");
  EXPECT_EQ(vr180({"in.jpg"}), "in_180_LR.jpg\n");
  EXPECT_EQ(read("in_180_LR.jpg").size(), cv::Size(256, 128));
  const auto tags = exiftool("in_180_LR.jpg", "-XMP:all");
  EXPECT_THAT(tags, AllOf(HasSubstr("ProjectionType: equirectangular"),
                          HasSubstr("CroppedAreaImageWidthPixels: 128"),
                          HasSubstr("FullPanoWidthPixels: 256"),
                          HasSubstr("CroppedAreaLeftPixels: 64"), HasSubstr("left-right")));
}

TEST_F(Vr180, ATiltedCameraIsLevelledByItsPose) {
  cv::Mat picture(256, 512, CV_8UC3, cv::Scalar(0, 0, 0));
  cv::circle(picture, {256, 128}, 8, cv::Scalar::all(255), cv::FILLED);
  media::write_picture(folder_ / "in.jpg", picture);
  run(
      fmt::format("exiftool -q -overwrite_original -XMP-GPano:ProjectionType=equirectangular "
                  "-XMP-GPano:PosePitchDegrees=30 '{}'",
                  (folder_ / "in.jpg").string()));
  const auto row_of_disc = [&](const std::string& level) {
    (void)vr180({"in.jpg", "vr.layout=mono", "vr.eye_px=180", level, "-o", "out.png"});
    cv::Mat grey;
    cv::cvtColor(read("out.png"), grey, cv::COLOR_RGB2GRAY);
    const auto moments = cv::moments(grey);
    return moments.m01 / moments.m00 + 0.5;
  };
  EXPECT_NEAR(row_of_disc("view.level=auto"), 60.0, 0.5) << "30 degrees above the horizon";
  EXPECT_THAT(errors_, HasSubstr("levelled; view.level=off leaves it tilted"));
  EXPECT_NEAR(row_of_disc("view.level=off"), 90.0, 0.5);
}

struct Output {
  const char* projection;
  const char* layout;
  const char* name;
  cv::Size size;  // of the frame, for a panorama 256 pixels wide
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for this name
void PrintTo(const Output& row, std::ostream* stream) {
  *stream << row.projection << " " << row.layout;
}

class Vr180Outputs : public Vr180, public testing::WithParamInterface<Output> {};

TEST_P(Vr180Outputs, HaveTheirNameAndSize) {
  const auto& row = GetParam();
  write_panorama("in.png");
  EXPECT_EQ(vr180({"in.png", "input.depth=depth.npy", "vr.photo_format=png",
                   fmt::format("vr.projection={}", row.projection),
                   fmt::format("vr.layout={}", row.layout)}),
            std::string(row.name) + "\n");
  const cv::Mat frame = read(row.name);
  EXPECT_EQ(frame.size(), row.size);
  EXPECT_GT(cv::mean(frame)[0], 20.0) << "shows something";
}

INSTANTIATE_TEST_SUITE_P(
    All, Vr180Outputs,
    testing::Values(Output{"half_equirectangular", "sbs", "in_180_LR.png", {256, 128}},
                    Output{"half_equirectangular", "tb", "in_180_TB.png", {128, 256}},
                    Output{"half_equirectangular", "mono", "in_180_mono.png", {128, 128}},
                    Output{"equirectangular", "sbs", "in_360_LR.png", {512, 128}},
                    Output{"equirectangular", "tb", "in_360_TB.png", {256, 256}},
                    Output{"equirectangular", "mono", "in_360.png", {256, 128}},
                    Output{"fisheye", "sbs", "in_FISHEYE190_LR.png", {256, 128}},
                    Output{"fisheye", "mono", "in_FISHEYE190.png", {128, 128}},
                    Output{"flat", "sbs", "in_LRF_Full_SBS.png", {172, 48}},
                    Output{"flat", "tb", "in_TBF_fulltb.png", {86, 96}},
                    Output{"flat", "mono", "in_view.png", {86, 48}}));

TEST_F(Vr180, PairsOfPicturesInOneFile) {
  write_panorama("in.png");
  EXPECT_EQ(vr180({"in.png", "--depth", "depth.npy", "vr.photo_format=vr_jpeg"}), "in.vr.jpg\n");
  EXPECT_THAT(exiftool("in.vr.jpg", "-XMP-GPano:all -XMP-GImage:MIMEType -XMP-xmpNote:all"),
              AllOf(HasSubstr("ProjectionType: equirectangular"), HasSubstr("HasExtendedXMP")));
  EXPECT_EQ(read("in.vr.jpg").size(), cv::Size(128, 128)) << "ordinary viewers see one eye";
  EXPECT_EQ(vr180({"in.png", "--depth", "depth.npy", "-o", "pair.mpo"}), "pair.mpo\n");
  EXPECT_THAT(exiftool("pair.mpo", "-MPF:NumberOfImages"), HasSubstr("2"));
  EXPECT_EQ(vr180({"in.png", "--depth", "depth.npy", "vr.photo_format=mpo"}), "in_3d.mpo\n");
  EXPECT_THAT(failing(2, {"in.png", "-o", "one.mpo", "vr.layout=mono"}),
              HasSubstr("'one.mpo' is a format of two eyes"));
}

TEST_F(Vr180, PicturesOfBothEyesKeepBoth) {
  write_panorama("in.png");
  (void)vr180({"in.png", "--depth", "depth.npy", "output.jpeg_quality=98"});
  const cv::Mat pair = read("in_180_LR.jpg");
  EXPECT_EQ(vr180({"in_180_LR.jpg", "vr.layout=tb", "-o", "tb.png"}), "tb.png\n");
  const cv::Mat stacked = read("tb.png");
  ASSERT_EQ(stacked.size(), cv::Size(128, 256));
  EXPECT_LE(cv::norm(stacked.rowRange(0, 128), pair.colRange(0, 128), cv::NORM_INF), 2.0);
  EXPECT_LE(cv::norm(stacked.rowRange(128, 256), pair.colRange(128, 256), cv::NORM_INF), 2.0);
  EXPECT_EQ(vr180({"in_180_LR.jpg", "vr.layout=mono", "view.yaw_deg=20"}), "in_180_mono.jpg\n");
  EXPECT_EQ(read("in_180_mono.jpg").size(), cv::Size(128, 128));
  EXPECT_EQ(vr180({"in_180_LR.jpg", "-o", "pair.mpo"}), "pair.mpo\n");
  EXPECT_EQ(vr180({"pair.mpo", "input.projection=half_equirectangular", "-o", "again.png"}),
            "again.png\n");
  EXPECT_LE(cv::norm(read("again.png"), pair, cv::NORM_L1) / static_cast<double>(pair.total() * 3),
            3.0);
}

TEST_F(Vr180, OnlyAKnownDistanceBetweenTheEyesIsTold) {
  write_panorama("in.png");
  (void)vr180({"in.png", "--depth", "depth.npy"});
  const auto told = [&](const char* file) { return exiftool(file, "-BaselineLength"); };
  (void)vr180({"in_180_LR.jpg", "-o", "unknown.mpo"});
  EXPECT_THAT(told("unknown.mpo"), EndsWith(": 1\n"));  // both numbers of the fraction are all ones
  (void)vr180({"in_180_LR.jpg", "stereo.ipd_mm=70", "-o", "asked.mpo"});
  EXPECT_THAT(told("asked.mpo"), EndsWith(": 0.07\n"));
  (void)vr180({"asked.mpo", "input.projection=half_equirectangular", "-o", "kept.mpo"});
  EXPECT_THAT(told("kept.mpo"), EndsWith(": 0.07\n"));
}

TEST_F(Vr180, WhatIsHandedOnIsTheUsersChoice) {
  write_panorama("in.jpg");
  run(
      fmt::format("exiftool -q -overwrite_original -GPSLatitude=48.1 -GPSLatitudeRef=N "
                  "-DateTimeOriginal='2024:05:06 07:08:09' '{}'",
                  (folder_ / "in.jpg").string()));
  const auto told = [&](const char* setting) {
    (void)vr180({"in.jpg", "--depth", "depth.npy", setting});
    return exiftool("in_180_LR.jpg", "-GPSLatitude -DateTimeOriginal");
  };
  EXPECT_THAT(told("output.metadata=all"), AllOf(HasSubstr("48.1"), HasSubstr("2024")));
  EXPECT_THAT(told("output.metadata=no_place"), AllOf(Not(HasSubstr("48.1")), HasSubstr("2024")));
  EXPECT_EQ(told("output.metadata=none"), "");
  EXPECT_THAT(exiftool("in_180_LR.jpg", "-XMP-GPano:ProjectionType"), HasSubstr("equirectangular"))
      << "viewers know what it is all the same";
}

TEST_F(Vr180, BothEyesNeedNoNetwork) {
  media::write_picture(folder_ / "pair_180_LR.png", scene(256, 128));
  write_clip("clip_180_LR.mp4", "256x128", 3);
  for (const char* input : {"pair_180_LR.png", "clip_180_LR.mp4"}) {
    for (const char* preview : {"output.preview_sheet=false", "output.preview_sheet=true"}) {
      const auto log = mapped_by({"vr180", input, "vr.layout=tb", preview});
      EXPECT_THAT(log, Not(HasSubstr("libtorch"))) << input << " " << preview;
    }
  }
}

TEST_F(Vr180, ThePreviewOfAPairShowsItsOwnEyes) {
  cv::Mat pair(128, 256, CV_8UC3, cv::Scalar(200, 40, 40));
  pair.colRange(128, 256).setTo(cv::Scalar(40, 40, 200));
  media::write_picture(folder_ / "pair_180_LR.png", pair);
  EXPECT_EQ(vr180({"pair_180_LR.png", "--preview"}), "pair_preview.png\npair_preview.webp\n");
  // The first panel is the left eye, the second one the right eye.
  const cv::Mat sheet = read("pair_preview.png");
  EXPECT_GT(sheet.at<cv::Vec3b>(300, 320)[0], 190);
  EXPECT_GT(sheet.at<cv::Vec3b>(300, 970)[2], 190);
}

TEST_F(Vr180, TheRightEyeMayLieOnTheLeft) {
  run(
      fmt::format("ffmpeg -v error -f lavfi -i color=red:s=64x64:r=24 -f lavfi -i "
                  "color=blue:s=64x64:r=24 -filter_complex hstack -frames:v 2 -c:v libx264 "
                  "-pix_fmt yuv420p '{}'",
                  (folder_ / "in.mp4").string()));
  ASSERT_EQ(vergence({"tag", "in.mp4", "--as", "vr180-sbs"}).exit_code, 0);
  auto bytes = read_file(folder_ / "in.mp4", std::uintmax_t{1} << 24U);
  const auto at = bytes.find("st3d");
  ASSERT_NE(at, std::string::npos);
  bytes[at + 8] = 4;
  write_file(folder_ / "in.mp4", bytes);
  (void)vr180({"in.mp4", "vr.layout=mono", "-o", "left.mp4", "video.preset=ultrafast"});
  run(fmt::format("ffmpeg -v error -i '{0}' -frames:v 1 '{0}.png'",
                  (folder_ / "left.mp4").string()));
  const cv::Mat left = read("left.mp4.png");
  ASSERT_EQ(left.size(), cv::Size(64, 64));
  EXPECT_GT(left.at<cv::Vec3b>(32, 32)[2], 200) << "blue";
  EXPECT_LT(left.at<cv::Vec3b>(32, 32)[0], 60);
}

TEST_F(Vr180, VideosOfBothEyesKeepBoth) {
  write_clip("clip_180_LR.mp4", "256x128", 4);
  EXPECT_EQ(vr180({"clip_180_LR.mp4", "vr.layout=mono", "video.preset=ultrafast"}),
            "clip_180_mono.mp4\n");
  EXPECT_THAT(ffprobe("clip_180_mono.mp4", "stream=width,height:stream_side_data"),
              AllOf(HasSubstr("width=128|height=128"), HasSubstr("tiled equirectangular"),
                    Not(HasSubstr("side by side"))));
  EXPECT_EQ(vr180({"clip_180_LR.mp4", "vr.layout=tb", "video.preset=ultrafast"}),
            "clip_180_TB.mp4\n");
  EXPECT_THAT(ffprobe("clip_180_TB.mp4", "stream=width,height:stream_side_data"),
              AllOf(HasSubstr("width=128|height=256"), HasSubstr("top and bottom")));
}

TEST_F(Vr180, FlatPhotosStandAtTheirFieldOfView) {
  media::write_picture(folder_ / "in.png", cv::Mat(90, 160, CV_8UC3, cv::Scalar::all(200)));
  write_depth("depth.npy", {160, 90}, 3.0);
  for (const char* surround : {"black", "blur", "mirror"}) {
    EXPECT_EQ(vr180({"in.png", "--depth", "depth.npy", "input.hfov_deg=90", "vr.eye_px=256", "-o",
                     "out.png", fmt::format("stereo.surround={}", surround)}),
              "out.png\n");
    const cv::Mat left = read("out.png").colRange(0, 256);
    // 90 of 180 degrees across the middle, and nothing but the surround beside it.
    EXPECT_NEAR(left.at<cv::Vec3b>(128, 128)[0], 200, 2);
    EXPECT_NEAR(left.at<cv::Vec3b>(128, 70)[0], 200, 2);
    const int beside = left.at<cv::Vec3b>(128, 30)[0];
    if (std::string(surround) == "black") {
      EXPECT_LE(beside, 2);
    } else {
      EXPECT_NEAR(beside, 200, 3) << surround;
    }
  }
}

TEST_F(Vr180, TellsWhatFieldOfViewItAssumes) {
  media::write_picture(folder_ / "in.png", scene(96, 64));
  (void)vr180({"in.png", "vr.eye_px=64", "-o", "out.png"});
  EXPECT_THAT(errors_, HasSubstr("60 degrees assumed; give input.hfov_deg"));
}

TEST_F(Vr180, ParallaxGrowsWithTheDistanceBetweenTheEyes) {
  write_panorama("in.png", 512);
  const auto difference = [&](const char* ipd) {
    (void)vr180({"in.png", "--depth", "depth.npy", "-o", "out.png", ipd});
    const cv::Mat frame = read("out.png");
    return cv::norm(frame.colRange(0, 256), frame.colRange(256, 512), cv::NORM_L1);
  };
  EXPECT_GT(difference("stereo.ipd_mm=120"), 1.5 * difference("stereo.ipd_mm=50"));
}

TEST_F(Vr180, PreviewIsASheetAndAWiggle) {
  write_panorama("in.png");
  write_clip("clip.mp4", "256x128", 24);
  EXPECT_EQ(vr180({"in.png", "--preview"}), "in_preview.png\nin_preview.webp\n");
  EXPECT_THAT(errors_, HasSubstr("one frame of 256x128 took"));
  EXPECT_EQ(vr180({"clip.mp4", "--preview"}), "clip_preview.png\nclip_preview.webp\n");
  EXPECT_THAT(errors_, AllOf(HasSubstr("24 frames of 256x128"), HasSubstr("to go; output about"),
                             HasSubstr("of disk")));
}

// ---- Videos

TEST_F(Vr180, A360VideoBecomesATaggedVr180Video) {
  write_clip("walk_360.mp4", "256x128", 8);
  EXPECT_EQ(vr180({"walk_360.mp4", "video.preset=ultrafast"}), "walk_180_LR.mp4\n");
  EXPECT_THAT(ffprobe("walk_180_LR.mp4", "stream=width,height:stream_side_data"),
              AllOf(HasSubstr("width=256|height=128"), HasSubstr("type=side by side"),
                    HasSubstr("projection=tiled equirectangular")));
  EXPECT_THAT(run(fmt::format("ffprobe -v error -count_frames -show_entries "
                              "stream=codec_type,nb_read_frames -of csv=p=0 '{}'",
                              (folder_ / "walk_180_LR.mp4").string())),
              AllOf(HasSubstr("video,8"), HasSubstr("audio")));
  EXPECT_THAT(
      exiftool("walk_180_LR.mp4", "-ProjectionBoundsLeft -ProjectionBoundsRight"),
      AllOf(HasSubstr("ProjectionBoundsLeft: 0.25"), HasSubstr("ProjectionBoundsRight: 0.25")));
}

TEST_F(Vr180, VideosOfOtherLayouts) {
  write_clip("in.mp4", "256x128", 4);
  const std::vector<std::string> quickly = {"in.mp4", "video.preset=ultrafast"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), quickly.begin(), quickly.end());
    return more;
  };
  EXPECT_EQ(vr180(with({"vr.projection=equirectangular", "vr.layout=tb"})), "in_360_TB.mp4\n");
  EXPECT_THAT(ffprobe("in_360_TB.mp4", "stream=width,height:stream_side_data"),
              AllOf(HasSubstr("width=256|height=256"), HasSubstr("top and bottom"),
                    HasSubstr("projection=equirectangular")));
  EXPECT_EQ(vr180(with({"vr.projection=equirectangular", "vr.layout=mono"})), "in_360.mp4\n");
  EXPECT_THAT(ffprobe("in_360.mp4", "stream_side_data"),
              AllOf(HasSubstr("projection=equirectangular"), Not(HasSubstr("side by side"))));
  EXPECT_EQ(vr180(with({"-o", "out.mkv", "vr.layout=tb"})), "out.mkv\n");
  EXPECT_THAT(ffprobe("out.mkv", "stream_side_data"),
              AllOf(HasSubstr("top and bottom"), HasSubstr("projection=tiled equirectangular")));
  EXPECT_EQ(vr180(with({"vr.projection=flat"})), "in_LRF_Full_SBS.mp4\n");
  EXPECT_THAT(ffprobe("in_LRF_Full_SBS.mp4", "stream_side_data"),
              AllOf(HasSubstr("side by side"), Not(HasSubstr("equirectangular"))));
}

TEST_F(Vr180, AFlatVideoStandsInTheDark) {
  write_clip("in.mp4", "160x90", 6);
  EXPECT_EQ(vr180({"in.mp4", "input.hfov_deg=60", "vr.eye_px=192", "stereo.surround=black",
                   "video.preset=ultrafast"}),
            "in_180_LR.mp4\n");
  EXPECT_THAT(ffprobe("in_180_LR.mp4", "stream=width,height:stream_side_data"),
              AllOf(HasSubstr("width=384|height=192"), HasSubstr("tiled equirectangular")));
  run(fmt::format("ffmpeg -v error -i '{0}' -frames:v 1 '{0}.png'",
                  (folder_ / "in_180_LR.mp4").string()));
  const cv::Mat frame = read("in_180_LR.mp4.png");
  EXPECT_LE(cv::mean(frame(cv::Rect(0, 0, 192, 40)))[0], 3.0);
  EXPECT_GT(cv::mean(frame(cv::Rect(80, 80, 32, 32)))[1], 20.0);
}

TEST_F(Vr180, WarnsWhereADeviceCannotDecodeIt) {
  write_clip("in.mp4", "256x128", 3);
  (void)vr180({"in.mp4", "-o", "out.mp4", "video.preset=ultrafast",
               "limits.decodes=[h264 200x100@30]", "limits.device=a toy", "limits.audio=[opus]"});
  EXPECT_THAT(errors_, AllOf(HasSubstr("a toy decodes at most 200x100 at 30"),
                             HasSubstr("its sound is aac, which a toy may not play")));
}

TEST_F(Vr180, ApplesBoxesTellTheDistanceBetweenTheEyes) {
  write_clip("in.mp4", "256x128", 2);
  (void)vr180({"in.mp4", "-o", "out.mp4", "video.codec=libx265", "video.preset=ultrafast",
               "output.apple=true", "stereo.ipd_mm=60"});
  const auto bytes = read_file(folder_ / "out.mp4", std::uintmax_t{1} << 24U);
  // 60000 micrometres; 180 degrees.
  EXPECT_THAT(bytes, HasSubstr(std::string("blin\0\0\0\0\0\0\xEA\x60", 12)));
  EXPECT_THAT(bytes, HasSubstr(std::string("hfov\0\x02\xBF\x20", 8)));
  (void)vr180({"in.mp4", "-o", "flat.mp4", "video.codec=libx265", "video.preset=ultrafast",
               "output.apple=true", "vr.projection=flat", "vr.fov_deg=70"});
  EXPECT_THAT(read_file(folder_ / "flat.mp4", std::uintmax_t{1} << 24U),
              HasSubstr(std::string("hfov\0\x01\x11\x70", 8)));
}

TEST_F(Vr180, SaysWhichSettingsAreForPhotos) {
  write_clip("in.mp4", "256x128", 2);
  media::write_picture(folder_ / "sky.png", cv::Mat(32, 64, CV_8UC3, cv::Scalar::all(0)));
  const std::vector<std::string> settings = {"in.mp4",
                                             "-o",
                                             "out.mp4",
                                             "video.preset=ultrafast",
                                             "mask.nadir_deg=20",
                                             "sky.mode=file",
                                             "sky.mask=sky.png"};
  (void)vr180(settings);
  EXPECT_THAT(errors_, HasSubstr("mask.nadir_deg or sky.mask is for photos"));
  (void)vr180({"in.mp4", "--preview", "mask.nadir_deg=20"});
  EXPECT_THAT(errors_, HasSubstr("mask.nadir_deg is for photos"));
}

TEST_F(Vr180, LevelsAndKeyFramesAreWhatWasAskedFor) {
  write_clip("in.mp4", "256x128", 30);
  for (const auto& [codec, level] : {std::pair("libx264", "51"), std::pair("libx265", "153")}) {
    (void)vr180({"in.mp4", "-o", "out.mp4", "vr.layout=mono", "video.preset=ultrafast",
                 "video.level=5.1", "video.gop_s=0.5", "video.crf=30",
                 "video.max_bitrate_kbps=2000", fmt::format("video.codec={}", codec)});
    EXPECT_THAT(ffprobe("out.mp4", "stream=level"), HasSubstr(fmt::format("level={}", level)));
    EXPECT_THAT(ffprobe("out.mp4", "packet=flags"), HasSubstr("flags=K"));
    fs::remove(folder_ / "out.mp4");
  }
}

TEST_F(Vr180, HelpHasTheKeysThatMatter) {
  EXPECT_THAT(
      vergence({"vr180", "--help"}).output,
      AllOf(HasSubstr("output.metadata"), HasSubstr("output.apple"), HasSubstr("stereo.surround"),
            Not(HasSubstr("output.letterbox")), Not(HasSubstr("output.depth_format"))));
  EXPECT_THAT(vergence({"sbs", "--help"}).output,
              AllOf(HasSubstr("output.letterbox"), Not(HasSubstr("output.depth_format"))));
  EXPECT_THAT(vergence({"depth", "--help"}).output,
              AllOf(HasSubstr("output.depth_format"), Not(HasSubstr("output.letterbox"))));
}

// ---- Bad input

TEST_F(Vr180, RefusesWhatCannotBe) {
  write_panorama("in.png");
  write_clip("in.mp4", "256x128", 3);
  EXPECT_THAT(failing(2, {"in.png", "stereo.ipd_mm=0"}), HasSubstr("'stereo.ipd_mm=0'"));
  EXPECT_THAT(failing(2, {"in.png", "stereo.ipd_mm=-63"}), HasSubstr("'stereo.ipd_mm=-63'"));
  EXPECT_THAT(failing(2, {"in.png", "vr.fov_deg=200", "--depth", "depth.npy"}),
              HasSubstr("'vr.fov_deg' is 200"));
  EXPECT_THAT(failing(2, {"in.png", "vr.projection=equirectangular", "vr.fov_deg=90"}),
              HasSubstr("an equirectangular picture is 360 degrees wide"));
  EXPECT_THAT(failing(2, {"in.mp4", "-o", "out.mov"}),
              AllOf(HasSubstr("'out.mov'"), HasSubstr(".mp4 or .mkv")));
  EXPECT_THAT(failing(2, {"in.mp4", "-o", "out.gif"}), HasSubstr("'.gif' is no extension"));
  EXPECT_THAT(failing(2, {"in.png", "-o", "out.mp4"}), HasSubstr("'.mp4' is no extension"));
  EXPECT_THAT(failing(2, {"in.png", "-o", "in.png"}), HasSubstr("in.png"));
  EXPECT_THAT(failing(2, {"in.mp4", "-o", "in.mp4"}), HasSubstr("in.mp4"));
  EXPECT_THAT(failing(2, {"-", "-o", "out.mp4"}), HasSubstr("input.projection="));
  EXPECT_THAT(failing(1, {"missing.png"}), HasSubstr("missing.png"));
  EXPECT_THAT(failing(2, {"in.png", "limits.decodes=[hevc 8k]"}),
              HasSubstr("'limits.decodes' has 'hevc 8k'"));
  EXPECT_THAT(failing(2, {"in.mp4", "video.max_bitrate_kbps=1000"}), HasSubstr("video.crf"));
  EXPECT_THAT(names(), ElementsAre("depth.npy", "depth.npy.toml", "in.mp4", "in.png"))
      << "nothing is left behind";
}

TEST_F(Vr180, FieldsOfViewMayBeAsWideAsTheirLimits) {
  write_panorama("in.png");
  for (const char* limit :
       {"vr.projection=flat vr.fov_deg=150", "vr.projection=flat vr.fov_deg=10",
        "vr.projection=fisheye vr.fov_deg=220", "vr.projection=half_equirectangular vr.fov_deg=10",
        "vr.projection=half_equirectangular vr.fov_deg=180"}) {
    const std::string both = limit;
    const auto space = both.find(' ');
    EXPECT_EQ(vr180({"in.png", "--depth", "depth.npy", "-o", "out.png", both.substr(0, space),
                     both.substr(space + 1)}),
              "out.png\n")
        << limit;
  }
}

TEST_F(Vr180, WrongShapesWithoutMetadataAreNotGuessedAt) {
  media::write_picture(folder_ / "wide.png", scene(300, 100));
  EXPECT_THAT(failing(1, {"wide.png"}),
              AllOf(HasSubstr("wide.png"), HasSubstr("input.projection")));
  EXPECT_EQ(vr180({"wide.png", "input.projection=flat", "-o", "out.png", "vr.eye_px=64"}),
            "out.png\n");
}

TEST_F(Vr180, HalvesThatLookTheSameAreTwoEyesPerhaps) {
  const cv::Mat eye = scene(128, 128);
  cv::Mat both;
  cv::vconcat(eye, eye, both);
  media::write_picture(folder_ / "still.png", both);
  static_cast<void>(vr180({"still.png", "vr.layout=mono"}));
  EXPECT_THAT(errors_, HasSubstr("give input.stereo=tb"));
  static_cast<void>(vr180({"still.png", "input.stereo=none"}));
  EXPECT_THAT(errors_, Not(HasSubstr("give input.stereo=tb")));
}

TEST_F(Vr180, WarnsWhereTheCameraStandsInsideOfSomething) {
  write_panorama("in.png");
  write_depth("inside.npy", {256, 128}, 0.01);
  (void)vr180({"in.png", "--depth", "inside.npy", "-o", "out.png"});
  EXPECT_THAT(errors_, AllOf(HasSubstr("nearer than the eyes are apart"), HasSubstr("scale.factor"),
                             HasSubstr("stereo.ipd_mm")));
}

TEST_F(Vr180, OneBadFileOfAFolderDoesNotStopTheOthers) {
  fs::create_directory(folder_ / "album");
  media::write_picture(folder_ / "album/good.png", scene(64, 32));
  write_file(folder_ / "album/bad.png", "this is no picture");
  const auto result = vergence(quick({"vr180", "album", "vr.layout=mono"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.output, "album/good_180_mono.jpg\n");
  EXPECT_THAT(result.errors, HasSubstr("album/bad.png"));
}

}  // namespace
}  // namespace vergence::test
