// SPDX-License-Identifier: Apache-2.0
#include "predictors/model_card.hpp"

#include "core/error.hpp"
#include "predictors/network_size.hpp"
#include "tests/support/paths.hpp"

#include <fstream>
#include <random>
#include <sstream>

#include <fmt/format.h>

namespace vergence::predictors {
namespace {

constexpr std::string_view kCard = R"(
[model]
id = "some_net"
backend = "torchscript"
license = "MIT"
[input]
resize = "lower-bound"
size = 256
[output]
kind = "disparity"
)";

std::string with(const std::string& from, const std::string& to) {
  std::string card(kCard);
  const auto at = card.find(from);
  EXPECT_NE(at, std::string::npos);
  return card.replace(at, from.size(), to);
}

std::string error_of(const std::string& card) {
  try {
    (void)parse_model_card(card, "card.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "";
}

TEST(ModelCard, FillsInDefaults) {
  const ModelCard card = parse_model_card(kCard, "card.toml");
  EXPECT_EQ(card.model.id, "some_net");
  EXPECT_FALSE(card.input.bgr);
  EXPECT_EQ(card.input.range, 1.0);
  EXPECT_EQ(card.input.multiple, 1);
  EXPECT_EQ(card.input.interpolation, Interpolation::kBicubic);
  EXPECT_TRUE(card.input.resize_in_float);
  EXPECT_EQ(card.output.depth.form, OutputSelector::Form::kTensor);
  EXPECT_EQ(card.output.multiplier, 1.0);
}

TEST(ModelCard, OfAWarpHasNoInputAndOutput) {
  const std::string warp =
      "[model]\nid = \"w\"\ntask = \"warp\"\nbackend = \"native:w\"\nlicense = \"MIT\"\n";
  EXPECT_EQ(parse_model_card(warp, "w.toml").model.task, NetworkTask::kWarp);
  EXPECT_THAT(error_of(warp + "[input]\nsize = 4\n"), ::testing::HasSubstr("unknown key 'input'"));
  EXPECT_THAT(error_of(with("[input]", "task = \"paint\"\n[input]")),
              ::testing::HasSubstr("'depth' or 'warp'"));
}

TEST(ModelCard, ReadsEveryKey) {
  const ModelCard card = parse_model_card(R"(
[model]
id = "net-1.0"
backend = "native:family"
license = "Apache-2.0"
license_note = "note"
description = "text"
[input]
color = "bgr"
range = "0-255"
mean = [1, 2.5, 3]
std = [4, 5, 6]
resize = "fit-pad"
width = 640
height = 320
multiple = 32
min_side = 64
interpolation = "area"
resize_on = "uint8"
pad_value = [7, 8, 9]
pad_align = "top-left"
[output]
depth = "tuple:12"
kind = "depth-metric"
invert = true
unit = "mm"
max_depth = 80
)",
                                          "card.toml");
  EXPECT_TRUE(card.input.bgr);
  EXPECT_EQ(card.input.range, 255.0);
  EXPECT_EQ(card.input.mean, (std::array<double, 3>{1.0, 2.5, 3.0}));
  EXPECT_EQ(card.input.std, (std::array<double, 3>{4.0, 5.0, 6.0}));
  EXPECT_EQ(card.input.resize, ResizeRule::kFitPad);
  EXPECT_EQ(card.input.exact_size, cv::Size(640, 320));
  EXPECT_EQ(card.input.interpolation, Interpolation::kArea);
  EXPECT_FALSE(card.input.resize_in_float);
  EXPECT_EQ(card.input.pad_value, (std::array<double, 3>{7.0, 8.0, 9.0}));
  EXPECT_FALSE(card.input.pad_center);
  EXPECT_EQ(card.output.depth.form, OutputSelector::Form::kTuple);
  EXPECT_EQ(card.output.depth.index, 12);
  EXPECT_EQ(card.output.kind, DepthKind::kPlanarDepth);
  EXPECT_TRUE(card.output.metric);
  EXPECT_TRUE(card.output.invert);
  EXPECT_DOUBLE_EQ(card.output.multiplier, 0.08);
}

TEST(ModelCard, ReadsWhatFurtherNetworksNeed) {
  const ModelCard card = parse_model_card(R"(
[model]
id = "net"
family = "some"
backend = "torchscript"
file = "net.pt"
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
license = "CC-BY-NC-4.0"
params = 24800000
[input]
dtype = "float16"
resize = "pixel-budget"
min_pixels = 200000
max_pixels = 600000
multiple = 14
rounding = "up"
interp = "bilinear"
antialias = true
pad_mode = "reflect"
reflect_k = 2.5
extra = ["focal_px", "fov_x_deg", "K3x3", "K1x3x3", "num_tokens"]
num_tokens = 1800
[output]
depth = "0"
points = "dict:points"
conf = "tuple:1"
mask = "dict:mask"
normal = "dict:normal"
scale = "dict:metric_scale"
sky = "dict:sky"
kind = "points-affine"
shift_solve = true
geometry = "radial"
[post]
unpad = false
resize = "bicubic"
clamp = [0, 300]
sky = "nan"
conf_min = 0.25
flip_average = true
[limits]
tokens_max = 4000
bf16_error = 0.02
batch_max = 4
)",
                                          "card.toml");
  EXPECT_EQ(card.limits.bfloat16_error, 0.02);
  EXPECT_EQ(card.model.family, "some");
  EXPECT_EQ(card.model.parameters, 24800000);
  EXPECT_FALSE(card.model.commercial);
  EXPECT_THAT(card.weights.files, ::testing::ElementsAre("net.pt"));
  EXPECT_EQ(card.weights.sha256.size(), 64U);
  EXPECT_EQ(card.input.type, InputType::kFloat16);
  EXPECT_EQ(card.input.resize, ResizeRule::kPixelBudget);
  EXPECT_EQ(card.input.min_pixels, 200000.0);
  EXPECT_EQ(card.input.max_pixels, 600000.0);
  EXPECT_EQ(card.input.rounding, Rounding::kUp);
  EXPECT_EQ(card.input.interpolation, Interpolation::kBilinear);
  EXPECT_TRUE(card.input.antialias);
  EXPECT_FALSE(card.input.align_corners);
  EXPECT_EQ(card.input.pad_mode, PadMode::kReflect);
  EXPECT_EQ(card.input.border_factor, 2.5);
  EXPECT_THAT(card.input.extra,
              ::testing::ElementsAre(ExtraInput::kFocalPx, ExtraInput::kFovX, ExtraInput::kK3x3,
                                     ExtraInput::kK1x3x3, ExtraInput::kNumTokens));
  EXPECT_EQ(card.input.num_tokens, 1800);
  EXPECT_EQ(card.input.max_tokens, 4000);
  ASSERT_TRUE(card.output.points && card.output.confidence && card.output.mask &&
              card.output.normal && card.output.scale && card.output.sky);
  EXPECT_EQ(card.output.points->key, "points");
  EXPECT_EQ(card.output.confidence->index, 1);
  EXPECT_EQ(card.output.kind, DepthKind::kDistance);
  EXPECT_TRUE(card.output.metric);  // the network gives a scale
  EXPECT_TRUE(card.output.shift_solve);
  EXPECT_FALSE(card.post.unpad);
  EXPECT_EQ(card.post.resize, Interpolation::kBicubic);
  EXPECT_EQ(card.post.clamp, (std::array<double, 2>{0.0, 300.0}));
  EXPECT_EQ(card.post.sky, SkyRule::kNan);
  EXPECT_EQ(card.post.min_confidence, 0.25);
  EXPECT_TRUE(card.post.flip_average);
}

TEST(ModelCard, KnowsWhatCanonicalCamerasUsuallyAre) {
  const auto output = [](const std::string& lines) {
    return parse_model_card(with("\"disparity\"", lines), "card.toml").output;
  };
  const CardOutput depth = output("\"depth-canonical\"");
  ASSERT_TRUE(depth.canonical);
  EXPECT_TRUE(depth.metric);
  EXPECT_FALSE(depth.invert);
  EXPECT_EQ(depth.canonical->focal, 1000.0);
  EXPECT_FALSE(depth.canonical->by_width);
  const CardOutput inverse = output("\"inverse-canonical\"");
  ASSERT_TRUE(inverse.canonical);
  EXPECT_TRUE(inverse.invert);
  EXPECT_EQ(inverse.canonical->focal, 1.0);
  EXPECT_TRUE(inverse.canonical->by_width);
  EXPECT_EQ(output("\"depth-canonical\"\ncanonical_focal = 300").canonical->focal, 300.0);
  EXPECT_FALSE(output("\"points-affine\"").metric);
  EXPECT_EQ(output("\"points-affine\"\nshift_solve = false").kind, DepthKind::kPlanarDepthAffine);
  EXPECT_EQ(output("\"depth-metric\"\ngeometry = \"radial\"").kind, DepthKind::kDistance);
  EXPECT_EQ(output("\"depth-relative\"\ngeometry = \"radial\"").kind, DepthKind::kDistance);
}

TEST(ModelCard, TakesASizeFromTheShapeOfATracedFile) {
  const CardInput input =
      parse_model_card(fmt::format("{}[limits]\nfixed_shape = [384, 512]", kCard), "card.toml")
          .input;
  EXPECT_EQ(input.resize, ResizeRule::kExact);
  EXPECT_EQ(input.exact_size, cv::Size(512, 384));
}

TEST(ModelCard, KnowsTheWordsForKinds) {
  const auto output = [](const std::string& kind) {
    return parse_model_card(with("\"disparity\"", "\"" + kind + "\""), "card.toml").output;
  };
  EXPECT_EQ(output("disparity-affine").kind, DepthKind::kDisparity);
  EXPECT_EQ(output("log_disparity").kind, DepthKind::kLogDisparity);
  EXPECT_EQ(output("depth-affine").kind, DepthKind::kPlanarDepthAffine);
  EXPECT_EQ(output("depth-relative").kind, DepthKind::kPlanarDepth);
  EXPECT_FALSE(output("depth-relative").metric);
  EXPECT_TRUE(output("planar_depth").metric);
  EXPECT_TRUE(output("inverse-metric").invert);
  EXPECT_TRUE(output("inverse-metric").metric);
  EXPECT_EQ(output("inverse_distance").kind, DepthKind::kInverseDistance);
}

TEST(ModelCard, ReportsAllMistakesAtOnce) {
  const std::string error = error_of(R"(
[model]
id = "a b"
backend = "onnx"
[input]
color = "grb"
range = 255
mean = [1, 2]
std = [1, 0, "x"]
resize = "lower-bound"
sise = 256
width = 300
multiple = 0
pad_align = "center"
[output]
depth = "tuple:x"
kind = "depth"
metric = "yes"
max_depth = -1
[extra]
key = 1
)");
  for (const char* part : {"'card.toml'",
                           "'model.id' may hold",
                           "'model.backend' must be",
                           "'model.license' is missing",
                           "'input.color' must be 'rgb' or 'bgr', not 'grb'",
                           "'input.range' must be",
                           "'input.mean' must be three numbers",
                           "'input.std[1]' must be a number above 0",
                           "'input.std[2]'",
                           "'input.size' is missing",
                           "unknown key 'input.sise'",
                           "did you mean 'input.size'",
                           "'input.width' does not go",
                           "'input.multiple' must be",
                           "'input.pad_align' go with",
                           "'output.depth' must be",
                           "'output.kind' must be",
                           "'output.metric' must be true or false",
                           "'output.max_depth' must be",
                           "unknown key 'extra'"}) {
    EXPECT_THAT(error, ::testing::HasSubstr(part));
  }
  EXPECT_EQ(error.find('\n'), std::string::npos);
}

TEST(ModelCard, RefusesMeaninglessCombinations) {
  EXPECT_THAT(error_of(with("\"disparity\"", "\"disparity\"\nunit = \"mm\"")),
              ::testing::HasSubstr("metric output only"));
  EXPECT_THAT(error_of(with("\"disparity\"", "\"disparity\"\nmetric = true")),
              ::testing::HasSubstr("without a unit"));
  EXPECT_THAT(error_of(with("\"disparity\"", "\"inverse_distance\"\nmax_depth = 10")),
              ::testing::HasSubstr("depths and distances only"));
  EXPECT_THAT(error_of(with("\"lower-bound\"\nsize = 256",
                            "\"exact\"\nwidth = 100\nheight = 64\nmultiple = 32")),
              ::testing::HasSubstr("must be multiples"));
  EXPECT_THAT(error_of(with("[input]", "input = 3\n[other]")),
              ::testing::HasSubstr("'input.resize' is missing"));
  const auto refused = [](const std::string& lines, const std::string& part) {
    EXPECT_THAT(error_of(with("\"disparity\"", lines)), ::testing::HasSubstr(part)) << lines;
  };
  refused("\"disparity\"\ncanonical_focal = 1000", "'output.canonical_focal'");
  refused("\"disparity\"\nshift_solve = true", "'output.shift_solve' needs 'output.points'");
  refused("\"disparity\"\ngeometry = \"radial\"", "'output.geometry' does not go");
  refused("\"distance\"\ngeometry = \"z\"", "'output.geometry' does not go");
  refused("\"points-affine\"\ngeometry = \"radial\"\nshift_solve = false", "'output.shift_solve'");
  refused("\"disparity\"\n[post]\nsky = \"far\"", "'post.sky' needs 'output.sky'");
  refused("\"disparity\"\n[post]\nconf_min = 1", "'post.conf_min' needs 'output.conf'");
  refused("\"disparity\"\n[post]\nclamp = [3, 3]", "'post.clamp' must be a lower");
  refused("\"disparity\"\n[post]\nclamp = 3", "'post.clamp' must be two numbers");
  refused("\"disparity\"\nconf = \"tuple:\"", "'output.conf' must be 'tensor'");
  refused("\"disparity\"\n[limits]\nfixed_shape = [1.5, 2]", "whole pixels");
  refused("\"disparity\"\n[limits]\nbf16_error = 1", "below 1");
  refused("\"disparity\"\n[limits]\nbf16_error = 0", "'limits.bf16_error'");
  refused("\"disparity\"\n[limits]\nfixed_shape = [0, 2]", "'limits.fixed_shape[0]'");
  const auto input_refused = [](const std::string& lines, const std::string& part) {
    EXPECT_THAT(error_of(with("size = 256", "size = 256\n" + lines)), ::testing::HasSubstr(part))
        << lines;
  };
  input_refused("extra = [\"focal\"]", "not 'focal'");
  input_refused("align_corners = true\nantialias = true", "does not go with 'input.antialias'");
  input_refused("interp = \"area\"\nantialias = true", "do not go with \"area\"");
  input_refused("interp = \"area\"\ninterpolation = \"area\"", "are the same");
  input_refused("pad_mode = \"constant\"", "fit-pad");
  input_refused("reflect_k = 3", "'input.reflect_k' goes with");
  input_refused("pad_mode = \"reflect\"\nreflect_k = 1e9", "from 0 to 100");
  input_refused("max_pixels = 3", "'input.max_pixels' does not go");
  EXPECT_THAT(error_of(with("\"lower-bound\"\nsize = 256", "\"pixel-budget\"")),
              ::testing::HasSubstr("'input.max_pixels' is missing"));
  EXPECT_THAT(
      error_of(with("\"lower-bound\"\nsize = 256",
                    "\"exact\"\nwidth = 64\nheight = 64\n[limits]\nfixed_shape = [64, 32]")),
      ::testing::HasSubstr("is not 'input.height' and 'input.width'"));
  EXPECT_THAT(error_of("this is no toml"), ::testing::HasSubstr("no TOML in line 1"));
  EXPECT_THAT(error_of("model = 3"), ::testing::HasSubstr("'model' must be a table"));
}

TEST(ModelCard, NamesTheFileThatItCannotRead) {
  const test::TemporaryFolder folder;
  const auto expect = [](const std::filesystem::path& path, const std::string& part) {
    try {
      (void)read_model_card(path);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("'" + path.string() + "'"));
      EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
    }
  };
  expect(folder / "missing.toml", "no such file");
  expect(folder.path(), "folder");
  std::ofstream(folder / "large.toml") << std::string(2 << 20, '#');
  expect(folder / "large.toml", "too large");
}

