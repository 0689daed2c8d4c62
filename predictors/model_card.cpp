// SPDX-License-Identifier: Apache-2.0
#include "predictors/model_card.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "predictors/card_reader.hpp"
#include "predictors/network_size.hpp"
#include "predictors/sha256.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <fstream>

#include <fmt/format.h>

namespace vergence::predictors {
namespace {

constexpr int kLargestSide = 16384;  // px

// What a kind word of a card means: core's words, and those in which networks are usually
// described.
struct KindMeaning {
  DepthKind kind;
  bool metric = false;
  bool invert = false;
  bool canonical = false;
  bool affine_points = false;
};

constexpr std::array<Word<KindMeaning>, 14> kKinds = {{
    {"disparity", {.kind = DepthKind::kDisparity}},
    {"log_disparity", {.kind = DepthKind::kLogDisparity}},
    {"inverse_distance", {.kind = DepthKind::kInverseDistance, .metric = true}},
    {"distance", {.kind = DepthKind::kDistance, .metric = true}},
    {"planar_depth", {.kind = DepthKind::kPlanarDepth, .metric = true}},
    {"planar_depth_affine", {.kind = DepthKind::kPlanarDepthAffine}},
    {"disparity-affine", {.kind = DepthKind::kDisparity}},
    {"depth-affine", {.kind = DepthKind::kPlanarDepthAffine}},
    {"depth-relative", {.kind = DepthKind::kPlanarDepth}},
    {"depth-metric", {.kind = DepthKind::kPlanarDepth, .metric = true}},
    {"inverse-metric", {.kind = DepthKind::kPlanarDepth, .metric = true, .invert = true}},
    {"depth-canonical", {.kind = DepthKind::kPlanarDepth, .metric = true, .canonical = true}},
    {"inverse-canonical",
     {.kind = DepthKind::kPlanarDepth, .metric = true, .invert = true, .canonical = true}},
    {"points-affine", {.kind = DepthKind::kPlanarDepth, .affine_points = true}},
}};

constexpr std::array<Word<ResizeRule>, 7> kResizeRules = {{
    {"short-side", ResizeRule::kShortSide},
    {"lower-bound", ResizeRule::kLowerBound},
    {"upper-bound", ResizeRule::kUpperBound},
    {"minimal", ResizeRule::kMinimal},
    {"exact", ResizeRule::kExact},
    {"fit-pad", ResizeRule::kFitPad},
    {"pixel-budget", ResizeRule::kPixelBudget},
}};

constexpr std::array<Word<Interpolation>, 3> kInterpolations = {{
    {"bicubic", Interpolation::kBicubic},
    {"bilinear", Interpolation::kBilinear},
    {"area", Interpolation::kArea},
}};

constexpr std::array<Word<std::optional<Interpolation>>, 3> kResizeBack = {{
    {"none", std::nullopt},
    {"bilinear", Interpolation::kBilinear},
    {"bicubic", Interpolation::kBicubic},
}};

constexpr std::array<Word<Rounding>, 3> kRoundings = {{
    {"nearest", Rounding::kNearest},
    {"down", Rounding::kDown},
    {"up", Rounding::kUp},
}};

constexpr std::array<Word<ExtraInput>, 5> kExtraInputs = {{
    {"focal_px", ExtraInput::kFocalPx},
    {"fov_x_deg", ExtraInput::kFovX},
    {"K3x3", ExtraInput::kK3x3},
    {"K1x3x3", ExtraInput::kK1x3x3},
    {"num_tokens", ExtraInput::kNumTokens},
}};

constexpr std::array<Word<InputType>, 3> kInputTypes = {{
    {"float32", InputType::kFloat32},
    {"float16", InputType::kFloat16},
    {"bfloat16", InputType::kBFloat16},
}};

enum class Padding { kNone, kConstant, kReflect };

constexpr std::array<Word<Padding>, 3> kPaddings = {{
    {"none", Padding::kNone},
    {"constant", Padding::kConstant},
    {"reflect", Padding::kReflect},
}};

constexpr std::array<Word<SkyRule>, 3> kSkyRules = {{
    {"keep", SkyRule::kKeep},
    {"far", SkyRule::kFar},
    {"nan", SkyRule::kNan},
}};

enum class Geometry { kOfKind, kZ, kRadial };

constexpr std::array<Word<Geometry>, 2> kGeometries = {{
    {"z", Geometry::kZ},
    {"radial", Geometry::kRadial},
}};

constexpr std::array<Word<bool>, 2> kColours = {{{"rgb", false}, {"bgr", true}}};
constexpr std::array<Word<double>, 2> kRanges = {{{"0-1", 1.0}, {"0-255", 255.0}}};
constexpr std::array<Word<bool>, 2> kResizeOn = {{{"float", true}, {"uint8", false}}};
constexpr std::array<Word<bool>, 3> kPadAlign = {
    {{"center", true}, {"top-left", false}, {"br", false}}};
constexpr std::array<Word<double>, 3> kUnits = {{{"m", 1.0}, {"cm", 0.01}, {"mm", 0.001}}};
constexpr std::array<Word<bool>, 2> kCanonicalBases = {{{"net", false}, {"width", true}}};

constexpr std::array<Word<NetworkTask>, 2> kTasks = {{
    {"depth", NetworkTask::kDepth},
    {"warp", NetworkTask::kWarp},
}};

// What the usual names of such licences have in common.
bool forbids_commerce(const std::string& license) {
  const std::string name = lower(license);
  return name.find("-nc") != std::string::npos ||
         name.find("non-commercial") != std::string::npos ||
         name.find("noncommercial") != std::string::npos;
}

CardModel read_model(CardReader& reader) {
  CardModel model;
  model.id = reader.text("model.id", true);
  model.task = reader.word<NetworkTask>("model.task", kTasks, NetworkTask::kDepth);
  model.backend = reader.text("model.backend", true);
  model.license = reader.text("model.license", true);
  model.license_note = reader.text("model.license_note");
  model.description = reader.text("model.description");
  model.family = reader.text("model.family");
  reader.also("model.params", "model.parameters");
  model.parameters = reader.big_integer("model.parameters");
  model.commercial = reader.flag("model.commercial", !forbids_commerce(model.license));
  const bool plain = std::all_of(model.id.begin(), model.id.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  });
  if (!plain) reader.problem("'model.id' may hold letters, digits, '_', '-' and '.' only");
  const bool known = model.backend.empty() || model.backend == "torchscript" ||
                     (model.backend.starts_with("native:") && model.backend.size() > 7);
  if (!known) {
    reader.problem(fmt::format("'model.backend' must be 'torchscript' or 'native:FAMILY', not '{}'",
                               model.backend));
  }
  return model;
}

// A name that stays in the folder it is looked for in.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

CardWeights read_weights(CardReader& reader) {
  CardWeights weights;
  reader.also("model.file", "weights.files");
  reader.also("model.sha256", "weights.sha256");
  weights.files = reader.texts("weights.files");
  weights.url = reader.text("weights.url");
  weights.sha256 = reader.text("weights.sha256");
  weights.bytes = reader.big_integer("weights.bytes");
  weights.source = reader.text("weights.source");
  for (const auto& file : weights.files) {
    if (!is_plain_name(file)) {
      reader.problem(fmt::format("'weights.files' must hold names of files, not '{}'", file));
    }
  }
  if (!weights.url.empty()) {
    if (!weights.url.starts_with("https://") && !weights.url.starts_with("http://")) {
      reader.problem("'weights.url' must begin with 'https://' or 'http://'");
    }
    if (weights.files.empty()) reader.problem("'weights.url' needs 'weights.files'");
  }
  if (!weights.sha256.empty() && !is_sha256(weights.sha256)) {
    reader.problem("'weights.sha256' must be 64 lower-case hexadecimal digits");
  }
  return weights;
}

// Each key of a size goes with some of the rules only.
void read_sizes(CardReader& reader, CardInput& input) {
  const bool budget = input.resize == ResizeRule::kPixelBudget;
  const bool two_sides = input.resize == ResizeRule::kExact || input.resize == ResizeRule::kFitPad;
  const auto side = [&](const std::string& key, bool wanted, bool required, int highest) {
    if (required && !reader.has(key)) {
      reader.problem(fmt::format("'{}' is missing, which this 'input.resize' needs", key));
    }
    const int value = reader.integer(key, 0, 1, highest);
    if (!wanted && reader.has(key)) {
      reader.problem(fmt::format("'{}' does not go with this 'input.resize'", key));
    }
    return value;
  };
  constexpr int kMostPixels = 1 << 28;
  const bool area = budget && reader.has("input.width");
  input.size = side("input.size", !two_sides && !budget, !two_sides && !budget, kLargestSide);
  input.exact_size.width = side("input.width", two_sides || area, two_sides, kLargestSide);
  input.exact_size.height =
      side("input.height", two_sides || area, two_sides || area, kLargestSide);
  input.min_pixels = side("input.min_pixels", budget && !area, false, kMostPixels);
  input.max_pixels = side("input.max_pixels", budget && !area, budget && !area, kMostPixels);
  if (area) input.min_pixels = input.max_pixels = input.exact_size.area();
  if (input.min_pixels > input.max_pixels) {
    reader.problem("'input.min_pixels' is above 'input.max_pixels'");
  }
  input.multiple = reader.integer("input.multiple", 1, 1, 1024);
  input.min_side = reader.integer("input.min_side", 1, 1, kLargestSide);
  input.rounding = reader.word<Rounding>("input.rounding", kRoundings, Rounding::kNearest);
  if (two_sides && (input.exact_size.width % input.multiple != 0 ||
                    input.exact_size.height % input.multiple != 0)) {
    reader.problem("'input.width' and 'input.height' must be multiples of 'input.multiple'");
  }
}

// A file that was traced at one size declares it; that goes before the rule.
void read_limits(CardReader& reader, CardInput& input) {
  input.max_tokens = reader.integer("limits.tokens_max", 0, 1, 1 << 24);
  // One picture is given at a time, so that any number holds.
  (void)reader.integer("limits.batch_max", 1, 1, 1 << 16);
  if (reader.has("limits.fixed_shape")) {
    const auto sides = reader.numbers<2>("limits.fixed_shape", {1.0, 1.0}, true);
    const bool whole = std::all_of(sides.begin(), sides.end(), [](double side) {
      return side <= kLargestSide && side == std::floor(side);
    });
    if (!whole) {
      reader.problem("'limits.fixed_shape' must be a height and a width in whole pixels");
      return;
    }
    const cv::Size shape(static_cast<int>(sides[1]), static_cast<int>(sides[0]));
    if (has_fixed_size(input) && input.exact_size != shape) {
      reader.problem("'limits.fixed_shape' is not 'input.height' and 'input.width'");
    }
    if (!has_fixed_size(input)) input.resize = ResizeRule::kExact;
    input.exact_size = shape;
  }
  const std::int64_t patch = static_cast<std::int64_t>(input.multiple) * input.multiple;
  if (has_fixed_size(input) && input.max_tokens > 0 &&
      static_cast<std::int64_t>(input.exact_size.width) * input.exact_size.height >
          patch * input.max_tokens) {
    reader.problem("'input.width' and 'input.height' are more than 'limits.tokens_max' allows");
  }
}

void read_padding(CardReader& reader, CardInput& input) {
  const bool fits = input.resize == ResizeRule::kFitPad;
  const Padding padding =
      reader.word<Padding>("input.pad_mode", kPaddings, fits ? Padding::kConstant : Padding::kNone);
  const bool constant_keys = reader.has("input.pad_value") || reader.has("input.pad_align");
  if (!fits && (constant_keys || padding == Padding::kConstant)) {
    reader.problem("'input.pad_value' and 'input.pad_align' go with resize = \"fit-pad\" only");
  }
  if (fits && padding == Padding::kNone) {
    reader.problem("resize = \"fit-pad\" does not go without 'input.pad_mode'");
  }
  if (padding != Padding::kReflect && reader.has("input.reflect_k")) {
    reader.problem("'input.reflect_k' goes with pad_mode = \"reflect\" only");
  }
  if (padding == Padding::kReflect) input.pad_mode = PadMode::kReflect;
  input.pad_value = reader.numbers("input.pad_value", input.pad_value);
  input.pad_center = reader.word<bool>("input.pad_align", kPadAlign, true);
  constexpr double kZoeDepth = 3.0;
  constexpr double kMostBorder = 100.0;
  const double usual = padding == Padding::kReflect && !fits ? kZoeDepth : 0.0;
  input.border_factor = reader.number("input.reflect_k", usual, false);
  if (input.border_factor < 0.0 || input.border_factor > kMostBorder) {
    reader.problem(fmt::format("'input.reflect_k' must be from 0 to {}", kMostBorder));
  }
}

void read_extra_inputs(CardReader& reader, CardInput& input) {
  for (const std::string& word : reader.texts("input.extra")) {
    const auto known = std::find_if(kExtraInputs.begin(), kExtraInputs.end(),
                                    [&](const auto& row) { return row.word == word; });
    if (known == kExtraInputs.end()) {
      reader.problem(
          fmt::format("'input.extra' may hold 'focal_px', 'fov_x_deg', 'K3x3', 'K1x3x3' "
                      "and 'num_tokens', not '{}'",
                      word));
    } else {
      input.extra.push_back(known->value);
    }
  }
  input.num_tokens = reader.integer("input.num_tokens", 0, 1, 1 << 24);
}

CardInput read_input(CardReader& reader) {
  CardInput input;
  input.bgr = reader.word<bool>("input.color", kColours, false);
  input.range = reader.word<double>("input.range", kRanges, 1.0);
  input.mean = reader.numbers("input.mean", input.mean);
  input.std = reader.numbers("input.std", input.std, true);
  input.type = reader.word<InputType>("input.dtype", kInputTypes, InputType::kFloat32);
  input.resize = reader.word<ResizeRule>("input.resize", kResizeRules, std::nullopt);
  read_sizes(reader, input);
  reader.also("input.interp", "input.interpolation");
  input.interpolation =
      reader.word<Interpolation>("input.interpolation", kInterpolations, Interpolation::kBicubic);
  input.align_corners = reader.flag("input.align_corners", false);
  input.antialias = reader.flag("input.antialias", false);
  if (input.interpolation == Interpolation::kArea && (input.align_corners || input.antialias)) {
    reader.problem("'input.align_corners' and 'input.antialias' do not go with \"area\"");
  }
  if (input.align_corners && input.antialias) {
    reader.problem("'input.align_corners' does not go with 'input.antialias'");
  }
  input.resize_in_float = reader.word<bool>("input.resize_on", kResizeOn, true);
  read_padding(reader, input);
  read_extra_inputs(reader, input);
  read_limits(reader, input);
  return input;
}

// Nothing if the key is not there.
std::optional<OutputSelector> read_selector(CardReader& reader, const std::string& key) {
  constexpr std::string_view kTuple = "tuple:";
  constexpr std::string_view kDict = "dict:";
  if (!reader.has(key)) return std::nullopt;
  const std::string text = reader.text(key);
  OutputSelector selector;
  if (text == "tensor" || text == "0") return selector;
  if (text.starts_with(kDict) && text.size() > kDict.size()) {
    selector.form = OutputSelector::Form::kDict;
    selector.key = text.substr(kDict.size());
    return selector;
  }
  const std::string number = text.starts_with(kTuple) ? text.substr(kTuple.size()) : "";
  const bool digits = !number.empty() && number.size() <= 3 &&
                      std::all_of(number.begin(), number.end(),
                                  [](unsigned char c) { return std::isdigit(c) != 0; });
  if (!digits) {
    reader.problem(
        fmt::format("'{}' must be 'tensor', 'tuple:N' or 'dict:KEY', not '{}'", key, text));
    return selector;
  }
  selector.form = OutputSelector::Form::kTuple;
  selector.index = std::stoi(number);
  return selector;
}

// Of points and a depth, affine points go first; of others the depth.
void read_selectors(CardReader& reader, bool affine_points, CardOutput& output) {
  const auto points = read_selector(reader, "output.points");
  const auto depth = read_selector(reader, "output.depth");
  output.depth = depth.value_or(OutputSelector{});
  if (affine_points) {
    output.points = points ? points : output.depth;
  } else if (!depth) {
    output.points = points;
  }
  output.scale = read_selector(reader, "output.scale");
  output.mask = read_selector(reader, "output.mask");
  output.sky = read_selector(reader, "output.sky");
  output.confidence = read_selector(reader, "output.conf");
  output.normal = read_selector(reader, "output.normal");
}

bool has_unit(DepthKind kind) {
  return kind == DepthKind::kDistance || kind == DepthKind::kPlanarDepth ||
         kind == DepthKind::kInverseDistance;
}

// "z" and "radial" say along which line a depth is measured; the kind may say so already.
DepthKind read_geometry(CardReader& reader, DepthKind kind) {
  const auto geometry = reader.word<Geometry>("output.geometry", kGeometries, Geometry::kOfKind);
  const bool radial = kind == DepthKind::kDistance || kind == DepthKind::kInverseDistance;
  if (geometry == Geometry::kRadial && kind == DepthKind::kPlanarDepth) return DepthKind::kDistance;
  if ((geometry == Geometry::kZ && radial) || (geometry == Geometry::kRadial && !radial)) {
    reader.problem("'output.geometry' does not go with this 'output.kind'");
  }
  return kind;
}

void read_points(CardReader& reader, const KindMeaning& meaning, CardOutput& output) {
  output.shift_solve = reader.flag("output.shift_solve", meaning.affine_points);
  if (output.shift_solve && !output.points) {
    reader.problem("'output.shift_solve' needs 'output.points' (and no 'output.depth')");
  }
  if (meaning.affine_points && !output.shift_solve) {
    if (output.kind == DepthKind::kDistance) {
      reader.problem("geometry = \"radial\" needs 'output.shift_solve'");
    }
    output.kind = DepthKind::kPlanarDepthAffine;
    output.metric = false;
  }
}

void read_canonical(CardReader& reader, const KindMeaning& meaning, CardOutput& output) {
  CanonicalCamera camera;
  camera.inverse = meaning.invert;
  camera.by_width =
      reader.word<bool>("output.canonical_basis", kCanonicalBases, /*fallback=*/meaning.invert);
  constexpr double kPixels = 1000.0;
  camera.focal = reader.number("output.canonical_focal", camera.by_width ? 1.0 : kPixels, true);
  if (meaning.canonical) output.canonical = camera;
  if (!meaning.canonical &&
      (reader.has("output.canonical_basis") || reader.has("output.canonical_focal"))) {
    reader.problem(
        "'output.canonical_focal' and 'output.canonical_basis' go with kind "
        "\"depth-canonical\" and \"inverse-canonical\" only");
  }
}

void read_unit(CardReader& reader, CardOutput& output) {
  const double unit = reader.word<double>("output.unit", kUnits, 1.0);
  const double max_depth = reader.number("output.max_depth", 1.0, true);
  if (!output.metric && (reader.has("output.unit") || reader.has("output.max_depth"))) {
    reader.problem("'output.unit' and 'output.max_depth' go with metric output only");
  }
  const bool inverse = output.kind == DepthKind::kInverseDistance;
  if (inverse && reader.has("output.max_depth")) {
    reader.problem("'output.max_depth' goes with depths and distances only");
  }
  output.multiplier = inverse ? 1.0 / unit : unit * max_depth;
}

CardOutput read_output(CardReader& reader) {
  CardOutput output;
  const auto meaning = reader.word<KindMeaning>("output.kind", kKinds, std::nullopt);
  read_selectors(reader, meaning.affine_points, output);
  output.kind = read_geometry(reader, meaning.kind);
  // Affine points become metres by the network's own scale.
  const bool usual = meaning.metric || (meaning.affine_points && output.scale.has_value());
  output.metric = reader.flag("output.metric", usual);
  if (output.metric && !has_unit(output.kind)) {
    reader.problem("'output.metric' cannot be true for a kind without a unit");
  }
  // "inverse-metric" says already that the network gives a reciprocal.
  output.invert = reader.flag("output.invert", false) != meaning.invert;
  read_points(reader, meaning, output);
  read_canonical(reader, meaning, output);
  read_unit(reader, output);
  return output;
}

CardLimits read_card_limits(CardReader& reader) {
  if (!reader.has("limits.bf16_error")) return {};
  const double error = reader.number("limits.bf16_error", 0.0, true);
  if (error >= 1.0) reader.problem("'limits.bf16_error' must be below 1");
  return {.bfloat16_error = error};
}

CardPost read_post(CardReader& reader, const CardOutput& output) {
  CardPost post;
  post.unpad = reader.flag("post.unpad", true);
  post.resize = reader.word<std::optional<Interpolation>>("post.resize", kResizeBack,
                                                          std::optional(post.resize));
  if (reader.has("post.clamp")) {
    post.clamp = reader.numbers<2>("post.clamp", {0.0, 1.0});
    if ((*post.clamp)[0] >= (*post.clamp)[1]) {
      reader.problem("'post.clamp' must be a lower and a higher number");
    }
  }
  post.sky =
      reader.word<SkyRule>("post.sky", kSkyRules, output.sky ? SkyRule::kFar : SkyRule::kKeep);
  if (post.sky != SkyRule::kKeep && !output.sky) reader.problem("'post.sky' needs 'output.sky'");
  if (reader.has("post.conf_min")) {
    post.min_confidence = reader.number("post.conf_min", 0.0, false);
    if (!output.confidence) reader.problem("'post.conf_min' needs 'output.conf'");
  }
  post.flip_average = reader.flag("post.flip_average", false);
  return post;
}

}  // namespace

ModelCard parse_model_card(std::string_view toml, const std::string& name) {
  CardReader reader(toml, name);
  ModelCard card;
  card.model = read_model(reader);
  card.weights = read_weights(reader);
  if (card.model.task == NetworkTask::kDepth) {
    card.input = read_input(reader);
    card.output = read_output(reader);
    card.post = read_post(reader, card.output);
    card.limits = read_card_limits(reader);
  }
  reader.finish();
  return card;
}

ModelCard read_model_card(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) {
    throw Error(fmt::format("cannot read the model card '{}': {}", path.string(),
                            std::filesystem::is_directory(path) ? "it is a folder"
                                                                : reason_from_errno(errno)))
        .hint("docs/model-cards.md says how to write one");
  }
  // A card is a page of text; a larger file is something else given by mistake.
  constexpr std::streamsize kLargestCard = 1 << 20;
  std::string text(kLargestCard, '\0');
  file.read(text.data(), kLargestCard);
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (file.gcount() == kLargestCard) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'{}' is no model card: it is too large", path.string()))
        .hint("a card is a page of TOML");
  }
  return parse_model_card(text, path.string());
}

}  // namespace vergence::predictors
