// SPDX-License-Identifier: Apache-2.0
// The larger networks against what the official code gives for formula weights. Each test writes a
// file of up to 5 GB, one at a time.
#include "predictors/model_registry.hpp"
#include "predictors/network_size.hpp"
#include "predictors/predictor_factory.hpp"
#include "predictors/preprocessing.hpp"
#include "predictors/resampling.hpp"
#include "tests/predictors/formula_weights.hpp"
#include "tests/predictors/golden_network.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/paths.hpp"

#include <fstream>
#include <string_view>
#include <thread>

#include <nlohmann/json.hpp>

namespace vergence::predictors {
namespace {

constexpr double kTolerance = 1e-4;        // of the output's range
constexpr double kNativeTolerance = 2e-3;  // for a transformer at its native size
constexpr int kNativeStride = 8;           // which of the pixels are stored
constexpr int kPhotoStride = 4;

class LargeNetwork : public ::testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static std::filesystem::path golden(const std::string& file) {
    return test::source_dir() / "tests/data/golden" / GetParam() / file;
  }

  [[nodiscard]] static nlohmann::json pairs() {
    return nlohmann::json::parse(std::ifstream(golden("pairs.json")));
  }

  [[nodiscard]] static ModelCard card() { return find_model_card(GetParam()); }

  [[nodiscard]] static std::vector<test::TensorSource> official_tensors() {
    return test::formula_weights(golden("keys.txt"));
  }

  [[nodiscard]] static ::testing::AssertionResult gives(const cv::Mat& map, const std::string& name,
                                                        int stride, double tolerance) {
    const auto stored = pairs()["tensors"][name];
    const double range = stored["max"].get<double>() - stored["min"].get<double>();
    return test::near_golden(map, test::read_npy(golden(name + ".npy")), stride, range, tolerance);
  }

  // The size of the photo inside the network, by the card, for the golden pair's own size.
  [[nodiscard]] static CardInput photo_input() {
    CardInput input = card().input;
    input.size = pairs()["photo_size"];
    return input;
  }

  // How the official code brings a map to the photo's size.
  [[nodiscard]] static ResampleOptions official_enlargement() {
    const std::string name = GetParam();
    if (!name.starts_with("depth_anything")) return {.interpolation = Interpolation::kBicubic};
    return {.align_corners = name.starts_with("depth_anything_v2")};
  }

  [[nodiscard]] static cv::Mat photo() {
    return test::read_rgb(test::shared_dir() / "golden/tcmonodepth_small/photo_288x384.png");
  }
};

TEST_P(LargeNetwork, GivesTheGoldenPairsFromSafetensors) {
  const test::TemporaryFolder folder;
  test::write_safetensors(folder / "large.safetensors", official_tensors());
  const std::string native = card().model.backend.substr(std::string_view("native:").size());
  const auto network = test::open_native(native, folder / "large.safetensors");
  const double scale = card().output.multiplier;
  const cv::Mat expected = test::read_npy(golden("output_a.npy"));
  const auto small = network->run(test::formula_input("input.a", expected.size[expected.dims - 2],
                                                      expected.size[expected.dims - 1]),
                                  1);
  EXPECT_TRUE(gives(scale * small.at(0), "output_a", 1, kTolerance));
  const int side = pairs()["native_size"];
  const auto full = network->run(test::formula_input("input.b", side, side), 2);
  EXPECT_TRUE(gives(scale * full.at(0), "output_b", kNativeStride, kNativeTolerance));
}

TEST_P(LargeNetwork, GivesTheGoldenPhotoFromACheckpoint) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  test::write_checkpoint(folder / "large.pth", official_tensors());
  const auto predictor = make_network(
      {.name = GetParam(), .weights = folder / "large.pth", .size_px = photo_input().size},
      {.device = "cpu"});
  const std::vector<PredictorInput> pictures = {test::as_input(photo())};
  const auto maps = predictor->predict(pictures, no_progress());
  const cv::Mat map = values_of(maps.at(0));
  EXPECT_TRUE(gives(map, "photo_output", kPhotoStride, kTolerance));
  EXPECT_TRUE(gives(resampled(map, cv::Rect2d({}, cv::Size2d(map.size())), photo().size(),
                              official_enlargement()),
                    "photo_output_resized", kPhotoStride, kTolerance));
}

TEST_P(LargeNetwork, PreparesThePhotoAsTheOfficialCodeDoes) {
  VERGENCE_REQUIRE_SHARED();
  const CardInput input = photo_input();
  const Placement placement = placement_of(input, test::as_input(photo()));
  const auto area = static_cast<std::size_t>(placement.input.area());
  std::vector<float> planes(3 * area);
  write_planes(input, photo(), placement, planes.data());
  const cv::Mat expected = test::read_npy(golden("photo_input.npy"));
  for (int channel = 0; channel < 3; ++channel) {
    const cv::Mat actual(placement.input, CV_32F,
                         planes.data() + static_cast<std::size_t>(channel) * area);
    EXPECT_TRUE(test::near_golden(actual, test::plane(expected, channel), kPhotoStride, 4.0, 1e-6));
  }
}

TEST_P(LargeNetwork, SeesPicturesOfAnyShapeAtTheOfficialSize) {
  const CardInput input = card().input;
  for (const auto& row : pairs()["network_sizes"]) {
    const cv::Size picture(row[0][0].get<int>(), row[0][1].get<int>());
    EXPECT_EQ(network_size(input, picture), cv::Size(row[1][0].get<int>(), row[1][1].get<int>()))
        << picture;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, LargeNetwork,
                         ::testing::Values("depth_anything_v1_base", "depth_anything_v1_large",
                                           "depth_anything_v2_base", "depth_anything_v2_large",
                                           "depth_anything_v2_giant",
                                           "depth_anything_v2_metric_vkitti_small",
                                           "midas_v21_large", "dpt_large", "dpt_hybrid",
                                           "midas_v31_beit_large_512", "midas_v31_beit_large_384"),
                         [](const auto& test) { return test.param; });

// What a network remembers of a size must not meet another thread's picture of another size.
TEST(LargeNetworkThreads, DoNotDisturbOneAnother) {
  const test::TemporaryFolder folder;
  const std::string name = "dpt_hybrid";
  test::write_safetensors(
      folder / "large.safetensors",
      test::formula_weights(test::source_dir() / "tests/data/golden" / name / "keys.txt"));
  const auto network = test::open_native(name, folder / "large.safetensors");
  const cv::Mat wide = test::formula_input("input.a", 32, 64);
  const cv::Mat tall = test::formula_input("input.b", 64, 32);
  const auto together = test::open_native(name, folder / "large.safetensors");
  const cv::Mat wide_alone = network->run(wide, 1).at(0);
  const cv::Mat tall_alone = network->run(tall, 1).at(0);
  const auto repeat = [&](const cv::Mat& input, const cv::Mat& expected) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(cv::norm(together->run(input, 1).at(0), expected, cv::NORM_INF), 0.0);
    }
  };
  std::thread other(repeat, wide, wide_alone);
  repeat(tall, tall_alone);
  other.join();
}

}  // namespace
}  // namespace vergence::predictors
