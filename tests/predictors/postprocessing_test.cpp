// SPDX-License-Identifier: Apache-2.0
#include "predictors/postprocessing.hpp"

#include "core/error.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/matchers.hpp"

#include <cmath>
#include <limits>

namespace vergence::predictors {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

NetworkValue value_of(const cv::Mat& map, std::vector<std::int64_t> shape = {}) {
  if (shape.empty()) shape = {1, map.rows, map.cols};
  const cv::Mat row = map.clone().reshape(1, 1);
  return {.shape = std::move(shape), .values = row};
}

// A picture that fills the network's input.
SeenPicture seen(cv::Size size) {
  return {.size = size,
          .placement = {.input = size,
                        .filled = cv::Rect({0, 0}, size),
                        .picture = cv::Rect2d(0.0, 0.0, size.width, size.height)}};
}

cv::Mat depth_from(const ModelCard& card, const cv::Mat& map, const SeenPicture& picture) {
  const std::vector<NetworkValue> values = {value_of(map)};
  return values_of(depth_of(card, prediction_of(card, values, picture), picture));
}

TEST(DepthOf, CutsThePaddingOffAtTheNetworksOwnScale) {
  const SeenPicture picture = {
      .size = {40, 40},
      .placement = {.input = {8, 4}, .filled = {2, 0, 4, 4}, .picture = {2, 0, 4, 4}}};
  cv::Mat map(2, 4, CV_32FC1, cv::Scalar(-1.0));  // half the input's size
  map(cv::Range::all(), cv::Range(1, 3)) = 5.0F;
  EXPECT_TRUE(test::maps_near(depth_from({}, map, picture),
                              cv::Mat(2, 2, CV_32FC1, cv::Scalar(5.0)), {0, 0}));
  ModelCard kept;
  kept.post.unpad = false;
  EXPECT_EQ(depth_from(kept, map, picture).size(), cv::Size(4, 2));
}

TEST(DepthOf, CutsBetweenPixelsWhereThePictureEndsThere) {
  const SeenPicture picture = {
      .size = {40, 40},
      .placement = {.input = {8, 4}, .filled = {0, 0, 8, 4}, .picture = {1.5, 0.0, 5.0, 4.0}}};
  cv::Mat map(4, 8, CV_32FC1);
  for (int x = 0; x < 8; ++x) map.col(x) = static_cast<float>(x);
  const cv::Mat depth = depth_from({}, map, picture);
  ASSERT_EQ(depth.size(), cv::Size(5, 4));
  for (int x = 0; x < 5; ++x) EXPECT_FLOAT_EQ(depth.at<float>(1, x), 1.5F + static_cast<float>(x));
}

TEST(DepthOf, InvertsScalesAndMarksWhatCannotBe) {
  const cv::Mat map = (cv::Mat_<float>(1, 4) << 0.5F, 0.0F, -2.0F, kInfinity);
  ModelCard card;
  card.output.kind = DepthKind::kPlanarDepth;
  card.output.invert = true;
  card.output.multiplier = 10.0;
  const cv::Mat inverted = depth_from(card, map, seen({4, 1}));
  EXPECT_FLOAT_EQ(inverted.at<float>(0, 0), 20.0F);
  for (int x = 1; x < 4; ++x) EXPECT_TRUE(std::isnan(inverted.at<float>(0, x))) << x;

  const cv::Mat disparity = depth_from({}, map, seen({4, 1}));
  EXPECT_FLOAT_EQ(disparity.at<float>(0, 2), -2.0F);  // affine: below zero is fine
  EXPECT_TRUE(std::isnan(disparity.at<float>(0, 3)));
}

TEST(DepthOf, ClampsBeforeItMarksWhatCannotBe) {
  const cv::Mat map = (cv::Mat_<float>(1, 5) << 0.5F, 0.0F, -2.0F, kInfinity, NAN);
  ModelCard card;
  card.output.kind = DepthKind::kPlanarDepth;
  card.output.invert = true;
  card.post.clamp = {{1e-4, 1e4}};  // DepthPro: 1 / clamp(inverse, 1e-4, 1e4)
  const cv::Mat inverted = depth_from(card, map, seen({5, 1}));
  EXPECT_FLOAT_EQ(inverted.at<float>(0, 0), 2.0F);
  EXPECT_FLOAT_EQ(inverted.at<float>(0, 1), 1e4F);
  EXPECT_FLOAT_EQ(inverted.at<float>(0, 2), 1e4F);
  EXPECT_FLOAT_EQ(inverted.at<float>(0, 3), 1e-4F);
  EXPECT_TRUE(std::isnan(inverted.at<float>(0, 4)));
  card.output.invert = false;
  card.post.clamp = {{0.0, 300.0}};  // Metric3D: zero is what is not there
  const cv::Mat depth = depth_from(card, map, seen({5, 1}));
  EXPECT_FLOAT_EQ(depth.at<float>(0, 0), 0.5F);
  EXPECT_TRUE(std::isnan(depth.at<float>(0, 1)));
  EXPECT_TRUE(std::isnan(depth.at<float>(0, 2)));
  EXPECT_FLOAT_EQ(depth.at<float>(0, 3), 300.0F);
}

TEST(DepthOf, SkyOfADisparityIsItsSmallestValue) {
  ModelCard card;
  card.output.sky = OutputSelector{};
  card.post.sky = SkyRule::kFar;
  const cv::Mat map = (cv::Mat_<float>(1, 3) << 7.0F, 3.0F, 1.0F);
  const cv::Mat sky = (cv::Mat_<float>(1, 3) << 0.0F, 0.4F, 0.9F);
  const std::vector<NetworkValue> values = {value_of(map), value_of(sky)};
  const SeenPicture picture = seen({3, 1});
  const cv::Mat depth = values_of(depth_of(card, prediction_of(card, values, picture), picture));
  EXPECT_TRUE(test::maps_near(depth, (cv::Mat_<float>(1, 3) << 7.0F, 3.0F, 3.0F), {0, 0}));
}

TEST(PredictionOf, TakesMapsAndPointsInEveryOrder) {
  const cv::Mat map = (cv::Mat_<float>(2, 4) << 1, 2, 3, 4, 5, 6, 7, 8);
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{2, 4}, {1, 2, 4}, {1, 1, 2, 4}, {1, 2, 4, 1}}) {
    const std::vector<NetworkValue> values = {value_of(map, shape)};
    EXPECT_TRUE(test::maps_near(prediction_of({}, values, seen({4, 2})).depth, map, {0, 0}));
  }
  ModelCard card;
  card.output.points = OutputSelector{};
  card.output.kind = DepthKind::kPlanarDepth;
  std::vector<float> planes(24);
  std::vector<float> pixels(24);
  for (std::size_t i = 0; i < 8; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      planes[8 * c + i] = pixels[3 * i + c] = static_cast<float>(c == 2 ? i + 1 : 100 * c);
    }
  }
  for (const auto& [shape, numbers] :
       {std::pair<std::vector<std::int64_t>, std::vector<float>>{{1, 3, 2, 4}, planes},
        {{3, 2, 4}, planes},
        {{1, 2, 4, 3}, pixels},
        {{2, 4, 3}, pixels}}) {
    const std::vector<NetworkValue> values = {{.shape = shape, .values = numbers}};
    EXPECT_TRUE(test::maps_near(prediction_of(card, values, seen({4, 2})).depth, map, {0, 0}));
  }
  card.output.kind = DepthKind::kDistance;
  const std::vector<NetworkValue> values = {{.shape = {1, 3, 2, 4}, .values = planes}};
  EXPECT_NEAR(prediction_of(card, values, seen({4, 2})).depth.at<float>(0, 1),
              std::sqrt(100.0 * 100.0 + 4.0), 1e-4);
}

TEST(PredictionOf, NamesWhatDoesNotFit) {
  ModelCard card;
  card.model.id = "net";
  card.output.mask = OutputSelector{};
  card.output.scale = OutputSelector{};
  const NetworkValue map = value_of(cv::Mat(2, 2, CV_32FC1, cv::Scalar(1.0)));
  const NetworkValue one = {.shape = {1}, .values = {2.0F}};
  const auto error = [&](const std::vector<NetworkValue>& values) -> std::string {
    try {
      (void)prediction_of(card, values, seen({2, 2}));
    } catch (const Error& thrown) {
      return thrown.what();
    }
    return "";
  };
  EXPECT_EQ(error({map, one, map}), "");
  EXPECT_THAT(error({one, one, map}), ::testing::HasSubstr("'net' gives [1] for [1, 3, 2, 2]"));
  EXPECT_THAT(error({map, map, map}), ::testing::HasSubstr("'output.scale'"));
  EXPECT_THAT(error({map, one, one}), ::testing::HasSubstr("'output.mask'"));
}

}  // namespace
}  // namespace vergence::predictors