TEST(ModelCard, EveryCardOfTheProjectIsValid) {
  int count = 0;
  for (const char* folder : {"models", "docs/models", "tests/data/cards"}) {
    for (const auto& file :
         std::filesystem::recursive_directory_iterator(test::source_dir() / folder)) {
      if (file.path().extension() != ".toml") continue;
      EXPECT_EQ(read_model_card(file.path()).model.id, file.path().stem());
      ++count;
    }
  }
  EXPECT_GE(count, 9);
}

TEST(ModelCard, DamagedCardsAreRefusedNotObeyed) {
  std::ifstream file(test::source_dir() / "models/nano.toml");
  std::stringstream text;
  text << file.rdbuf();
  std::mt19937 random(11);
  for (int i = 0; i < 5000; ++i) {
    std::string card = text.str();
    for (int edit = 0; edit < 3; ++edit) {
      card[random() % card.size()] = static_cast<char>(random() % 256);
    }
    card.resize(random() % (card.size() + 1));
    try {
      (void)parse_model_card(card, "card.toml");
    } catch (const Error&) {
    }
  }
}

TEST(NetworkSize, FollowsTheRules) {
  CardInput input;
  input.multiple = 32;
  input.size = 256;
  input.resize = ResizeRule::kLowerBound;
  EXPECT_EQ(network_size(input, {288, 384}), cv::Size(256, 352));  // the golden photo's size
  EXPECT_EQ(network_size(input, {100, 100}), cv::Size(256, 256));
  input.size = 250;  // 250 / 32 rounds up to 256, below the bound nothing may end
  EXPECT_EQ(network_size(input, {1000, 1000}), cv::Size(256, 256));
  input.size = 230;
  EXPECT_EQ(network_size(input, {1000, 1000}), cv::Size(256, 256));
  input.resize = ResizeRule::kShortSide;
  EXPECT_EQ(network_size(input, {1000, 1000}), cv::Size(224, 224));
  input.resize = ResizeRule::kUpperBound;
  EXPECT_EQ(network_size(input, {1000, 500}), cv::Size(224, 128));
  input.size = 256;
  EXPECT_EQ(network_size(input, {1000, 10}), cv::Size(256, 32));
  input.resize = ResizeRule::kMinimal;
  EXPECT_EQ(network_size(input, {1000, 500}), cv::Size(512, 256));  // the height changes less
  EXPECT_EQ(network_size(input, {200, 100}), cv::Size(256, 128));   // the width
  EXPECT_EQ(network_size(input, {100, 100}), cv::Size(256, 256));
  input.resize = ResizeRule::kExact;
  input.exact_size = {320, 192};
  EXPECT_EQ(network_size(input, {7, 9000}), cv::Size(320, 192));
  input.resize = ResizeRule::kFitPad;
  EXPECT_EQ(network_size(input, {1000, 500}), cv::Size(320, 160));
  EXPECT_EQ(network_size(input, {1, 9000}), cv::Size(1, 192));
  input.exact_size = {1064, 616};
  input.rounding = Rounding::kDown;
  EXPECT_EQ(network_size(input, {1242, 375}), cv::Size(1064, 321));  // 321.26
  EXPECT_EQ(network_size(input, {640, 480}), cv::Size(821, 616));    // 821.33
  EXPECT_EQ(network_size(input, {477, 622}), cv::Size(472, 616));    // 472.4; 616 exactly
}

