// SPDX-License-Identifier: Apache-2.0
#include "pipeline/recognition.hpp"

#include "core/error.hpp"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

using projection::PictureKind;
using projection::SphereWindow;
using Packing = EyeLayout::Packing;

Recognition by_name(const char* name, cv::Size size) {
  return recognise(name, size, Claims{}, Claims{});
}

std::string shown(const Recognition& seen) {
  return std::string(projection::to_string(seen.projection)) + " " + to_string(seen.eyes);
}

TEST(EyeLayout, WordsAreTheirOwn) {
  for (const char* word : {"none", "sbs", "tb", "half_sbs", "half_tb", "sbs_right_first",
                           "tb_right_first", "half_sbs_right_first", "half_tb_right_first"}) {
    EXPECT_EQ(to_string(eye_layout_from_string(word).value()), word);
  }
  EXPECT_FALSE(eye_layout_from_string("auto"));
}

TEST(EyeLayout, SplitsPicturesByTheirMiddle) {
  cv::Mat picture(4, 9, CV_8UC1, cv::Scalar(0));
  picture.colRange(5, 9).setTo(7);
  const auto eyes = split_eyes(picture, {Packing::kSideBySide});
  EXPECT_EQ(eyes[0].size(), cv::Size(4, 4));
  EXPECT_EQ(cv::countNonZero(eyes[0]), 0);
  EXPECT_EQ(cv::countNonZero(eyes[1]), 16);
  EXPECT_EQ(cv::countNonZero(split_eyes(picture, {Packing::kSideBySide, false, true})[0]), 16);
  EXPECT_EQ(split_eyes(picture, {Packing::kTopBottom})[1].size(), cv::Size(9, 2));
}

struct Name {
  const char* name;
  cv::Size size;
  const char* shown;
};

TEST(RecogniseByName, FollowsThePlayersConventions) {
  for (const Name& one : {
           Name{"a_180_LR.mp4", {5760, 2880}, "half_equirectangular sbs"},
           Name{"a_180x180_3dh_LR.mp4", {5760, 2880}, "half_equirectangular sbs"},
           Name{"A-VR180.MP4", {5760, 2880}, "half_equirectangular sbs"},
           Name{"a_180_TB.mp4", {2880, 5760}, "half_equirectangular tb"},
           Name{"a_180_LR.mp4", {3840, 2160}, "half_equirectangular sbs"},
           Name{"a_180_LR.mp4", {2880, 2880}, "half_equirectangular half_sbs"},
           Name{"a_180.jpg", {3000, 3000}, "half_equirectangular none"},
           Name{"a_180_RL.mp4", {5760, 2880}, "half_equirectangular sbs_right_first"},
           Name{"a_360_TB.mp4", {3840, 3840}, "equirectangular tb"},
           Name{"a 360 (OU).mp4", {3840, 3840}, "equirectangular tb"},
           Name{"a_360_LR.mp4", {7680, 1920}, "equirectangular sbs"},
           Name{"a_360_LR.mp4", {3840, 1920}, "equirectangular half_sbs"},
           Name{"a_360.mp4", {3840, 1920}, "equirectangular none"},
           Name{"a_360_mono.mp4", {3840, 1920}, "equirectangular none"},
           Name{"a_360.mp4", {3840, 3840}, "equirectangular tb"},
           Name{"a_FISHEYE190_LR.mp4", {5760, 2880}, "fisheye sbs"},
           Name{"a_180_MKX200_LR.mp4", {5760, 2880}, "fisheye sbs"},
           Name{"a_F180.mp4", {5760, 2880}, "fisheye sbs"},
           Name{"clip_EAC.mkv", {3840, 2560}, "eac none"},
           Name{"clip_360_eac.webm", {3840, 2160}, "eac none"},
           Name{"a_LRF_Full_SBS.mp4", {3840, 1080}, "flat sbs"},
           Name{"a_HSBS_LR.mp4", {1920, 1080}, "flat half_sbs"},
           Name{"a_sbs.mp4", {1920, 1080}, "flat half_sbs"},
           Name{"a_TBF_fulltb.mp4", {1920, 2160}, "flat tb"},
           Name{"a-half-ou.mp4", {1920, 1080}, "flat half_tb"},
           Name{"side by side.jpg", {4000, 1500}, "flat sbs"},
       }) {
    EXPECT_EQ(shown(by_name(one.name, one.size)), one.shown) << one.name << ' ' << one.size;
  }
}

