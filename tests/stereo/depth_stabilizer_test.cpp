// SPDX-License-Identifier: Apache-2.0
#include "stereo/depth_stabilizer.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr double kRate = 25.0;
const cv::Size kSize(160, 90);

// A world to look at: textured, darker and brighter places, hills of depth.
struct World {
  cv::Mat picture;
  cv::Mat raw;
};

World make_world(unsigned seed) {
  cv::RNG random(seed);
  World world;
  const cv::Size size(2 * kSize.width, 2 * kSize.height);
  cv::Mat coarse(6, 8, CV_8UC3);
  random.fill(coarse, cv::RNG::UNIFORM, 10, 245);
  cv::resize(coarse, world.picture, size, 0, 0, cv::INTER_CUBIC);
  cv::Mat grain(size, CV_8UC3);
  random.fill(grain, cv::RNG::UNIFORM, 0, 20);
  world.picture += grain;
  cv::Mat hills(5, 7, CV_32FC1);
  random.fill(hills, cv::RNG::UNIFORM, 0.0, 1.0);
  cv::pow(hills, random.uniform(0.4, 3.0), hills);
  cv::resize(hills, world.raw, size, 0, 0, cv::INTER_LINEAR);
  return world;
}

struct Clip {
  std::vector<cv::Mat> pictures;
  std::vector<cv::Mat> raws;

  void add(const World& world, cv::Point corner = {40, 20}, double gain = 1.0) {
    const cv::Rect part(corner, kSize);
    cv::Mat picture;
    world.picture(part).convertTo(picture, CV_8U, gain);
    pictures.push_back(picture);
    raws.push_back(world.raw(part).clone());
  }

  void add_many(const World& world, int count) {
    for (int i = 0; i < count; ++i) add(world);
  }

  [[nodiscard]] std::vector<FrameStatistics> statistics() const {
    std::vector<FrameStatistics> all;
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      all.push_back(frame_statistics(pictures[i], raws[i], static_cast<double>(i) / kRate));
    }
    return all;
  }
};

std::vector<FrameDecision> decide(const std::vector<FrameStatistics>& frames,
                                  const StabilizerOptions& options) {
  DepthStabilizer stabilizer(options);
  std::vector<FrameDecision> decisions;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    for (const FrameDecision& decision : stabilizer.push(frames[i])) decisions.push_back(decision);
    EXPECT_LE(i + 1 - decisions.size(), static_cast<std::size_t>(stabilizer.delay()));
  }
  for (const FrameDecision& decision : stabilizer.flush()) decisions.push_back(decision);
  return decisions;
}

std::vector<std::int64_t> cuts_of(const Clip& clip) {
  std::vector<std::int64_t> cuts;
  for (const FrameDecision& decision : decide(clip.statistics(), {})) {
    if (decision.first_of_shot && decision.frame > 0) cuts.push_back(decision.frame);
  }
  return cuts;
}

using Cuts = std::vector<std::int64_t>;

// Frames of one constant content, whose numbers a test changes.
std::vector<FrameStatistics> still(int count) {
  std::vector<FrameStatistics> frames;
  for (int i = 0; i < count; ++i) {
    FrameStatistics frame;
    frame.time_s = i / kRate;
    frame.luma.fill(1.0F / 16.0F);
    frame.depth.fill(1.0F / 64.0F);
    frame.extremes = {0.0F, 10.0F};
    frame.percentiles = {1.0F, 9.0F};
    frame.median = 4.0F;
    frame.subject = {5.0F, 7.0F};
    frames.push_back(frame);
  }
  return frames;
}

