// SPDX-License-Identifier: Apache-2.0
#include "stereo/autocrop.hpp"

#include <stdexcept>

#include <gtest/gtest.h>

namespace vergence::stereo {
namespace {

cv::Mat noise(cv::Size size, int seed) {
  cv::Mat picture(size, CV_8UC3);
  cv::RNG random(static_cast<std::uint64_t>(seed));
  random.fill(picture, cv::RNG::UNIFORM, 0, 256);
  return picture;
}

// A busy picture inside bars of a colour.
cv::Mat framed(cv::Size size, const cv::Rect& inside, const cv::Scalar& bars, int seed = 1) {
  cv::Mat picture(size, CV_8UC3, bars);
  noise(inside.size(), seed).copyTo(picture(inside));
  return picture;
}

cv::Rect crop_of(Autocrop rule, const cv::Mat& picture) {
  BarFinder finder(rule);
  finder.add(picture);
  return finder.crop();
}

const cv::Rect kWhole(0, 0, 160, 90);

TEST(Autocrop, EachRuleFindsItsBars) {
  const cv::Rect inside(20, 10, 120, 70);
  const cv::Mat black = framed({160, 90}, inside, cv::Scalar::all(0));
  const cv::Mat grey = framed({160, 90}, inside, cv::Scalar(90, 90, 140));
  EXPECT_EQ(crop_of(Autocrop::kBlack, black), inside);
  EXPECT_EQ(crop_of(Autocrop::kBlackTopBottom, black), cv::Rect(0, 10, 160, 70));
  EXPECT_EQ(crop_of(Autocrop::kFlat, black), inside);
  EXPECT_EQ(crop_of(Autocrop::kBlack, grey), kWhole);
  EXPECT_EQ(crop_of(Autocrop::kFlat, grey), inside);
  EXPECT_EQ(crop_of(Autocrop::kFlatTopBottom, grey), cv::Rect(0, 10, 160, 70));
}

TEST(Autocrop, CornersAreEvenAndInside) {
  const cv::Rect inside(13, 7, 131, 77);
  EXPECT_EQ(crop_of(Autocrop::kBlack, framed({160, 90}, inside, cv::Scalar::all(0))),
            cv::Rect(14, 8, 130, 76));
}

TEST(Autocrop, OddPicturesWithoutBarsStayWhole) {
  EXPECT_EQ(crop_of(Autocrop::kBlack, noise({161, 91}, 3)), cv::Rect(0, 0, 161, 91));
}

TEST(Autocrop, BlackOfVideoAndItsNoiseAreBlack) {
  cv::Mat picture = framed({160, 90}, {0, 10, 160, 70}, cv::Scalar::all(16));
  cv::RNG random(5);
  cv::Mat grain(10, 160, CV_8UC3);
  random.fill(grain, cv::RNG::UNIFORM, 12, 26);
  grain.copyTo(picture.rowRange(0, 10));
  EXPECT_EQ(crop_of(Autocrop::kBlackTopBottom, picture), cv::Rect(0, 10, 160, 70));
  picture.at<cv::Vec3b>(4, 80) = cv::Vec3b(90, 90, 90);  // a logo
  EXPECT_EQ(crop_of(Autocrop::kBlackTopBottom, picture), cv::Rect(0, 4, 160, 76));
}

TEST(Autocrop, FlatBarsMayHaveASpeck) {
  cv::Mat picture = framed({400, 90}, {0, 10, 400, 70}, cv::Scalar::all(120));
  picture(cv::Rect(100, 2, 3, 4)).setTo(cv::Scalar::all(255));
  EXPECT_EQ(crop_of(Autocrop::kFlatTopBottom, picture), cv::Rect(0, 10, 400, 70));
  picture(cv::Rect(100, 2, 30, 4)).setTo(cv::Scalar::all(255));
  EXPECT_EQ(crop_of(Autocrop::kFlatTopBottom, picture), cv::Rect(0, 2, 400, 78));
}

TEST(Autocrop, ABarHasToBeThereInNearlyAllFrames) {
  const cv::Rect small(0, 20, 160, 50);
  const cv::Rect large(0, 10, 160, 70);
  BarFinder one(Autocrop::kBlack);
  BarFinder many(Autocrop::kBlack);
  for (int i = 0; i < 40; ++i) {
    one.add(framed({160, 90}, i < 2 ? large : small, cv::Scalar::all(0), i));
    many.add(framed({160, 90}, i < 3 ? large : small, cv::Scalar::all(0), i));
  }
  EXPECT_EQ(one.crop(), small);   // 38 of 40
  EXPECT_EQ(many.crop(), large);  // 37 of 40
}

TEST(Autocrop, LooksAtFortyFramesAtMost) {
  BarFinder finder(Autocrop::kBlack);
  for (int i = 0; i < 40; ++i) {
    finder.add(framed({160, 90}, {0, 20, 160, 50}, cv::Scalar::all(0), i));
  }
  for (int i = 0; i < 40; ++i) finder.add(noise({160, 90}, i));
  EXPECT_EQ(finder.num_frames(), BarFinder::kMostFrames);
  EXPECT_EQ(finder.crop(), cv::Rect(0, 20, 160, 50));
}

TEST(Autocrop, DarkScenesAreNoBars) {
  for (const Autocrop rule : {Autocrop::kBlack, Autocrop::kFlat, Autocrop::kBlackTopBottom}) {
    EXPECT_EQ(crop_of(rule, cv::Mat(90, 160, CV_8UC3, cv::Scalar::all(3))), kWhole);
    EXPECT_EQ(crop_of(rule, framed({160, 90}, {40, 40, 80, 10}, cv::Scalar::all(0))).height, 90);
  }
}

TEST(Autocrop, SixteenBitsAreTheSame) {
  cv::Mat deep;
  framed({160, 90}, {20, 10, 120, 70}, cv::Scalar::all(0)).convertTo(deep, CV_16U, 257.0);
  EXPECT_EQ(crop_of(Autocrop::kBlack, deep), cv::Rect(20, 10, 120, 70));
}

TEST(Autocrop, BarsComeBackAsTheyWere) {
  const cv::Rect inside(20, 10, 120, 70);
  const cv::Mat picture = framed({160, 90}, inside, cv::Scalar(5, 6, 7));
  const cv::Mat whole =
      put_bars_back(picture, inside, cv::Mat(70, 120, CV_8UC3, cv::Scalar(1, 2, 3)));
  EXPECT_EQ(whole.at<cv::Vec3b>(9, 80), cv::Vec3b(5, 6, 7));
  EXPECT_EQ(whole.at<cv::Vec3b>(10, 80), cv::Vec3b(1, 2, 3));
  EXPECT_EQ(whole.at<cv::Vec3b>(79, 139), cv::Vec3b(1, 2, 3));
  EXPECT_EQ(whole.at<cv::Vec3b>(79, 140), cv::Vec3b(5, 6, 7));
  EXPECT_EQ(cv::norm(put_bars_back(picture, inside, picture(inside).clone()), picture), 0.0);
  EXPECT_THROW((void)put_bars_back(picture, {100, 0, 100, 70}, cv::Mat(70, 100, CV_8UC3)),
               std::invalid_argument);
}

TEST(Autocrop, WordsAreThoseOfConfiguration) {
  EXPECT_EQ(autocrop_from_string("BLACK_TB"), Autocrop::kBlackTopBottom);
  EXPECT_EQ(autocrop_from_string("flat-tb"), Autocrop::kFlatTopBottom);
  EXPECT_EQ(autocrop_from_string("black"), Autocrop::kBlack);
  EXPECT_EQ(autocrop_from_string("flat"), Autocrop::kFlat);
  EXPECT_FALSE(autocrop_from_string("none").has_value());
}

TEST(Autocrop, RefusesFramesOfAnotherSizeOrType) {
  BarFinder finder(Autocrop::kBlack);
  EXPECT_EQ(finder.crop(), cv::Rect());
  finder.add(noise({160, 90}, 1));
  EXPECT_THROW(finder.add(noise({90, 160}, 1)), std::invalid_argument);
  EXPECT_THROW(finder.add(cv::Mat(90, 160, CV_8UC1)), std::invalid_argument);
}

}  // namespace
}  // namespace vergence::stereo
