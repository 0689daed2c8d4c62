// SPDX-License-Identifier: Apache-2.0
#include "evaluation/flicker.hpp"

#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::evaluation {
namespace {

cv::Mat picture_of(int seed) {
  cv::Mat picture(60, 80, CV_8UC3);
  cv::RNG random(static_cast<std::uint64_t>(seed));
  random.fill(picture, cv::RNG::UNIFORM, 0, 256);
  return picture;
}

TEST(Flicker, OfASteadyClipIsNone) {
  FlickerMeter meter;
  for (int i = 0; i < 4; ++i) meter.push(picture_of(1), cv::Mat(30, 40, CV_32FC1, cv::Scalar(0.3)));
  EXPECT_EQ(meter.result().mean_change, 0.0);
  EXPECT_EQ(meter.result().still_share, 1.0);
  EXPECT_EQ(meter.result().num_pairs, 3);
}

TEST(Flicker, IsTheMeanChangePerFrame) {
  FlickerMeter meter;
  for (const double value : {0.3, 0.4, 0.4, 0.1}) {
    meter.push(picture_of(1), cv::Mat(30, 40, CV_32FC1, cv::Scalar(value)));
  }
  EXPECT_NEAR(meter.result().mean_change, (0.1 + 0.0 + 0.3) / 3.0, 1e-6);
  EXPECT_NEAR(meter.result().common_change, (0.1 + 0.0 + 0.3) / 3.0, 1e-6);
}

TEST(Flicker, WhatPixelsDoNotShareIsNoPumping) {
  FlickerMeter meter;
  cv::Mat values(60, 80, CV_32FC1, cv::Scalar(0.5));
  meter.push(picture_of(1), values);
  values = values.clone();
  values.colRange(0, 40).setTo(0.6);
  values.colRange(40, 80).setTo(0.4);
  meter.push(picture_of(1), values);
  EXPECT_NEAR(meter.result().mean_change, 0.1, 1e-6);
  EXPECT_NEAR(meter.result().common_change, 0.0, 1e-6);
}

TEST(Flicker, WhatChangesInTheVideoDoesNotCount) {
  FlickerMeter meter;
  cv::Mat picture = picture_of(1);
  cv::Mat values(60, 80, CV_32FC1, cv::Scalar(0.5));
  meter.push(picture, values);
  picture = picture.clone();
  values = values.clone();
  picture(cv::Rect(0, 0, 40, 60)).setTo(cv::Scalar::all(0));
  values(cv::Rect(0, 0, 34, 60)).setTo(0.9);
  meter.push(picture, values);
  EXPECT_EQ(meter.result().mean_change, 0.0);
  EXPECT_NEAR(meter.result().still_share, 0.475, 0.03);
}

TEST(Flicker, NoiseOfTheVideoIsNoMotion) {
  FlickerMeter meter;
  cv::RNG random(4);
  for (int i = 0; i < 3; ++i) {
    cv::Mat noise(60, 80, CV_8UC3);
    random.fill(noise, cv::RNG::UNIFORM, 0, 7);
    const cv::Mat picture = picture_of(1) * 0.9 + noise;
    meter.push(picture, cv::Mat(60, 80, CV_32FC1, cv::Scalar(0.1 * i)));
  }
  EXPECT_GT(meter.result().still_share, 0.9);
  EXPECT_NEAR(meter.result().mean_change, 0.1, 1e-6);
}

TEST(Flicker, CutsDoNotCount) {
  FlickerMeter meter;
  meter.push(picture_of(1), cv::Mat(60, 80, CV_32FC1, cv::Scalar(0.1)));
  meter.push(picture_of(2), cv::Mat(60, 80, CV_32FC1, cv::Scalar(0.9)));
  EXPECT_EQ(meter.result().num_pairs, 0);
  EXPECT_EQ(meter.result().mean_change, 0.0);
}

TEST(Flicker, OfViewsIsIn255thsOfTheMeanChannel) {
  for (const int type : {CV_8UC3, CV_16UC3}) {
    const double unit = type == CV_8UC3 ? 1.0 : 257.0;
    FlickerMeter meter;
    meter.push(picture_of(1), cv::Mat(60, 80, type, cv::Scalar(10, 10, 10) * unit));
    meter.push(picture_of(1), cv::Mat(60, 80, type, cv::Scalar(13, 10, 16) * unit));
    EXPECT_NEAR(meter.result().mean_change, 3.0, 1e-6);
  }
}

TEST(Flicker, AViewsPixelCountsWhereAllItMayComeFromStandsStill) {
  cv::Mat moving = picture_of(1);
  moving(cv::Rect(0, 0, 20, 60)).setTo(cv::Scalar::all(0));
  cv::Mat view(60, 80, CV_8UC3, cv::Scalar::all(50));
  view(cv::Rect(0, 0, 30, 60)).setTo(cv::Scalar::all(90));  // came 10 pixels from what moved
  FlickerMeter near(0);
  FlickerMeter far(14);
  for (FlickerMeter* meter : {&near, &far}) {
    meter->push(picture_of(1), cv::Mat(60, 80, CV_8UC3, cv::Scalar::all(50)));
    meter->push(moving, view);
  }
  EXPECT_GT(near.result().mean_change, 1.0);
  EXPECT_EQ(far.result().mean_change, 0.0);
}

TEST(Flicker, PixelsWithoutAValueDoNotCount) {
  FlickerMeter meter;
  cv::Mat values(60, 80, CV_32FC1, cv::Scalar(0.2));
  values(cv::Rect(0, 0, 10, 10)).setTo(std::numeric_limits<float>::quiet_NaN());
  meter.push(picture_of(1), values);
  meter.push(picture_of(1), cv::Mat(60, 80, CV_32FC1, cv::Scalar(0.3)));
  EXPECT_NEAR(meter.result().mean_change, 0.1, 1e-6);
}

TEST(Flicker, RefusesWhatCannotBeCompared) {
  FlickerMeter meter;
  const cv::Mat values(60, 80, CV_32FC1, cv::Scalar(0.2));
  EXPECT_THROW(FlickerMeter(-1), std::invalid_argument);
  EXPECT_THROW(meter.push(cv::Mat(60, 80, CV_8UC1), values), std::invalid_argument);
  EXPECT_THROW(meter.push(picture_of(1), cv::Mat()), std::invalid_argument);
  meter.push(picture_of(1), values);
  EXPECT_THROW(meter.push(picture_of(1), cv::Mat(30, 40, CV_32FC1)), std::invalid_argument);
}

}  // namespace
}  // namespace vergence::evaluation
