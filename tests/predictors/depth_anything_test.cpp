// SPDX-License-Identifier: Apache-2.0
// The small Depth-Anything networks against what the official code gives for formula weights.
#include "core/error.hpp"
#include "core/module.hpp"
#include "predictors/model_registry.hpp"
#include "predictors/network_size.hpp"
#include "predictors/predictor_factory.hpp"
#include "predictors/preprocessing.hpp"
#include "tests/predictors/formula_weights.hpp"
#include "tests/predictors/golden_network.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/paths.hpp"

#include <array>
#include <thread>

#include <gmock/gmock.h>

namespace vergence::predictors {
namespace {

using test::TensorSource;

constexpr double kTolerance = 1e-4;        // of the output's range
constexpr double kNativeTolerance = 2e-3;  // for a transformer at its native size
constexpr int kPhotoSize = 252;            // px

struct Case {
  std::string model;   // of a card
  std::string native;  // behind "native:"
  std::string folder;  // of the golden pairs
  double scale = 1.0;  // from the network's value to the golden one
};

// GoogleTest looks for this name.
void PrintTo(const Case& value, std::ostream* out) {  // NOLINT(readability-identifier-naming)
  *out << value.model;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"depth_anything_v2_small", "depth_anything_v2_vits", "depth_anything_v2_vits_synth"},
      {"depth_anything_v1_small", "depth_anything_v1_vits", "depth_anything_v1_vits_synth"},
      {"depth_anything_v2_metric_hypersim_small", "depth_anything_v2_metric_vits",
       "depth_anything_v2_metric_vits_synth", 20.0}};
  return all;
}

std::filesystem::path golden(const Case& which, const std::string& file) {
  return test::shared_dir() / "golden" / which.folder / file;
}

std::vector<TensorSource> official_tensors() {
  return test::formula_weights(golden(cases().front(), "keys.txt"));
}

::testing::AssertionResult gives(const cv::Mat& map, const Case& which, const std::string& name,
                                 double tolerance) {
  const cv::Mat expected = test::read_npy(golden(which, name + ".npy"));
  return test::near_golden(which.scale * map, expected, 1, test::range_of(expected), tolerance);
}

class DepthAnything : public ::testing::TestWithParam<Case> {};

TEST_P(DepthAnything, GivesTheGoldenPairsFromSafetensors) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  const auto file = folder / "small.safetensors";
  test::write_safetensors(file, official_tensors());
  const auto network = test::open_native(GetParam().native, file);
  const auto small = network->run(test::formula_input("input.a", 70, 98), 1);
  EXPECT_TRUE(gives(small.at(0), GetParam(), "output_a", kTolerance));
  const auto native = network->run(test::formula_input("input.b", 518, 518), 2);
  EXPECT_TRUE(gives(native.at(0), GetParam(), "output_b", kNativeTolerance));
}

TEST_P(DepthAnything, GivesTheGoldenPhotoFromACheckpoint) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  test::write_checkpoint(folder / "small.pth", official_tensors());
  const auto predictor = make_network(
      {.name = GetParam().model, .weights = folder / "small.pth", .size_px = kPhotoSize},
      {.device = "cpu"});
  const std::vector<PredictorInput> photo = {test::as_input(
      test::read_rgb(test::shared_dir() / "golden/tcmonodepth_small/photo_288x384.png"))};
  const auto maps = predictor->predict(photo, no_progress());
  const cv::Mat expected = test::read_npy(golden(GetParam(), "photo_output.npy"));
  EXPECT_TRUE(
      test::near_golden(values_of(maps.at(0)), expected, 1, test::range_of(expected), kTolerance));
}

TEST_P(DepthAnything, PreparesThePhotoAsTheOfficialCodeDoes) {
  VERGENCE_REQUIRE_SHARED();
  const cv::Mat photo =
      test::read_rgb(test::shared_dir() / "golden/tcmonodepth_small/photo_288x384.png");
  CardInput input = find_model_card(GetParam().model).input;
  EXPECT_EQ(input.size, 518);
  EXPECT_EQ(network_size(input, photo.size()), cv::Size(518, 686));
  input.size = kPhotoSize;
  const Placement placement = placement_of(input, test::as_input(photo));
  const auto area = static_cast<std::size_t>(placement.input.area());
  std::vector<float> planes(3 * area);
  write_planes(input, photo, placement, planes.data());
  const cv::Mat expected = test::read_npy(golden(GetParam(), "photo_input.npy"));
  for (int channel = 0; channel < 3; ++channel) {
    const cv::Mat actual(placement.input, CV_32F,
                         planes.data() + static_cast<std::size_t>(channel) * area);
    EXPECT_TRUE(test::near_golden(actual, test::plane(expected, channel), 1, 4.0, 1e-6));
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, DepthAnything, ::testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.model; });

