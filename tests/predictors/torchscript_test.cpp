// SPDX-License-Identifier: Apache-2.0
// TorchScript files behind model cards: tiny ones (make_torchscript_files.cpp) and a real one.
#include "core/error.hpp"
#include "predictors/predictor_factory.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <fstream>

#include <opencv2/imgproc.hpp>

namespace vergence::predictors {
namespace {

namespace fs = std::filesystem;

class TorchScript : public ::testing::Test {
 protected:
  // A card with these [input] and [output] lines for one of the tiny networks.
  std::unique_ptr<DepthPredictor> open(const std::string& network, const std::string& input,
                                       const std::string& output) {
    const fs::path card = folder_ / "card.toml";
    std::ofstream(card) << "[model]\nid = \"tiny\"\nbackend = \"torchscript\"\nlicense = \"MIT\"\n"
                        << "[input]\n"
                        << input << "\n[output]\n"
                        << output << "\n";
    return make_network(
        {.card = card, .weights = fs::path(VERGENCE_TORCHSCRIPT_DIR) / (network + ".pt")},
        {.device = "cpu", .threads = 2});
  }

  // The map of a 4x4 picture of one colour, which must be even; its value.
  float value(const std::string& network, const std::string& input, const std::string& output,
              const cv::Scalar& rgb) {
    const auto predictor =
        open(network, "resize = \"exact\"\nwidth = 4\nheight = 4\n" + input, output);
    const std::vector<PredictorInput> pictures = {test::as_input(cv::Mat(4, 4, CV_8UC3, rgb))};
    const auto maps = predictor->predict(pictures, no_progress());
    const cv::Mat values = values_of(maps.at(0));
    EXPECT_EQ(values.size(), cv::Size(4, 4));
    double lowest = 0.0;
    double highest = 0.0;
    cv::minMaxLoc(values, &lowest, &highest);
    EXPECT_FLOAT_EQ(static_cast<float>(lowest), static_cast<float>(highest));
    return values.at<float>(0, 0);
  }

  std::string error(const std::string& network, const std::string& output,
                    const std::string& input = "resize = \"exact\"\nwidth = 4\nheight = 4") {
    try {
      const std::vector<PredictorInput> pictures = {
          test::as_input(cv::Mat(4, 4, CV_8UC3, cv::Scalar(1, 2, 3)))};
      (void)open(network, input, output)->predict(pictures, no_progress());
    } catch (const Error& thrown) {
      EXPECT_EQ(std::string(thrown.what()).find('\n'), std::string::npos) << thrown.what();
      EXPECT_EQ(std::string(thrown.what()).find("frame #"), std::string::npos) << thrown.what();
      return thrown.what();
    }
    return "";
  }

