// SPDX-License-Identifier: Apache-2.0
#include "alignment/panorama_depth.hpp"
#include "core/error.hpp"
#include "tests/alignment/box_room.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace vergence::alignment {
namespace {

using projection::covering_views;
using projection::SphereWindow;
using test::BoxRoom;
using test::relative_error;
using test::simulate_disparity;

const SphereWindow kWindow = SphereWindow::whole(512, 256);

std::vector<projection::TangentView> views(int count = 20, double fov_deg = 105.0, int size = 128) {
  return covering_views(count, Radians::from_degrees(fov_deg), size);
}

PanoramaDepth fuse(const std::vector<ViewDepth>& depths, const PanoramaDepthOptions& options = {},
                   const SphereWindow& window = kWindow) {
  return fuse_views(depths, window, cv::Mat(), options, no_progress());
}

TEST(FuseViews, FindsEveryScaleAndShiftOfPerfectMaps) {
  const BoxRoom room;
  for (const int count : {20, 12, 6}) {
    const auto result = fuse(simulate_disparity(room, views(count), {}));
    EXPECT_LT(relative_error(result.distance.values(), room.panorama(kWindow)), 0.006) << count;
    EXPECT_TRUE(result.relative);
    EXPECT_EQ(cv::countNonZero(result.valid), 512 * 256);
    EXPECT_LT(result.report.residual_after, 0.02);
    EXPECT_FALSE(result.report.weak_shift);
  }
}

TEST(FuseViews, ReportsTheScaleAndShiftOfTheMapsAsDelivered) {
  const BoxRoom room;
  const auto depths = simulate_disparity(room, views(), {});
  const auto result = fuse(depths);
  // q = cos(alpha) (s d + t) on the axis of each view.
  for (std::size_t i = 0; i < depths.size(); ++i) {
    const auto& report = result.report.views[i];
    const auto& map = values_of(depths[i].depth);
    const double q = report.scale * map.at<float>(64, 64) + report.shift;
    const auto pixel = projection::pixel_of(kWindow, -depths[i].view.world_from_view.col(2));
    const double fused = result.inverse_distance.values().at<float>(
        std::min(255, static_cast<int>(pixel.y())), static_cast<int>(pixel.x()) % 512);
    // Both are known up to one common factor.
    EXPECT_NEAR(
        q / fused,
        (result.report.views[0].scale * values_of(depths[0].depth).at<float>(64, 64) +
         result.report.views[0].shift) /
            [&] {
              const auto first =
                  projection::pixel_of(kWindow, -depths[0].view.world_from_view.col(2));
              return result.inverse_distance.values().at<float>(static_cast<int>(first.y()),
                                                                static_cast<int>(first.x()) % 512);
            }(),
        0.05 * q / fused);
    EXPECT_GT(report.share, 0.0);
  }
}

TEST(FuseViews, AveragesSmoothErrorsAwayAndEveryStagePays) {
  const BoxRoom room;
  const cv::Mat truth = room.panorama(kWindow);
  double with_all = 0.0;
  double without = 0.0;
  for (const unsigned seed : {1U, 2U, 3U}) {
    const auto depths =
        simulate_disparity(room, views(), {.smooth_error = 0.05, .noise = 0.005, .seed = seed});
    PanoramaDepthOptions plain;
    plain.alignment.grid = false;
    plain.fusion.gradients = false;
    with_all += relative_error(fuse(depths).distance.values(), truth) / 3.0;
    without += relative_error(fuse(depths, plain).distance.values(), truth) / 3.0;
  }
  EXPECT_LT(with_all, 0.030);
  EXPECT_LT(with_all, 1.02 * without);
}

TEST(FuseViews, RefusesAViewThatContradictsItsNeighbours) {
  const BoxRoom room;
  auto depths = simulate_disparity(room, views(), {});
  depths[7].depth = Disparity(cv::Mat(-1.0 * values_of(depths[7].depth)));
  const auto result = fuse(depths);
  EXPECT_TRUE(result.report.views[7].refused);
  EXPECT_GT(result.report.views[7].scale, 0.0);
  EXPECT_LT(relative_error(result.distance.values(), room.panorama(kWindow)), 0.02);
}

TEST(FuseViews, InverseDistanceStaysPositiveHoweverNoisyTheMaps) {
  const BoxRoom room{.half_width = 60.0, .half_length = 80.0};
  const auto result =
      fuse(simulate_disparity(room, views(), {.smooth_error = 0.15, .noise = 0.05, .seed = 9}));
  for (int y = 0; y < kWindow.height; ++y) {
    for (int x = 0; x < kWindow.width; ++x) {
      ASSERT_GT(result.inverse_distance.values().at<float>(y, x), 0.0F);
      ASSERT_TRUE(std::isfinite(result.distance.values().at<float>(y, x)));
    }
  }
}

TEST(FuseViews, MetricMapsKeepTheirMetres) {
  const BoxRoom room;
  for (const auto kind :
       {DepthKind::kDistance, DepthKind::kPlanarDepth, DepthKind::kInverseDistance}) {
    std::vector<ViewDepth> depths;
    for (const auto& view : views())
      depths.push_back({view, test::exact_map(room, view, kind), {}});
    const auto result = fuse(depths);
    EXPECT_FALSE(result.relative);
    EXPECT_LT(relative_error(result.distance.values(), room.panorama(kWindow), false), 0.01)
        << to_string(kind);
  }
}

TEST(FuseViews, LogDisparityAndAffineDepthAreOtherWordsForTheSame) {
  const BoxRoom room;
  for (const auto kind : {DepthKind::kLogDisparity, DepthKind::kPlanarDepthAffine}) {
    std::vector<ViewDepth> depths;
    for (const auto& view : views())
      depths.push_back({view, test::exact_map(room, view, kind), {}});
    const auto result = fuse(depths);
    EXPECT_TRUE(result.relative);
    EXPECT_LT(relative_error(result.distance.values(), room.panorama(kWindow)), 0.02)
        << to_string(kind);
  }
}

TEST(FuseViews, RelativeResultsHaveTheStatedMedian) {
  PanoramaDepthOptions options;
  options.relative_median_m = 7.0;
  const auto result = fuse(simulate_disparity(BoxRoom(), views(), {}), options);
  std::vector<float> even;
  for (int y = 0; y < 256; ++y) {
    const double step = 1.0 / std::max(std::cos(kPi / 2.0 - (y + 0.5) / 256.0 * kPi), 1e-3);
    for (double x = 0.0; x < 512.0; x += step) {
      even.push_back(result.distance.values().at<float>(y, static_cast<int>(x)));
    }
  }
  std::sort(even.begin(), even.end());
  EXPECT_NEAR(even[even.size() / 2], 7.0, 0.1);
}

TEST(FuseViews, HasNoSeamWhereLongitudeWraps) {
  // Turning all cameras by a quarter turns the result; the seam then lies where another part was.
  const BoxRoom room;
  const auto level = views(12);
  auto turned = level;
  for (auto& view : turned) {
    Eigen::Matrix3d quarter;
    quarter << 0, 0, -1, 0, 1, 0, 1, 0, 0;
    view.world_from_view = quarter * view.world_from_view;
  }
  auto depths = simulate_disparity(room, level, {.smooth_error = 0.05, .seed = 4});
  const cv::Mat first = fuse(depths).distance.values();
  for (std::size_t i = 0; i < depths.size(); ++i) depths[i].view = turned[i];
  const cv::Mat second = fuse(depths).distance.values();
  // The samples of the fit stand still, so the two agree closely but not to the bit.
  double worst = 0.0;
  for (int y = 0; y < 256; ++y) {
    for (int x = 0; x < 512; ++x) {
      const double ratio = second.at<float>(y, (x + 128) % 512) / first.at<float>(y, x);
      worst = std::max(worst, std::abs(std::log(ratio)));
    }
  }
  EXPECT_LT(worst, 0.03);
}

TEST(FuseViews, CropsGetTheirPartOfTheSphere) {
  const BoxRoom room;
  const SphereWindow crop{
      .full_width = 512, .full_height = 256, .left = 400, .top = 60, .width = 200, .height = 120};
  const auto result = fuse(simulate_disparity(room, views(), {}), {}, crop);
  ASSERT_EQ(result.distance.width(), 200);
  ASSERT_EQ(result.distance.height(), 120);
  EXPECT_LT(relative_error(result.distance.values(), room.panorama(crop)), 0.01);
}

TEST(FuseViews, WhatNoViewSawIsInvalid) {
  const BoxRoom room;
  auto some = views(6, 100.0);
  some.erase(some.begin());  // nobody looks up
  const auto result = fuse(simulate_disparity(room, some, {}));
  EXPECT_EQ(result.valid.at<unsigned char>(2, 100), 0);
  EXPECT_TRUE(std::isnan(result.distance.values().at<float>(2, 100)));
  EXPECT_EQ(result.valid.at<unsigned char>(128, 100), 255);
  EXPECT_LT(result.report.covered_share, 1.0);
}

TEST(FuseViews, OneViewAloneKeepsTheOrderOfItsDepths) {
  const BoxRoom room;
  const std::vector<projection::TangentView> one{views()[8]};
  const auto result = fuse(simulate_disparity(room, one, {}));
  EXPECT_LT(result.report.covered_share, 0.5);
  const cv::Mat truth = room.panorama(kWindow);
  double with = 0.0;
  double against = 0.0;
  for (int i = 0; i < 5000; ++i) {
    const cv::Point a((i * 37) % 512, (i * 91) % 256);
    const cv::Point b((i * 53) % 512, (i * 29) % 256);
    const float da = result.distance.values().at<float>(a);
    const float db = result.distance.values().at<float>(b);
    if (!std::isfinite(da) || !std::isfinite(db)) continue;
    const double product = (da - db) * (truth.at<float>(a) - truth.at<float>(b));
    (product >= 0.0 ? with : against) += 1.0;
  }
  EXPECT_GT(with, 4.0 * against);
}

TEST(FuseViews, ViewsOutsideACropDoNotDisturbTheOthers) {
  const BoxRoom room;
  const SphereWindow crop{
      .full_width = 512, .full_height = 256, .left = 156, .top = 58, .width = 200, .height = 140};
  auto depths = simulate_disparity(room, views(), {});
  for (auto& depth : depths) {
    depth.valid = cv::Mat::zeros(depth.view.height, depth.view.width, CV_8UC1);
    for (int y = 0; y < depth.view.height; ++y) {
      for (int x = 0; x < depth.view.width; ++x) {
        const auto pixel = projection::pixel_of(
            crop, depth.view.world_from_view * projection::ray_at(depth.view, x + 0.5, y + 0.5));
        if (pixel.x() < 0.0 || pixel.x() > 200.0 || pixel.y() < 0.0 || pixel.y() > 140.0) continue;
        depth.valid.at<unsigned char>(y, x) = 255;
      }
    }
  }
  const auto result = fuse(depths, {}, crop);
  EXPECT_LT(relative_error(result.distance.values(), room.panorama(crop)), 0.02);
  EXPECT_GT(result.report.covered_share, 0.98);
}

TEST(FuseViews, MistakesAreErrors) {
  EXPECT_THROW(static_cast<void>(fuse({})), Error);
  const BoxRoom room;
  const auto two = views();
  std::vector<ViewDepth> mixed{{two[0], test::exact_map(room, two[0], DepthKind::kDisparity), {}},
                               {two[1], test::exact_map(room, two[1], DepthKind::kDistance), {}}};
  EXPECT_THROW(static_cast<void>(fuse(mixed)), Error);
  std::vector<ViewDepth> empty{{two[0], Disparity(), {}}};
  EXPECT_THROW(static_cast<void>(fuse(empty)), Error);
}

}  // namespace
}  // namespace vergence::alignment
