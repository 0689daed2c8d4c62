// SPDX-License-Identifier: Apache-2.0
// iw3's learned warps with their real weights against golden pairs.
#include "core/error.hpp"
#include "predictors/predictor_factory.hpp"
#include "tests/predictors/golden_network.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <cmath>
#include <cstring>
#include <random>

#include <opencv2/imgproc.hpp>

namespace vergence::predictors {
namespace {

using vergence::test::error_of;
namespace fs = std::filesystem;

fs::path golden(const std::string& name) {
  return test::shared_dir() / "golden" / ("iw3_" + name);
}

fs::path weights(const std::string& name) {
  const std::string version = name == "mask_mlbw_l2" ? "_d1" : "";
  return test::shared_dir() / "models" / ("iw3_" + name + version + ".safetensors");
}

std::unique_ptr<WarpNetwork> open(const std::string& name) {
  return make_warp_network({.name = name, .weights = weights(name)}, {.device = "cpu"});
}

// From the network's unit to pixels.
double pixels(int width) {
  const int steps = width / 2 - 1;
  return 0.5 * (width - 1) / steps;
}

class LearnedWarps : public ::testing::TestWithParam<const char*> {};

// The divergence of 2 % and the convergence of 0.5 are those of the golden input.
TEST_P(LearnedWarps, GiveTheGoldenShiftsFromNearness) {
  VERGENCE_REQUIRE_SHARED();
  const std::string name = GetParam();
  const cv::Mat input = test::read_npy(golden(name) / "x.npy");
  const cv::Mat nearness = test::plane(input, 0);
  const cv::Mat expected = test::read_npy(golden(name) / "delta.npy");
  const std::vector<WarpInput> inputs(2, {.nearness = nearness});
  const auto layers = open(name)->left_eyes(inputs);
  ASSERT_EQ(layers.size(), 2U);
  for (const WarpLayers& eye : layers) {
    ASSERT_EQ(eye.shifts_px.size(), static_cast<std::size_t>(expected.size[1]));
    for (int i = 0; i < expected.size[1]; ++i) {
      const cv::Mat shift = eye.shifts_px[static_cast<std::size_t>(i)] / pixels(nearness.cols);
      EXPECT_LE(cv::norm(shift, test::plane(expected, i), cv::NORM_INF), 1e-4);
    }
  }
}

// 75 x 50 pixels: no multiple of a window.
TEST_P(LearnedWarps, GiveTheGoldenOutputAtOddSizes) {
  VERGENCE_REQUIRE_SHARED();
  const std::string name = GetParam();
  const auto network = test::open_native(name, weights(name));
  const cv::Mat input = test::read_npy(golden(name) / "random_x.npy");
  const cv::Mat expected = test::read_npy(golden(name) / "random_delta.npy");
  const NetworkValue output = network->evaluate(input, {}, 1).at(0);
  ASSERT_EQ(output.shape[2], expected.size[2]);
  ASSERT_EQ(output.shape[3], expected.size[3]);
  const cv::Mat shifts(1, static_cast<int>(expected.total()), CV_32FC1,
                       const_cast<float*>(output.values.data()));
  EXPECT_LE(cv::norm(shifts, expected.reshape(1, {1, shifts.cols}), cv::NORM_INF), 1e-4 * 40.0)
      << "of shifts of 40";
}

INSTANTIATE_TEST_SUITE_P(All, LearnedWarps,
                         ::testing::Values("row_flow_v2", "row_flow_v3", "mask_mlbw_l2"));

TEST(MaskMlbw, GivesTheGoldenWeightsAndHoles) {
  VERGENCE_REQUIRE_SHARED();
  const fs::path folder = golden("mask_mlbw_l2");
  const cv::Mat nearness = test::plane(test::read_npy(folder / "x.npy"), 0);
  const std::vector<WarpInput> inputs(1, {.nearness = nearness});
  const auto layers = open("mask_mlbw_l2")->left_eyes(inputs);
  const cv::Mat expected = test::read_npy(folder / "layer_weight.npy");
  for (int i = 0; i < 2; ++i) {
    const cv::Mat& weight = layers[0].weights.at(static_cast<std::size_t>(i));
    EXPECT_LE(cv::norm(weight, test::plane(expected, i), cv::NORM_INF), 1e-4);
  }
  const cv::Mat logits = test::plane(test::read_npy(folder / "mask_logits.npy"), 0);
  EXPECT_LE(cv::norm(layers[0].hole_logits, logits, cv::NORM_INF), 1e-4 * 10.0);
}

// The strength fades out towards the border, so that nothing is moved there.
TEST(RowFlow, PreservesTheScreensBorderWhenAsked) {
  VERGENCE_REQUIRE_SHARED();
  WarpInput input = {.nearness = cv::Mat(48, 512, CV_32FC1, cv::Scalar(1.0)),
                     .divergence = 4.0F,
                     .convergence = 0.0F};
  std::vector<WarpInput> inputs = {input};
  input.preserve_screen_border = true;
  inputs.push_back(input);
  const auto layers = open("row_flow_v3")->left_eyes(inputs);
  const auto at_border = [](const WarpLayers& eye) {
    return std::abs(cv::mean(eye.shifts_px[0].col(0))[0]);
  };
  EXPECT_GT(at_border(layers[0]), 8.0);
  EXPECT_LT(at_border(layers[1]), 0.5 * at_border(layers[0]));
  EXPECT_NEAR(layers[1].shifts_px[0].at<float>(24, 256), layers[0].shifts_px[0].at<float>(24, 256),
              0.05);
}

// Official checkpoints hold the small network that makes the score's bias, and a buffer or two.
TEST(RowFlow, ReadsTheOfficialLayout) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  const Weights ours = read_weights(weights("row_flow_v3"));
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<test::TensorSource> official;
  std::vector<test::TensorSource> tables;
  for (const auto& [name, view] : ours.tensors()) {
    if (name.ends_with("bias.table")) continue;
    std::vector<float> values(view.bytes.size() / sizeof(float));
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    official.push_back(test::tensor_of(name, view.shape, values));
    tables.push_back(official.back());
  }
  for (const auto& [prefix, side] : {std::pair{"blocks.1.bias.", 4}, {"blocks.2.bias.", 3}}) {
    const std::string name = prefix;
    const int hidden = 2 * side;
    const int count = side * side;
    std::vector<float> in(2U * static_cast<std::size_t>(hidden));
    std::vector<float> in_bias(static_cast<std::size_t>(hidden));
    std::vector<float> out(static_cast<std::size_t>(hidden));
    for (auto* values : {&in, &in_bias, &out}) {
      for (float& value : *values) value = normal(random);
    }
    std::vector<float> table;
    for (int i = 0; i < count; ++i) {
      for (int j = 0; j < count; ++j) {
        const int rows = i / side - j / side;
        const int columns = i % side - j % side;
        const double down = 1.0 * rows / (side - 1);
        const double across = 1.0 * columns / (side - 1);
        double sum = 0.25;
        for (std::size_t k = 0; k < out.size(); ++k) {
          const double x = in[2 * k] * down + in[2 * k + 1] * across + in_bias[k];
          sum += out[k] * 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
        }
        table.push_back(static_cast<float>(sum));
      }
    }
    tables.push_back(test::tensor_of(name + "table", {count, count}, table));
    official.push_back(test::tensor_of(name + "to_bias.0.weight", {hidden, 2}, in));
    official.push_back(test::tensor_of(name + "to_bias.0.bias", {hidden}, in_bias));
    official.push_back(test::tensor_of(name + "to_bias.2.weight", {1, hidden}, out));
    official.push_back(test::tensor_of(name + "to_bias.2.bias", {1}, {0.25F}));
    const std::int64_t spread = std::int64_t{2 * side - 1} * (2 * side - 1);
    official.push_back(test::tensor_of(name + "delta", {spread, 2},
                                       std::vector<float>(2U * static_cast<std::size_t>(spread))));
    official.push_back(test::tensor_of(name + "index", {std::int64_t{count} * count},
                                       std::vector<float>(table.size())));
    official.back().type = ScalarType::kI64;
  }
  official.push_back(test::tensor_of("delta_scale", {}, {1.0F / 127.0F}));
  test::write_checkpoint(folder / "official.pth", official, {.key = "state_dict"});
  test::write_safetensors(folder / "tables.safetensors", tables);
  cv::Mat nearness(40, 100, CV_32FC1);
  cv::randu(nearness, 0.0, 1.0);
  const std::vector<WarpInput> inputs(1, {.nearness = nearness});
  const auto shift_of = [&](const char* file) {
    return make_warp_network({.name = "row_flow_v3", .weights = folder / file}, {.device = "cpu"})
        ->left_eyes(inputs)
        .at(0)
        .shifts_px.at(0);
  };
  EXPECT_LE(cv::norm(shift_of("official.pth"), shift_of("tables.safetensors"), cv::NORM_INF), 1e-4);
}

TEST(LearnedWarpFactory, TellsWarpsFromDepth) {
  EXPECT_THAT(error_of([] { (void)make_warp_network({.name = "nano"}); }),
              ::testing::HasSubstr("'nano' is no learned warp"));
  EXPECT_THAT(error_of([] { (void)make_network({.name = "row_flow_v3"}); }),
              ::testing::HasSubstr("'row_flow_v3' predicts no depth"));
}

TEST(LearnedWarpFactory, NamesAFileOfAnotherNetwork) {
  VERGENCE_REQUIRE_SHARED();
  const auto network = make_warp_network({.name = "row_flow_v2", .weights = weights("row_flow_v3")},
                                         {.device = "cpu"});
  const std::vector<WarpInput> inputs(1, {.nearness = cv::Mat::zeros(16, 16, CV_32FC1)});
  EXPECT_THAT(error_of([&] { (void)network->left_eyes(inputs); }),
              ::testing::HasSubstr("'feature.0.weight' is missing"));
}

TEST(LearnedWarpFactory, OpensNoLibTorchBeforeItIsUsed) {
  VERGENCE_REQUIRE_SHARED();
  const bool mapped_before = test::maps_library("libtorch");
  const auto network = open("row_flow_v2");
  EXPECT_EQ(test::maps_library("libtorch"), mapped_before);
  EXPECT_EQ(network->info().name, "row_flow_v2");
  EXPECT_EQ(network->info().licence, "MIT");
}

}  // namespace
}  // namespace vergence::predictors
