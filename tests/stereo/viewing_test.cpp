// SPDX-License-Identifier: Apache-2.0
#include "stereo/viewing.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include <gtest/gtest.h>

namespace vergence::stereo {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A 1 m wide screen of 1000 pixels, 2 m away: a millimetre each.
Viewing plain() {
  Viewing viewing;
  viewing.ipd_m = 0.060;
  viewing.picture_width_px = 1000;
  return viewing;
}

cv::Mat values(std::initializer_list<float> list) {
  return cv::Mat(std::vector<float>(list)).reshape(1, 1).clone();
}

TEST(Viewing, DistancesStandWhereTheyWere) {
  const cv::Mat parallax = parallax_from_distance(
      values({1.0F, 2.0F, 4.0F, kInfinity, kNan, 0.0F, -3.0F}), 2.0, plain());
  // e (1 - 2 / z) is -60, 0, 30 and 60 mm apart, half of it in each eye.
  const std::vector<float> expected = {30.0F, 0.0F, -15.0F, -30.0F, 0.0F, 0.0F, 0.0F};
  for (int i = 0; i < parallax.cols; ++i) {
    EXPECT_NEAR(parallax.at<float>(i), expected[static_cast<std::size_t>(i)], 1e-4F) << i;
  }
}

TEST(Viewing, OneEyeAloneMovesTwiceAsFar) {
  Viewing viewing = plain();
  viewing.synthetic_view = SyntheticView::kRight;
  EXPECT_NEAR(parallax_from_distance(values({1.0F}), 2.0, viewing).at<float>(0), 60.0F, 1e-4F);
  EXPECT_NEAR(parallel_parallax_px(viewing), -60.0, 1e-9);
}

TEST(Viewing, RaysThroughTheScreenMeetAtTheDistance) {
  // The geometry itself: lines from the eyes through the two places on the screen.
  std::mt19937 random(2);
  std::uniform_real_distribution<double> any(0.3, 30.0);
  for (int i = 0; i < 200; ++i) {
    Viewing viewing;
    viewing.ipd_m = 0.05 + 0.001 * any(random);
    viewing.screen_width_m = any(random);
    viewing.viewing_distance_m = any(random);
    const double z = any(random);
    const cv::Mat parallax = parallax_from_distance(values({static_cast<float>(z)}),
                                                    viewing.viewing_distance_m, viewing);
    const double shift = parallax.at<float>(0) * viewing.screen_width_m / viewing.picture_width_px;
    // Left eye at -e/2 sees the point at +shift on the screen, the right one at -shift.
    const double half = 0.5 * viewing.ipd_m;
    const double meeting = viewing.viewing_distance_m * half / (half + shift);
    EXPECT_NEAR(meeting, z, 1e-3 * z);
  }
}

TEST(Viewing, RelativeNearnessHasItsScreenAndItsInfinity) {
  const cv::Mat parallax = parallax_from_relative(values({0.0F, 0.25F, 0.5F, 1.0F}), 0.5F, plain());
  EXPECT_NEAR(parallax.at<float>(0), -30.0F, 1e-4F);  // parallel eyes
  EXPECT_NEAR(parallax.at<float>(1), -15.0F, 1e-4F);
  EXPECT_NEAR(parallax.at<float>(2), 0.0F, 1e-4F);
  EXPECT_NEAR(parallax.at<float>(3), 30.0F, 1e-4F);  // half as far as the screen
  EXPECT_THROW((void)parallax_from_relative(parallax, 0.0F, plain()), std::invalid_argument);
}

TEST(Viewing, AnglesAndParallaxAreInverse) {
  const Viewing viewing = plain();
  EXPECT_EQ(vergence_difference(0.0, viewing).value(), 0.0);
  for (const double degrees : {-1.5, -1.0, -0.1, 0.2, 1.0, 3.0, 40.0}) {
    const Radians angle = Radians::from_degrees(degrees);
    const double parallax = parallax_for_vergence(angle, viewing);
    EXPECT_NEAR(vergence_difference(parallax, viewing).degrees(), degrees, 1e-9);
    EXPECT_EQ(parallax > 0.0, degrees > 0.0);
  }
  EXPECT_TRUE(std::isinf(parallax_for_vergence(Radians::from_degrees(179.5), viewing)));
}

TEST(Viewing, ParallelEyesDoNotConverge) {
  const Viewing viewing = plain();
  const double screen = 2.0 * std::atan(0.03 / 2.0);
  EXPECT_NEAR(vergence_difference(parallel_parallax_px(viewing), viewing).value(), -screen, 1e-12);
}

TEST(Comfort, ReportsWhatIsBeyond) {
  const Viewing viewing = plain();
  // 1 degree is about 17.5 px of 1 mm per eye and 2 m.
  const cv::Mat parallax = values({0.0F, 10.0F, 17.0F, 19.0F, -17.0F, -19.0F, -31.0F, kNan});
  const ComfortReport report = comfort_report(parallax, Radians::from_degrees(1.0), viewing);
  EXPECT_NEAR(report.share_beyond, 3.0 / 7.0, 1e-12);
  EXPECT_NEAR(report.share_diverging, 1.0 / 7.0, 1e-12);
  EXPECT_NEAR(report.nearest.value(), vergence_difference(19.0, viewing).value(), 1e-9);
  EXPECT_NEAR(report.farthest.value(), vergence_difference(-31.0, viewing).value(), 1e-9);
}

TEST(Comfort, NoPixelsAreComfortable) {
  const ComfortReport report =
      comfort_report(values({kNan, kInfinity}), Radians::from_degrees(1.0), plain());
  EXPECT_EQ(report.share_beyond, 0.0);
  EXPECT_EQ(report.nearest.value(), 0.0);
}

TEST(Comfort, CapKeepsTheOrderAndTheBounds) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> any(0.0, 1.0);
  for (int round = 0; round < 50; ++round) {
    Viewing viewing = plain();
    viewing.screen_width_m = 0.2 + 5.0 * any(random);
    viewing.viewing_distance_m = 0.5 + 5.0 * any(random);
    const Radians limit = Radians::from_degrees(0.2 + 2.0 * any(random));
    cv::Mat ramp(1, 4001, CV_32FC1);
    for (int i = 0; i < ramp.cols; ++i) ramp.at<float>(i) = 0.1F * static_cast<float>(i - 2000);
    cv::Mat capped = ramp.clone();
    cap_comfort(limit, viewing, capped);
    for (int i = 1; i < ramp.cols; ++i) {
      EXPECT_GE(capped.at<float>(i), capped.at<float>(i - 1));
      EXPECT_LE(capped.at<float>(i) - capped.at<float>(i - 1), 0.1F + 1e-4F);
      EXPECT_GE(capped.at<float>(i) * ramp.at<float>(i), 0.0F);
    }
    const ComfortReport report = comfort_report(capped, Radians{1.0001 * limit.value()}, viewing);
    EXPECT_EQ(report.share_beyond, 0.0);
    EXPECT_GE(report.farthest.value(),
              1.0001 * vergence_difference(parallel_parallax_px(viewing), viewing).value());
  }
}