TEST(RecogniseByName, WordsThatFitNeitherEachOtherNorTheShapeDoNotCount) {
  for (const Name& one : {
           Name{"IMG_180_360.jpg", {4000, 3000}, "flat none"},
           Name{"a_180_360_LR.jpg", {4000, 3000}, "flat none"},
           Name{"a_LR_TB.mp4", {1920, 1080}, "flat none"},
           Name{"IMG_360.jpg", {4000, 3000}, "flat none"},
           Name{"photo_180.jpg", {4000, 3000}, "flat none"},
           Name{"portrait_LR.jpg", {4000, 3000}, "flat none"},  // LR means Lightroom too
           Name{"mytb.mp4", {1920, 1080}, "flat none"},
           Name{"color.mp4", {1920, 1080}, "flat none"},
           Name{"flr180lr.mp4", {1920, 1080}, "flat none"},
       }) {
    EXPECT_EQ(shown(by_name(one.name, one.size)), one.shown) << one.name << ' ' << one.size;
  }
}

TEST(RecogniseByName, LensesTellTheirFieldOfView) {
  const auto fov = [](const char* name) { return by_name(name, {5760, 2880}).fov; };
  EXPECT_NEAR(fov("a_FISHEYE190_LR.mp4")->degrees(), 190, 1e-9);
  EXPECT_NEAR(fov("a_MKX200_LR.mp4")->degrees(), 200, 1e-9);
  EXPECT_NEAR(fov("a_VRCA220_LR.mp4")->degrees(), 220, 1e-9);
  EXPECT_NEAR(fov("a_rf52_LR.mp4")->degrees(), 190, 1e-9);
  EXPECT_NEAR(fov("a_F175_SBS.mp4")->degrees(), 175, 1e-9);
  EXPECT_FALSE(fov("a_fisheye_LR.mp4"));
  EXPECT_FALSE(fov("a_180_LR.mp4"));
  const auto seen = by_name("a_FISHEYE200_LR.mp4", {5760, 2880});
  const auto model = eye_model(seen, std::nullopt, std::nullopt);
  EXPECT_EQ(model.size(), cv::Size(2880, 2880));
  EXPECT_NEAR(model.pixels_per_radian(), 2880 / Radians::from_degrees(200).value(), 1e-3);
}

media::VideoInfo video(std::optional<media::StereoTag> stereo,
                       std::optional<media::SphericalTag> spherical) {
  media::VideoInfo info;
  info.stereo = stereo;
  info.spherical = spherical;
  return info;
}

TEST(RecogniseByMetadata, BoxesOfVideosTellBeforeNames) {
  media::SphericalTag half;
  half.left = half.right = 0.25;
  auto file = claims_of(video(media::StereoTag::kSideBySide, half));
  auto seen = recognise("a_360_TB.mp4", {5760, 2880}, file, {});
  EXPECT_EQ(shown(seen), "half_equirectangular sbs");
  EXPECT_EQ(seen.eye_size, cv::Size(2880, 2880));
  EXPECT_EQ(seen.window, (SphereWindow{5760, 2880, 1440, 0, 2880, 2880}));
  EXPECT_EQ(seen.evidence, "metadata");

  file = claims_of(video(media::StereoTag::kTopBottom, media::SphericalTag{}));
  EXPECT_EQ(shown(recognise("a.mp4", {3840, 3840}, file, {})), "equirectangular tb");
  seen = recognise("a.mp4", {3840, 1920}, file, {});
  EXPECT_EQ(shown(seen), "equirectangular half_tb");
  EXPECT_EQ(seen.window, SphereWindow::whole(3840, 960));

  file = claims_of(video(std::nullopt, media::SphericalTag{}));
  EXPECT_EQ(shown(recognise("a.mp4", {3840, 1920}, file, {})), "equirectangular none");

  file = claims_of(video(media::StereoTag::kSideBySide, std::nullopt));
  EXPECT_EQ(shown(recognise("a.mp4", {1920, 1080}, file, {})), "flat half_sbs");
  EXPECT_EQ(shown(recognise("a.mp4", {3840, 1080}, file, {})), "flat sbs");

  media::SphericalTag wide;  // 150 degrees
  wide.left = wide.right = (1.0 - 150.0 / 360.0) / 2.0;
  seen =
      recognise("a.mp4", {3000, 1800}, claims_of(video(media::StereoTag::kSideBySide, wide)), {});
  EXPECT_EQ(seen.eyes.packing, Packing::kSideBySide);
  EXPECT_EQ(seen.window.full_width, 3600);
  EXPECT_EQ(seen.window.left, 1050);
}

