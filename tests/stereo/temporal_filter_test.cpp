// SPDX-License-Identifier: Apache-2.0
#include "stereo/temporal_filter.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

const cv::Size kSize(192, 108);
constexpr std::size_t kMiddle = TemporalFilter::kReach;
constexpr int kFrames = 2 * TemporalFilter::kReach + 1;

cv::Mat smooth_noise(cv::Size size, int cell, int type, std::uint64_t seed) {
  cv::Mat grain(size.height / cell + 2, size.width / cell + 2, type);
  cv::RNG random(seed);
  random.fill(grain, cv::RNG::UNIFORM, -1.0, 1.0);
  cv::resize(grain, grain, size, 0, 0, cv::INTER_CUBIC);
  return grain;
}

// A scene of hills, seen by a camera that may move; its depth wanders as networks' depth does.
struct Scene {
  std::uint64_t seed = 1;
  cv::Point2d speed{0.0, 0.0};  // pixels per frame
  double noise = 0.02;          // of the depth, smooth over 9 pixels
  double wander = 0.0;          // of its scale and offset
};

cv::Mat part_of(const cv::Mat& world, const Scene& scene, int frame) {
  const cv::Matx23d move(1.0, 0.0, 60.0 + scene.speed.x * frame, 0.0, 1.0,
                         50.0 + scene.speed.y * frame);
  cv::Mat part;
  cv::warpAffine(world, part, cv::Mat(move), kSize, cv::INTER_LINEAR | cv::WARP_INVERSE_MAP);
  return part;
}

cv::Mat true_depth(const Scene& scene, int frame) {
  const cv::Size world(2 * kSize.width, 2 * kSize.height);
  return part_of(smooth_noise(world, 40, CV_32FC1, 7 * scene.seed), scene, frame);
}

std::vector<FilterFrame> clip_of(const Scene& scene) {
  const cv::Size size(2 * kSize.width, 2 * kSize.height);
  cv::Mat world = cv::Scalar::all(127.0) +
                  70.0 * smooth_noise(size, 10, CV_32FC3, 7 * scene.seed + 1) +
                  30.0 * smooth_noise(size, 4, CV_32FC3, 7 * scene.seed + 2);
  std::mt19937 random(static_cast<unsigned>(scene.seed));
  std::normal_distribution<double> any(0.0, 1.0);
  std::vector<FilterFrame> clip;
  for (int i = 0; i < kFrames; ++i) {
    FilterFrame frame;
    frame.index = i;
    part_of(world, scene, i).convertTo(frame.guide, CV_8U);
    const cv::Mat noise =
        smooth_noise(kSize, 9, CV_32FC1, 1000 * scene.seed + static_cast<std::uint64_t>(i));
    frame.raw = true_depth(scene, i) + scene.noise * noise;
    frame.raw = frame.raw * (1.0 + scene.wander * any(random)) + scene.wander * any(random);
    clip.push_back(frame);
  }
  return clip;
}

double error_of(const cv::Mat& depth, const cv::Mat& truth) {
  const cv::Rect inner(16, 16, kSize.width - 32, kSize.height - 32);
  return cv::norm(depth(inner), truth(inner), cv::NORM_L1) / inner.area();
}

TEST(TemporalFilter, LeavesTheNoiseOfAStillSceneBehind) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Scene scene;
    scene.seed = seed;
    const auto clip = clip_of(scene);
    const cv::Mat filtered = TemporalFilter().filter(clip, kMiddle);
    const cv::Mat truth = true_depth(scene, static_cast<int>(kMiddle));
    EXPECT_LT(error_of(filtered, truth), 0.5 * error_of(clip[kMiddle].raw, truth));
  }
}

TEST(TemporalFilter, FollowsTheCamera) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Scene scene;
    scene.seed = seed;
    scene.speed = {2.4, -0.9};
    const auto clip = clip_of(scene);
    const cv::Mat filtered = TemporalFilter().filter(clip, kMiddle);
    const cv::Mat truth = true_depth(scene, static_cast<int>(kMiddle));
    EXPECT_LT(error_of(filtered, truth), 0.55 * error_of(clip[kMiddle].raw, truth));
  }
}

TEST(TemporalFilter, EvensScaleAndOffset) {
  Scene scene;
  scene.noise = 0.0;
  scene.wander = 0.05;
  const auto clip = clip_of(scene);
  // The filter's scale is the mean of the window's, whichever frame is asked for.
  cv::Mat before;
  double change = 0.0;
  double raw_change = 0.0;
  TemporalFilter filter;
  for (std::size_t i = 0; i < clip.size(); ++i) {
    const cv::Mat now = filter.filter(clip, i);
    if (i > 0) {
      change += cv::norm(now, before, cv::NORM_L1);
      raw_change += cv::norm(clip[i].raw, clip[i - 1].raw, cv::NORM_L1);
    }
    before = now;
  }
  EXPECT_LT(change, 0.03 * raw_change);
}

