// SPDX-License-Identifier: Apache-2.0
// Right views from left pictures with exact parallax, against the real right picture: one setting,
// the defaults, for all pairs.
#include "evaluation/stereo_metrics.hpp"
#include "stereo/classic_warp.hpp"
#include "stereo/nearness.hpp"
#include "stereo/parallax.hpp"
#include "tests/stereo/pairs.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

using evaluation::compare_views;
using evaluation::StereoMetrics;
using test::StereoPair;

StereoMetrics metrics_of(const cv::Mat& view, const StereoPair& pair) {
  return compare_views(view, pair.right, {pair.left, pair.disparity_px});
}

StereoMetrics scanline_metrics(const StereoPair& pair) {
  ScanlineWarp warp;
  warp.set_source(pair.left, parallax_from_disparity(pair.disparity_px));
  cv::Mat view;
  warp.render(Eye::kRight, view);
  return metrics_of(view, pair);
}

struct Bounds {
  double inner;
  double disoccluded;
};

void expect_at_least(const StereoMetrics& metrics, const Bounds& bounds) {
  EXPECT_GE(metrics.psnr_inner.value(), bounds.inner);
  EXPECT_GE(metrics.psnr_disoccluded.value(), bounds.disoccluded);
}

// The numbers of the published baselines: the protocol is the same.
TEST(StereoQuality, TheUnchangedLeftPictureScoresWhatIsPublished) {
  VERGENCE_REQUIRE_SHARED();
  const StereoPair cones = test::middlebury_pair("cones");
  const StereoMetrics metrics = metrics_of(cones.left, cones);
  EXPECT_NEAR(metrics.psnr_inner.value(), 12.78, 0.006);
  EXPECT_NEAR(metrics.psnr_visible.value(), 12.82, 0.006);
  EXPECT_NEAR(metrics.psnr_disoccluded.value(), 12.03, 0.006);
  EXPECT_NEAR(metrics.disoccluded_share.value(), 0.044, 0.0006);
  EXPECT_NEAR(metrics.ssim, 0.168, 0.001);
  EXPECT_NEAR(metrics.siou.value(), 0.069, 0.001);
}

TEST(StereoQuality, Cones) {
  VERGENCE_REQUIRE_SHARED();
  const StereoMetrics metrics = scanline_metrics(test::middlebury_pair("cones"));
  expect_at_least(metrics, {27.2, 17.9});
  EXPECT_GE(metrics.ssim, 0.843);
  EXPECT_GE(metrics.siou.value(), 0.689);
}

TEST(StereoQuality, Motorcycle) {
  VERGENCE_REQUIRE_SHARED();
  const StereoMetrics metrics = scanline_metrics(test::middlebury_pair("motorcycle"));
  expect_at_least(metrics, {25.0, 16.7});
  EXPECT_GE(metrics.ssim, 0.896);
  EXPECT_GE(metrics.siou.value(), 0.642);
}

// Depth as networks give it: a third of the picture's size.
TEST(StereoQuality, SharpRimsMakeUpForASmallDepthMap) {
  VERGENCE_REQUIRE_SHARED();
  for (const char* name : {"cones", "motorcycle"}) {
    StereoPair pair = test::middlebury_pair(name);
    cv::Mat parallax;
    cv::resize(pair.disparity_px, parallax, {}, 0.35, 0.35, cv::INTER_AREA);
    const double enlargement = static_cast<double>(pair.left.cols) / parallax.cols;
    parallax = resize_nearness(parallax, pair.left.size());
    const auto inner_psnr = [&] {
      ScanlineWarp warp;
      warp.set_source(pair.left, parallax);
      cv::Mat view;
      warp.render(Eye::kRight, view);
      return metrics_of(view, pair).psnr_inner.value();
    };
    const double soft = inner_psnr();
    sharpen_rims(enlargement, parallax);
    EXPECT_GT(inner_psnr(), soft + 1.5) << name;
  }
}

class RenderedPairs : public ::testing::TestWithParam<std::pair<const char*, Bounds>> {};

TEST_P(RenderedPairs, ScanlineIsAheadOfTheClassicWarps) {
  VERGENCE_REQUIRE_SHARED();
  const auto& [name, bounds] = GetParam();
  const StereoPair pair = test::rendered_pair(name);
  const StereoMetrics ours = scanline_metrics(pair);
  expect_at_least(ours, bounds);
  for (const bool dilated : {false, true}) {
    cv::Mat parallax = parallax_from_disparity(pair.disparity_px);
    if (dilated) dilate_edges(2, 1, parallax);
    cv::Mat view;
    forward_warp(pair.left, parallax, Eye::kRight, {}, view);
    const StereoMetrics forward = metrics_of(view, pair);
    EXPECT_GT(ours.psnr_inner.value(), forward.psnr_inner.value());
    EXPECT_GT(ours.psnr_disoccluded.value(), forward.psnr_disoccluded.value());
    backward_warp(pair.left, parallax, Eye::kRight, view);
    const StereoMetrics backward = metrics_of(view, pair);
    EXPECT_GT(ours.psnr_inner.value(), backward.psnr_inner.value());
    EXPECT_GT(ours.psnr_disoccluded.value(), backward.psnr_disoccluded.value());
  }
}

// Best of the learned warps: 33.71 dB and 28.81 dB (inner).
INSTANTIATE_TEST_SUITE_P(StereoQuality, RenderedPairs,
                         ::testing::Values(std::pair{"courtyard", Bounds{33.8, 23.6}},
                                           std::pair{"room", Bounds{30.5, 19.6}}));

}  // namespace
}  // namespace vergence::stereo