TEST(RecogniseByMetadata, NonsenseBoundsAreNoBounds) {
  media::SphericalTag broken;
  broken.left = broken.right = 0.5;
  const auto file = claims_of(video(std::nullopt, broken));
  EXPECT_EQ(shown(recognise("a.mp4", {3840, 1920}, file, {})), "equirectangular none");
}

TEST(RecogniseByMetadata, AMeshOfItsOwnIsRefusedUntilTheUserSaysWhatItIs) {
  media::SphericalTag mesh;
  mesh.projection = media::SphericalTag::Projection::kMesh;
  const auto file = claims_of(video(media::StereoTag::kSideBySide, mesh));
  try {
    static_cast<void>(recognise("a.mp4", {5760, 2880}, file, {}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("input.projection=fisheye"), std::string::npos);
  }
  Claims asked;
  asked.projection = PictureKind::kFisheye;
  EXPECT_EQ(shown(recognise("a.mp4", {5760, 2880}, file, asked)), "fisheye sbs");
}

TEST(RecogniseByMetadata, PhotosOfBothEyesTellTheirPart) {
  media::PictureMetadata metadata;
  metadata.equirectangular = true;
  metadata.stereo = media::StereoTag::kSideBySide;
  metadata.crop = media::PanoramaCrop{4000, 2000, 1000, 0};
  const auto seen = recognise("a.jpg", {4000, 2000}, claims_of(metadata), {});
  EXPECT_EQ(shown(seen), "half_equirectangular sbs");
  EXPECT_EQ(seen.evidence, "GPano");
}

TEST(Recognise, WhatIsAskedForWins) {
  media::PictureMetadata metadata;
  metadata.equirectangular = true;
  Claims asked;
  asked.projection = PictureKind::kFlat;
  asked.eyes = EyeLayout{Packing::kTopBottom};
  const auto seen = recognise("a_180_LR.jpg", {4000, 2000}, claims_of(metadata), asked);
  EXPECT_EQ(shown(seen), "flat tb");
  EXPECT_EQ(seen.evidence, "as asked");
  asked.projection = PictureKind::kHalfEquirectangular;
  asked.eyes.reset();
  EXPECT_EQ(shown(recognise("a.jpg", {4000, 2000}, Claims{}, asked)), "half_equirectangular sbs");
  asked.projection = PictureKind::kDualFisheye;
  EXPECT_EQ(shown(recognise("a.jpg", {4000, 2000}, Claims{}, asked)), "dual_fisheye none");
}

cv::Mat noise(cv::Size size, int seed) {
  cv::Mat small(40, 40, CV_8UC3);
  std::mt19937 random(static_cast<unsigned>(seed));
  std::uniform_int_distribution<int> level(0, 255);
  for (auto& value : cv::Mat_<cv::Vec3b>(small)) {
    for (int c = 0; c < 3; ++c) value[c] = static_cast<uchar>(level(random));
  }
  cv::Mat large(size, CV_8UC3);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      large.at<cv::Vec3b>(y, x) = small.at<cv::Vec3b>(y * 40 / size.height, x * 40 / size.width);
    }
  }
  return large;
}

TEST(LikenessOfEyes, TellsPairsFromTwoPictures) {
  const cv::Mat one = noise({400, 400}, 1);
  const cv::Mat other = noise({400, 400}, 2);
  cv::Mat moved = one.clone();  // a little parallax
  one.colRange(8, 400).copyTo(moved.colRange(0, 392));
  cv::Mat pair;
  cv::hconcat(one, moved, pair);
  EXPECT_GT(likeness_of_eyes(pair, Packing::kSideBySide), 0.9);
  EXPECT_LT(likeness_of_eyes(pair, Packing::kTopBottom), 0.5);
  cv::hconcat(one, other, pair);
  EXPECT_LT(likeness_of_eyes(pair, Packing::kSideBySide), 0.3);
  EXPECT_EQ(likeness_of_eyes(cv::Mat(100, 100, CV_8UC3, cv::Scalar(9, 9, 9)), Packing::kTopBottom),
            1.0);
}

TEST(RequireFlat, RefusesSpheresUnlessTheUserSaysFlat) {
  const auto file = claims_of(video(std::nullopt, media::SphericalTag{}));
  EXPECT_THROW(require_flat("a.mp4", file, std::nullopt, "sbs"), Error);
  EXPECT_NO_THROW(require_flat("a.mp4", file, PictureKind::kFlat, "sbs"));
  EXPECT_NO_THROW(require_flat("a.mp4", Claims{}, std::nullopt, "sbs"));
  EXPECT_THROW(require_flat("a.mp4", Claims{}, PictureKind::kFisheye, "sbs"), Error);
}

}  // namespace
}  // namespace vergence::pipeline
