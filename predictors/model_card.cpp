// SPDX-License-Identifier: Apache-2.0
#include "predictors/model_card.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "predictors/sha256.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
// toml++ 3.3 asserts some of what it reports as an error of the file right afterwards ("[!]").
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

namespace vergence::predictors {
namespace {

constexpr int kLargestSide = 16384;  // px

template <class Value>
struct Word {
  std::string_view word;
  Value value;
};

// What a kind word of a card means: core's words, and those in which networks are usually
// described.
struct KindMeaning {
  DepthKind kind;
  bool metric;
  bool invert;
};

constexpr std::array<Word<KindMeaning>, 11> kKinds = {{
    {"disparity", {DepthKind::kDisparity, false, false}},
    {"log_disparity", {DepthKind::kLogDisparity, false, false}},
    {"inverse_distance", {DepthKind::kInverseDistance, true, false}},
    {"distance", {DepthKind::kDistance, true, false}},
    {"planar_depth", {DepthKind::kPlanarDepth, true, false}},
    {"planar_depth_affine", {DepthKind::kPlanarDepthAffine, false, false}},
    {"disparity-affine", {DepthKind::kDisparity, false, false}},
    {"depth-affine", {DepthKind::kPlanarDepthAffine, false, false}},
    {"depth-relative", {DepthKind::kPlanarDepth, false, false}},
    {"depth-metric", {DepthKind::kPlanarDepth, true, false}},
    {"inverse-metric", {DepthKind::kPlanarDepth, true, true}},
}};

constexpr std::array<Word<ResizeRule>, 6> kResizeRules = {{
    {"short-side", ResizeRule::kShortSide},
    {"lower-bound", ResizeRule::kLowerBound},
    {"upper-bound", ResizeRule::kUpperBound},
    {"minimal", ResizeRule::kMinimal},
    {"exact", ResizeRule::kExact},
    {"fit-pad", ResizeRule::kFitPad},
}};

constexpr std::array<Word<Interpolation>, 3> kInterpolations = {{
    {"bicubic", Interpolation::kBicubic},
    {"bilinear", Interpolation::kBilinear},
    {"area", Interpolation::kArea},
}};

constexpr std::array<Word<bool>, 2> kColours = {{{"rgb", false}, {"bgr", true}}};
constexpr std::array<Word<double>, 2> kRanges = {{{"0-1", 1.0}, {"0-255", 255.0}}};
constexpr std::array<Word<bool>, 2> kResizeOn = {{{"float", true}, {"uint8", false}}};
constexpr std::array<Word<bool>, 2> kPadAlign = {{{"center", true}, {"top-left", false}}};
constexpr std::array<Word<double>, 3> kUnits = {{{"m", 1.0}, {"cm", 0.01}, {"mm", 0.001}}};

// Reads typed values out of the TOML and collects every mistake. A key that was never asked for is
// unknown.
class CardReader {
 public:
  CardReader(const toml::table& card, std::string name) : card_(card), name_(std::move(name)) {}

  // Whether the key stands in the card; marks it as known.
  bool has(const std::string& key) { return node(key) != nullptr; }

  void problem(const std::string& text) { problems_.push_back(text); }

  std::string text(const std::string& key, bool required = false) {
    const toml::node* found = node(key);
    if (found == nullptr) {
      if (required) problem(fmt::format("'{}' is missing", key));
      return {};
    }
    const auto value = found->value_exact<std::string>();
    if (!value) problem(fmt::format("'{}' must be a text, not {}", key, shown(*found)));
    if (value && required && value->empty()) problem(fmt::format("'{}' is empty", key));
    return value.value_or("");
  }

