// SPDX-License-Identifier: Apache-2.0
#include "predictors/preprocessing.hpp"

#include "core/error.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/matchers.hpp"

#include <cmath>
#include <limits>

namespace vergence::predictors {
namespace {

// The planes of a one-colour picture, one value each; -1 if a plane is not even.
std::array<float, 3> plane_values(const CardInput& input, const cv::Vec3b& colour) {
  const cv::Mat picture(9, 7, CV_8UC3, cv::Scalar(colour[0], colour[1], colour[2]));
  const Placement placement = placement_of(input, test::as_input(picture));
  std::vector<float> planes(3 * static_cast<std::size_t>(placement.input.area()));
  write_planes(input, picture, placement, planes.data());
  std::array<float, 3> values{};
  for (std::size_t c = 0; c < 3; ++c) values[c] = planes[c * planes.size() / 3];
  return values;
}

CardInput exact(int width, int height) {
  CardInput input;
  input.resize = ResizeRule::kExact;
  input.exact_size = {width, height};
  return input;
}

TEST(WritePlanes, AppliesOrderRangeMeanAndStd) {
  CardInput input = exact(8, 8);
  EXPECT_THAT(plane_values(input, {255, 51, 0}),
              ::testing::Pointwise(::testing::FloatNear(1e-6F), std::array{1.0F, 0.2F, 0.0F}));
  input.bgr = true;
  EXPECT_THAT(plane_values(input, {255, 51, 0}),
              ::testing::Pointwise(::testing::FloatNear(1e-6F), std::array{0.0F, 0.2F, 1.0F}));
  input.range = 255.0;
  input.mean = {10.0, 20.0, 30.0};
  input.std = {2.0, 4.0, 5.0};
  EXPECT_THAT(plane_values(input, {255, 51, 0}),
              ::testing::Pointwise(::testing::FloatNear(1e-5F), std::array{-5.0F, 7.75F, 45.0F}));
}

TEST(WritePlanes, PadsAroundThePicture) {
  CardInput input = exact(8, 4);
  input.resize = ResizeRule::kFitPad;
  input.range = 255.0;
  input.pad_value = {1.0, 2.0, 3.0};
  const cv::Mat picture(4, 4, CV_8UC3, cv::Scalar(100, 100, 100));
  for (const bool center : {true, false}) {
    input.pad_center = center;
    const Placement placement = placement_of(input, test::as_input(picture));
    EXPECT_EQ(placement.input, cv::Size(8, 4));
    EXPECT_EQ(placement.picture, cv::Rect(center ? 2 : 0, 0, 4, 4));
    std::vector<float> planes(96);
    write_planes(input, picture, placement, planes.data());
    for (int x = 0; x < 8; ++x) {
      const bool inside = placement.picture.contains({x, 0});
      EXPECT_FLOAT_EQ(planes[32 + static_cast<std::size_t>(x)], inside ? 100.0F : 2.0F) << x;
    }
  }
}

TEST(DepthOf, CutsThePaddingOffAtTheNetworksOwnScale) {
  const Placement placement = {.input = {8, 4}, .picture = {2, 0, 4, 4}};
  cv::Mat map(2, 4, CV_32FC1, cv::Scalar(-1.0));  // half the input's size
  map(cv::Range::all(), cv::Range(1, 3)) = 5.0F;
  const AnyDepth depth = depth_of({}, without_padding(map, placement));
  EXPECT_TRUE(test::maps_near(values_of(depth), cv::Mat(2, 2, CV_32FC1, cv::Scalar(5.0)), {0, 0}));
}

TEST(DepthOf, InvertsScalesAndMarksWhatCannotBe) {
  const Placement placement = {.input = {4, 1}, .picture = {0, 0, 4, 1}};
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const cv::Mat map = (cv::Mat_<float>(1, 4) << 0.5F, 0.0F, -2.0F, kInfinity);
  CardOutput output;
  output.kind = DepthKind::kPlanarDepth;
  output.invert = true;
  output.multiplier = 10.0;
  const AnyDepth inverted = depth_of(output, without_padding(map, placement));
  EXPECT_EQ(kind_of(inverted), DepthKind::kPlanarDepth);
  const cv::Mat& values = values_of(inverted);
  EXPECT_FLOAT_EQ(values.at<float>(0, 0), 20.0F);
  for (int x = 1; x < 4; ++x) EXPECT_TRUE(std::isnan(values.at<float>(0, x))) << x;

  const AnyDepth disparity = depth_of({}, without_padding(map, placement));
  EXPECT_FLOAT_EQ(values_of(disparity).at<float>(0, 2), -2.0F);  // affine: below zero is fine
  EXPECT_TRUE(std::isnan(values_of(disparity).at<float>(0, 3)));
}

}  // namespace
}  // namespace vergence::predictors
