// SPDX-License-Identifier: Apache-2.0
// Each layout with pictures whose pixels are numbered: left 1, 2, 3 ... in rows, right the same
// with the sign of an offset.
#include "stereo/layout.hpp"

#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace vergence::stereo {
namespace {

constexpr int kRight = 1000;  // added to the right eye's numbers

cv::Mat numbered(int width, int height, int offset) {
  cv::Mat picture(height, width, CV_16UC1);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      picture.at<ushort>(y, x) = static_cast<ushort>(offset + 10 * y + x);
    }
  }
  return picture;
}

cv::Mat packed(Layout layout, Eye first = Eye::kLeft, int width = 4, int height = 4) {
  cv::Mat frame;
  pack_eyes(numbered(width, height, 0), numbered(width, height, kRight), {layout, first}, frame);
  EXPECT_EQ(frame.size(), frame_size(layout, {width, height}));
  return frame;
}

std::vector<int> row_of(const cv::Mat& frame, int y) {
  std::vector<int> values;
  values.reserve(static_cast<std::size_t>(frame.cols));
  for (int x = 0; x < frame.cols; ++x) values.push_back(frame.at<ushort>(y, x));
  return values;
}

using Values = std::vector<int>;

TEST(Layout, FullSideBySide) {
  EXPECT_EQ(row_of(packed(Layout::kFullSideBySide), 2),
            (Values{20, 21, 22, 23, 1020, 1021, 1022, 1023}));
  EXPECT_EQ(row_of(packed(Layout::kFullSideBySide, Eye::kRight), 2),
            (Values{1020, 1021, 1022, 1023, 20, 21, 22, 23}));
}

TEST(Layout, CrossEyedIsFullSideBySideTheOtherWayRound) {
  EXPECT_EQ(row_of(packed(Layout::kCrossEyed), 1),
            (Values{1010, 1011, 1012, 1013, 10, 11, 12, 13}));
}

TEST(Layout, HalfSideBySideMergesPairsOfColumns) {
  EXPECT_EQ(row_of(packed(Layout::kHalfSideBySide), 3), (Values{30, 32, 1030, 1032}));  // 30.5, ...
  EXPECT_EQ(row_of(packed(Layout::kHalfSideBySide, Eye::kRight), 0), (Values{1000, 1002, 0, 2}));
  EXPECT_EQ(packed(Layout::kHalfSideBySide, Eye::kLeft, 5, 4).cols, 6);
}

TEST(Layout, FullTopBottom) {
  const cv::Mat frame = packed(Layout::kFullTopBottom);
  EXPECT_EQ(row_of(frame, 3), (Values{30, 31, 32, 33}));
  EXPECT_EQ(row_of(frame, 4), (Values{1000, 1001, 1002, 1003}));
  EXPECT_EQ(row_of(packed(Layout::kFullTopBottom, Eye::kRight), 0),
            (Values{1000, 1001, 1002, 1003}));
}

TEST(Layout, HalfTopBottomMergesPairsOfRows) {
  const cv::Mat frame = packed(Layout::kHalfTopBottom);
  EXPECT_EQ(row_of(frame, 0), (Values{5, 6, 7, 8}));
  EXPECT_EQ(row_of(frame, 1), (Values{25, 26, 27, 28}));
  EXPECT_EQ(row_of(frame, 2), (Values{1005, 1006, 1007, 1008}));
  EXPECT_EQ(row_of(packed(Layout::kHalfTopBottom, Eye::kRight), 0),
            (Values{1005, 1006, 1007, 1008}));
  EXPECT_EQ(packed(Layout::kHalfTopBottom, Eye::kLeft, 4, 5).rows, 6);
}

TEST(Layout, RowsInterleaved) {
  const cv::Mat frame = packed(Layout::kRowInterleaved);
  EXPECT_EQ(row_of(frame, 0), (Values{0, 1, 2, 3}));
  EXPECT_EQ(row_of(frame, 1), (Values{1010, 1011, 1012, 1013}));
  EXPECT_EQ(row_of(frame, 2), (Values{20, 21, 22, 23}));
  EXPECT_EQ(row_of(packed(Layout::kRowInterleaved, Eye::kRight), 1), (Values{10, 11, 12, 13}));
}

TEST(Layout, ColumnsInterleaved) {
  EXPECT_EQ(row_of(packed(Layout::kColumnInterleaved), 1), (Values{10, 1011, 12, 1013}));
  EXPECT_EQ(row_of(packed(Layout::kColumnInterleaved, Eye::kRight), 1),
            (Values{1010, 11, 1012, 13}));
}

