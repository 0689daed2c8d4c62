// SPDX-License-Identifier: Apache-2.0
#include "evaluation/seam_step.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace vergence::evaluation {
namespace {

TEST(SeamStep, IsTheLogarithmicStepFromTheLastColumnToTheFirst) {
  // ln distances 0, 1, 3, 6: steps 1, 2, 3 inside, 6 at the seam.
  cv::Mat distance(2, 4, CV_32F);
  for (int x = 0; x < 4; ++x) distance.col(x) = std::exp(x * (x + 1) / 2.0);
  const auto step = measure_seam_step(RayDistance(distance)).value();
  EXPECT_NEAR(step.seam, 6.0, 1e-6);
  EXPECT_NEAR(step.mean, 2.0, 1e-6);
  EXPECT_NEAR(step.percentile_95, 2.9, 1e-6);
  EXPECT_NEAR(step.max, 3.0, 1e-6);
  EXPECT_EQ(step.rank, 1);
  EXPECT_EQ(step.num_steps, 4);
}

TEST(SeamStep, DoesNotChangeWithTheScaleAndRotatesOutOfTheSeam) {
  cv::Mat distance(3, 8, CV_32F);
  for (int x = 0; x < 8; ++x) distance.col(x) = 2.0 + std::cos(x * 0.7);
  const auto step = measure_seam_step(RayDistance(distance)).value();
  EXPECT_NEAR(measure_seam_step(RayDistance(distance * 5.0)).value().seam, step.seam, 1e-6);
  cv::Mat turned;
  cv::hconcat(distance.colRange(3, 8), distance.colRange(0, 3), turned);
  const auto turned_step = measure_seam_step(RayDistance(turned)).value();
  EXPECT_NE(turned_step.seam, step.seam);
  EXPECT_NEAR(turned_step.seam + 7 * turned_step.mean, step.seam + 7 * step.mean, 1e-6);
}

TEST(SeamStep, LeavesOutInvalidPixels) {
  cv::Mat distance(3, 6, CV_32F, 2.0F);
  distance.at<float>(0, 0) = NAN;
  distance.at<float>(1, 5) = -1.0F;
  distance.at<float>(2, 0) = 2.0F * std::exp(1.0F);
  const auto step = measure_seam_step(RayDistance(distance)).value();
  EXPECT_NEAR(step.seam, 1.0, 1e-6);  // row 2 alone
  EXPECT_EQ(step.rank, 1);
}

TEST(SeamStep, NeedsAValidSeam) {
  cv::Mat distance(2, 6, CV_32F, 2.0F);
  distance.col(5) = NAN;
  EXPECT_FALSE(measure_seam_step(RayDistance(distance)).has_value());
  EXPECT_FALSE(measure_seam_step(RayDistance(cv::Mat(2, 2, CV_32F, 1.0F))).has_value());
  EXPECT_FALSE(measure_seam_step(RayDistance()).has_value());
}

}  // namespace
}  // namespace vergence::evaluation