  test::TemporaryFolder folder_;
};

const std::string kDisparityKind = "kind = \"disparity\"";

TEST_F(TorchScript, HandsOverColoursAsTheCardSays) {
  const cv::Scalar colour(255, 51, 102);
  EXPECT_NEAR(value("weighted_sum", "", kDisparityKind, colour), 102.4, 1e-3);
  EXPECT_NEAR(value("weighted_sum", "color = \"bgr\"", kDisparityKind, colour), 43.0, 1e-3);
  EXPECT_NEAR(value("weighted_sum", "range = \"0-255\"", kDisparityKind, colour), 26112.0, 1e-2);
  EXPECT_NEAR(
      value("weighted_sum", "mean = [0.5, 0.2, 0.4]\nstd = [0.5, 1, 1]", kDisparityKind, colour),
      100.0, 1e-3);
}

TEST_F(TorchScript, PicksTheDepthOutOfTuplesListsAndDictionaries) {
  const cv::Scalar colour(255, 51, 102);
  EXPECT_NEAR(value("tuple", "", kDisparityKind + "\ndepth = \"tuple:1\"", colour), 0.2, 1e-6);
  EXPECT_NEAR(value("list", "", kDisparityKind + "\ndepth = \"tuple:0\"", colour), 1.0, 1e-6);
  EXPECT_NEAR(value("dict", "", kDisparityKind + "\ndepth = \"dict:depth\"", colour), 0.4, 1e-6);
  EXPECT_NEAR(value("single_map", "", kDisparityKind, colour), 0.2, 1e-6);
  EXPECT_NEAR(value("doubles", "", kDisparityKind, colour), 1.0, 1e-6);
}

TEST_F(TorchScript, GivesMetres) {
  const cv::Scalar colour(51, 0, 0);  // 0.2
  EXPECT_NEAR(value("first_channel", "", "kind = \"depth-metric\"\nmax_depth = 20", colour), 4.0,
              1e-5);
  EXPECT_NEAR(
      value("first_channel", "range = \"0-255\"", "kind = \"distance\"\nunit = \"mm\"", colour),
      0.051, 1e-7);
  EXPECT_NEAR(value("first_channel", "", "kind = \"inverse-metric\"", colour), 5.0, 1e-5);
  EXPECT_NEAR(value("first_channel", "", "kind = \"inverse_distance\"\nunit = \"cm\"", colour),
              20.0, 1e-4);
  const auto metric = open("first_channel", "resize = \"lower-bound\"\nsize = 100\nmultiple = 14",
                           "kind = \"depth-metric\"");
  EXPECT_TRUE(metric->info().metric);
  EXPECT_EQ(metric->info().kind, DepthKind::kPlanarDepth);
  EXPECT_EQ(metric->info().preferred_size_px, 112);
  EXPECT_EQ(metric->info().name, "tiny");
  EXPECT_EQ(metric->info().licence, "MIT");
}

TEST_F(TorchScript, KeepsTheNetworksOwnOutputSize) {
  const auto predictor =
      open("half_size", "resize = \"exact\"\nwidth = 8\nheight = 6", kDisparityKind);
  const std::vector<PredictorInput> pictures = {test::as_input(test::synthetic_picture({31, 17}))};
  EXPECT_EQ(values_of(predictor->predict(pictures, no_progress())[0]).size(), cv::Size(4, 3));
}

TEST_F(TorchScript, CutsOffWhatFitPadAdded) {
  const auto predictor =
      open("first_channel", "resize = \"fit-pad\"\nwidth = 16\nheight = 16\npad_value = [9, 9, 9]",
           kDisparityKind);
  const std::vector<PredictorInput> pictures = {
      test::as_input(cv::Mat(10, 20, CV_8UC3, cv::Scalar(51, 0, 0)))};
  const cv::Mat values = values_of(predictor->predict(pictures, no_progress())[0]);
  EXPECT_TRUE(test::maps_near(values, cv::Mat(8, 16, CV_32FC1, cv::Scalar(0.2)), {1e-6, 1e-6}));
}

TEST_F(TorchScript, SaysWhatDoesNotFitInOneSentence) {
  EXPECT_THAT(error("tuple", kDisparityKind), ::testing::HasSubstr("gives a tuple as depth"));
  EXPECT_THAT(error("tuple", kDisparityKind + "\ndepth = \"tuple:3\""),
              ::testing::HasSubstr("a tuple of 3, which has no member 3"));
  EXPECT_THAT(error("tuple", kDisparityKind + "\ndepth = \"tuple:2\""),
              ::testing::HasSubstr("gives [] for [1, 3, 4, 4]"));
  EXPECT_THAT(error("tuple", kDisparityKind + "\ndepth = \"dict:depth\""),
              ::testing::HasSubstr("a tuple, no dictionary"));
  EXPECT_THAT(error("dict", kDisparityKind + "\ndepth = \"dict:other\""),
              ::testing::HasSubstr("a dictionary without 'other'"));
  EXPECT_THAT(error("first_channel", kDisparityKind + "\ndepth = \"tuple:0\""),
              ::testing::HasSubstr("a tensor, no tuple"));
  EXPECT_THAT(error("three_maps", kDisparityKind), ::testing::HasSubstr("gives [1, 3, 4, 4]"));
  EXPECT_THAT(error("number", kDisparityKind), ::testing::HasSubstr("something else as depth"));
  EXPECT_THAT(error("two_inputs", kDisparityKind), ::testing::HasSubstr("'tiny' failed"));
  EXPECT_THAT(error("wants_64", kDisparityKind),
              ::testing::HasSubstr("must match the size of tensor"));
  EXPECT_THAT(error("raises", kDisparityKind), ::testing::HasSubstr("not today"));
}

TEST_F(TorchScript, TellsOtherFilesApartByContent) {
  const auto refused = [&](const std::string& content) -> std::string {
    const fs::path file = folder_ / "net.pt";
    std::ofstream(file, std::ios::binary) << content;
    const fs::path card = test::source_dir() / "models/tcmonodepth_small.toml";
    try {
      (void)make_network({.card = card, .weights = file});
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("'" + file.string() + "'"));
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refused(""), ::testing::HasSubstr("an empty file"));
  EXPECT_THAT(refused("<html>404</html>"), ::testing::HasSubstr("a web page"));
  EXPECT_THAT(refused("\x80\x02}q"), ::testing::HasSubstr("a checkpoint"));
  EXPECT_THAT(refused("PK\3\4 and nothing more"), ::testing::HasSubstr("truncated"));
}

TEST_F(TorchScript, SaysWhenLibTorchCannotReadTheCode) {
  const fs::path file = fs::path(VERGENCE_TORCHSCRIPT_DIR) / "unknown_operator.pt";
  const auto predictor =
      make_network({.card = test::source_dir() / "models/tcmonodepth_small.toml", .weights = file});
  const std::vector<PredictorInput> pictures = {test::as_input(test::synthetic_picture({64, 64}))};
  try {
    (void)predictor->predict(pictures, no_progress());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("cannot load '" + file.string() + "'"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("zlice"));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

TEST_F(TorchScript, RefusesACardForAnotherBackend) {
  const fs::path file = fs::path(VERGENCE_TORCHSCRIPT_DIR) / "first_channel.pt";
  EXPECT_THROW((void)make_network({.name = "nano", .weights = file}), Error);
}

TEST_F(TorchScript, RealNetworkGivesItsGoldenOutput) {
  VERGENCE_REQUIRE_SHARED();
  const fs::path golden = test::shared_dir() / "golden/tcmonodepth_small";
  const auto predictor =
      make_network({.card = test::source_dir() / "models/tcmonodepth_small.toml",
                    .weights = test::shared_dir() / "models/tcmonodepth_small.torchscript.pt"});
  EXPECT_EQ(predictor->info().preferred_size_px, 256);
  const std::vector<PredictorInput> pictures = {
      test::as_input(test::read_rgb(golden / "photo_288x384.png"))};
  const cv::Mat values = values_of(predictor->predict(pictures, no_progress())[0]);
  const cv::Mat expected = test::plane(test::read_npy(golden / "photo_output.npy"), 0);
  double lowest = 0.0;
  double highest = 0.0;
  cv::minMaxLoc(expected, &lowest, &highest);
  const double range = highest - lowest;
  EXPECT_TRUE(test::maps_near(values, expected, {.max = 1e-4 * range, .mean = 1e-5 * range}));
}

}  // namespace
}  // namespace vergence::predictors