TEST(FrameStatistics, AreSharesAndOrderedNumbers) {
  const World world = make_world(1);
  const FrameStatistics frame = frame_statistics(world.picture, world.raw, 2.5);
  EXPECT_EQ(frame.time_s, 2.5);
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    float sum = 0.0F;
    for (std::size_t i = 0; i < 16; ++i) sum += frame.luma[quarter * 16 + i];
    EXPECT_NEAR(sum, 1.0F, 1e-4F);
  }
  float sum = 0.0F;
  for (const float share : frame.depth) sum += share;
  EXPECT_NEAR(sum, 1.0F, 1e-4F);
  double least = 0.0;
  double most = 0.0;
  cv::minMaxLoc(world.raw, &least, &most);
  EXPECT_EQ(frame.extremes.min, static_cast<float>(least));
  EXPECT_EQ(frame.extremes.max, static_cast<float>(most));
  EXPECT_LE(frame.extremes.min, frame.percentiles.min);
  EXPECT_LT(frame.percentiles.min, frame.median);
  EXPECT_LT(frame.median, frame.percentiles.max);
  EXPECT_LE(frame.percentiles.max, frame.extremes.max);
  EXPECT_LE(frame.subject.min, frame.subject.max);
}

TEST(FrameStatistics, SixteenBitsAreTheSameAsEight) {
  const World world = make_world(2);
  cv::Mat deep;
  world.picture.convertTo(deep, CV_16U, 257.0);
  const FrameStatistics a = frame_statistics(world.picture, world.raw, 0.0);
  const FrameStatistics b = frame_statistics(deep, world.raw, 0.0);
  EXPECT_LT(frame_distance(a, b), 1e-3F);
}

TEST(FrameStatistics, OutliersMoveTheExtremesAlone) {
  World world = make_world(3);
  const FrameStatistics clean = frame_statistics(world.picture, world.raw, 0.0);
  world.raw.at<float>(1, 1) = 1e6F;
  world.raw.at<float>(70, 100) = -1e6F;
  world.raw(cv::Rect(0, 0, 4, 4)).setTo(kNan);
  const FrameStatistics odd = frame_statistics(world.picture, world.raw, 0.0);
  EXPECT_EQ(odd.extremes.min, -1e6F);
  EXPECT_NEAR(odd.percentiles.min, clean.percentiles.min, 0.01F);
  EXPECT_NEAR(odd.percentiles.max, clean.percentiles.max, 0.01F);
  EXPECT_NEAR(odd.median, clean.median, 0.01F);
}

TEST(FrameStatistics, TheSubjectIsTheNearThingInTheMiddle) {
  const cv::Mat picture(90, 160, CV_8UC3, cv::Scalar::all(90));
  cv::Mat raw(90, 160, CV_32FC1, cv::Scalar(1.0));
  raw(cv::Rect(0, 75, 160, 15)).setTo(10.0);  // the ground before the camera
  raw(cv::Rect(60, 20, 40, 50)).setTo(6.0);   // somebody in the middle
  const FrameStatistics frame = frame_statistics(picture, raw, 0.0);
  EXPECT_FLOAT_EQ(frame.subject.min, 6.0F);
  EXPECT_FLOAT_EQ(frame.subject.max, 6.0F);
}

TEST(FrameStatistics, BordersAreTheirOwnSides) {
  const cv::Mat picture(90, 160, CV_8UC3, cv::Scalar::all(90));
  cv::Mat raw(90, 160, CV_32FC1, cv::Scalar(1.0));
  raw(cv::Rect(0, 20, 10, 60)).setTo(5.0);
  raw(cv::Rect(150, 0, 10, 5)).setTo(5.0);  // too small to count
  const FrameStatistics frame = frame_statistics(picture, raw, 0.0);
  EXPECT_FLOAT_EQ(frame.left_border, 5.0F);
  EXPECT_FLOAT_EQ(frame.right_border, 1.0F);
}