TEST(Layout, Checkerboard) {
  const cv::Mat frame = packed(Layout::kCheckerboard);
  EXPECT_EQ(row_of(frame, 0), (Values{0, 1001, 2, 1003}));
  EXPECT_EQ(row_of(frame, 1), (Values{1010, 11, 1012, 13}));
  EXPECT_EQ(row_of(packed(Layout::kCheckerboard, Eye::kRight), 0), (Values{1000, 1, 1002, 3}));
}

TEST(Layout, AnaglyphTakesItsChannelsFromTheEyes) {
  const cv::Mat left(2, 3, CV_8UC3, cv::Scalar(11, 12, 13));
  const cv::Mat right(2, 3, CV_8UC3, cv::Scalar(101, 102, 103));
  cv::Mat frame;
  pack_eyes(left, right, {Layout::kAnaglyph, Eye::kLeft, Anaglyph::kColor}, frame);
  EXPECT_EQ(frame.at<cv::Vec3b>(1, 2), cv::Vec3b(11, 102, 103));
}

TEST(Layout, PictureAndDepth) {
  const cv::Mat picture = numbered(4, 2, 0);
  cv::Mat nearness(2, 4, CV_32FC1);
  for (int x = 0; x < 4; ++x) nearness.col(x).setTo(static_cast<double>(x) / 3.0);
  cv::Mat frame;
  pack_depth(picture, nearness, Layout::kFullRgbd, frame);
  EXPECT_EQ(row_of(frame, 1), (Values{10, 11, 12, 13, 0, 21845, 43690, 65535}));
  pack_depth(picture, nearness, Layout::kHalfRgbd, frame);
  EXPECT_EQ(frame.size(), cv::Size(4, 2));
  EXPECT_NEAR(frame.at<ushort>(0, 2), 10922, 1);
  pack_depth(picture, nearness, Layout::kDepth, frame);
  EXPECT_EQ(row_of(frame, 0), (Values{0, 21845, 43690, 65535}));
  const cv::Mat rgb(2, 4, CV_8UC3, cv::Scalar(1, 2, 3));
  pack_depth(rgb, nearness, Layout::kDepth, frame);
  EXPECT_EQ(frame.at<cv::Vec3b>(0, 1), cv::Vec3b(85, 85, 85));
}

TEST(Layout, RefusesWhatDoesNotFit) {
  cv::Mat frame;
  const cv::Mat eye = numbered(4, 4, 0);
  EXPECT_THROW(pack_eyes(eye, numbered(4, 5, 0), {}, frame), std::invalid_argument);
  EXPECT_THROW(pack_eyes(eye, eye, {Layout::kDepth}, frame), std::invalid_argument);
  EXPECT_THROW(pack_eyes({}, {}, {}, frame), std::invalid_argument);
  EXPECT_THROW(pack_eyes(eye, eye, {Layout::kAnaglyph}, frame), std::invalid_argument);
  EXPECT_THROW(pack_depth(eye, cv::Mat::zeros(4, 4, CV_32FC1), Layout::kCheckerboard, frame),
               std::invalid_argument);
  EXPECT_THROW(pack_depth(eye, cv::Mat::zeros(4, 5, CV_32FC1), Layout::kDepth, frame),
               std::invalid_argument);
}

TEST(Layout, EveryWordMeansOneLayout) {
  EXPECT_EQ(layout_words().size(), 12U);
  for (const auto word : layout_words())
    EXPECT_EQ(to_string(layout_from_string(word).value()), word);
  EXPECT_FALSE(layout_from_string("sbs").has_value());
  EXPECT_EQ(anaglyph_words().size(), 9U);
  for (const auto word : anaglyph_words()) {
    EXPECT_EQ(to_string(anaglyph_from_string(word).value()), word);
  }
  EXPECT_FALSE(anaglyph_from_string("red").has_value());
  EXPECT_EQ(anaglyph_from_string("half-color"), Anaglyph::kHalfColor);
  EXPECT_EQ(layout_from_string("half-sbs"), Layout::kHalfSideBySide);
}

TEST(Layout, LetterboxKeepsProportions) {
  const cv::Mat white(10, 20, CV_8UC1, cv::Scalar(255));
  const cv::Mat tall = letterbox(white, {40, 40});
  EXPECT_EQ(cv::countNonZero(tall), 40 * 20);
  EXPECT_EQ(tall.at<uchar>(9, 20), 0);
  EXPECT_EQ(tall.at<uchar>(10, 20), 255);
  EXPECT_EQ(tall.at<uchar>(29, 20), 255);
  EXPECT_EQ(tall.at<uchar>(30, 20), 0);
  const cv::Mat wide = letterbox(white, {30, 5});
  EXPECT_EQ(cv::countNonZero(wide), 10 * 5);
  EXPECT_EQ(cv::countNonZero(letterbox(white, {20, 10}) != white), 0);
}

