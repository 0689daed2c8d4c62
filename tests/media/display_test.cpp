// SPDX-License-Identifier: Apache-2.0
#include "media/picture.hpp"
#include "tests/media/fixtures.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace vergence::media {
namespace {

Picture floating(const cv::Mat& rgb) {
  Picture picture;
  picture.rgb = rgb;
  return picture;
}

// A room of luminances around `level`, half of it four times as bright.
cv::Mat room(float level) {
  cv::Mat rgb(64, 128, CV_32FC3, cv::Scalar::all(level));
  rgb.colRange(64, 128).setTo(cv::Scalar::all(4.0 * level));
  return rgb;
}

TEST(Display, EightBitIsSharedAndSixteenBitIsScaled) {
  Picture picture;
  picture.rgb = test::gradient_rgb(16, 8);
  EXPECT_EQ(display_rgb8(picture).data, picture.rgb.data);
  Picture deep;
  picture.rgb.convertTo(deep.rgb, CV_16U, 257.0);
  EXPECT_EQ(test::largest_difference(display_rgb8(deep), picture.rgb), 0.0);
}

TEST(Display, ExposureDoesNotDependOnTheFilesUnit) {
  const cv::Mat dim = display_rgb8(floating(room(1e-3F)));
  const cv::Mat bright = display_rgb8(floating(room(5e4F)));
  EXPECT_LE(test::largest_difference(dim, bright), 1.0);
  EXPECT_GT(dim.at<cv::Vec3b>(0, 0)[0], 60);
  EXPECT_LT(dim.at<cv::Vec3b>(0, 127)[0], 250);
}

TEST(Display, ASunDoesNotDarkenTheRoom) {
  cv::Mat rgb = room(0.2F);
  const cv::Mat before = display_rgb8(floating(rgb));
  rgb(cv::Rect(0, 0, 8, 8)).setTo(cv::Scalar::all(1e5));  // 0.8 % of the pixels
  const cv::Mat after = display_rgb8(floating(rgb));
  EXPECT_NEAR(after.at<cv::Vec3b>(40, 10)[1], before.at<cv::Vec3b>(40, 10)[1], 6);
  EXPECT_EQ(after.at<cv::Vec3b>(2, 2)[1], 255);
}

TEST(Display, ExposureStopsBrightenAndOrderIsKept) {
  cv::Mat ramp(1, 1000, CV_32FC3);
  for (int x = 0; x < ramp.cols; ++x)
    ramp.at<cv::Vec3f>(0, x) = cv::Vec3f::all(static_cast<float>(x) * 0.01F);
  const cv::Mat normal = display_rgb8(floating(ramp));
  const cv::Mat brighter = display_rgb8(floating(ramp), {.exposure_ev = 1.0});
  EXPECT_GT(brighter.at<cv::Vec3b>(0, 300)[0], normal.at<cv::Vec3b>(0, 300)[0] + 10);
  for (int x = 1; x < ramp.cols; ++x) {
    EXPECT_GE(normal.at<cv::Vec3b>(0, x)[0], normal.at<cv::Vec3b>(0, x - 1)[0]);
  }
}

TEST(Display, NumbersThatAreNoLightAreBlack) {
  cv::Mat rgb = room(0.3F);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  rgb.at<cv::Vec3f>(0, 0) = cv::Vec3f(nan, -1.0F, std::numeric_limits<float>::infinity());
  EXPECT_EQ(display_rgb8(floating(rgb)).at<cv::Vec3b>(0, 0), cv::Vec3b(0, 0, 0));
  const cv::Mat black(4, 4, CV_32FC3, cv::Scalar::all(0));
  EXPECT_EQ(cv::norm(display_rgb8(floating(black))), 0.0);
}

TEST(Display, TransparencyShowsTheBackground) {
  Picture picture;
  picture.rgb = cv::Mat(1, 3, CV_8UC3, cv::Scalar::all(200));
  picture.alpha = (cv::Mat_<std::uint8_t>(1, 3) << 0, 51, 255);
  const cv::Mat shown = display_rgb8(picture, {.background = {100, 0, 0}});
  EXPECT_EQ(shown.at<cv::Vec3b>(0, 0), cv::Vec3b(100, 0, 0));
  EXPECT_EQ(shown.at<cv::Vec3b>(0, 1), cv::Vec3b(120, 40, 40));
  EXPECT_EQ(shown.at<cv::Vec3b>(0, 2), cv::Vec3b(200, 200, 200));
  EXPECT_EQ(picture.rgb.at<cv::Vec3b>(0, 0), cv::Vec3b(200, 200, 200));
}

}  // namespace
}  // namespace vergence::media
