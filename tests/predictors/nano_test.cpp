// SPDX-License-Identifier: Apache-2.0
// The embedded network against its golden pairs (models/nano/ARCHITECTURE.md).
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/module.hpp"
#include "core/parallel.hpp"
#include "predictors/embedded.hpp"
#include "predictors/model_registry.hpp"
#include "predictors/network.hpp"
#include "predictors/predictor_factory.hpp"
#include "predictors/preprocessing.hpp"
#include "predictors/safetensors.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <atomic>
#include <fstream>
#include <functional>

#include <opencv2/imgproc.hpp>

namespace vergence::predictors {
namespace {

using test::maps_near;

constexpr test::Tolerance kGolden = {.max = 1e-4, .mean = 1e-5};

std::filesystem::path golden(const std::string& name) {
  return test::source_dir() / "models/nano/golden" / name;
}

std::unique_ptr<Network> open_nano(const std::string& device = "cpu") {
  const auto open = reinterpret_cast<decltype(&vergence_open_network)>(
      module_symbol("torch", "vergence_open_network"));
  NetworkSource source;
  source.name = "nano";
  source.backend = "native:nano";
  source.embedded = embedded_weights("nano");
  source.device = device;
  return std::unique_ptr<Network>(open(source));
}

class CountingProgress : public Progress {
 public:
  void begin(std::string_view, std::string_view, std::int64_t) override {}

  void advance(std::int64_t steps) override { steps_ += steps; }

  void end() override {}

  [[nodiscard]] std::int64_t steps() const { return steps_; }

