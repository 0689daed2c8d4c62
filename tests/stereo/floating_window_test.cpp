// SPDX-License-Identifier: Apache-2.0
#include "stereo/floating_window.hpp"

#include <stdexcept>

#include <gtest/gtest.h>

namespace vergence::stereo {
namespace {

TEST(FloatingWindow, BarsAreAsWideAsTheDisparityBeforeTheScreen) {
  const WindowBars bars = window_bars(12.5F, -8.0F, 1000);
  EXPECT_EQ(bars.left, 12.5F);
  EXPECT_EQ(bars.right, 0.0F);
}

TEST(FloatingWindow, BarsAreNeverWiderThanATwentieth) {
  const WindowBars bars = window_bars(500.0F, 60.0F, 1000);
  EXPECT_EQ(bars.left, 50.0F);
  EXPECT_EQ(bars.right, 50.0F);
}

TEST(FloatingWindow, EachEyeHasItsBarAtItsOwnBorder) {
  const WindowBars bars{2.25F, 1.0F};
  cv::Mat left(4, 20, CV_8UC3, cv::Scalar(100, 40, 200));
  cv::Mat right = left.clone();
  draw_window_bar(bars, Eye::kLeft, left);
  draw_window_bar(bars, Eye::kRight, right);
  for (int y = 0; y < 4; ++y) {
    EXPECT_EQ(left.at<cv::Vec3b>(y, 0), cv::Vec3b(0, 0, 0));
    EXPECT_EQ(left.at<cv::Vec3b>(y, 1), cv::Vec3b(0, 0, 0));
    EXPECT_EQ(left.at<cv::Vec3b>(y, 2), cv::Vec3b(75, 30, 150));  // a quarter covered
    EXPECT_EQ(left.at<cv::Vec3b>(y, 3), cv::Vec3b(100, 40, 200));
    EXPECT_EQ(left.at<cv::Vec3b>(y, 19), cv::Vec3b(100, 40, 200));
    EXPECT_EQ(right.at<cv::Vec3b>(y, 19), cv::Vec3b(0, 0, 0));
    EXPECT_EQ(right.at<cv::Vec3b>(y, 18), cv::Vec3b(100, 40, 200));
    EXPECT_EQ(right.at<cv::Vec3b>(y, 0), cv::Vec3b(100, 40, 200));
  }
}

TEST(FloatingWindow, GrowsEvenly) {
  // The light that is lost follows the width without steps.
  double before = 0.0;
  for (int i = 0; i <= 40; ++i) {
    cv::Mat view(1, 10, CV_32FC1, cv::Scalar(1.0));
    draw_window_bar({0.1F * static_cast<float>(i), 0.0F}, Eye::kLeft, view);
    const double lost = 10.0 - cv::sum(view)[0];
    EXPECT_NEAR(lost, 0.1 * i, 1e-5);
    EXPECT_GE(lost, before);
    before = lost;
  }
}

TEST(FloatingWindow, AlphaStaysAndNoBarChangesNothing) {
  cv::Mat view(2, 6, CV_16UC4, cv::Scalar(500, 600, 700, 65535));
  const cv::Mat before = view.clone();
  draw_window_bar({}, Eye::kRight, view);
  EXPECT_EQ(cv::norm(view, before, cv::NORM_INF), 0.0);
  draw_window_bar({0.0F, 100.0F}, Eye::kRight, view);
  EXPECT_EQ(view.at<cv::Vec4w>(1, 0), cv::Vec4w(0, 0, 0, 65535));
  cv::Mat odd(2, 6, CV_8UC2);
  EXPECT_THROW(draw_window_bar({1.0F, 1.0F}, Eye::kLeft, odd), std::invalid_argument);
}

}  // namespace
}  // namespace vergence::stereo