TEST(TemporalFilter, WhatMovesKeepsItsDepth) {
  Scene scene;
  scene.noise = 0.0;
  auto clip = clip_of(scene);
  for (int i = 0; i < kFrames; ++i) {
    const cv::Rect walker(20 + 14 * i, 30, 20, 50);
    auto& frame = clip[static_cast<std::size_t>(i)];
    frame.guide(walker).setTo(cv::Scalar(250, 20, 20));
    frame.raw(walker).setTo(3.0);
  }
  const cv::Mat filtered = TemporalFilter().filter(clip, kMiddle);
  EXPECT_LT(cv::norm(filtered, clip[kMiddle].raw, cv::NORM_INF), 0.02);
}

TEST(TemporalFilter, StopsAtCuts) {
  Scene a;
  Scene b;
  b.seed = 5;
  auto clip = clip_of(a);
  const auto other = clip_of(b);
  for (std::size_t i = kMiddle + 1; i < clip.size(); ++i) {
    clip[i].guide = other[i].guide;
    clip[i].raw = other[i].raw * 10.0;
  }
  const cv::Mat whole = TemporalFilter().filter(clip, kMiddle);
  const cv::Mat shot =
      TemporalFilter().filter(std::span<const FilterFrame>(clip).first(kMiddle + 1), kMiddle);
  EXPECT_EQ(cv::norm(whole, shot, cv::NORM_INF), 0.0);
}

TEST(TemporalFilter, IsAFunctionOfTheWindowAlone) {
  Scene scene;
  scene.speed = {1.2, 0.4};
  scene.wander = 0.03;
  const auto clip = clip_of(scene);
  TemporalFilter running;
  for (std::size_t i = 0; i < clip.size(); ++i) {
    const std::size_t first = i < 2 ? 0 : i - 2;
    const std::size_t last = std::min(clip.size(), i + 3);
    const auto window = std::span<const FilterFrame>(clip).subspan(first, last - first);
    const cv::Mat one = running.filter(window, i - first);
    EXPECT_EQ(cv::norm(one, TemporalFilter().filter(window, i - first), cv::NORM_INF), 0.0);
  }
}

TEST(TemporalFilter, OneFrameAloneStaysAsItIs) {
  const auto clip = clip_of({});
  const auto alone = std::span<const FilterFrame>(clip).first(1);
  EXPECT_EQ(cv::norm(TemporalFilter().filter(alone, 0), clip[0].raw, cv::NORM_INF), 0.0);
}

TEST(TemporalFilter, PixelsWithoutAValueStayWithoutAndHarmNoOther) {
  auto clip = clip_of({});
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  clip[kMiddle].raw(cv::Rect(10, 10, 5, 5)).setTo(kNan);
  clip[kMiddle + 1].raw(cv::Rect(40, 40, 5, 5)).setTo(kNan);
  clip[kMiddle - 1].raw.setTo(kNan);
  const cv::Mat filtered = TemporalFilter().filter(clip, kMiddle);
  for (int y = 0; y < kSize.height; ++y) {
    for (int x = 0; x < kSize.width; ++x) {
      const bool without = cv::Rect(10, 10, 5, 5).contains({x, y});
      ASSERT_EQ(std::isnan(filtered.at<float>(y, x)), without) << x << " " << y;
    }
  }
}

TEST(TemporalFilter, FlatAndTinyMapsAreNoTrouble) {
  std::vector<FilterFrame> clip;
  clip.reserve(3);
  for (int i = 0; i < 3; ++i) {
    clip.push_back({i, cv::Mat(1, 2, CV_8UC3, cv::Scalar::all(9)), cv::Mat(1, 2, CV_32FC1, 4.0)});
  }
  EXPECT_EQ(cv::norm(TemporalFilter().filter(clip, 1), clip[1].raw, cv::NORM_INF), 0.0);
}

TEST(TemporalFilter, GuideIsThePictureAtTheMapsSize) {
  const cv::Mat eight(40, 60, CV_8UC3, cv::Scalar(10, 200, 30));
  const cv::Mat sixteen(40, 60, CV_16UC3, cv::Scalar(2570, 51400, 7710));
  const cv::Mat a = filter_guide(eight, {30, 20});
  EXPECT_EQ(a.size(), cv::Size(30, 20));
  EXPECT_EQ(cv::norm(a, filter_guide(sixteen, {30, 20}), cv::NORM_INF), 0.0);
  EXPECT_THROW((void)filter_guide(cv::Mat(4, 4, CV_8UC1), {2, 2}), std::invalid_argument);
}

TEST(TemporalFilter, RefusesFramesThatDoNotBelongTogether) {
  auto clip = clip_of({});
  EXPECT_THROW((void)TemporalFilter().filter(clip, 99), std::invalid_argument);
  clip[2].index = 50;
  EXPECT_THROW((void)TemporalFilter().filter(clip, 0), std::invalid_argument);
  clip[2].index = 2;
  clip[2].raw = cv::Mat(3, 3, CV_32FC1);
  EXPECT_THROW((void)TemporalFilter().filter(clip, 0), std::invalid_argument);
}

}  // namespace
}  // namespace vergence::stereo
