// SPDX-License-Identifier: Apache-2.0
// The larger Depth-Anything networks against what the official code gives for formula weights. Each
// writes files of up to 5 GB, one at a time.
#include "predictors/model_registry.hpp"
#include "predictors/network_size.hpp"
#include "predictors/predictor_factory.hpp"
#include "tests/predictors/formula_weights.hpp"
#include "tests/predictors/golden_network.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/paths.hpp"

#include <fstream>

#include <nlohmann/json.hpp>

namespace vergence::predictors {
namespace {

constexpr double kTolerance = 1e-4;        // of the output's range
constexpr double kNativeTolerance = 2e-3;  // for a transformer at its native size
constexpr int kNativeStride = 8;           // which of the pixels are stored
constexpr int kPhotoStride = 4;

class DepthAnythingLarge : public ::testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static std::filesystem::path golden(const std::string& file) {
    return test::source_dir() / "tests/data/golden" / GetParam() / file;
  }

  [[nodiscard]] static nlohmann::json pairs() {
    return nlohmann::json::parse(std::ifstream(golden("pairs.json")));
  }

  [[nodiscard]] static std::vector<test::TensorSource> official_tensors() {
    return test::formula_weights(golden("keys.txt"));
  }

  [[nodiscard]] static ::testing::AssertionResult gives(const cv::Mat& map, const std::string& name,
                                                        int stride, double tolerance) {
    const auto stored = pairs()["tensors"][name];
    const double range = stored["max"].get<double>() - stored["min"].get<double>();
    return test::near_golden(map, test::read_npy(golden(name + ".npy")), stride, range, tolerance);
  }
};

TEST_P(DepthAnythingLarge, GivesTheGoldenPairsFromSafetensors) {
  const test::TemporaryFolder folder;
  test::write_safetensors(folder / "large.safetensors", official_tensors());
  const ModelCard card = find_model_card(GetParam());
  const std::string native = card.model.backend.substr(std::string_view("native:").size());
  const auto network = test::open_native(native, folder / "large.safetensors");
  const double scale = card.output.multiplier;
  const auto small = network->run(test::formula_input("input.a", 70, 98), 1);
  EXPECT_TRUE(gives(scale * small.at(0), "output_a", 1, kTolerance));
  const auto full = network->run(test::formula_input("input.b", 518, 518), 2);
  EXPECT_TRUE(gives(scale * full.at(0), "output_b", kNativeStride, kNativeTolerance));
}

TEST_P(DepthAnythingLarge, GivesTheGoldenPhotoFromACheckpoint) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  test::write_checkpoint(folder / "large.pth", official_tensors());
  const int size = pairs()["photo_size"];
  const auto predictor = make_network(
      {.name = GetParam(), .weights = folder / "large.pth", .size_px = size}, {.device = "cpu"});
  const std::vector<PredictorInput> photo = {test::as_input(
      test::read_rgb(test::shared_dir() / "golden/tcmonodepth_small/photo_288x384.png"))};
  const auto maps = predictor->predict(photo, no_progress());
  EXPECT_TRUE(gives(values_of(maps.at(0)), "photo_output", kPhotoStride, kTolerance));
}

TEST_P(DepthAnythingLarge, SeesPicturesOfAnyShapeAtTheOfficialSize) {
  const CardInput input = find_model_card(GetParam()).input;
  for (const auto& row : pairs()["network_sizes"]) {
    const cv::Size picture(row[0][0].get<int>(), row[0][1].get<int>());
    EXPECT_EQ(network_size(input, picture), cv::Size(row[1][0].get<int>(), row[1][1].get<int>()))
        << picture;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, DepthAnythingLarge,
                         ::testing::Values("depth_anything_v1_base", "depth_anything_v1_large",
                                           "depth_anything_v2_base", "depth_anything_v2_large",
                                           "depth_anything_v2_giant",
                                           "depth_anything_v2_metric_vkitti_small"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace vergence::predictors
