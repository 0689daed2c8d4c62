// SPDX-License-Identifier: Apache-2.0
// TorchScript files behind model cards: tiny ones (make_torchscript_files.cpp) and a real one.
#include "core/error.hpp"
#include "predictors/predictor_factory.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <cmath>
#include <fstream>
#include <numbers>

#include <opencv2/imgproc.hpp>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/spdlog.h>

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
              const cv::Scalar& rgb, double focal_px = 0.0) {
    const auto predictor =
        open(network, "resize = \"exact\"\nwidth = 4\nheight = 4\n" + input, output);
    PredictorInput picture = test::as_input(cv::Mat(4, 4, CV_8UC3, rgb));
    picture.focal_px = focal_px;
    const auto maps = predictor->predict({&picture, 1}, no_progress());
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

fs::path torchscript_card() {
  return test::source_dir() / "tests/data/cards/tcmonodepth_small_torchscript.toml";
}

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
  EXPECT_THAT(error("two_inputs", kDisparityKind),
              ::testing::HasSubstr("takes 1 inputs besides the picture"));
  EXPECT_THAT(error("wants_64", kDisparityKind),
              ::testing::HasSubstr("must match the size of tensor"));
  EXPECT_THAT(error("raises", kDisparityKind), ::testing::HasSubstr("not today"));
}

