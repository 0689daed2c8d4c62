// SPDX-License-Identifier: Apache-2.0
#include "pipeline/players.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

using media::SphericalTag;
using media::StereoTag;
using Shape = Belief::Shape;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const SphericalTag kHalf{.left = 0.25, .right = 0.25};

// An MP4 of VR180, as it should be.
FileSigns vr180() {
  FileSigns signs;
  signs.stem = "walk_180_LR";
  signs.container = "mp4";
  signs.codec = "hevc";
  signs.size = {4096, 2048};
  signs.boxes.emplace();
  signs.boxes->num_video_tracks = 1;
  signs.boxes->st3d = 2;
  signs.boxes->sv3d = kHalf;
  return signs;
}

Verdict verdict_of(const FileSigns& signs, const std::string& player) {
  for (auto& verdict : verdicts_on(signs)) {
    if (verdict.player.find(player) != std::string::npos) return verdict;
  }
  ADD_FAILURE() << "nobody is called " << player;
  return {};
}

struct NameCase {
  const char* stem;
  cv::Size size;
  const char* believed;
};

TEST(PlayersNames, AreReadByTheirWords) {
  for (const auto& row : std::vector<NameCase>{
           {"clip_180_LR", {4096, 2048}, "180 degrees, side by side"},
           {"clip_180x180_3dh_LR", {4096, 2048}, "180 degrees, side by side"},
           {"clip 360 TB", {4096, 4096}, "360 degrees, top-bottom"},
           {"clip_360", {4096, 2048}, "360 degrees, one picture"},
           {"Film.LRF_Full_SBS", {3840, 1080}, "flat, side by side"},
           {"film_HSBS_LR", {1920, 1080}, "flat, side by side (half)"},
           {"film_LR", {1920, 1080}, "flat, side by side (half)"},
           {"film_SBS", {3840, 1080}, "flat, side by side"},
           {"film_TB", {1920, 1080}, "flat, top-bottom (half)"},
           {"film_TBF_fulltb", {1920, 2160}, "flat, top-bottom"},
           {"x_FISHEYE190_RL", {4096, 2048}, "fisheye, side by side, right eye first"},
           {"x (MKX200) [lr]", {4096, 2048}, "fisheye, side by side"}}) {
    const auto belief = belief_of_name(row.stem, row.size, false);
    ASSERT_TRUE(belief) << row.stem;
    EXPECT_EQ(to_string(*belief), row.believed) << row.stem;
  }
}

TEST(PlayersNames, CountForNothingWhereTheyContradictThemselves) {
  EXPECT_FALSE(belief_of_name("Holiday 2024", {3840, 2160}, false));
  EXPECT_FALSE(belief_of_name("calorie_1080p", {1920, 1080}, false));
  EXPECT_FALSE(belief_of_name("a_180_360", {4096, 2048}, false));
  EXPECT_FALSE(belief_of_name("a_LR_TB", {4096, 2048}, false));
  EXPECT_FALSE(belief_of_name("", {4096, 2048}, false));
}

TEST(PlayersNames, MeanAFisheyeToSkyboxAlone) {
  EXPECT_EQ(belief_of_name("a_VR180_LR", {4096, 2048}, true)->shape, Shape::kFisheye);
  EXPECT_EQ(belief_of_name("a_VR180_LR", {4096, 2048}, false)->shape, Shape::kHemisphere);
}

TEST(Players, AgreeOnAGoodFile) {
  EXPECT_THAT(warnings_about(vr180(), "walk_180_LR.mp4"), IsEmpty());
  for (const char* player : {"YouTube", "SKYBOX", "Meta", "DeoVR", "Commedia", "RAD"}) {
    const auto belief = verdict_of(vr180(), player).belief;
    ASSERT_TRUE(belief) << player;
    EXPECT_EQ(to_string(*belief), "180 degrees, side by side") << player;
  }
}

