// SPDX-License-Identifier: Apache-2.0
// MiDaS v2.1 small against what the official code gives for formula weights, and how files are
// judged that are not quite the official one.
#include "core/error.hpp"
#include "predictors/model_registry.hpp"
#include "predictors/predictor_factory.hpp"
#include "predictors/preprocessing.hpp"
#include "tests/predictors/formula_weights.hpp"
#include "tests/predictors/golden_network.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>

#include <gmock/gmock.h>

namespace vergence::predictors {
namespace {

constexpr double kTolerance = 1e-4;  // of the output's range

std::filesystem::path golden(const std::string& name) {
  return test::shared_dir() / "golden/midas_v21_small_synth" / name;
}

std::vector<test::TensorSource> official_tensors() {
  return test::formula_weights(golden("keys.txt"));
}

::testing::AssertionResult gives_pair(Network& network, const std::string& input,
                                      const std::string& output) {
  const auto maps = network.run(test::read_npy(golden(input)), 1);
  const cv::Mat expected = test::read_npy(golden(output));
  return test::near_golden(maps.at(0), expected, 1, test::range_of(expected), kTolerance);
}

TEST(MidasSmall, GivesTheGoldenPairsFromSafetensors) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  test::write_safetensors(folder / "small.safetensors", official_tensors());
  const auto network = test::open_native("midas_v21_small", folder / "small.safetensors");
  EXPECT_TRUE(gives_pair(*network, "input_a.npy", "output_a.npy"));
  EXPECT_TRUE(gives_pair(*network, "input_b.npy", "output_b.npy"));
  EXPECT_TRUE(gives_pair(*network, "photo_input.npy", "photo_output.npy"));
}

TEST(MidasSmall, GivesTheGoldenPairFromEveryLayoutOfCheckpoints) {
  VERGENCE_REQUIRE_SHARED();
  using Format = test::CheckpointStyle::Format;
  const std::vector<test::CheckpointStyle> styles = {
      {},
      {.format = Format::kLegacy},
      {.key = "model", .training = true},
  };
  for (const auto& style : styles) {
    const test::TemporaryFolder folder;
    test::write_checkpoint(folder / "midas_v21_small_256.pt", official_tensors(), style);
    const auto network = test::open_native("midas_v21_small", folder / "midas_v21_small_256.pt");
    EXPECT_TRUE(gives_pair(*network, "input_a.npy", "output_a.npy")) << style.key;
  }
}

TEST(MidasSmall, PreparesThePhotoAsTheOfficialCodeDoes) {
  VERGENCE_REQUIRE_SHARED();
  const cv::Mat photo =
      test::read_rgb(test::shared_dir() / "golden/tcmonodepth_small/photo_288x384.png");
  const CardInput input = find_model_card("midas_v21_small").input;
  const Placement placement = placement_of(input, test::as_input(photo));
  ASSERT_EQ(placement.input, cv::Size(192, 256));
  std::vector<float> planes(std::size_t{3} * 192 * 256);
  write_planes(input, photo, placement, planes.data());
  const cv::Mat expected = test::read_npy(golden("photo_input.npy"));
  for (int channel = 0; channel < 3; ++channel) {
    const cv::Mat actual(256, 192, CV_32F, planes.data() + std::ptrdiff_t{channel} * 192 * 256);
    EXPECT_TRUE(test::near_golden(actual, test::plane(expected, channel), 1, 4.0, 1e-6));
  }
}

TEST(MidasSmall, PredictsFromThePhoto) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  test::write_safetensors(folder / "small.safetensors", official_tensors());
  const auto predictor = make_network(
      {.name = "midas_v21_small", .weights = folder / "small.safetensors"}, {.device = "cpu"});
  const std::vector<PredictorInput> photo = {test::as_input(
      test::read_rgb(test::shared_dir() / "golden/tcmonodepth_small/photo_288x384.png"))};
  const auto maps = predictor->predict(photo, no_progress());
  EXPECT_EQ(kind_of(maps.at(0)), DepthKind::kDisparity);
  const cv::Mat expected = test::read_npy(golden("photo_output.npy"));
  EXPECT_TRUE(
      test::near_golden(values_of(maps[0]), expected, 1, test::range_of(expected), kTolerance));
}

// What opening a changed file says; empty if it opens.
std::string said_of(const std::vector<test::TensorSource>& tensors) {
  const test::TemporaryFolder folder;
  test::write_safetensors(folder / "changed.safetensors", tensors);
  try {
    (void)test::open_native("midas_v21_small", folder / "changed.safetensors");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(MidasSmall, NeedsNoneOfTheTensorsThatItDoesNotUse) {
  VERGENCE_REQUIRE_SHARED();
  auto tensors = official_tensors();
  const std::size_t before = tensors.size();
  std::erase_if(tensors, [](const test::TensorSource& tensor) {
    return tensor.name.ends_with("num_batches_tracked") ||
           tensor.name.starts_with("scratch.refinenet4.resConfUnit1.");
  });
  EXPECT_EQ(before - tensors.size(), 72U + 4U);
  EXPECT_EQ(said_of(tensors), "");
}

TEST(MidasSmall, NamesWhatIsMissingAndWhatDoesNotBelong) {
  VERGENCE_REQUIRE_SHARED();
  auto tensors = official_tensors();
  std::erase_if(tensors, [](const test::TensorSource& tensor) {
    return tensor.name == "pretrained.layer2.0.1.conv_dw.weight";
  });
  tensors.push_back(test::tensor_of("auxlayer.weight", {1}, {0.0F}));
  tensors.push_back(test::tensor_of("pretrained.layer9.bn1.num_batches_tracked", {1}, {0.0F}));
  const std::string error = said_of(tensors);
  EXPECT_THAT(error, ::testing::HasSubstr("'pretrained.layer2.0.1.conv_dw.weight' is missing"));
  EXPECT_THAT(error, ::testing::HasSubstr("'auxlayer.weight'"));
  EXPECT_THAT(error, ::testing::HasSubstr("'pretrained.layer9.bn1.num_batches_tracked'"));
}

}  // namespace
}  // namespace vergence::predictors