TEST(Comfort, CapLeavesTheComfortableAlone) {
  const Viewing viewing = plain();
  cv::Mat parallax = values({-10.0F, -3.0F, 0.0F, 5.0F, 10.0F});
  const cv::Mat before = parallax.clone();
  cap_comfort(Radians::from_degrees(1.0), viewing, parallax);
  EXPECT_EQ(cv::norm(parallax, before, cv::NORM_INF), 0.0);
}

TEST(Viewing, RefusesLengthsThatAreNone) {
  Viewing viewing = plain();
  viewing.screen_width_m = 0.0;
  EXPECT_THROW((void)vergence_difference(1.0, viewing), std::invalid_argument);
  viewing = plain();
  viewing.viewing_distance_m = kInfinity;
  EXPECT_THROW((void)parallel_parallax_px(viewing), std::invalid_argument);
  viewing = plain();
  viewing.picture_width_px = 0;
  cv::Mat parallax = values({1.0F});
  EXPECT_THROW(cap_comfort(Radians{0.1}, viewing, parallax), std::invalid_argument);
  EXPECT_THROW((void)comfort_report(parallax, Radians{0.0}, plain()), std::invalid_argument);
  EXPECT_THROW((void)parallax_from_distance(parallax, 0.0, plain()), std::invalid_argument);
}

}  // namespace
}  // namespace vergence::stereo