TEST(Players, YouTubeRefusesAHemisphereForOneEye) {
  FileSigns signs = vr180();
  signs.boxes->st3d = 0;
  EXPECT_FALSE(verdict_of(signs, "YouTube").belief);
}

TEST(Players, YouTubeReadsMessagesOfH264Only) {
  FileSigns signs;
  signs.stem = "film";
  signs.container = "mp4";
  signs.size = {1920, 1080};
  signs.boxes.emplace();
  signs.bitstream = StereoTag::kSideBySide;
  signs.codec = "h264";
  EXPECT_EQ(verdict_of(signs, "YouTube").belief->stereo, StereoTag::kSideBySide);
  signs.codec = "hevc";
  EXPECT_EQ(verdict_of(signs, "YouTube").belief->stereo, StereoTag::kNone);
}

TEST(Players, TheNewerTagWins) {
  FileSigns signs = vr180();
  signs.boxes->v1 = media::V1TagFacts{.spherical = true, .stereo_mode = "left-right"};
  EXPECT_EQ(belief_of_tags(signs)->shape, Shape::kHemisphere);
  EXPECT_THAT(warnings_about(signs, "walk_180_LR.mp4"), Contains(HasSubstr("older tag (V1)")));
  signs.boxes->sv3d.reset();
  signs.boxes->st3d.reset();
  EXPECT_EQ(belief_of_tags(signs)->shape, Shape::kSphere);
}

TEST(Players, ContradictionsAreWarnedOf) {
  FileSigns name = vr180();
  name.stem = "walk_360_TB";
  EXPECT_THAT(warnings_about(name, "walk_360_TB.mp4"),
              Contains(::testing::AllOf(HasSubstr("'walk_180_LR.mp4'"), HasSubstr("--as 360-tb"))));
  FileSigns size = vr180();
  size.size = {1920, 1080};
  size.boxes->st3d = 1;
  EXPECT_THAT(warnings_about(size, "a.mp4"), Contains(HasSubstr("the picture are wrong")));
  FileSigns stream = vr180();
  stream.bitstream = StereoTag::kTopBottom;
  EXPECT_THAT(warnings_about(stream, "walk_180_LR.mp4"), Contains(HasSubstr("encoding anew")));
  FileSigns apple = vr180();
  apple.boxes->apple = media::AppleTagFacts{.projection = "equi", .packing = "side"};
  EXPECT_THAT(warnings_about(apple, "walk_180_LR.mp4"), Contains(HasSubstr("Apple's boxes say")));
  FileSigns nothing = vr180();
  nothing.boxes->sv3d = SphericalTag{.left = 1.0, .right = 1.0};
  EXPECT_THAT(warnings_about(nothing, "walk_180_LR.mp4"), Contains(HasSubstr("leave nothing")));
  FileSigns untagged = vr180();
  untagged.boxes->st3d.reset();
  untagged.boxes->sv3d.reset();
  EXPECT_THAT(warnings_about(untagged, "walk_180_LR.mp4"), Contains(HasSubstr("--as vr180-sbs")));
}

TEST(Players, KnowWhichSizesSuit) {
  const Belief hemisphere{.shape = Shape::kHemisphere, .stereo = StereoTag::kSideBySide};
  EXPECT_TRUE(fits_size(hemisphere, {4096, 2048}));
  EXPECT_TRUE(fits_size(hemisphere, {2048, 2048}));  // eyes of half the width
  EXPECT_FALSE(fits_size(hemisphere, {1920, 1200}));
  const Belief sphere{.shape = Shape::kSphere, .stereo = StereoTag::kTopBottom};
  EXPECT_TRUE(fits_size(sphere, {4096, 4096}));
  EXPECT_FALSE(fits_size(sphere, {4096, 3000}));
  EXPECT_FALSE(fits_size({.shape = Shape::kSphere}, {0, 0}));
}

}  // namespace
}  // namespace vergence::pipeline
