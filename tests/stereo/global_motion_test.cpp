// SPDX-License-Identifier: Apache-2.0
#include "stereo/global_motion.hpp"

#include <cmath>
#include <stdexcept>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

const cv::Size kSize(320, 180);

// Brightness of a plane, textured at all scales.
cv::Mat make_plane(unsigned seed) {
  cv::RNG random(seed);
  cv::Mat plane = cv::Mat::zeros(2 * kSize.height, 2 * kSize.width, CV_32FC1);
  for (const int cell : {4, 12, 48}) {
    cv::Mat noise(plane.rows / cell, plane.cols / cell, CV_32FC1);
    random.fill(noise, cv::RNG::UNIFORM, -1.0, 1.0);
    cv::resize(noise, noise, plane.size(), 0, 0, cv::INTER_CUBIC);
    plane += noise * 40.0;
  }
  return plane + 127.0;
}

// What a camera sees of it: frame pixel -> plane pixel.
cv::Mat seen(const cv::Mat& plane, const Affine& plane_from_frame) {
  cv::Mat frame;
  cv::warpAffine(plane, frame, cv::Mat(plane_from_frame), kSize,
                 cv::INTER_CUBIC | cv::WARP_INVERSE_MAP);
  return frame;
}

double corner_error(const Affine& a, const Affine& b) {
  double most = 0.0;
  for (const double x : {0.0, kSize.width - 1.0}) {
    for (const double y : {0.0, kSize.height - 1.0}) {
      most = std::max(most, cv::norm(moved(a, x, y) - moved(b, x, y)));
    }
  }
  return most;
}

const Affine kFirst(1.0, 0.0, 150.0, 0.0, 1.0, 90.0);

TEST(Motion, InverseAndCompositionAreThat) {
  const Affine motion(1.1, 0.2, 5.0, -0.1, 0.9, -3.0);
  EXPECT_LT(corner_error(compose(motion, inverse(motion)), identity_motion()), 1e-9);
  EXPECT_LT(corner_error(compose(motion, identity_motion()), motion), 1e-12);
  const cv::Point2d twice = moved(compose(motion, motion), 7.0, 9.0);
  const cv::Point2d once = moved(motion, 7.0, 9.0);
  EXPECT_LT(cv::norm(twice - moved(motion, once.x, once.y)), 1e-9);
}

TEST(Motion, ScalesAboutTheCornerOfThePicture) {
  const Affine motion(1.1, 0.2, 5.0, -0.1, 0.9, -3.0);
  const Affine large = scaled_motion(motion, 4.0);
  // The same place by both, in units from the corner.
  const cv::Point2d small_place = moved(motion, 30.0 - 0.5, 20.0 - 0.5);
  const cv::Point2d large_place = moved(large, 120.0 - 0.5, 80.0 - 0.5);
  EXPECT_NEAR(large_place.x + 0.5, 4.0 * (small_place.x + 0.5), 1e-9);
  EXPECT_NEAR(large_place.y + 0.5, 4.0 * (small_place.y + 0.5), 1e-9);
}

TEST(GlobalMotion, OfOneFrameIsNone) {
  const cv::Mat frame = seen(make_plane(1), kFirst);
  const auto motion = global_motion(frame, frame);
  ASSERT_TRUE(motion.has_value());
  EXPECT_LT(corner_error(*motion, identity_motion()), 1e-3);
}

TEST(GlobalMotion, IsFoundToASmallPartOfAPixel) {
  const cv::Mat plane = make_plane(2);
  const cv::Mat a = seen(plane, kFirst);
  cv::RNG random(5);
  for (int round = 0; round < 20; ++round) {
    const double angle = random.uniform(-0.02, 0.02);
    const double scale = random.uniform(0.97, 1.03);
    const double c = scale * std::cos(angle);
    const double s = scale * std::sin(angle);
    const Affine b_from_a(c, -s, random.uniform(-20.0, 20.0), s, c, random.uniform(-15.0, 15.0));
    const cv::Mat b = seen(plane, compose(kFirst, inverse(b_from_a)));
    const auto motion = global_motion(a, b);
    ASSERT_TRUE(motion.has_value()) << round;
    EXPECT_LT(corner_error(*motion, b_from_a), 0.1) << round;
  }
}

TEST(GlobalMotion, IgnoresExposureNoiseAndWhatMovesOtherwise) {
  const cv::Mat plane = make_plane(3);
  const Affine b_from_a(1.0, 0.0, 6.3, 0.0, 1.0, -2.6);
  cv::Mat a = seen(plane, kFirst);
  cv::Mat b = seen(plane, compose(kFirst, inverse(b_from_a))) * 0.85 + 12.0;
  const cv::Mat person = seen(make_plane(4), kFirst)(cv::Rect(0, 0, 90, 150));
  person.copyTo(a(cv::Rect(100, 20, 90, 150)));
  person.copyTo(b(cv::Rect(85, 25, 90, 150)));
  cv::RNG random(6);
  cv::Mat noise(kSize, CV_32FC1);
  random.fill(noise, cv::RNG::NORMAL, 0.0, 2.0);
  b += noise;
  const auto motion = global_motion(a, b);
  ASSERT_TRUE(motion.has_value());
  EXPECT_LT(corner_error(*motion, b_from_a), 0.2);
}

TEST(GlobalMotion, WeightsSayWhoseMotionItIs) {
  const cv::Mat plane = make_plane(7);
  const Affine far_motion(1.0, 0.0, 2.0, 0.0, 1.0, 0.0);
  const Affine near_motion(1.0, 0.0, -7.0, 0.0, 1.0, 1.0);
  const cv::Mat a = seen(plane, kFirst);
  cv::Mat b = seen(plane, compose(kFirst, inverse(far_motion)));
  const cv::Rect near_side(0, 0, 200, 180);
  seen(plane, compose(kFirst, inverse(near_motion)))(near_side).copyTo(b(near_side));
  cv::Mat weight(kSize, CV_32FC1, cv::Scalar(1.0));
  weight(near_side).setTo(0.0);
  const auto motion = global_motion(a, b, weight);
  ASSERT_TRUE(motion.has_value());
  EXPECT_LT(corner_error(*motion, far_motion), 0.2);
}

TEST(GlobalMotion, IsNoneWithoutTextureOrAcrossACut) {
  const cv::Mat flat(kSize, CV_32FC1, cv::Scalar(100.0));
  EXPECT_FALSE(global_motion(flat, flat).has_value());
  for (unsigned seed = 10; seed < 20; ++seed) {
    const cv::Mat a = seen(make_plane(seed), kFirst);
    const cv::Mat b = seen(make_plane(seed + 100), kFirst);
    EXPECT_FALSE(global_motion(a, b).has_value()) << seed;
  }
}

TEST(GlobalMotion, TakesPicturesOfAnySize) {
  for (const cv::Size size :
       {cv::Size(1, 1), cv::Size(3, 200), cv::Size(400, 2), cv::Size(33, 17)}) {
    cv::Mat noise(size, CV_32FC1);
    cv::RNG random(8);
    random.fill(noise, cv::RNG::UNIFORM, 0.0, 255.0);
    const auto motion = global_motion(noise, noise);
    if (motion) {
      EXPECT_NEAR((*motion)(0, 2), 0.0, 1e-2);
    }
  }
  EXPECT_THROW((void)global_motion({}, {}), std::invalid_argument);
  EXPECT_THROW((void)global_motion(cv::Mat(4, 4, CV_8UC1), cv::Mat(4, 4, CV_8UC1)),
               std::invalid_argument);
}

}  // namespace
}  // namespace vergence::stereo
