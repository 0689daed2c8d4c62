// SPDX-License-Identifier: Apache-2.0
#include "evaluation/stereo_metrics.hpp"

#include "core/error.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::evaluation {
namespace {

cv::Mat texture(int width, int height) {
  cv::Mat picture(height, width, CV_8UC3);
  cv::RNG random(5);
  random.fill(picture, cv::RNG::UNIFORM, 0, 256);
  cv::GaussianBlur(picture, picture, {}, 1.5);
  cv::normalize(picture, picture, 0, 255, cv::NORM_MINMAX);
  return picture;
}

TEST(StereoMetrics, EqualPicturesAreEqual) {
  const cv::Mat picture = texture(80, 60);
  const StereoMetrics metrics = compare_views(picture, picture);
  EXPECT_TRUE(std::isinf(metrics.psnr));
  EXPECT_NEAR(metrics.ssim, 1.0, 1e-12);
  EXPECT_FALSE(metrics.psnr_inner.has_value());
  EXPECT_FALSE(metrics.siou.has_value());
}

TEST(StereoMetrics, PsnrIsThatOfTheMeanSquare) {
  const cv::Mat a(10, 10, CV_8UC3, cv::Scalar(10, 20, 30));
  const cv::Mat b(10, 10, CV_8UC3, cv::Scalar(13, 20, 26));  // squares 9 + 0 + 16
  EXPECT_NEAR(compare_views(a, b).psnr, 10.0 * std::log10(255.0 * 255.0 / (25.0 / 3.0)), 1e-9);
}

TEST(StereoMetrics, SplitsTheInnerPixelsByWhatTheSourceShowed) {
  // A near square (disparity 6) before a wall (2): the right view has a gap of 4 columns less the
  // two that the moved neighbours touch.
  cv::Mat disparity(20, 60, CV_32FC1, cv::Scalar(2));
  disparity(cv::Rect(25, 5, 10, 10)).setTo(6);
  const cv::Mat holes = disoccluded_pixels(disparity, Eye::kRight);
  for (int x = 0; x < 58; ++x) {
    EXPECT_EQ(holes.at<unsigned char>(10, x), x >= 30 && x < 33 ? 255 : 0) << x;
  }
  const cv::Mat reference(20, 60, CV_8UC3, cv::Scalar::all(100));
  cv::Mat view = reference.clone();
  view.setTo(cv::Scalar::all(110), holes);
  view.colRange(52, 60).setTo(cv::Scalar::all(255));  // outside the inner part: int(6 + 2) columns
  const StereoMetrics metrics = compare_views(view, reference, {{}, disparity});
  EXPECT_TRUE(std::isinf(metrics.psnr_visible.value()));
  EXPECT_NEAR(metrics.psnr_disoccluded.value(), 10.0 * std::log10(255.0 * 255.0 / 100.0), 1e-9);
  EXPECT_NEAR(metrics.disoccluded_share.value(), 30.0 / (52.0 * 20.0), 1e-9);
  EXPECT_LT(metrics.psnr, metrics.psnr_inner.value());
}

TEST(StereoMetrics, ALeftViewIsTheMirrorImage) {
  cv::Mat disparity(20, 60, CV_32FC1, cv::Scalar(2));
  disparity(cv::Rect(25, 5, 10, 10)).setTo(6.5F);
  cv::Mat mirrored;
  cv::flip(disparity, mirrored, 1);
  cv::Mat holes = disoccluded_pixels(mirrored, Eye::kLeft);
  cv::flip(holes, holes, 1);
  EXPECT_EQ(cv::countNonZero(holes != disoccluded_pixels(disparity, Eye::kRight)), 0);
}

TEST(StereoMetrics, SiouSeesAViewThatWasLeftUnchanged) {
  const cv::Mat source = texture(200, 100);
  cv::Mat reference;
  const cv::Mat shift = (cv::Mat_<double>(2, 3) << 1, 0, -8, 0, 1, 0);
  cv::warpAffine(source, reference, shift, source.size(), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  const cv::Mat disparity(source.size(), CV_32FC1, cv::Scalar(8));
  const double good = compare_views(reference, reference, {source, disparity}).siou.value();
  const double unchanged = compare_views(source, reference, {source, disparity}).siou.value();
  EXPECT_NEAR(good, 1.0, 1e-12);
  EXPECT_LT(unchanged, 0.5);
}

TEST(StereoMetrics, SsimFallsWithNoiseButNotWithNothing) {
  const cv::Mat picture = texture(90, 70);
  cv::Mat noisy = picture.clone();
  cv::RNG random(1);
  cv::Mat noise(picture.size(), CV_8UC3);
  double last = 1.0;
  for (const int level : {10, 40, 90}) {
    random.fill(noise, cv::RNG::UNIFORM, 0, level);
    noisy = picture * 0.7 + noise;
    const double ssim = compare_views(noisy, cv::Mat(picture * 0.7)).ssim;
    EXPECT_LT(ssim, last);
    last = ssim;
  }
  EXPECT_GT(last, 0.0);
}

TEST(StereoMetrics, RefusesPicturesOfOtherSizes) {
  const cv::Mat picture = texture(40, 40);
  EXPECT_THROW((void)compare_views(picture, texture(41, 40)), Error);
  EXPECT_THROW((void)compare_views(picture, cv::Mat(40, 40, CV_8UC1)), Error);
  EXPECT_THROW((void)compare_views(picture, picture, {{}, cv::Mat::zeros(40, 39, CV_32FC1)}),
               Error);
  EXPECT_THROW((void)compare_views(picture, picture, {texture(39, 40), {}}), Error);
}

TEST(StereoMetrics, ADisparityWiderThanThePictureLeavesNoInnerPixels) {
  const cv::Mat picture = texture(40, 40);
  const cv::Mat disparity(40, 40, CV_32FC1, cv::Scalar(1000));
  const StereoMetrics metrics = compare_views(picture, picture, {{}, disparity});
  EXPECT_FALSE(metrics.psnr_inner.has_value());
  EXPECT_TRUE(std::isinf(metrics.psnr));
}

TEST(VerticalDisparity, IsMeasuredToAFractionOfAPixel) {
  const cv::Mat left = texture(320, 200);
  for (const double offset : {0.0, 1.0, -2.5}) {
    cv::Mat right;
    const cv::Mat shift = (cv::Mat_<double>(2, 3) << 1, 0, -7, 0, 1, offset);
    cv::warpAffine(left, right, shift, left.size(), cv::INTER_CUBIC, cv::BORDER_REPLICATE);
    const auto measured = measure_vertical_disparity(left, right);
    ASSERT_TRUE(measured.has_value());
    EXPECT_NEAR(measured->median_px, offset, 0.1);
    EXPECT_NEAR(measured->mean_absolute_px, std::abs(offset), 0.15);
    EXPECT_GT(measured->num_blocks, 50);
  }
}

TEST(VerticalDisparity, OfPicturesWithoutTextureIsUnknown) {
  const cv::Mat flat(100, 200, CV_8UC3, cv::Scalar::all(90));
  EXPECT_FALSE(measure_vertical_disparity(flat, flat).has_value());
  const cv::Mat tiny = texture(10, 10);
  EXPECT_FALSE(measure_vertical_disparity(tiny, tiny).has_value());
}

}  // namespace
}  // namespace vergence::evaluation