TEST(Layout, FitsWithinLimitsByShrinkingOnly) {
  EXPECT_EQ(fit_within({3840, 1080}, {1920, 0}), cv::Size(1920, 540));
  EXPECT_EQ(fit_within({3840, 1080}, {0, 400}), cv::Size(1422, 400));
  EXPECT_EQ(fit_within({641, 481}, {1920, 1080}), cv::Size(641, 481));
  EXPECT_EQ(fit_within({641, 481}, {0, 0}), cv::Size(641, 481));
}

TEST(Layout, EyesArePaddedApart) {
  cv::Mat left(4, 100, CV_8UC1, cv::Scalar(1));
  cv::Mat right(4, 100, CV_8UC1, cv::Scalar(1));
  cv::Mat near_left = left.clone();
  cv::Mat near_right = right.clone();
  pad_for_eye_distance(5.0F, left, right);  // p = 4
  EXPECT_EQ(left.cols, 112);
  EXPECT_EQ(left.at<uchar>(0, 7), 0);
  EXPECT_EQ(left.at<uchar>(0, 8), 1);
  EXPECT_EQ(right.at<uchar>(0, 3), 0);
  EXPECT_EQ(right.at<uchar>(0, 4), 1);
  pad_for_eye_distance(-5.0F, near_left, near_right);
  EXPECT_EQ(near_left.at<uchar>(0, 4), 1);
  EXPECT_EQ(near_left.at<uchar>(0, 3), 0);
  EXPECT_EQ(near_right.at<uchar>(0, 7), 0);
  EXPECT_EQ(near_right.at<uchar>(0, 8), 1);
  pad_for_eye_distance(1.0F, near_left, near_right);  // one pixel is no even number
  EXPECT_EQ(near_left.cols, 112);
}

// ---- Anaglyphs beyond the golden samples

TEST(Anaglyph, TheFiltersOfTheNewKindsSeparateTheEyes) {
  // What a white picture on black gives to the left eye's filter, and what to the right eye's.
  const cv::Mat white(1, 1, CV_32FC3, cv::Scalar::all(1.0));
  const cv::Mat black(1, 1, CV_32FC3, cv::Scalar::all(0.0));
  cv::Mat left;
  cv::Mat right;
  make_anaglyph(white, black, Anaglyph::kGreenMagenta, left);
  make_anaglyph(black, white, Anaglyph::kGreenMagenta, right);
  EXPECT_GT(left.at<cv::Vec3f>()[1], 0.95F);
  EXPECT_LT(left.at<cv::Vec3f>()[0], 0.01F);
  EXPECT_LT(right.at<cv::Vec3f>()[1], 0.01F);
  EXPECT_GT(right.at<cv::Vec3f>()[0], 0.95F);
  make_anaglyph(white, black, Anaglyph::kAmberBlue, left);
  make_anaglyph(black, white, Anaglyph::kAmberBlue, right);
  EXPECT_GT(left.at<cv::Vec3f>()[0], 0.95F);
  EXPECT_LT(left.at<cv::Vec3f>()[2], 0.01F);
  EXPECT_GT(right.at<cv::Vec3f>()[2], 0.95F);
  EXPECT_LT(right.at<cv::Vec3f>()[0], 0.01F);
}

TEST(Anaglyph, EveryKindIsTheSameInEveryDepth) {
  cv::Mat left(16, 16, CV_8UC3);
  cv::Mat right(16, 16, CV_8UC3);
  cv::RNG random(2);
  random.fill(left, cv::RNG::UNIFORM, 0, 256);
  random.fill(right, cv::RNG::UNIFORM, 0, 256);
  for (const auto word : anaglyph_words()) {
    const Anaglyph kind = anaglyph_from_string(word).value();
    cv::Mat expected;
    make_anaglyph(left, right, kind, expected);
    for (const auto& [depth, full] : {std::pair{CV_16U, 65535.0}, std::pair{CV_32F, 1.0}}) {
      cv::Mat deep_left;
      cv::Mat deep_right;
      left.convertTo(deep_left, depth, full / 255.0);
      right.convertTo(deep_right, depth, full / 255.0);
      cv::Mat picture;
      make_anaglyph(deep_left, deep_right, kind, picture);
      picture.convertTo(picture, CV_8U, 255.0 / full);
      EXPECT_LE(cv::norm(picture, expected, cv::NORM_INF), 1.0) << word;
    }
  }
}

}  // namespace
}  // namespace vergence::stereo