  // One of the words; `fallback` if the key is not there.
  template <class Value, std::size_t kCount>
  Value word(const std::string& key, const std::array<Word<Value>, kCount>& words,
             std::optional<Value> fallback) {
    const toml::node* found = node(key);
    if (found == nullptr) {
      if (!fallback) problem(fmt::format("'{}' is missing", key));
      return fallback.value_or(words.front().value);
    }
    const auto given = found->value_exact<std::string>();
    const auto match = std::find_if(words.begin(), words.end(),
                                    [&](const auto& row) { return given && row.word == *given; });
    if (match != words.end()) return match->value;
    std::vector<std::string> known;
    known.reserve(kCount);
    for (const auto& row : words) known.emplace_back(row.word);
    problem(fmt::format("'{}' must be {}, not {}", key, quoted_list(known), shown(*found)));
    return words.front().value;
  }

  bool flag(const std::string& key, bool fallback) {
    const toml::node* found = node(key);
    if (found == nullptr) return fallback;
    const auto value = found->value_exact<bool>();
    if (!value) problem(fmt::format("'{}' must be true or false, not {}", key, shown(*found)));
    return value.value_or(fallback);
  }

  int integer(const std::string& key, int fallback, int lowest, int highest) {
    const toml::node* found = node(key);
    if (found == nullptr) return fallback;
    const auto value = found->value_exact<std::int64_t>();
    if (value && *value >= lowest && *value <= highest) return static_cast<int>(*value);
    problem(fmt::format("'{}' must be a whole number from {} to {}, not {}", key, lowest, highest,
                        shown(*found)));
    return fallback;
  }

  // A count of bytes; 0 if the key is not there.
  std::int64_t big_integer(const std::string& key) {
    const toml::node* found = node(key);
    if (found == nullptr) return 0;
    const auto value = found->value_exact<std::int64_t>();
    if (!value || *value < 1) {
      problem(fmt::format("'{}' must be a whole number above 0, not {}", key, shown(*found)));
    }
    return value.value_or(0);
  }

  // A list of texts; empty if the key is not there.
  std::vector<std::string> texts(const std::string& key) {
    const toml::node* found = node(key);
    if (found == nullptr) return {};
    std::vector<std::string> result;
    const toml::array* values = found->as_array();
    if (values != nullptr) {
      for (const auto& value : *values) {
        if (const auto text = value.value_exact<std::string>()) result.push_back(*text);
      }
    }
    if (values == nullptr || result.empty() || result.size() != values->size()) {
      problem(fmt::format("'{}' must be a list of texts, not {}", key, shown(*found)));
    }
    return result;
  }

  // A finite number, above zero if so asked.
  double number(const std::string& key, double fallback, bool positive) {
    const toml::node* found = node(key);
    return found == nullptr ? fallback : checked_number(key, *found, positive).value_or(fallback);
  }

  std::array<double, 3> triple(const std::string& key, std::array<double, 3> fallback,
                               bool positive = false) {
    const toml::node* found = node(key);
    if (found == nullptr) return fallback;
    const toml::array* values = found->as_array();
    if (values == nullptr || values->size() != 3) {
      problem(fmt::format("'{}' must be three numbers, not {}", key, shown(*found)));
      return fallback;
    }
    std::array<double, 3> result = fallback;
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string member = fmt::format("{}[{}]", key, i);
      result[i] = checked_number(member, (*values)[i], positive).value_or(fallback[i]);
    }
    return result;
  }

  // Names the keys that nothing asked for, then throws if there was any mistake.
  void finish() {
    find_unknown(card_, "");
    if (problems_.empty()) return;
    throw Error(ErrorCode::kUsage,
                fmt::format("the model card '{}' has {}: {}", name_,
                            problems_.size() == 1 ? "a mistake"
                                                  : fmt::format("{} mistakes", problems_.size()),
                            fmt::join(problems_, "; ")))
        .hint("docs/model-cards.md lists every key");
  }

 private:
  const toml::node* node(const std::string& key) {
    known_.insert(key);
    return card_.at_path(key).node();
  }

  static std::string shown(const toml::node& value) {
    std::ostringstream text;
    value.visit([&](const auto& typed) { text << typed; });
    std::string line = std::move(text).str();
    std::replace(line.begin(), line.end(), '\n', ' ');
    constexpr std::size_t kLongest = 60;
    if (line.size() > kLongest) line = line.substr(0, kLongest) + "...";
    return line;
  }

