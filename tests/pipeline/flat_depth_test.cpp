// SPDX-License-Identifier: Apache-2.0
#include "pipeline/flat_depth.hpp"

#include "core/error.hpp"
#include "pipeline/source.hpp"
#include "tests/support/matchers.hpp"

#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

PhotoRays rays(cv::Size size) {
  const auto fov = Radians::from_degrees(70);
  return {fov, vertical_fov(fov, size), size};
}

// A wall that faces the camera at 3 m, in the kind asked for.
cv::Mat wall(DepthKind kind, const PhotoRays& photo) {
  cv::Mat map(photo.size, CV_32FC1);
  for (int y = 0; y < map.rows; ++y) {
    for (int x = 0; x < map.cols; ++x) {
      const double across = (2 * (x + 0.5) / map.cols - 1) * std::tan(photo.fov_x.value() / 2);
      const double up = (1 - 2 * (y + 0.5) / map.rows) * std::tan(photo.fov_y.value() / 2);
      const double distance = 3.0 * std::sqrt(across * across + up * up + 1.0);
      map.at<float>(y, x) = static_cast<float>(kind == DepthKind::kPlanarDepth ? 3.0
                                               : kind == DepthKind::kDistance  ? distance
                                                                               : 1.0 / distance);
    }
  }
  return map;
}

TEST(FlatDepth, AgreesOnAWallInEveryKind) {
  const auto photo = rays({64, 48});
  const cv::Mat expected = wall(DepthKind::kDistance, photo);
  for (const auto kind :
       {DepthKind::kDistance, DepthKind::kPlanarDepth, DepthKind::kInverseDistance}) {
    const auto distance = distance_in_photo(make_depth(kind, wall(kind, photo)), photo);
    EXPECT_TRUE(test::maps_near(distance.values(), expected, {1e-5, 1e-5})) << to_string(kind);
  }
}

TEST(FlatDepth, KeepsAPlaneWhenItIsEnlarged) {
  const auto distance =
      distance_in_photo(PlanarDepth(cv::Mat(12, 16, CV_32FC1, cv::Scalar(3.0))), rays({64, 48}));
  EXPECT_TRUE(
      test::maps_near(distance.values(), wall(DepthKind::kDistance, rays({64, 48})), {1e-5, 1e-5}));
}

TEST(FlatDepth, PutsTheFarthestTwentyTimesBehindTheMedian) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform(-4.0F, 9.0F);
  cv::Mat disparity(100, 100, CV_32FC1);
  for (auto& value : cv::Mat_<float>(disparity)) value = uniform(random);
  const cv::Mat inverse = offset_by_far_quantile(disparity);
  EXPECT_NEAR(quantile(inverse, 0.5) / quantile(inverse, 0.01), kFarToMedian, 0.1);
  double smallest = 0.0;
  cv::minMaxLoc(inverse, &smallest);
  EXPECT_GT(smallest, 0.0);
  // Any scale and shift of the network's gives the same picture of the scene.
  EXPECT_TRUE(
      test::maps_near(offset_by_far_quantile(7.0 * disparity + 100.0), inverse, {1e-4, 1e-4}));
}

TEST(FlatDepth, MakesAFlatMapAFlatScene) {
  cv::Mat disparity(8, 8, CV_32FC1, cv::Scalar(5.0));
  disparity.at<float>(3, 3) = kNan;
  const cv::Mat inverse = offset_by_far_quantile(disparity);
  EXPECT_EQ(inverse.at<float>(0, 0), 1.0F);
  EXPECT_TRUE(std::isnan(inverse.at<float>(3, 3)));
}

TEST(FlatDepth, AffinePlanarDepthStaysPositive) {
  cv::Mat z(64, 64, CV_32FC1);
  for (int y = 0; y < 64; ++y) z.row(y).setTo(y - 40.0);
  const auto distance = distance_in_photo(PlanarDepthAffine(z), rays({64, 64}));
  double smallest = 0.0;
  cv::minMaxLoc(distance.values(), &smallest);
  EXPECT_GT(smallest, 0.0);
  EXPECT_LT(distance.values().at<float>(5, 32), distance.values().at<float>(60, 32));
}

TEST(FlatDepth, RefusesKindsThatDoNotFit) {
  const cv::Mat map(16, 32, CV_32FC1, cv::Scalar(1.0));
  EXPECT_THROW(static_cast<void>(distance_in_photo(PixelDisparity(map), rays({32, 16}))), Error);
  EXPECT_THROW(static_cast<void>(distance_in_panorama(PlanarDepth(map))), Error);
  EXPECT_NO_THROW(static_cast<void>(distance_in_panorama(Disparity(map))));
}

TEST(Quantile, LeavesOutWhatIsNotFinite) {
  cv::Mat values = (cv::Mat_<float>(1, 6) << 3, kNan, 1, 2, 5, 4);
  EXPECT_EQ(quantile(values, 0.0), 1.0);
  EXPECT_EQ(quantile(values, 0.5), 3.0);
  EXPECT_EQ(quantile(values, 1.0), 5.0);
  EXPECT_TRUE(std::isnan(quantile(cv::Mat(2, 2, CV_32FC1, cv::Scalar(kNan)), 0.5)));
  RayDistance distance(values);
  set_median(distance, 6.0);
  EXPECT_EQ(quantile(distance.values(), 0.5), 6.0);
}

}  // namespace
}  // namespace vergence::pipeline