// The names that transformers gives the official tensors, as its conversion does it; a stacked
// query, key and value become three.
std::string transformers_name(std::string name) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"pretrained.blocks.", "backbone.encoder.layer."},
      {"pretrained.patch_embed.proj.", "backbone.embeddings.patch_embeddings.projection."},
      {"pretrained.pos_embed", "backbone.embeddings.position_embeddings"},
      {"pretrained.cls_token", "backbone.embeddings.cls_token"},
      {"pretrained.mask_token", "backbone.embeddings.mask_token"},
      {"pretrained.norm.", "backbone.layernorm."},
      {"attn.proj.", "attention.output.dense."},
      {"ls1.gamma", "layer_scale1.lambda1"},
      {"ls2.gamma", "layer_scale2.lambda1"},
      {"depth_head.projects.0.", "neck.reassemble_stage.layers.0.projection."},
      {"depth_head.projects.1.", "neck.reassemble_stage.layers.1.projection."},
      {"depth_head.projects.2.", "neck.reassemble_stage.layers.2.projection."},
      {"depth_head.projects.3.", "neck.reassemble_stage.layers.3.projection."},
      {"depth_head.resize_layers.0.", "neck.reassemble_stage.layers.0.resize."},
      {"depth_head.resize_layers.1.", "neck.reassemble_stage.layers.1.resize."},
      {"depth_head.resize_layers.3.", "neck.reassemble_stage.layers.3.resize."},
      {"depth_head.scratch.layer1_rn.", "neck.convs.0."},
      {"depth_head.scratch.layer2_rn.", "neck.convs.1."},
      {"depth_head.scratch.layer3_rn.", "neck.convs.2."},
      {"depth_head.scratch.layer4_rn.", "neck.convs.3."},
      {"depth_head.scratch.refinenet4.", "neck.fusion_stage.layers.0."},
      {"depth_head.scratch.refinenet3.", "neck.fusion_stage.layers.1."},
      {"depth_head.scratch.refinenet2.", "neck.fusion_stage.layers.2."},
      {"depth_head.scratch.refinenet1.", "neck.fusion_stage.layers.3."},
      {"out_conv.", "projection."},
      {"resConfUnit1.conv1.", "residual_layer1.convolution1."},
      {"resConfUnit1.conv2.", "residual_layer1.convolution2."},
      {"resConfUnit2.conv1.", "residual_layer2.convolution1."},
      {"resConfUnit2.conv2.", "residual_layer2.convolution2."},
      {"depth_head.scratch.output_conv1.", "head.conv1."},
      {"depth_head.scratch.output_conv2.0.", "head.conv2."},
      {"depth_head.scratch.output_conv2.2.", "head.conv3."}};
  for (const auto& [official, theirs] : table) {
    const auto at = name.find(official);
    if (at != std::string::npos) name.replace(at, official.size(), theirs);
  }
  return name;
}

std::vector<TensorSource> transformers_tensors() {
  const std::string stacked = "attn.qkv.";
  std::vector<TensorSource> result;
  for (TensorSource& tensor : official_tensors()) {
    const auto at = tensor.name.find(stacked);
    if (at == std::string::npos) {
      tensor.name = transformers_name(tensor.name);
      result.push_back(std::move(tensor));
      continue;
    }
    std::vector<std::int64_t> shape = tensor.shape;
    std::size_t count = 1;
    for (const std::int64_t side : shape) count *= static_cast<std::size_t>(side);
    std::vector<float> values(count);
    tensor.fill(values);
    shape.front() /= 3;
    for (std::size_t part = 0; part < 3; ++part) {
      std::string name = tensor.name;
      const std::array<std::string, 3> words = {"query", "key", "value"};
      name.replace(at, stacked.size(), "attention.attention." + words.at(part) + ".");
      const auto first = values.begin() + static_cast<std::ptrdiff_t>(part * count / 3);
      result.push_back(test::tensor_of(transformers_name(name), shape,
                                       {first, first + static_cast<std::ptrdiff_t>(count / 3)}));
    }
  }
  return result;
}

cv::Mat map_of(const std::filesystem::path& file, const std::vector<TensorSource>& tensors) {
  test::write_safetensors(file, tensors);
  return test::open_native("depth_anything_v2_vits", file)
      ->run(test::formula_input("input.a", 70, 98), 1)
      .at(0);
}

std::string error_of(const std::filesystem::path& file) {
  try {
    (void)test::open_native("depth_anything_v2_vits", file);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(DepthAnythingNames, OfTransformersAreTheSameNetwork) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  const cv::Mat official = map_of(folder / "official.safetensors", official_tensors());
  const cv::Mat theirs = map_of(folder / "model.safetensors", transformers_tensors());
  EXPECT_EQ(cv::norm(official, theirs, cv::NORM_INF), 0.0);
}

TEST(DepthAnythingNames, MayCallTheEncoderBackbone) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  std::vector<TensorSource> tensors = official_tensors();
  const cv::Mat official = map_of(folder / "official.safetensors", tensors);
  std::erase_if(tensors, [](const auto& tensor) { return tensor.name == "pretrained.mask_token"; });
  for (TensorSource& tensor : tensors) {
    if (tensor.name.starts_with("pretrained.")) {
      tensor.name.replace(0, std::string_view("pretrained").size(), "backbone");
    }
  }
  const cv::Mat renamed = map_of(folder / "model.safetensors", tensors);
  EXPECT_EQ(cv::norm(official, renamed, cv::NORM_INF), 0.0);
}

