// SPDX-License-Identifier: Apache-2.0
#include "predictors/preprocessing.hpp"

#include "core/error.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/matchers.hpp"

#include <vector>

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
    EXPECT_EQ(placement.filled, cv::Rect(center ? 2 : 0, 0, 4, 4));
    EXPECT_EQ(placement.picture, cv::Rect2d(center ? 2 : 0, 0, 4, 4));
    std::vector<float> planes(96);
    write_planes(input, picture, placement, planes.data());
    for (int x = 0; x < 8; ++x) {
      const bool inside = placement.filled.contains({x, 0});
      EXPECT_FLOAT_EQ(planes[32 + static_cast<std::size_t>(x)], inside ? 100.0F : 2.0F) << x;
    }
  }
}

TEST(WritePlanes, MirrorsAroundThePictureBeforeResizing) {
  CardInput input = exact(20, 10);
  input.interpolation = Interpolation::kBilinear;
  input.range = 255.0;
  input.pad_mode = PadMode::kReflect;
  input.border_factor = 3.0;
  cv::Mat picture(8, 18, CV_8UC3);  // borders: int(3 sqrt(9)) = 9 and int(3 sqrt(4)) = 6
  for (int x = 0; x < picture.cols; ++x) picture.col(x).setTo(cv::Scalar::all(10.0 * x));
  const Placement placement = placement_of(input, test::as_input(picture));
  EXPECT_EQ(placement.border, cv::Size(9, 6));
  EXPECT_EQ(placement.filled, cv::Rect(0, 0, 20, 10));
  EXPECT_NEAR(placement.picture.x, 9 * 20.0 / 36.0, 1e-12);
  EXPECT_NEAR(placement.picture.width, 10.0, 1e-12);
  EXPECT_NEAR(placement.picture.y, 6 * 10.0 / 20.0, 1e-12);
  EXPECT_NEAR(placement.picture.height, 4.0, 1e-12);
  std::vector<float> planes(600);
  write_planes(input, picture, placement, planes.data());
  // Column 9 of 20 covers columns 16.2 to 18 of 36, at centre 16.6: x = 7.6 of the picture.
  EXPECT_NEAR(planes[9], 76.0F, 0.1);
  // Column 0, at centre 0.4: 8.6 to the left of the first column, mirrored.
  EXPECT_NEAR(planes[0], 86.0F, 0.1);
}

TEST(WritePlanes, MirrorsIntoTheFrameOfFitPad) {
  CardInput input = exact(8, 4);
  input.resize = ResizeRule::kFitPad;
  input.range = 255.0;
  input.pad_mode = PadMode::kReflect;
  cv::Mat picture(4, 4, CV_8UC3);
  for (int x = 0; x < picture.cols; ++x) picture.col(x).setTo(cv::Scalar::all(10.0 * x));
  const Placement placement = placement_of(input, test::as_input(picture));
  std::vector<float> planes(96);
  write_planes(input, picture, placement, planes.data());
  EXPECT_THAT(std::vector<float>(planes.begin(), planes.begin() + 8),
              ::testing::ElementsAre(20, 10, 0, 10, 20, 30, 20, 10));
}

TEST(PlacementOf, KnowsTheScaleThatRoundingHasNotTouched) {
  CardInput input = exact(1064, 616);
  input.resize = ResizeRule::kFitPad;
  input.rounding = Rounding::kDown;
  // Metric3D on a KITTI picture: min(616 / 375, 1064 / 1242), sides cut to whole pixels.
  const Placement placement =
      placement_of(input, test::as_input(cv::Mat(375, 1242, CV_8UC3, cv::Scalar(0))));
  EXPECT_EQ(placement.filled, cv::Rect(0, 147, 1064, 321));
  EXPECT_DOUBLE_EQ(placement.scale_x, 1064.0 / 1242.0);
  EXPECT_DOUBLE_EQ(placement.scale_y, 1064.0 / 1242.0);
}

}  // namespace
}  // namespace vergence::predictors
