// SPDX-License-Identifier: Apache-2.0
// TCMonoDepth-small and Tiefenrausch with their real weights against golden pairs, in every file
// format that holds them.
#include "core/error.hpp"
#include "core/module.hpp"
#include "predictors/model_registry.hpp"
#include "predictors/network.hpp"
#include "predictors/predictor_factory.hpp"
#include "predictors/preprocessing.hpp"
#include "predictors/weights.hpp"
#include "tests/predictors/checkpoint_writer.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <cmath>
#include <cstring>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace vergence::predictors {
namespace {

namespace fs = std::filesystem;

fs::path golden(const std::string& name) {
  return test::shared_dir() / "golden" / name;
}

fs::path weights(const std::string& name) {
  return test::shared_dir() / "models" / name;
}

// 1e-4 of the output's range.
test::Tolerance of_range(const cv::Mat& expected) {
  double lowest = 0.0;
  double highest = 0.0;
  cv::minMaxLoc(expected, &lowest, &highest);
  return {.max = 1e-4 * (highest - lowest), .mean = 2e-5 * (highest - lowest)};
}

std::unique_ptr<Network> open(const std::string& name, const fs::path& file) {
  const auto open_network = reinterpret_cast<decltype(&vergence_open_network)>(
      module_symbol("torch", "vergence_open_network"));
  NetworkSource source;
  source.name = name;
  source.backend = "native:" + name;
  source.file = file;
  source.device = "cpu";
  return std::unique_ptr<Network>(open_network(source));
}

// The tensors of a file as torch.save writes them.
void write_as_checkpoint(const fs::path& from, const fs::path& to) {
  const Weights tensors = read_weights(from);
  std::vector<test::TensorSource> sources;
  for (const auto& [name, view] : tensors.tensors()) {
    std::vector<float> values(view.bytes.size() / sizeof(float));
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    sources.push_back(test::tensor_of(name, view.shape, std::move(values)));
  }
  test::write_checkpoint(to, sources, {.key = "state_dict"});
}

std::string error_with(const std::string& name, const fs::path& file) {
  try {
    (void)open(name, file);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// What `weights` gives for the stored input, against the stored output.
void expect_golden(const std::string& name, const fs::path& file, const fs::path& input,
                   const fs::path& output) {
  const cv::Mat expected = test::plane(test::read_npy(output), 0);
  const auto network = open(name, file);
  const auto maps = network->run(test::read_npy(input), 2);
  ASSERT_EQ(maps.size(), 1U);
  EXPECT_TRUE(test::maps_near(maps[0], expected, of_range(expected))) << file;
}

void expect_input(const std::string& name, const fs::path& picture, const fs::path& stored) {
  const cv::Mat rgb = test::read_rgb(picture);
  const cv::Mat expected = test::read_npy(stored);
  const CardInput input = find_model_card(name).input;
  const Placement placement = placement_of(input, test::as_input(rgb));
  ASSERT_EQ(placement.input, cv::Size(expected.size[3], expected.size[2]));
  std::vector<float> planes(expected.total());
  write_planes(input, rgb, placement, planes.data());
  for (int channel = 0; channel < 3; ++channel) {
    const cv::Mat actual(placement.input, CV_32FC1,
                         planes.data() + std::ptrdiff_t{channel} * placement.input.area());
    EXPECT_TRUE(test::maps_near(actual, test::plane(expected, channel),
                                {.max = 1e-6 * input.range, .mean = 1e-6 * input.range}));
  }
}

cv::Mat predicted(const std::string& name, const fs::path& file, const cv::Mat& rgb) {
  const auto predictor = make_network({.name = name, .weights = file}, {.device = "cpu"});
  const std::vector<PredictorInput> pictures = {test::as_input(rgb)};
  return values_of(predictor->predict(pictures, no_progress()).at(0));
}

TEST(TcMonoDepth, GivesItsGoldenOutputFromEveryFormat) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  const fs::path ours = weights("tcmonodepth_small.safetensors");
  const fs::path rewritten = folder / "tc.pth";
  write_as_checkpoint(ours, rewritten);
  for (const fs::path& file : {ours, rewritten, weights("tcmonodepth_small.pt.tar")}) {
    for (const std::string pair : {"random", "photo"}) {
      expect_golden("tcmonodepth_small", file, golden("tcmonodepth_small/" + pair + "_input.npy"),
                    golden("tcmonodepth_small/" + pair + "_output.npy"));
    }
  }
}

TEST(TcMonoDepth, PreparesAPhotoAndResizesItsMap) {
  VERGENCE_REQUIRE_SHARED();
  const fs::path photo = golden("tcmonodepth_small/photo_288x384.png");
  expect_input("tcmonodepth_small", photo, golden("tcmonodepth_small/photo_input.npy"));
  cv::Mat map =
      predicted("tcmonodepth_small", weights("tcmonodepth_small.pt.tar"), test::read_rgb(photo));
  const cv::Mat expected = test::read_npy(golden("tcmonodepth_small/photo_output_resized.npy"));
  cv::resize(map, map, expected.size(), 0.0, 0.0, cv::INTER_CUBIC);
  EXPECT_TRUE(test::maps_near(map, expected, of_range(expected)));
}

TEST(TcMonoDepth, AcceptsTheTwoTrainingHeadsAndNothingElse) {
  VERGENCE_REQUIRE_SHARED();
  EXPECT_THAT(error_with("tcmonodepth_small", weights("tiefenrausch_fp32.safetensors")),
              ::testing::HasSubstr("'encoder.first_conv.0.weight' is missing"));
  const test::TemporaryFolder folder;
  const Weights tensors = read_weights(weights("tcmonodepth_small.pt.tar"));
  std::vector<test::TensorSource> sources;
  for (const auto& [name, view] : tensors.tensors()) {
    if (view.type != ScalarType::kF32) continue;
    std::vector<float> values(view.bytes.size() / sizeof(float));
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    // A third head is no part of the network.
    const bool head = name == "decoder.final3.0.bias";
    sources.push_back(
        test::tensor_of(head ? "decoder.final4.0.bias" : name, view.shape, std::move(values)));
  }
  test::write_checkpoint(folder / "odd.pth", sources);
  EXPECT_THAT(error_with("tcmonodepth_small", folder / "odd.pth"),
              ::testing::HasSubstr("'decoder.final4.0.bias' is not part of it"));
}

// The ground truth of cones: disparity times 4, 0 where unknown.
TEST(TcMonoDepth, OrdersARealSceneByDepth) {
  VERGENCE_REQUIRE_SHARED();
  const fs::path scene = test::shared_dir() / "stereo/cones";
  const cv::Mat truth = cv::imread((scene / "disp2.pgm").string(), cv::IMREAD_GRAYSCALE);
  ASSERT_FALSE(truth.empty());
  cv::Mat map = predicted("tcmonodepth_small", weights("tcmonodepth_small.safetensors"),
                          test::read_rgb(scene / "im2.png"));
  cv::resize(map, map, truth.size(), 0.0, 0.0, cv::INTER_CUBIC);
  const cv::Mat known = truth > 0;
  cv::Mat depth;
  truth.convertTo(depth, CV_32F);
  EXPECT_GT(test::correlation(map, depth, known), 0.85);
}

TEST(Tiefenrausch, GivesItsGoldenOutputFromEveryFormat) {
  VERGENCE_REQUIRE_SHARED();
  const test::TemporaryFolder folder;
  const fs::path ours = weights("tiefenrausch_fp32.safetensors");
  const fs::path rewritten = folder / "tiefenrausch.pth";
  write_as_checkpoint(ours, rewritten);
  for (const fs::path& file : {ours, rewritten}) {
    for (const std::string pair : {"random", "columns"}) {
      expect_golden("tiefenrausch", file, golden("tiefenrausch/" + pair + "_input.npy"),
                    golden("tiefenrausch/" + pair + "_output_logdisp.npy"));
    }
  }
}

TEST(Tiefenrausch, PreparesAPhoto) {
  VERGENCE_REQUIRE_SHARED();
  expect_input("tiefenrausch", golden("tiefenrausch/columns.jpg"),
               golden("tiefenrausch/columns_input.npy"));
}

// The authors' own results come from 8-bit integers, one step of which is 0.0187.
TEST(Tiefenrausch, GivesTheAuthorsOwnDisparities) {
  VERGENCE_REQUIRE_SHARED();

  struct Photo {
    std::string name;
    double mean_difference, correlation;  // as golden/README.md states them, rounded up and down
  };

  for (const auto& [name, mean_difference, least_correlation] :
       {Photo{"columns", 0.0060, 0.9995}, Photo{"pumpkin", 0.0101, 0.9998}}) {
    const cv::Mat map = predicted("tiefenrausch", weights("tiefenrausch_fp32.safetensors"),
                                  test::read_rgb(golden("tiefenrausch/" + name + ".jpg")));
    cv::Mat official = test::read_npy(golden("tiefenrausch/" + name + "_official_disparity.npy"));
    ASSERT_EQ(map.size(), official.size()) << name;
    cv::log(official, official);
    EXPECT_LT(cv::norm(map, official, cv::NORM_L1) / static_cast<double>(map.total()),
              mean_difference)
        << name;
    EXPECT_GT(test::correlation(map, official), least_correlation) << name;
  }
}

}  // namespace
}  // namespace vergence::predictors