TEST(FrameStatistics, NoDepthAndTinyPicturesAreNoTrouble) {
  const cv::Mat picture(1, 1, CV_8UC3, cv::Scalar::all(90));
  const cv::Mat raw(1, 1, CV_32FC1, cv::Scalar(kNan));
  const FrameStatistics frame = frame_statistics(picture, raw, 0.0);
  EXPECT_EQ(frame.extremes.min, 0.0F);
  EXPECT_EQ(frame.extremes.max, 0.0F);
  EXPECT_EQ(frame.subject.max, 0.0F);
  EXPECT_THROW((void)frame_statistics({}, raw, 0.0), std::invalid_argument);
  EXPECT_THROW((void)frame_statistics(picture, picture, 0.0), std::invalid_argument);
}

TEST(ShotCuts, FindsEveryHardCutAndNoOther) {
  for (const unsigned seed : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U}) {
    Clip clip;
    clip.add_many(make_world(10 * seed), 20);
    clip.add_many(make_world(10 * seed + 1), 9);
    clip.add_many(make_world(10 * seed + 2), 15);
    EXPECT_EQ(cuts_of(clip), (Cuts{20, 29})) << seed;
  }
}

TEST(ShotCuts, ShortInsertBetweenTwoOtherShotsIsAShot) {
  Clip clip;
  clip.add_many(make_world(1), 15);
  clip.add_many(make_world(2), 3);
  clip.add_many(make_world(3), 15);
  EXPECT_EQ(cuts_of(clip), (Cuts{15, 18}));
}

TEST(ShotCuts, FlashesAreNoCuts) {
  for (int length = 1; length <= 5; ++length) {
    const World world = make_world(5);
    Clip clip;
    clip.add_many(world, 15);
    for (int i = 0; i < length; ++i) clip.add(world, {40, 20}, 4.0);
    clip.add_many(world, 15);
    EXPECT_EQ(cuts_of(clip), Cuts{}) << length;
  }
}

TEST(ShotCuts, FadesAndDissolvesAreNoCuts) {
  const World a = make_world(6);
  const World b = make_world(7);
  Clip clip;
  clip.add_many(a, 12);
  for (int i = 11; i > 0; --i) clip.add(a, {40, 20}, i / 12.0);
  for (int i = 1; i < 12; ++i) clip.add(a, {40, 20}, i / 12.0);
  clip.add_many(a, 12);
  EXPECT_EQ(cuts_of(clip), Cuts{});
}

TEST(ShotCuts, ShakesAndPansAreNoCuts) {
  const World world = make_world(8);
  std::mt19937 random(4);
  std::uniform_int_distribution<int> shake(-20, 20);
  Clip clip;
  for (int i = 0; i < 30; ++i) clip.add(world, {40 + shake(random), 25 + shake(random)});
  for (int i = 0; i < 30; ++i) clip.add(world, {5 * i, 20});
  const Cuts cuts = cuts_of(clip);
  EXPECT_EQ(cuts, Cuts{});
}

TEST(ShotCuts, NoneWhereNotLookedFor) {
  Clip clip;
  clip.add_many(make_world(1), 10);
  clip.add_many(make_world(2), 10);
  StabilizerOptions options;
  options.cuts = false;
  for (const FrameDecision& decision : decide(clip.statistics(), options)) {
    EXPECT_EQ(decision.first_of_shot, decision.frame == 0);
  }
}

class EveryRange : public ::testing::TestWithParam<std::tuple<RangeMode, int>> {};

