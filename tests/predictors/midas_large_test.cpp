// SPDX-License-Identifier: Apache-2.0
// The larger MiDaS networks against what the official code gives for formula weights. Each writes
// files of up to 1.6 GB, one at a time.
#include "predictors/model_registry.hpp"
#include "predictors/predictor_factory.hpp"
#include "predictors/preprocessing.hpp"
#include "tests/predictors/formula_weights.hpp"
#include "tests/predictors/golden_network.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/paths.hpp"

#include <fstream>
#include <thread>

#include <nlohmann/json.hpp>

namespace vergence::predictors {
namespace {

constexpr double kTolerance = 1e-4;        // of the output's range
constexpr double kNativeTolerance = 2e-3;  // for a transformer at its native size
constexpr int kNativeStride = 8;           // which of the pixels are stored
constexpr int kPhotoStride = 4;

class MidasLarge : public ::testing::TestWithParam<std::string> {
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

TEST_P(MidasLarge, GivesTheGoldenPairsFromSafetensors) {
  const test::TemporaryFolder folder;
  test::write_safetensors(folder / "large.safetensors", official_tensors());
  const auto network = test::open_native(GetParam(), folder / "large.safetensors");
  const auto small = network->run(test::formula_input("input.a", 64, 96), 1);
  EXPECT_TRUE(gives(small.at(0), "output_a", 1, kTolerance));
  const int side = pairs()["native_size"];
  const auto native = network->run(test::formula_input("input.b", side, side), 2);
  EXPECT_TRUE(gives(native.at(0), "output_b", kNativeStride, kNativeTolerance));
}

TEST_P(MidasLarge, GivesTheGoldenPairsFromACheckpoint) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  test::write_checkpoint(folder / "large.pt", official_tensors());
  const auto predictor =
      make_network({.name = GetParam(), .weights = folder / "large.pt"}, {.device = "cpu"});
  const std::vector<PredictorInput> photo = {test::as_input(
      test::read_rgb(test::shared_dir() / "golden/tcmonodepth_small/photo_288x384.png"))};
  const auto maps = predictor->predict(photo, no_progress());
  EXPECT_TRUE(gives(values_of(maps.at(0)), "photo_output", kPhotoStride, kTolerance));
}

TEST_P(MidasLarge, PreparesThePhotoAsTheOfficialCodeDoes) {
  VERGENCE_REQUIRE_SHARED();
  const cv::Mat photo =
      test::read_rgb(test::shared_dir() / "golden/tcmonodepth_small/photo_288x384.png");
  const CardInput input = find_model_card(GetParam()).input;
  const Placement placement = placement_of(input, test::as_input(photo));
  const auto area = static_cast<std::size_t>(placement.input.area());
  std::vector<float> planes(3 * area);
  write_planes(input, photo, placement, planes.data());
  const cv::Mat expected = test::read_npy(golden("photo_input.npy"));
  for (int channel = 0; channel < 3; ++channel) {
    const cv::Mat actual(placement.input, CV_32F,
                         planes.data() + static_cast<std::size_t>(channel) * area);
    EXPECT_TRUE(test::near_golden(actual, test::plane(expected, channel), kPhotoStride, 4.0, 1e-6));
  }
}

TEST_P(MidasLarge, SeesPicturesOfAnyShapeAtTheOfficialSize) {
  const CardInput input = find_model_card(GetParam()).input;
  for (const auto& row : pairs()["network_sizes"]) {
    const cv::Size picture(row[0][0].get<int>(), row[0][1].get<int>());
    EXPECT_EQ(network_size(input, picture), cv::Size(row[1][0].get<int>(), row[1][1].get<int>()))
        << picture;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, MidasLarge,
                         ::testing::Values("midas_v21_large", "dpt_large", "dpt_hybrid",
                                           "midas_v31_beit_large_512", "midas_v31_beit_large_384"),
                         [](const auto& test) { return test.param; });

// What a network remembers of a size must not meet another thread's picture of another size.
TEST(MidasLargeThreads, DoNotDisturbOneAnother) {
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
