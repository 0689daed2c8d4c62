// SPDX-License-Identifier: Apache-2.0
#include "core/depth.hpp"

#include "tests/support/matchers.hpp"

#include <cmath>
#include <type_traits>

#include <gtest/gtest.h>

namespace vergence {
namespace {

// Mixing two meanings up must not compile.
static_assert(!std::is_convertible_v<Disparity, InverseDistance>);
static_assert(!std::is_constructible_v<RayDistance, PlanarDepth>);
static_assert(!std::is_convertible_v<cv::Mat, Disparity>);

TEST(DepthKind, WordsRoundTrip) {
  for (const auto* word : {"disparity", "log_disparity", "inverse_distance", "distance",
                           "planar_depth", "planar_depth_affine", "disparity_px"}) {
    const auto kind = depth_kind_from_string(word);
    ASSERT_TRUE(kind.has_value()) << word;
    EXPECT_EQ(to_string(*kind), word);
    EXPECT_EQ(kind_of(make_depth(*kind, cv::Mat(2, 3, CV_32F, 1.0F))), *kind);
  }
  EXPECT_FALSE(depth_kind_from_string("depth").has_value());
}

TEST(DepthMap, RefusesOtherPixelTypes) {
  EXPECT_THROW(Disparity(cv::Mat(2, 2, CV_8U)), std::invalid_argument);
  EXPECT_NO_THROW(Disparity{cv::Mat()});
}

TEST(Depth, DistanceAndInverseDistanceRoundTripAndKeepInvalidInvalid) {
  const cv::Mat values = (cv::Mat_<float>(1, 5) << 0.25F, 4.0F, 0.0F, -1.0F, NAN);
  const auto back =
      distance_from_inverse_distance(inverse_distance_from_distance(RayDistance(values)));
  const cv::Mat expected = (cv::Mat_<float>(1, 5) << 0.25F, 4.0F, NAN, NAN, NAN);
  EXPECT_TRUE(test::maps_near(back.values(), expected, {.max = 0.0, .mean = 0.0}));
}

TEST(Depth, LogDisparityIsExponentiated) {
  const auto disparity =
      disparity_from_log_disparity(LogDisparity((cv::Mat_<float>(1, 2) << 0.0F, 1.0F)));
  EXPECT_FLOAT_EQ(disparity.values().at<float>(0, 0), 1.0F);
  EXPECT_FLOAT_EQ(disparity.values().at<float>(0, 1), std::exp(1.0F));
}

}  // namespace
}  // namespace vergence