TEST_F(TorchScript, TellsOtherFilesApartByContent) {
  const auto refused = [&](const std::string& content) -> std::string {
    const fs::path file = folder_ / "net.pt";
    std::ofstream(file, std::ios::binary) << content;
    const fs::path card = torchscript_card();
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
  const auto predictor = make_network({.card = torchscript_card(), .weights = file});
  const std::vector<PredictorInput> pictures = {test::as_input(test::synthetic_picture({64, 64}))};
  try {
    (void)predictor->predict(pictures, no_progress());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'" + file.string() + "'"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("needs the operator"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("zlice"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("export it again"));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

TEST_F(TorchScript, GivesWhatTheCardSaysTheNetworkTakesBesides) {
  const cv::Scalar colour(51, 0, 0);  // 0.2
  const auto with = [&](const std::string& network, const std::string& extra) {
    return value(network, extra, kDisparityKind, colour, /*focal_px=*/8.0);
  };
  EXPECT_NEAR(with("times_input", "extra = [\"focal_px\"]"), 1.6, 1e-6);
  EXPECT_NEAR(with("times_number", "extra = [\"focal_px\"]"), 1.6, 1e-6);
  // 4 pixels at a focal length of 8: 2 atan(2 / 8) = 28.0725 degrees.
  EXPECT_NEAR(with("times_input", "extra = [\"fov_x_deg\"]"), 0.2 * 28.0725, 1e-4);
  EXPECT_NEAR(with("times_input", "extra = [\"num_tokens\"]\nnum_tokens = 1800"), 360.0, 1e-4);
  EXPECT_NEAR(with("times_count", "extra = [\"num_tokens\"]\nmultiple = 2"), 0.8, 1e-6);
  EXPECT_NEAR(with("camera_batch", "extra = [\"K1x3x3\"]"), 8.0, 1e-6);
  EXPECT_NEAR(with("two_extras", "extra = [\"focal_px\", \"num_tokens\"]\nnum_tokens = 7"), 8007.0,
              1e-6);
}

TEST_F(TorchScript, GivesTheCameraInPixelsOfTheNetworksInput) {
  // 40 x 20 pixels, fitted into 20 x 16: half the size, 3 pixels of padding above and below.
  const auto predictor =
      open("camera_matrix", "resize = \"fit-pad\"\nwidth = 20\nheight = 16\nextra = [\"K3x3\"]",
           kDisparityKind + "\n[post]\nunpad = false");
  PredictorInput picture = test::as_input(cv::Mat(20, 40, CV_8UC3, cv::Scalar(9, 9, 9)));
  picture.focal_px = 30.0;
  const cv::Mat values = values_of(predictor->predict({&picture, 1}, no_progress())[0]);
  const std::vector<float> camera = values.row(0);
  EXPECT_THAT(camera, ::testing::ElementsAre(15, 0, 10, 0, 15, 8, 0, 0, 1));
}

TEST_F(TorchScript, SaysHowManyInputsTheNetworkTakes) {
  EXPECT_THAT(error("times_input", kDisparityKind),
              ::testing::HasSubstr("takes 1 inputs besides the picture, but its card names 0"));
  EXPECT_THAT(error("first_channel", kDisparityKind,
                    "resize = \"exact\"\nwidth = 4\nheight = 4\nextra = [\"focal_px\"]"),
              ::testing::HasSubstr("takes 0 inputs besides the picture, but its card names 1"));
}

TEST_F(TorchScript, PlacesSkyAndMarksWhatIsNotSure) {
  cv::Mat picture(4, 4, CV_8UC3, cv::Scalar(0, 51, 255));  // depth 2, sure
  picture.col(0).setTo(cv::Scalar(255, 26, 255));          // sky
  picture.at<cv::Vec3b>(0, 1) = cv::Vec3b(0, 102, 51);     // depth 4, conf 0.2
  picture.at<cv::Vec3b>(0, 2) = cv::Vec3b(0, 102, 0);      // masked out
  picture.at<cv::Vec3b>(0, 3) = cv::Vec3b(0, 153, 255);    // depth 6
  const auto values = [&](const std::string& post) {
    const auto predictor = open("with_sky", "resize = \"exact\"\nwidth = 4\nheight = 4",
                                "depth = \"dict:depth\"\nsky = \"dict:sky\"\nconf = \"dict:conf\"\n"
                                "mask = \"dict:mask\"\nnormal = \"dict:n\"\n"
                                "kind = \"depth-metric\"\n[post]\n" +
                                    post);
    const std::vector<PredictorInput> pictures = {test::as_input(picture)};
    return values_of(predictor->predict(pictures, no_progress())[0]).clone();
  };
  const cv::Mat far = values("sky = \"far\"");
  EXPECT_NEAR(far.at<float>(3, 0), 6.0, 1e-5);
  EXPECT_NEAR(far.at<float>(0, 1), 4.0, 1e-5);
  EXPECT_TRUE(std::isnan(far.at<float>(0, 2)));
  EXPECT_NEAR(far.at<float>(1, 1), 2.0, 1e-5);
  EXPECT_NEAR(values("sky = \"far\"\nclamp = [0, 300]").at<float>(3, 0), 300.0, 1e-4);
  EXPECT_TRUE(std::isnan(values("sky = \"nan\"").at<float>(3, 0)));
  EXPECT_NEAR(values("sky = \"keep\"").at<float>(3, 0), 10.0 * 26 / 255, 1e-5);
  EXPECT_TRUE(std::isnan(values("conf_min = 0.5").at<float>(0, 1)));
  EXPECT_NEAR(values("clamp = [3, 5]").at<float>(1, 1), 3.0, 1e-6);
  EXPECT_NEAR(values("clamp = [3, 5]").at<float>(0, 3), 5.0, 1e-6);
}

TEST_F(TorchScript, AveragesWithTheMirroredPicture) {
  const auto predictor = open("columns", "resize = \"exact\"\nwidth = 8\nheight = 4",
                              kDisparityKind + "\n[post]\nflip_average = true");
  const std::vector<PredictorInput> pictures = {test::as_input(test::synthetic_picture({8, 4}))};
  const cv::Mat values = values_of(predictor->predict(pictures, no_progress())[0]);
  EXPECT_TRUE(test::maps_near(values, cv::Mat(4, 8, CV_32FC1, cv::Scalar(4.5)), {1e-6, 1e-6}));
}

TEST_F(TorchScript, TurnsCanonicalDepthIntoMetres) {
  const cv::Scalar colour(51, 0, 0);  // 0.2
  const auto metres = [&](const std::string& output) {
    return value("first_channel", "", output, colour, /*focal_px=*/8.0);
  };
  EXPECT_NEAR(metres("kind = \"depth-canonical\""), 0.2 * 8.0 / 1000.0, 1e-8);
  EXPECT_NEAR(metres("kind = \"depth-canonical\"\ncanonical_focal = 300"), 0.2 * 8.0 / 300.0, 1e-7);
  EXPECT_NEAR(metres("kind = \"depth-canonical\"\ncanonical_basis = \"width\""), 0.4, 1e-6);
  EXPECT_NEAR(metres("kind = \"inverse-canonical\""), 1.0 / (0.2 * 4.0 / 8.0), 1e-5);
  EXPECT_NEAR(metres("kind = \"inverse-canonical\"\ncanonical_basis = \"net\""),
              1.0 / (0.2 * 1000.0 / 8.0), 1e-6);
  EXPECT_NEAR(metres("kind = \"depth-canonical\"\nunit = \"mm\"\ncanonical_focal = 1"), 0.0016,
              1e-9);
  const auto radial = open("first_channel", "resize = \"exact\"\nwidth = 4\nheight = 4",
                           "kind = \"depth-canonical\"\ngeometry = \"radial\"");
  EXPECT_EQ(radial->info().kind, DepthKind::kDistance);
  EXPECT_TRUE(radial->info().metric);
}

TEST_F(TorchScript, AssumesAFieldOfViewWhereTheFocalLengthIsUnknown) {
  // 4 pixels at 60 degrees: f = 2 / tan(30 degrees).
  EXPECT_NEAR(value("first_channel", "", "kind = \"depth-canonical\"\ncanonical_focal = 1",
                    cv::Scalar(51, 0, 0)),
              0.2 * 2.0 / std::tan(std::numbers::pi / 6.0), 1e-5);
}

TEST_F(TorchScript, DetectsThatAFileWasTracedAtOneSize) {
  const std::vector<PredictorInput> pictures = {test::as_input(test::synthetic_picture({96, 64}))};
  const auto flexible = open("reshapes_64", "resize = \"lower-bound\"\nsize = 64", kDisparityKind);
  try {
    (void)flexible->predict(pictures, no_progress());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("works on 64x64 pixels but not on 96x64"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("fixed_shape = [64, 64]"));
  }
  const auto declared = open("reshapes_64", "resize = \"lower-bound\"\nsize = 64",
                             kDisparityKind + "\n[limits]\nfixed_shape = [64, 64]");
  EXPECT_EQ(values_of(declared->predict(pictures, no_progress())[0]).size(), cv::Size(64, 64));
}

TEST_F(TorchScript, ResizesBackToThePicture) {
  const auto predictor = open("half_size", "resize = \"exact\"\nwidth = 16\nheight = 8",
                              kDisparityKind + "\n[post]\nresize = \"bilinear\"");
  const std::vector<PredictorInput> pictures = {
      test::as_input(cv::Mat(9, 31, CV_8UC3, cv::Scalar(51, 0, 0)))};
  EXPECT_TRUE(test::maps_near(values_of(predictor->predict(pictures, no_progress())[0]),
                              cv::Mat(9, 31, CV_32FC1, cv::Scalar(0.2)), {1e-6, 1e-6}));
}

TEST_F(TorchScript, SaysOnceThatWeightsAreNotForCommerce) {
  const auto messages = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(16);
  const auto logger = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", messages));
  for (int i = 0; i < 2; ++i) {
    const fs::path card = folder_ / "card.toml";
    std::ofstream(card) << "[model]\nid = \"once_told\"\nbackend = \"torchscript\"\n"
                        << "license = \"CC-BY-NC-4.0\"\nlicense_note = \"research only\"\n[input]\n"
                        << "resize = \"exact\"\nwidth = 4\nheight = 4\n[output]\n"
                        << kDisparityKind << "\n";
    (void)make_network(
        {.card = card, .weights = fs::path(VERGENCE_TORCHSCRIPT_DIR) / "first_channel.pt"});
  }
  spdlog::set_default_logger(logger);
  const auto lines = messages->last_formatted();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], ::testing::HasSubstr("'once_told'"));
  EXPECT_THAT(lines[0], ::testing::HasSubstr("CC-BY-NC-4.0; research only"));
}

TEST_F(TorchScript, RefusesACardForAnotherBackend) {
  const fs::path file = fs::path(VERGENCE_TORCHSCRIPT_DIR) / "first_channel.pt";
  EXPECT_THROW((void)make_network({.name = "nano", .weights = file}), Error);
}

TEST_F(TorchScript, RealNetworkGivesItsGoldenOutput) {
  VERGENCE_REQUIRE_SHARED();
  const fs::path golden = test::shared_dir() / "golden/tcmonodepth_small";
  const auto predictor =
      make_network({.card = torchscript_card(),
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