  std::optional<double> checked_number(const std::string& key, const toml::node& value,
                                       bool positive) {
    const auto found = value.is_number() ? value.value<double>() : std::nullopt;
    if (found && std::isfinite(*found) && (!positive || *found > 0.0)) return found;
    problem(fmt::format("'{}' must be a number{}, not {}", key, positive ? " above 0" : "",
                        shown(value)));
    return std::nullopt;
  }

  void find_unknown(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, value] : table) {
      const std::string full = prefix + std::string(key.str());
      if (known_.contains(full)) continue;
      const auto inside = known_.lower_bound(full + ".");
      const bool is_section = inside != known_.end() && inside->starts_with(full + ".");
      if (is_section && value.is_table()) {
        find_unknown(*value.as_table(), full + ".");
      } else if (is_section) {
        problem(fmt::format("'{}' must be a table", full));
      } else {
        const std::vector<std::string> candidates(known_.begin(), known_.end());
        const auto near = nearest_names(full, candidates, 1);
        problem(
            fmt::format("unknown key '{}'{}", full,
                        near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near.front())));
      }
    }
  }

  const toml::table& card_;
  std::string name_;
  std::set<std::string> known_;
  std::vector<std::string> problems_;
};

CardModel read_model(CardReader& reader) {
  CardModel model;
  model.id = reader.text("model.id", true);
  model.backend = reader.text("model.backend", true);
  model.license = reader.text("model.license", true);
  model.license_note = reader.text("model.license_note");
  model.description = reader.text("model.description");
  model.commercial = reader.flag("model.commercial", true);
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

// `size` belongs to the rules with one side, `width` and `height` to those with two.
void read_sizes(CardReader& reader, CardInput& input) {
  const bool two_sides = input.resize == ResizeRule::kExact || input.resize == ResizeRule::kFitPad;
  const auto side = [&](const std::string& key, bool wanted) {
    if (wanted && !reader.has(key)) {
      reader.problem(fmt::format("'{}' is missing, which this 'input.resize' needs", key));
    }
    const int value = reader.integer(key, 0, 1, kLargestSide);
    if (!wanted && reader.has(key)) {
      reader.problem(fmt::format("'{}' does not go with this 'input.resize'", key));
    }
    return value;
  };
  input.size = side("input.size", !two_sides);
  input.exact_size.width = side("input.width", two_sides);
  input.exact_size.height = side("input.height", two_sides);
  input.multiple = reader.integer("input.multiple", 1, 1, 1024);
  input.min_side = reader.integer("input.min_side", 1, 1, kLargestSide);
  if (two_sides && (input.exact_size.width % input.multiple != 0 ||
                    input.exact_size.height % input.multiple != 0)) {
    reader.problem("'input.width' and 'input.height' must be multiples of 'input.multiple'");
  }
}

CardInput read_input(CardReader& reader) {
  CardInput input;
  input.bgr = reader.word<bool>("input.color", kColours, false);
  input.range = reader.word<double>("input.range", kRanges, 1.0);
  input.mean = reader.triple("input.mean", input.mean);
  input.std = reader.triple("input.std", input.std, true);
  input.resize = reader.word<ResizeRule>("input.resize", kResizeRules, std::nullopt);
  read_sizes(reader, input);
  input.interpolation =
      reader.word<Interpolation>("input.interpolation", kInterpolations, Interpolation::kBicubic);
  input.resize_in_float = reader.word<bool>("input.resize_on", kResizeOn, true);
  const bool pads = reader.has("input.pad_value") || reader.has("input.pad_align");
  if (pads && input.resize != ResizeRule::kFitPad) {
    reader.problem("'input.pad_value' and 'input.pad_align' go with resize = \"fit-pad\" only");
  }
  input.pad_value = reader.triple("input.pad_value", input.pad_value);
  input.pad_center = reader.word<bool>("input.pad_align", kPadAlign, true);
  return input;
}

OutputSelector read_selector(CardReader& reader) {
  constexpr std::string_view kTuple = "tuple:";
  constexpr std::string_view kDict = "dict:";
  const std::string text = reader.has("output.depth") ? reader.text("output.depth") : "tensor";
  OutputSelector selector;
  if (text == "tensor") return selector;
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
        fmt::format("'output.depth' must be 'tensor', 'tuple:N' or 'dict:KEY', not '{}'", text));
    return selector;
  }
  selector.form = OutputSelector::Form::kTuple;
  selector.index = std::stoi(number);
  return selector;
}

