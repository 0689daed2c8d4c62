// SPDX-License-Identifier: Apache-2.0
#include "stereo/parallax.hpp"

#include "core/error.hpp"
#include "stereo/classic_warp.hpp"
#include "stereo/nearness.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>

namespace vergence::stereo {
namespace {

cv::Mat row(std::initializer_list<float> values) {
  return cv::Mat(std::vector<float>(values), true).reshape(1, 1);
}

TEST(Parallax, IsAShareOfTheLongSideWhateverTheShape) {
  ParallaxOptions options;  // 2 %, convergence 0.5
  EXPECT_FLOAT_EQ(parallax_range_px({1920, 1080}, options), 19.2F);
  EXPECT_FLOAT_EQ(parallax_range_px({1080, 1920}, options), 19.2F);
  EXPECT_FLOAT_EQ(parallax_range_px({3840, 2160}, options), 38.4F);
  options.synthetic_view = SyntheticView::kRight;
  EXPECT_FLOAT_EQ(parallax_range_px({1920, 1080}, options), 38.4F);
}

TEST(Parallax, VanishesAtTheConvergence) {
  ParallaxOptions options;
  options.convergence = 0.25F;
  const cv::Mat parallax = parallax_from_nearness(row({0.0F, 0.25F, 1.0F}), {3, 1}, options);
  EXPECT_LT(parallax.at<float>(0, 0), 0.0F);
  EXPECT_FLOAT_EQ(parallax.at<float>(0, 1), 0.0F);
  EXPECT_FLOAT_EQ(parallax.at<float>(0, 2), 0.75F * parallax_range_px({3, 1}, options));
}

TEST(Parallax, FadesAtThePreservedBorder) {
  ParallaxOptions options;
  options.divergence = 4.0F;
  options.convergence = 0.0F;
  options.preserve_screen_border = true;
  const cv::Mat parallax =
      parallax_from_nearness(cv::Mat::ones(2, 200, CV_32FC1), {200, 2}, options);
  // 0.75 * 4 % of 200 = 6 columns, weights 0, 0.2, ... 1
  for (int i = 0; i < 6; ++i) {
    EXPECT_NEAR(parallax.at<float>(1, i), 4.0F * 0.2F * static_cast<float>(i), 1e-5F) << i;
    EXPECT_FLOAT_EQ(parallax.at<float>(1, i), parallax.at<float>(1, 199 - i)) << i;
  }
  EXPECT_FLOAT_EQ(parallax.at<float>(0, 100), 4.0F);
}

TEST(Parallax, SharpeningTurnsRampsIntoStepsAndLeavesSlopes) {
  cv::Mat ramp(7, 60, CV_32FC1, cv::Scalar(2));
  ramp.colRange(30, 60).setTo(8);
  ramp.col(28).setTo(4);
  ramp.col(29).setTo(6);
  sharpen_rims(2.5, ramp);
  for (int x = 0; x < 60; ++x) EXPECT_EQ(ramp.at<float>(3, x), x < 29 ? 2.0F : 8.0F) << x;
  cv::Mat slope(7, 60, CV_32FC1);
  for (int x = 0; x < 60; ++x) slope.col(x).setTo(0.2 * x);
  const cv::Mat before = slope.clone();
  sharpen_rims(2.5, slope);
  EXPECT_EQ(cv::norm(slope, before, cv::NORM_INF), 0.0);
  cv::Mat full_size(7, 60, CV_32FC1, cv::Scalar(2));
  full_size.col(30).setTo(8);
  full_size.col(31).setTo(6);
  sharpen_rims(1.0, full_size);
  EXPECT_EQ(full_size.at<float>(3, 31), 6.0F);
}

TEST(Parallax, OutOfTheScreenIsInPixels) {
  const cv::Mat parallax = parallax_out_of_screen(row({0.0F, 0.5F, 1.0F}), 15.0F);
  EXPECT_FLOAT_EQ(parallax.at<float>(0, 0), 0.0F);
  EXPECT_FLOAT_EQ(parallax.at<float>(0, 2), 15.0F);
}

TEST(Parallax, OfADisparityWithoutValueIsNone) {
  const cv::Mat parallax =
      parallax_from_disparity(row({std::numeric_limits<float>::quiet_NaN(), 7.0F}));
  EXPECT_EQ(parallax.at<float>(0, 0), 0.0F);
  EXPECT_EQ(parallax.at<float>(0, 1), 7.0F);
}

TEST(Nearness, IsCutToTheRange) {
  const cv::Mat nearness = nearness_in_range(row({1.0F, 2.0F, 3.0F, 9.0F}), {2.0F, 4.0F});
  EXPECT_FLOAT_EQ(nearness.at<float>(0, 0), 0.0F);
  EXPECT_FLOAT_EQ(nearness.at<float>(0, 2), 0.5F);
  EXPECT_FLOAT_EQ(nearness.at<float>(0, 3), 1.0F);
  EXPECT_EQ(cv::countNonZero(nearness_in_range(nearness, {1.0F, 1.0F})), 0);
}

TEST(Nearness, MappersChainAndBlend) {
  cv::Mat chained = row({0.5F});
  map_nearness("pow2:pow2", chained);
  EXPECT_FLOAT_EQ(chained.at<float>(0, 0), 0.0625F);
  cv::Mat blended = row({0.5F});
  map_nearness("none+pow2=0.25", blended);
  EXPECT_FLOAT_EQ(blended.at<float>(0, 0), 0.75F * 0.5F + 0.25F * 0.25F);
}

TEST(Nearness, RefusesUnknownMappersByName) {
  for (const char* mapper : {"", "pow3", "pow2:", ":", "none+pow2", "none+pow2=", "none+pow2=x",
                             "none+pow2=0.5y", "+=", "none+nothing=1"}) {
    cv::Mat nearness = row({0.5F});
    EXPECT_THROW(map_nearness(mapper, nearness), Error) << mapper;
  }
  EXPECT_THROW((void)foreground_mapper(MapperFamily::kMul, 3.5F), Error);
  EXPECT_THROW((void)foreground_mapper(MapperFamily::kMul, std::nanf("")), Error);
}

TEST(Nearness, GrowsAtEdgesAndNowhereElse) {
  cv::Mat nearness = cv::Mat::zeros(20, 40, CV_32FC1);
  nearness.colRange(20, 40).setTo(1.0);
  dilate_edges(1, 1, nearness);
  EXPECT_GT(nearness.at<float>(10, 19), 0.7F);
  EXPECT_EQ(nearness.at<float>(10, 10), 0.0F);
  EXPECT_FLOAT_EQ(nearness.at<float>(10, 30), 1.0F);
  cv::Mat flat(5, 5, CV_32FC1, cv::Scalar(0.25));
  dilate_edges(2, 1, flat);
  EXPECT_EQ(cv::norm(flat, cv::Mat(5, 5, CV_32FC1, cv::Scalar(0.25)), cv::NORM_INF), 0.0);
}

TEST(RangeSmoother, LooksAheadAndBeginsAnewAfterAFlush) {
  RangeSmoother smoother({0.5F, 2});
  EXPECT_FALSE(smoother.push({0.0F, 1.0F}).has_value());
  const auto first = smoother.push({0.0F, 3.0F});
  ASSERT_TRUE(first.has_value());
  EXPECT_FLOAT_EQ(first->max, 3.0F);  // the second frame counts already
  const auto rest = smoother.flush();
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_FLOAT_EQ(rest[0].max, 3.0F);
  EXPECT_FALSE(smoother.push({5.0F, 6.0F}).has_value());
  const auto shot = smoother.flush();  // shorter than the look-ahead
  ASSERT_EQ(shot.size(), 1U);
  EXPECT_FLOAT_EQ(shot[0].min, 5.0F);
  EXPECT_TRUE(smoother.flush().empty());
}

TEST(RangeSmoother, RefusesOptionsThatMeanNothing) {
  EXPECT_THROW(RangeSmoother({1.5F, 30}), std::invalid_argument);
  EXPECT_THROW(RangeSmoother({0.5F, 0}), std::invalid_argument);
}

TEST(ForwardWarp, FillsGapsOfAnyWidthFromBehind) {
  cv::Mat picture(2, 600, CV_8UC1, cv::Scalar(50));
  cv::Mat parallax(2, 600, CV_32FC1, cv::Scalar(0));
  picture.colRange(400, 410).setTo(200);
  parallax.colRange(400, 410).setTo(300);
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    cv::Mat view;
    cv::Mat holes;
    forward_warp(picture, parallax, eye, {}, view, &holes);
    const int begin = eye == Eye::kRight ? 100 : 590;
    for (int x = 0; x < 600; ++x) {
      const bool near = eye == Eye::kRight && x >= begin && x < begin + 10;
      EXPECT_EQ(view.at<unsigned char>(1, x), near ? 200 : 50) << x;
    }
    EXPECT_EQ(holes.at<unsigned char>(1, 405), 255);
  }
}

TEST(ForwardWarp, RefusesMapsOfAnotherSize) {
  const cv::Mat picture(4, 6, CV_8UC3, cv::Scalar::all(0));
  cv::Mat view;
  EXPECT_THROW(forward_warp(picture, cv::Mat::zeros(4, 5, CV_32FC1), Eye::kLeft, {}, view),
               std::invalid_argument);
  EXPECT_THROW(backward_warp(picture, cv::Mat::zeros(4, 6, CV_8UC1), Eye::kLeft, view),
               std::invalid_argument);
}

}  // namespace
}  // namespace vergence::stereo
