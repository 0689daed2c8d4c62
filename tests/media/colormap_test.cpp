// SPDX-License-Identifier: Apache-2.0
#include "media/colormap.hpp"

#include "tests/media/fixtures.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace vergence::media {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Distances from 1 to 10 m, growing to the right.
cv::Mat ramp() {
  cv::Mat values(2, 100, CV_32FC1);
  for (int x = 0; x < values.cols; ++x) values.col(x).setTo(1.0 + 9.0 * x / 99.0);
  return values;
}

TEST(Colormap, InvalidPixelsAreGrey) {
  cv::Mat values = ramp();
  values.at<float>(0, 5) = kNaN;
  values.at<float>(0, 6) = -1.0F;
  const cv::Mat rgb = colorize(RayDistance(values));
  EXPECT_EQ(rgb.at<cv::Vec3b>(0, 5), cv::Vec3b(128, 128, 128));
  EXPECT_EQ(rgb.at<cv::Vec3b>(0, 6), cv::Vec3b(128, 128, 128));
  EXPECT_NE(rgb.at<cv::Vec3b>(0, 7), cv::Vec3b(128, 128, 128));
}

TEST(Colormap, NearIsBrightInEveryKind) {
  const ColormapOptions gray{.map = Colormap::kGray, .low_percentile = 0, .high_percentile = 100};
  const cv::Mat distance = colorize(RayDistance(ramp()), gray);
  EXPECT_EQ(distance.at<cv::Vec3b>(0, 0)[0], 255);
  EXPECT_EQ(distance.at<cv::Vec3b>(0, 99)[0], 0);
  const cv::Mat inverse = colorize(inverse_distance_from_distance(RayDistance(ramp())), gray);
  EXPECT_LE(test::largest_difference(inverse, distance), 1.0);
  EXPECT_EQ(colorize(PlanarDepthAffine(ramp()), gray).at<cv::Vec3b>(0, 0)[0], 255);
  ColormapOptions turned = gray;
  turned.near_is_bright = false;
  EXPECT_EQ(colorize(RayDistance(ramp()), turned).at<cv::Vec3b>(0, 0)[0], 0);
}

TEST(Colormap, PercentilesShutOutliersOut) {
  cv::Mat values = ramp();
  values.at<float>(0, 0) = 1e-4F;
  const cv::Mat rgb = colorize(RayDistance(values), {.map = Colormap::kGray});
  EXPECT_GT(rgb.at<cv::Vec3b>(1, 20)[0], rgb.at<cv::Vec3b>(1, 80)[0] + 20);
}

TEST(Colormap, MapsAreThoseOfOpenCvInRgb) {
  const ColormapOptions turbo{.low_percentile = 0, .high_percentile = 100};
  const cv::Mat rgb = colorize(RayDistance(ramp()), turbo);
  const auto& near = rgb.at<cv::Vec3b>(0, 0);  // dark red
  EXPECT_GT(near[0], 100);
  EXPECT_LT(near[2], 30);
  EXPECT_EQ(colormap_from_string("viridis"), Colormap::kViridis);
  EXPECT_FALSE(colormap_from_string("jet"));
}

TEST(Colormap, MapsWithoutValuesOrWithOneAreDrawn) {
  EXPECT_EQ(colorize(RayDistance(cv::Mat(3, 3, CV_32FC1, cv::Scalar(kNaN)))).at<cv::Vec3b>(1, 1),
            cv::Vec3b(128, 128, 128));
  const cv::Mat flat = colorize(RayDistance(cv::Mat(3, 3, CV_32FC1, cv::Scalar(2.0))));
  EXPECT_EQ(flat.size(), cv::Size(3, 3));
}

}  // namespace
}  // namespace vergence::media