TEST_P(EveryRange, DecidesEveryFrameOnceAndInOrder) {
  StabilizerOptions options;
  std::tie(options.range, options.look_ahead) = GetParam();
  for (const int count : {0, 1, 2, 5, 40}) {
    Clip clip;
    clip.add_many(make_world(1), count / 2);
    clip.add_many(make_world(2), count - count / 2);
    const auto decisions = decide(clip.statistics(), options);
    ASSERT_EQ(decisions.size(), static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(decisions[static_cast<std::size_t>(i)].frame, i);
      EXPECT_LT(decisions[static_cast<std::size_t>(i)].range.min,
                decisions[static_cast<std::size_t>(i)].range.max);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, EveryRange,
                         ::testing::Combine(::testing::Values(RangeMode::kFrame, RangeMode::kEma,
                                                              RangeMode::kShot),
                                            ::testing::Values(1, 3, 30)));

TEST(DepthStabilizer, EmaIsTheSmootherBegunAnewAtCuts) {
  Clip clip;
  clip.add_many(make_world(1), 12);
  clip.add_many(make_world(2), 14);
  auto frames = clip.statistics();
  std::mt19937 random(9);
  std::uniform_real_distribution<float> any(0.0F, 0.3F);
  for (FrameStatistics& frame : frames) frame.extremes = {-any(random), 1.0F + any(random)};
  StabilizerOptions options;
  options.range = RangeMode::kEma;
  options.ema.decay = 0.6F;
  options.look_ahead = 7;
  const auto decisions = decide(frames, options);

  RangeSmoother smoother({0.6F, 7});
  std::vector<DepthRange> expected;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (i == 12) {
      for (const DepthRange& range : smoother.flush()) expected.push_back(range);
    }
    if (const auto range = smoother.push(frames[i].extremes)) expected.push_back(*range);
  }
  for (const DepthRange& range : smoother.flush()) expected.push_back(range);
  ASSERT_EQ(decisions.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(decisions[i].range.min, expected[i].min) << i;
    EXPECT_EQ(decisions[i].range.max, expected[i].max) << i;
  }
}

TEST(DepthStabilizer, ShotRangeIgnoresNoiseOfSingleFrames) {
  auto frames = still(80);
  frames[40].percentiles = {-20.0F, 50.0F};
  for (const FrameDecision& decision : decide(frames, {})) {
    EXPECT_FLOAT_EQ(decision.range.min, 1.0F) << decision.frame;
    EXPECT_FLOAT_EQ(decision.range.max, 9.0F) << decision.frame;
  }
}

TEST(DepthStabilizer, ShotRangeWidensAheadOfWhatComesNearer) {
  auto frames = still(120);
  for (std::size_t i = 60; i < frames.size(); ++i) frames[i].percentiles.max = 11.0F;
  const auto decisions = decide(frames, {});
  EXPECT_FLOAT_EQ(decisions[20].range.max, 9.0F);
  EXPECT_FLOAT_EQ(decisions[60].range.max, 11.0F);
}

TEST(DepthStabilizer, ShotRangeNeverJumpsWithinAShot) {
  std::mt19937 random(11);
  std::uniform_real_distribution<float> any(0.0F, 1.0F);
  auto frames = still(300);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const float level = static_cast<float>((i / 37) % 5);
    frames[i].percentiles = {level - any(random), 10.0F + 4.0F * level + any(random)};
  }
  const auto decisions = decide(frames, {});
  for (std::size_t i = 1; i < decisions.size(); ++i) {
    const DepthRange& before = decisions[i - 1].range;
    const DepthRange& now = decisions[i].range;
    const float most = 0.5F * (before.max - before.min) / static_cast<float>(kRate) * 1.001F;
    EXPECT_LE(std::abs(now.min - before.min), most) << i;
    EXPECT_LE(std::abs(now.max - before.max), most) << i;
    EXPECT_LT(now.min, now.max);
  }
}

TEST(DepthStabilizer, ScaleOfTheDepthDoesNotMatter) {
  auto frames = still(60);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    frames[i].percentiles.max += 0.05F * static_cast<float>(i % 7);
  }
  auto scaled = frames;
  for (FrameStatistics& frame : scaled) {
    for (DepthRange* range : {&frame.extremes, &frame.percentiles, &frame.subject}) {
      range->min = 3.0F * range->min - 7.0F;
      range->max = 3.0F * range->max - 7.0F;
    }
  }
  StabilizerOptions options;
  options.convergence_mode = ConvergenceMode::kAuto;
  const auto a = decide(frames, options);
  const auto b = decide(scaled, options);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(b[i].range.min, 3.0F * a[i].range.min - 7.0F, 1e-4F);
    EXPECT_NEAR(b[i].range.max, 3.0F * a[i].range.max - 7.0F, 1e-4F);
    EXPECT_NEAR(b[i].convergence, a[i].convergence, 1e-4F);
  }
}