TEST(NetworkSize, RoundsAsTheCardSays) {
  CardInput input;
  input.multiple = 32;
  input.size = 384;
  input.resize = ResizeRule::kUpperBound;
  input.rounding = Rounding::kDown;
  for (int height = 12; height <= 4000; ++height) {  // Tiefenrausch: int(w * 384 / h) // 32 * 32
    const int width = 3 * height / 4;
    EXPECT_EQ(network_size(input, {width, height}),
              cv::Size(std::max(32, width * 384 / height / 32 * 32), 384));
  }
}

TEST(NetworkSize, KeepsToBudgets) {
  CardInput input;
  input.resize = ResizeRule::kPixelBudget;
  input.multiple = 14;
  input.rounding = Rounding::kUp;
  input.min_pixels = 200000;
  input.max_pixels = 600000;
  // UniDepth: factor sqrt(600000 / 2073600), int(1032.8) and int(580.9), up to multiples of 14.
  EXPECT_EQ(network_size(input, {1920, 1080}), cv::Size(1036, 588));
  EXPECT_EQ(network_size(input, {640, 480}), cv::Size(644, 490));
  EXPECT_EQ(network_size(input, {100, 100}), cv::Size(448, 448));  // 447.2
  input.rounding = Rounding::kNearest;
  input.min_pixels = input.max_pixels = 1800.0 * 14 * 14;
  EXPECT_EQ(network_size(input, {640, 480}), cv::Size(686, 518));
  input.max_tokens = 1000;
  const cv::Size fewer = network_size(input, {640, 480});
  EXPECT_LE(fewer.width / 14 * (fewer.height / 14), 1000);
  EXPECT_GE(fewer.width / 14 * (fewer.height / 14), 900);
  EXPECT_EQ(fewer.width % 14 + fewer.height % 14, 0);
  for (const cv::Size strip : {cv::Size(100000, 1), cv::Size(1, 100000)}) {
    const cv::Size size = network_size(input, strip);
    EXPECT_LE(size.width / 14 * (size.height / 14), 1000);
    EXPECT_GE(std::min(size.width, size.height), 14);
  }
}

// golden: the official rule is round(side * scale / 32) * 32, at least the bound.
TEST(NetworkSize, NeverLeavesItsBound) {
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    CardInput input;
    input.multiple = 1 + static_cast<int>(random() % 40);
    input.size = 64 + static_cast<int>(random() % 600);
    const cv::Size picture(1 + static_cast<int>(random() % 5000),
                           1 + static_cast<int>(random() % 5000));
    input.resize = ResizeRule::kLowerBound;
    const cv::Size lower = network_size(input, picture);
    EXPECT_GE(std::min(lower.width, lower.height), input.size);
    EXPECT_EQ(lower.width % input.multiple + lower.height % input.multiple, 0);
    input.resize = ResizeRule::kUpperBound;
    const cv::Size upper = network_size(input, picture);
    EXPECT_LE(std::max(upper.width, upper.height), input.size);
    EXPECT_GE(std::min(upper.width, upper.height), input.multiple);
  }
}

}  // namespace
}  // namespace vergence::predictors
