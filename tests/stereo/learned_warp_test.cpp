// SPDX-License-Identifier: Apache-2.0
// Views from what a network says, with stored layers in the network's place.
#include "stereo/learned_warp.hpp"

#include "media/picture.hpp"
#include "tests/stereo/npz.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <cmath>
#include <numeric>
#include <stdexcept>

#include <gtest/gtest.h>

namespace vergence::stereo {
namespace {

// Answers in order with the layers it was given, and remembers what it was asked.
class StoredNetwork : public WarpNetwork {
 public:
  explicit StoredNetwork(std::vector<WarpLayers> answers, WarpNetworkInfo info = {})
      : answers_(std::move(answers)),
        info_(std::move(info)) {}

  [[nodiscard]] const WarpNetworkInfo& info() const override { return info_; }

  [[nodiscard]] std::vector<WarpLayers> left_eyes(std::span<const WarpInput> inputs) override {
    std::vector<WarpLayers> layers;
    for (const WarpInput& input : inputs) {
      layers.push_back(answers_.at(asked.size() % answers_.size()));
      asked.push_back(input);
    }
    return layers;
  }

  std::vector<WarpInput> asked;

 private:
  std::vector<WarpLayers> answers_;
  WarpNetworkInfo info_;
};

WarpLayers one_layer(const cv::Mat& shift) {
  return {.shifts_px = {shift}, .weights = {}, .hole_logits = {}};
}

WarpLayers even_shift(cv::Size size, float shift) {
  return one_layer(cv::Mat(size, CV_32FC1, cv::Scalar(shift)));
}

cv::Mat numbered_columns(cv::Size size) {
  cv::Mat picture(size, CV_32FC1);
  for (int y = 0; y < size.height; ++y) {
    std::iota(picture.ptr<float>(y), picture.ptr<float>(y) + size.width, 0.0F);
  }
  return picture;
}

class GoldenViews : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenViews, ComeFromTheGoldenShifts) {
  VERGENCE_REQUIRE_SHARED();
  const auto folder = test::shared_dir() / "golden" / GetParam();
  const cv::Mat nearness = test::read_npy(folder / "depth01.npy");
  const int steps = nearness.cols / 2 - 1;
  const double pixels = 0.5 * (nearness.cols - 1) / steps;
  StoredNetwork network({one_layer(test::read_npy(folder / "delta.npy") * pixels),
                         one_layer(test::read_npy(folder / "delta_flipped.npy") * pixels)});
  cv::Mat picture;
  media::read_picture(folder / "image.png").rgb.convertTo(picture, CV_32F, 1.0 / 255.0);
  LearnedWarp warp(network);
  warp.set_source(picture, nearness, {});
  cv::Mat mirrored;
  cv::flip(nearness, mirrored, 1);
  ASSERT_EQ(network.asked.size(), 2U);
  EXPECT_EQ(cv::norm(network.asked[0].nearness, nearness, cv::NORM_INF), 0.0);
  EXPECT_EQ(cv::norm(network.asked[1].nearness, mirrored, cv::NORM_INF), 0.0);
  for (const auto& [eye, name] : {std::pair{Eye::kLeft, "left.npy"}, {Eye::kRight, "right.npy"}}) {
    cv::Mat view;
    warp.render(eye, view);
    std::vector<cv::Mat> channels;
    cv::split(view, channels);
    cv::Mat planes;
    cv::vconcat(channels, planes);
    EXPECT_LE(cv::norm(planes, test::read_npy(folder / name), cv::NORM_INF), 1e-4) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(LearnedWarp, GoldenViews,
                         ::testing::Values("iw3_row_flow_v2", "iw3_row_flow_v3"));

TEST(LearnedWarp, BlendsLayersByTheirWeights) {
  const cv::Size size(16, 8);
  const auto even = [&](double value) { return cv::Mat(size, CV_32FC1, cv::Scalar(value)); };
  StoredNetwork network({{.shifts_px = {even(1.0), even(-2.0)},
                          .weights = {even(0.75), even(0.25)},
                          .hole_logits = {}}});
  LearnedWarp warp(network);
  warp.set_source(numbered_columns(size), even(0.5), {});
  cv::Mat view;
  warp.render(Eye::kLeft, view);
  EXPECT_FLOAT_EQ(view.at<float>(3, 8), 0.75F * 9.0F + 0.25F * 6.0F);
  EXPECT_FLOAT_EQ(view.at<float>(3, 0), 0.75F * 1.0F) << "the border is repeated";
  warp.render(Eye::kRight, view);
  EXPECT_FLOAT_EQ(view.at<float>(3, 8), 0.75F * 7.0F + 0.25F * 10.0F);
}

// A map of 9 columns for a picture of 17: corner pixels fall on each other.
TEST(LearnedWarp, EnlargesShiftsToThePicture) {
  const cv::Size small(9, 5);
  StoredNetwork network({one_layer(numbered_columns(small) * 0.1)});
  LearnedWarp warp(network);
  warp.set_source(numbered_columns({17, 9}), cv::Mat::zeros(small, CV_32FC1), {});
  cv::Mat view;
  warp.render(Eye::kLeft, view);
  for (int x = 0; x < 14; ++x) EXPECT_NEAR(view.at<float>(4, x), 1.1 * x, 1e-5) << x;
}

TEST(LearnedWarp, TakesTheStepsThatTheNetworkNeeds) {
  const cv::Size size(64, 8);
  const WarpNetworkInfo info = {
      .name = "", .licence = "", .one_step_divergence = 2.5F, .step_divergence = 2.0F};
  EXPECT_EQ(automatic_warp_steps(info, 2.5F), 1);
  EXPECT_EQ(automatic_warp_steps(info, 2.6F), 2);
  EXPECT_EQ(automatic_warp_steps(info, 9.0F), 5);
  EXPECT_EQ(automatic_warp_steps({}, 9.0F), 1);
  StoredNetwork network({even_shift(size, 1.0F)}, info);
  LearnedWarp warp(network);
  const cv::Mat nearness = numbered_columns(size) / 64.0;
  // One eye moves the whole way: 6 % in three steps.
  warp.set_source(numbered_columns(size), nearness,
                  {.parallax = {.divergence = 3.0F, .synthetic_view = SyntheticView::kLeft}});
  ASSERT_EQ(network.asked.size(), 3U);
  for (const WarpInput& input : network.asked) EXPECT_FLOAT_EQ(input.divergence, 2.0F);
  EXPECT_FLOAT_EQ(network.asked[2].nearness.at<float>(4, 10), 12.0F / 64.0F)
      << "nearness moves along";
  cv::Mat view;
  warp.render(Eye::kLeft, view);
  EXPECT_FLOAT_EQ(view.at<float>(4, 10), 13.0F);
  warp.render(Eye::kRight, view);
  EXPECT_FLOAT_EQ(view.at<float>(4, 10), 10.0F) << "the other eye sees the picture itself";
  network.asked.clear();
  warp.set_source(numbered_columns(size), nearness, {.parallax = {.divergence = 3.0F}, .steps = 1});
  EXPECT_EQ(network.asked.size(), 2U) << "each eye once";
}

TEST(LearnedWarp, NegatesTheFlowOfSymmetricNetworks) {
  const cv::Size size(32, 8);
  StoredNetwork network({even_shift(size, 2.0F)}, {.name = "", .licence = "", .symmetric = true});
  LearnedWarp warp(network);
  warp.set_source(numbered_columns(size), cv::Mat::ones(size, CV_32FC1), {});
  EXPECT_EQ(network.asked.size(), 1U);
  cv::Mat view;
  warp.render(Eye::kRight, view);
  EXPECT_FLOAT_EQ(view.at<float>(0, 16), 14.0F);
}

TEST(LearnedWarp, TellsTheHolesOnTheirSide) {
  const cv::Size size(20, 10);
  WarpLayers layers = even_shift(size, 0.0F);
  layers.hole_logits = cv::Mat(size, CV_32FC1, cv::Scalar(-5.0));
  layers.hole_logits({2, 2, 3, 4}).setTo(0.0);
  StoredNetwork network({layers});
  LearnedWarp warp(network);
  warp.set_source(cv::Mat::zeros(size, CV_8UC3), cv::Mat::zeros(size, CV_32FC1), {});
  cv::Mat view;
  cv::Mat holes;
  warp.render(Eye::kLeft, view, &holes);
  EXPECT_EQ(cv::countNonZero(holes), 12);
  EXPECT_EQ(holes.at<unsigned char>(2, 2), 255);
  warp.render(Eye::kRight, view, &holes);
  EXPECT_EQ(holes.at<unsigned char>(2, 17), 255);
  EXPECT_EQ(holes.at<unsigned char>(2, 2), 0);
}

TEST(LearnedWarp, KeepsEveryTypeOfPicture) {
  const cv::Size size(24, 8);
  StoredNetwork network({even_shift(size, 1.5F)});
  LearnedWarp warp(network);
  for (const int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC3, CV_32FC3}) {
    const cv::Mat picture(size, type, cv::Scalar::all(1.0));
    warp.set_source(picture, cv::Mat::zeros(size, CV_32FC1), {});
    cv::Mat view;
    warp.render(Eye::kRight, view);
    ASSERT_EQ(view.type(), type);
    EXPECT_EQ(cv::norm(view, picture, cv::NORM_INF), 0.0);
  }
}

TEST(LearnedWarp, RefusesWhatItCannotUse) {
  StoredNetwork network({even_shift({8, 8}, 0.0F)});
  LearnedWarp warp(network);
  cv::Mat view;
  EXPECT_THROW(warp.render(Eye::kLeft, view), std::logic_error);
  const cv::Mat picture = cv::Mat::zeros(8, 8, CV_8UC3);
  EXPECT_THROW(warp.set_source(picture, cv::Mat::zeros(8, 8, CV_8UC1), {}), std::invalid_argument);
  EXPECT_THROW(warp.set_source(picture, cv::Mat::zeros(8, 3, CV_32FC1), {}), std::invalid_argument);
  EXPECT_THROW(warp.set_source(cv::Mat::zeros(8, 8, CV_64FC3), cv::Mat::zeros(8, 8, CV_32FC1), {}),
               std::invalid_argument);
}

}  // namespace
}  // namespace vergence::stereo