TEST(DepthStabilizer, FramesWithoutDepthChangeNothing) {
  auto frames = still(60);
  for (std::size_t i = 20; i < 26; ++i) frames[i].percentiles = frames[i].extremes = {0.0F, 0.0F};
  for (const FrameDecision& decision : decide(frames, {})) {
    EXPECT_FLOAT_EQ(decision.range.min, 1.0F);
    EXPECT_FLOAT_EQ(decision.range.max, 9.0F);
  }
}

TEST(DepthStabilizer, DepthOfBlackFramesIsAGuess) {
  auto frames = still(60);
  for (std::size_t i = 0; i < 12; ++i) {
    frames[i].percentiles = {-40.0F, 90.0F};
    frames[i].luma.fill(0.0F);
    for (std::size_t first = 0; first < 64; first += 16) frames[i].luma[first] = 1.0F;
  }
  StabilizerOptions options;
  options.cuts = false;
  for (const FrameDecision& decision : decide(frames, options)) {
    EXPECT_FLOAT_EQ(decision.range.min, 1.0F) << decision.frame;
    EXPECT_FLOAT_EQ(decision.range.max, 9.0F) << decision.frame;
  }
  for (FrameStatistics& frame : frames) frame.luma = frames[0].luma;  // a whole shot at night
  EXPECT_FLOAT_EQ(decide(frames, options)[0].range.max, 90.0F);
}

TEST(DepthStabilizer, ConstantConvergenceIsThat) {
  StabilizerOptions options;
  options.convergence = 0.3F;
  for (const FrameDecision& decision : decide(still(40), options)) {
    EXPECT_EQ(decision.convergence, 0.3F);
  }
}

TEST(DepthStabilizer, AutomaticConvergencePutsTheSubjectOnTheScreen) {
  StabilizerOptions options;
  options.convergence_mode = ConvergenceMode::kAuto;
  // (5 - 1) / 8 and (7 - 1) / 8 are 0.5 and 0.75.
  EXPECT_NEAR(decide(still(40), options).back().convergence, 0.625F, 1e-5F);
  options.convergence = 0.6F;  // in front of the middle by 0.1 * 3 * 0.25
  EXPECT_NEAR(decide(still(40), options).back().convergence, 0.7F, 1e-5F);
}

TEST(DepthStabilizer, ConvergenceKeepsToItsSlewWithinAShot) {
  auto frames = still(100);
  for (std::size_t i = 50; i < frames.size(); ++i) frames[i].subject = {1.0F, 2.0F};
  StabilizerOptions options;
  options.convergence_mode = ConvergenceMode::kAuto;
  options.convergence_slew_per_s = 0.1F;
  const auto decisions = decide(frames, options);
  for (std::size_t i = 1; i < decisions.size(); ++i) {
    EXPECT_LE(std::abs(decisions[i].convergence - decisions[i - 1].convergence), 0.1F / 25 + 1e-6F);
  }
  EXPECT_LT(decisions.back().convergence, decisions.front().convergence - 0.1F);
}