TEST(DepthAnythingNames, AreThoseOfTheFileInMessages) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  std::vector<TensorSource> tensors = transformers_tensors();
  for (TensorSource& tensor : tensors) {
    if (tensor.name == "backbone.encoder.layer.3.attention.attention.key.bias") {
      tensor.name += "es";
    }
    if (tensor.name == "head.conv3.bias") tensor.shape = {1, 1};
  }
  test::write_safetensors(folder / "model.safetensors", tensors);
  const std::string error = error_of(folder / "model.safetensors");
  EXPECT_THAT(error, ::testing::HasSubstr(
                         "'backbone.encoder.layer.3.attention.attention.key.bias' is missing"));
  EXPECT_THAT(error, ::testing::HasSubstr("'head.conv3.bias' is 1x1 instead of 1"));
  EXPECT_THAT(error, ::testing::HasSubstr("key.biases' is not part of it"));
}

class DepthAnythingSmall : public ::testing::Test {
 protected:
  void SetUp() override {
    VERGENCE_REQUIRE_SHARED();
    test::write_safetensors(file(), official_tensors());
  }

  [[nodiscard]] std::filesystem::path file() const { return folder_ / "small.safetensors"; }

  [[nodiscard]] std::unique_ptr<Network> open() const {
    return test::open_native("depth_anything_v2_vits", file());
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(DepthAnythingSmall, ResultsDoNotDependOnThreadsOrRepetition) {
  const auto network = open();
  const cv::Mat input = test::formula_input("input.a", 70, 98);
  const cv::Mat first = network->run(input, 1).at(0);
  EXPECT_EQ(cv::norm(first, network->run(input, 1).at(0), cv::NORM_INF), 0.0);
  EXPECT_EQ(cv::norm(first, network->run(input, 2).at(0), cv::NORM_INF), 0.0);
}

// What a network remembers of a size must not meet another thread's picture of another size.
TEST_F(DepthAnythingSmall, ThreadsDoNotDisturbOneAnother) {
  const auto apart = open();
  const cv::Mat wide = test::formula_input("input.a", 28, 70);
  const cv::Mat tall = test::formula_input("input.b", 70, 28);
  const cv::Mat wide_alone = apart->run(wide, 1).at(0);
  const cv::Mat tall_alone = apart->run(tall, 1).at(0);
  const auto together = open();
  const auto repeat = [&](const cv::Mat& input, const cv::Mat& expected) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(cv::norm(together->run(input, 1).at(0), expected, cv::NORM_INF), 0.0);
    }
  };
  std::thread other(repeat, wide, wide_alone);
  repeat(tall, tall_alone);
  other.join();
}

TEST_F(DepthAnythingSmall, GivesEveryPictureOfABatchItsMap) {
  const auto network = open();
  const cv::Mat one = test::formula_input("input.a", 28, 42);
  const cv::Mat two = test::formula_input("input.b", 28, 42);
  const std::array<int, 4> shape = {2, 3, 28, 42};
  cv::Mat both(4, shape.data(), CV_32F);
  std::copy_n(one.ptr<float>(), one.total(), both.ptr<float>());
  std::copy_n(two.ptr<float>(), two.total(), both.ptr<float>() + one.total());
  const auto maps = network->run(both, 2);
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_EQ(cv::norm(maps[0], network->run(one, 1).at(0), cv::NORM_INF), 0.0);
  EXPECT_EQ(cv::norm(maps[1], network->run(two, 1).at(0), cv::NORM_INF), 0.0);
}

TEST_F(DepthAnythingSmall, StaysNearInBfloat16) {
  const auto open_network = reinterpret_cast<decltype(&vergence_open_network)>(
      module_symbol("torch", "vergence_open_network"));
  NetworkSource source;
  source.name = "small";
  source.backend = "native:depth_anything_v2_vits";
  source.file = file();
  source.device = "cpu";
  source.precision = Precision::kBFloat16;
  const std::unique_ptr<Network> rough(open_network(source));
  const cv::Mat input = test::formula_input("input.a", 70, 98);
  const cv::Mat exact = open()->run(input, 1).at(0);
  const double difference = cv::norm(rough->run(input, 1).at(0), exact, cv::NORM_INF);
  EXPECT_GT(difference, 0.0) << "that was float";
  EXPECT_LT(difference, 0.05 * test::range_of(exact));
}

}  // namespace
}  // namespace vergence::predictors