 private:
  std::atomic<std::int64_t> steps_{0};
};

class NanoGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(NanoGolden, NetworkGivesTheStoredOutput) {
  const cv::Mat input = test::read_npy(golden(GetParam() + "_input.npy"));
  const cv::Mat expected = test::read_npy(golden(GetParam() + "_output.npy"));
  const auto network = open_nano();
  const auto maps = network->run(input, 2);
  ASSERT_EQ(maps.size(), static_cast<std::size_t>(input.size[0]));
  for (int n = 0; n < input.size[0]; ++n) {
    EXPECT_TRUE(maps_near(maps[static_cast<std::size_t>(n)], test::plane(expected, n), kGolden));
  }
}

INSTANTIATE_TEST_SUITE_P(Pairs, NanoGolden,
                         ::testing::Values("random_64x96", "photo_256x320", "tangent_320x320"));

class NanoPicture : public ::testing::TestWithParam<std::string> {};

TEST_P(NanoPicture, PreprocessingGivesTheStoredInput) {
  const cv::Mat picture = test::read_rgb(golden(GetParam() + ".png"));
  const cv::Mat expected = test::read_npy(golden(GetParam() + "_input.npy"));
  CardInput input = find_model_card("nano").input;
  input.size = std::min(picture.cols, picture.rows);
  const Placement placement = placement_of(input, test::as_input(picture));
  ASSERT_EQ(placement.input, picture.size());
  std::vector<float> planes(picture.total() * 3);
  write_planes(input, picture, placement, planes.data());
  for (int channel = 0; channel < 3; ++channel) {
    const cv::Mat actual(picture.size(), CV_32F,
                         planes.data() + static_cast<std::size_t>(channel) * picture.total());
    EXPECT_TRUE(maps_near(actual, test::plane(expected, channel), {.max = 2e-6, .mean = 1e-6}));
  }
}

TEST_P(NanoPicture, PredictorGivesTheStoredOutput) {
  const cv::Mat picture = test::read_rgb(golden(GetParam() + ".png"));
  const cv::Mat expected = test::read_npy(golden(GetParam() + "_output.npy"));
  const auto nano = make_network({.size_px = std::min(picture.cols, picture.rows)});
  const std::vector<PredictorInput> pictures = {test::as_input(picture)};
  const auto maps = nano->predict(pictures, no_progress());
  ASSERT_EQ(maps.size(), 1U);
  EXPECT_EQ(kind_of(maps[0]), DepthKind::kDisparity);
  EXPECT_TRUE(maps_near(values_of(maps[0]), test::plane(expected, 0), kGolden));
}

INSTANTIATE_TEST_SUITE_P(Pairs, NanoPicture, ::testing::Values("photo_256x320", "tangent_320x320"));

TEST(Nano, TellsWhatItIsWithoutLoadingLibTorch) {
  const bool mapped_before = test::maps_library("libtorch");
  const auto nano = make_network({});
  EXPECT_EQ(nano->info().name, "nano");
  EXPECT_EQ(nano->info().kind, DepthKind::kDisparity);
  EXPECT_FALSE(nano->info().metric);
  EXPECT_EQ(nano->info().preferred_size_px, 256);
  EXPECT_FALSE(nano->info().licence.empty());
  EXPECT_EQ(module_loaded("torch"), mapped_before);
  EXPECT_EQ(test::maps_library("libtorch"), mapped_before);
}

TEST(Nano, LoadsLibTorchWithTheFirstPicture) {
  const bool mapped_before = test::maps_library("libtorch");
  const auto nano = make_network({.size_px = 64});
  EXPECT_TRUE(nano->predict({}, no_progress()).empty());
  EXPECT_EQ(test::maps_library("libtorch"), mapped_before);
  const std::vector<PredictorInput> pictures = {test::as_input(test::synthetic_picture({64, 64}))};
  EXPECT_EQ(nano->predict(pictures, no_progress()).size(), 1U);
  EXPECT_TRUE(test::maps_library("libtorch"));
}

TEST(Nano, ResultsDoNotDependOnThreadsOrCompany) {
  std::vector<PredictorInput> pictures;
  pictures.reserve(5);
  for (int i = 0; i < 5; ++i) {
    pictures.push_back(test::as_input(test::synthetic_picture({128, 96 + 32 * (i % 2)}, i)));
  }
  const auto one = make_network({.size_px = 128}, {.device = "cpu", .threads = 1});
  const auto two = make_network({.size_px = 128}, {.device = "cpu", .threads = 2});
  set_thread_count(2);
  const auto together = two->predict(pictures, no_progress());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const auto alone = one->predict({&pictures[i], 1}, no_progress());
    const auto alone_with_two = two->predict({&pictures[i], 1}, no_progress());
    EXPECT_TRUE(maps_near(values_of(together[i]), values_of(alone[0]), {.max = 0, .mean = 0}));
    EXPECT_TRUE(
        maps_near(values_of(alone_with_two[0]), values_of(alone[0]), {.max = 1e-5, .mean = 1e-6}));
  }
}

TEST(Nano, CountsEveryPicture) {
  const auto nano = make_network({.size_px = 64});
  const std::vector<PredictorInput> pictures(7, test::as_input(test::synthetic_picture({80, 60})));
  CountingProgress progress;
  EXPECT_EQ(nano->predict(pictures, progress).size(), 7U);
  EXPECT_EQ(progress.steps(), 7);
}

TEST(Nano, StopsBetweenPictures) {
  class Interrupting : public CountingProgress {
    void advance(std::int64_t steps) override {
      CountingProgress::advance(steps);
      request_interrupt();
    }
  } progress;

  const auto nano = make_network({.size_px = 64}, {.threads = 1});
  const std::vector<PredictorInput> pictures(50, test::as_input(test::synthetic_picture({64, 64})));
  try {
    (void)nano->predict(pictures, progress);
    ADD_FAILURE() << "went on to the end";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  clear_interrupt();
  EXPECT_LE(progress.steps(), 2);
}

TEST(Nano, TakesPicturesOfAnyShape) {
  const auto nano = make_network({.size_px = 64});
  for (const cv::Size size :
       {cv::Size(1, 1), cv::Size(1, 9), cv::Size(333, 101), cv::Size(64, 64)}) {
    const std::vector<PredictorInput> pictures = {test::as_input(test::synthetic_picture(size))};
    const auto maps = nano->predict(pictures, no_progress());
    EXPECT_TRUE(cv::checkRange(values_of(maps[0]))) << size;
  }
}

void expect_error(const std::function<void()>& action, ErrorCode code, const std::string& part) {
  try {
    action();
    ADD_FAILURE() << "no error; expected one with: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

TEST(Nano, RefusesWhatItCannotDo) {
  expect_error([] { (void)make_network({.size_px = 63}); }, ErrorCode::kUsage, "from 64 to 4096");
  expect_error([] { (void)make_network({}, {.device = "gpu"}); }, ErrorCode::kUsage, "'gpu'");
  expect_error([] { (void)make_network({}, {.device = "cuda:x"}); }, ErrorCode::kUsage, "'cuda:x'");
  expect_error([] { (void)make_network({}, {.threads = -1}); }, ErrorCode::kUsage, "'threads'");
  const auto nano = make_network({.size_px = 64});
  const std::vector<PredictorInput> grey = {
      test::as_input(cv::Mat(8, 8, CV_8UC1, cv::Scalar(3)), "grey")};
  expect_error([&] { (void)nano->predict(grey, no_progress()); }, ErrorCode::kFailed, "'grey'");
  const std::vector<PredictorInput> strip = {
      test::as_input(cv::Mat(1, 100000, CV_8UC3, cv::Scalar(3)), "strip")};
  expect_error([&] { (void)nano->predict(strip, no_progress()); }, ErrorCode::kFailed, "elongated");
}

TEST(Nano, SaysThatThereIsNoCudaOrUsesIt) {
  const auto nano = make_network({.size_px = 64}, {.device = "cuda:99"});
  const std::vector<PredictorInput> pictures = {test::as_input(test::synthetic_picture({64, 64}))};
  expect_error([&] { (void)nano->predict(pictures, no_progress()); }, ErrorCode::kUsage,
               "device 'cuda:99'");
}

// The list of tensors that a wrong file of weights is told with.
std::string nano_file_error(const std::function<void(std::string&)>& change) {
  const auto embedded = embedded_weights("nano");
  std::string file(reinterpret_cast<const char*>(embedded.data()), embedded.size());
  change(file);
  const test::TemporaryFolder folder;
  const auto path = folder / "changed.safetensors";
  std::ofstream(path, std::ios::binary) << file;
  const auto open = reinterpret_cast<decltype(&vergence_open_network)>(
      module_symbol("torch", "vergence_open_network"));
  NetworkSource source;
  source.name = "nano";
  source.backend = "native:nano";
  source.file = path;
  source.device = "cpu";
  try {
    const std::unique_ptr<Network> network(open(source));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  ASSERT_EQ(from.size(), to.size());
  const auto at = text.find(from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, from.size(), to);
}

TEST(Nano, OpensItsWeightsFromAFileToo) {
  EXPECT_EQ(nano_file_error([](std::string&) {}), "");
}

TEST(Nano, NamesEveryTensorThatDoesNotFit) {
  const std::string error = nano_file_error([](std::string& file) {
    replace(file, "\"stem.weight\"", "\"stam.weight\"");
    replace(file, "[24,16,1,1]", "[16,24,1,1]");
  });
  EXPECT_THAT(error, ::testing::HasSubstr("'stem.weight' is missing"));
  EXPECT_THAT(error, ::testing::HasSubstr("'stam.weight' is not part of it"));
  EXPECT_THAT(error, ::testing::HasSubstr("'l0.weight' is 16x24x1x1 instead of 24x16x1x1"));
}

}  // namespace
}  // namespace vergence::predictors