TEST(DepthStabilizer, ConvergenceFollowsKeysAndJumpsAtCuts) {
  Clip clip;
  clip.add_many(make_world(1), 50);
  clip.add_many(make_world(2), 50);
  StabilizerOptions options;
  options.convergence_mode = ConvergenceMode::kKeyframes;
  options.keys = {{0.4, 0.2F}, {1.4, 0.4F}, {2.0, 0.4F}, {2.0001, 0.9F}};
  const auto decisions = decide(clip.statistics(), options);
  EXPECT_FLOAT_EQ(decisions[0].convergence, 0.2F);
  EXPECT_NEAR(decisions[22].convergence, 0.296F, 1e-3F);  // 0.88 s: on its way
  EXPECT_NEAR(decisions[49].convergence, 0.4F, 1e-5F);
  EXPECT_NEAR(decisions[51].convergence, 0.41F, 1e-5F);  // the cut was before the key: 0.01 a frame
}

TEST(DepthStabilizer, BordersAreNearnessAndSteady) {
  auto frames = still(100);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    frames[i].left_border = 5.0F;
    frames[i].right_border = i % 10 == 0 ? 9.0F : 1.0F;
  }
  for (const FrameDecision& decision : decide(frames, {})) {
    EXPECT_NEAR(decision.left_border, 0.5F, 1e-6F);
    // The last frames look ahead to none with something there.
    if (decision.frame <= 90) {
      EXPECT_NEAR(decision.right_border, 1.0F, 1e-6F);
    }
  }
}

TEST(DepthStabilizer, MedianIsSteadyWithinAShotAndNewAtCuts) {
  std::vector<FrameStatistics> frames = still(60);
  for (std::size_t i = 0; i < frames.size(); ++i) frames[i].median = i % 2 == 0 ? 4.0F : 5.0F;
  for (std::size_t i = 30; i < frames.size(); ++i) {
    frames[i].median += 3.0F;
    frames[i].luma.fill(0.0F);
    for (std::size_t quarter = 0; quarter < 4; ++quarter) frames[i].luma[16 * quarter] = 1.0F;
  }
  const auto decisions = decide(frames, {});
  ASSERT_TRUE(decisions[30].first_of_shot);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    EXPECT_NEAR(decisions[i].median, i < 30 ? 4.5 : 7.5, 0.1) << i;
  }
}

TEST(DepthStabilizer, DecidesTheSameAgainFromTheStatisticsAlone) {
  Clip clip;
  clip.add_many(make_world(1), 33);
  clip.add_many(make_world(2), 33);
  const auto frames = clip.statistics();
  StabilizerOptions options;
  options.convergence_mode = ConvergenceMode::kAuto;
  const auto a = decide(frames, options);
  const auto b = decide(frames, options);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].range.min, b[i].range.min);
    EXPECT_EQ(a[i].range.max, b[i].range.max);
    EXPECT_EQ(a[i].convergence, b[i].convergence);
  }
}

TEST(DepthStabilizer, TimesThatStandStillOrRunBackAreNoTrouble) {
  auto frames = still(50);
  for (std::size_t i = 10; i < 30; ++i) frames[i].time_s = 5.0 - static_cast<double>(i);
  frames[40].time_s = std::numeric_limits<double>::quiet_NaN();
  StabilizerOptions options;
  options.convergence_mode = ConvergenceMode::kAuto;
  for (const FrameDecision& decision : decide(frames, options)) {
    EXPECT_TRUE(std::isfinite(decision.convergence));
    EXPECT_TRUE(std::isfinite(decision.range.max));
  }
}

TEST(DepthStabilizer, RefusesOptionsOutOfRange) {
  StabilizerOptions options;
  options.look_ahead = 0;
  EXPECT_THROW(DepthStabilizer{options}, std::invalid_argument);
  options = {};
  options.ema.decay = 1.5F;
  EXPECT_THROW(DepthStabilizer{options}, std::invalid_argument);
  options = {};
  options.convergence_mode = ConvergenceMode::kKeyframes;
  EXPECT_THROW(DepthStabilizer{options}, std::invalid_argument);
  options.keys = {{1.0, 0.5F}, {1.0, 0.6F}};
  EXPECT_THROW(DepthStabilizer{options}, std::invalid_argument);
}

}  // namespace
}  // namespace vergence::stereo