bool has_unit(DepthKind kind) {
  return kind == DepthKind::kDistance || kind == DepthKind::kPlanarDepth ||
         kind == DepthKind::kInverseDistance;
}

CardOutput read_output(CardReader& reader) {
  CardOutput output;
  output.depth = read_selector(reader);
  const auto meaning = reader.word<KindMeaning>("output.kind", kKinds, std::nullopt);
  output.kind = meaning.kind;
  output.metric = reader.flag("output.metric", meaning.metric);
  if (output.metric && !has_unit(output.kind)) {
    reader.problem("'output.metric' cannot be true for a kind without a unit");
  }
  // "inverse-metric" says already that the network gives a reciprocal.
  output.invert = reader.flag("output.invert", false) != meaning.invert;
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
  return output;
}

// By how much the rules with one side enlarge a picture.
double scale_factor(const CardInput& input, cv::Size picture) {
  const double horizontal = static_cast<double>(input.size) / picture.width;
  const double vertical = static_cast<double>(input.size) / picture.height;
  if (input.resize == ResizeRule::kUpperBound) return std::min(horizontal, vertical);
  if (input.resize != ResizeRule::kMinimal) return std::max(horizontal, vertical);
  return std::abs(1.0 - horizontal) < std::abs(1.0 - vertical) ? horizontal : vertical;
}

double rounded_to_multiple(double side, double bound, const CardInput& input) {
  const double multiple = input.multiple;
  double result = std::nearbyint(side / multiple) * multiple;  // half to even, as the originals do
  if (input.resize == ResizeRule::kLowerBound && result < bound) {
    result = std::ceil(side / multiple) * multiple;
  }
  if (input.resize == ResizeRule::kUpperBound && result > bound) {
    result = std::floor(side / multiple) * multiple;
  }
  const double shortest =
      std::ceil(static_cast<double>(std::max(1, input.min_side)) / multiple) * multiple;
  return std::min(std::max(result, shortest), 1e9);
}

}  // namespace

ModelCard parse_model_card(std::string_view toml, const std::string& name) {
  toml::table table;
  try {
    table = toml::parse(toml, name);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the model card '{}' is no TOML in line {}: {}", name,
                            error.source().begin.line, error.description()))
        .hint("docs/model-cards.md shows a card");
  }
  CardReader reader(table, name);
  ModelCard card;
  card.model = read_model(reader);
  card.weights = read_weights(reader);
  card.input = read_input(reader);
  card.output = read_output(reader);
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

cv::Size network_size(const CardInput& input, cv::Size picture) {
  if (input.resize == ResizeRule::kExact) return input.exact_size;
  const double width = picture.width;
  const double height = picture.height;
  if (input.resize == ResizeRule::kFitPad) {
    const double scale = std::min(input.exact_size.width / width, input.exact_size.height / height);
    return {
        std::clamp(static_cast<int>(std::nearbyint(width * scale)), 1, input.exact_size.width),
        std::clamp(static_cast<int>(std::nearbyint(height * scale)), 1, input.exact_size.height)};
  }
  const double size = input.size;
  const double scale = scale_factor(input, picture);
  return {static_cast<int>(rounded_to_multiple(width * scale, size, input)),
          static_cast<int>(rounded_to_multiple(height * scale, size, input))};
}

int preferred_size_px(const CardInput& input) {
  if (input.resize == ResizeRule::kExact || input.resize == ResizeRule::kFitPad) {
    return std::min(input.exact_size.width, input.exact_size.height);
  }
  return network_size(input, {1024, 1024}).width;
}

}  // namespace vergence::predictors
