// SPDX-License-Identifier: Apache-2.0
#include "media/sidecar.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

#define TOML_EXCEPTIONS 1
// toml++ 3.3 asserts some of what it reports as an error of the file right afterwards ("[!]").
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

namespace vergence::media {
namespace fs = std::filesystem;

bool DataTree::operator==(const DataTree& other) const {
  return value == other.value;
}

namespace {

// --- Writing. toml++ sorts the keys of a table; a report reads better in the order it was made.

std::string quoted_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      result += fmt::format("\\u{:04X}", byte);
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string bare_or_quoted(std::string_view key) {
  const bool bare = !key.empty() && std::ranges::all_of(key, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
  return bare ? std::string(key) : quoted_text(key);
}

std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string inline_text(const DataTree& tree);

struct InlineText {
  std::string operator()(bool flag) const { return flag ? "true" : "false"; }

  std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }

  std::string operator()(double number) const { return float_text(number); }

  std::string operator()(const std::string& text) const { return quoted_text(text); }

  std::string operator()(const DataTree::Array& items) const {
    std::string result = "[";
    for (const auto& item : items) {
      if (result.size() > 1) result += ", ";
      result += inline_text(item);
    }
    return result + "]";
  }

  std::string operator()(const DataTree::Table& entries) const {
    std::string result = "{";
    for (const auto& [key, value] : entries) {
      result += result.size() > 1 ? ", " : " ";
      result += bare_or_quoted(key) + " = " + inline_text(value);
    }
    return result + " }";
  }
};

std::string inline_text(const DataTree& tree) {
  return std::visit(InlineText{}, tree.value);
}

bool is_table(const DataEntry& entry) {
  return std::holds_alternative<DataTree::Table>(entry.value.value);
}

// Arrays of tables and long arrays get a line per item.
std::string value_text(const DataTree& tree) {
  const auto* items = std::get_if<DataTree::Array>(&tree.value);
  std::string text = inline_text(tree);
  constexpr std::size_t kLongest = 100;
  if (items == nullptr || text.size() <= kLongest) return text;
  text = "[\n";
  for (const auto& item : *items) text += "  " + inline_text(item) + ",\n";
  return text + "]";
}

void append_table(const DataTree::Table& table, const std::string& path, std::string& text) {
  if (!path.empty()) text += fmt::format("\n[{}]\n", path);
  for (const auto& entry : table) {
    if (is_table(entry)) continue;
    text += fmt::format("{} = {}\n", bare_or_quoted(entry.key), value_text(entry.value));
  }
  for (const auto& entry : table) {
    if (!is_table(entry)) continue;
    const std::string key = bare_or_quoted(entry.key);
    append_table(std::get<DataTree::Table>(entry.value.value),
                 path.empty() ? key : fmt::format("{}.{}", path, key), text);
  }
}

DataTree::Table table_of(const DepthFileInfo& info) {
  const bool inverse = info.kind == DepthKind::kInverseDistance;
  DataTree::Table table{
      {"kind", std::string(to_string(info.kind))},
      {"unit", !info.metric ? "relative"
               : inverse    ? "1/m"
                            : "m"},
      {"scale", info.scale.value_or(1.0)},
      {"geometry", info.geometry == DepthGeometry::kRadial ? "radial" : "planar"},
      {"projection",
       info.projection == DepthProjection::kEquirectangular ? "equirectangular" : "pinhole"},
  };
  if (info.horizontal_fov) table.push_back({"horizontal_fov_deg", info.horizontal_fov->degrees()});
  if (info.vertical_fov) table.push_back({"vertical_fov_deg", info.vertical_fov->degrees()});
  table.push_back({"width", info.width});
  table.push_back({"height", info.height});
  if (info.min) table.push_back({"min", *info.min});
  if (info.max) table.push_back({"max", *info.max});
  if (!info.model.empty()) table.push_back({"model", info.model});
  if (!info.source.empty()) table.push_back({"source", info.source});
  if (!info.report.empty()) table.push_back({"report", info.report});
  return table;
}

// --- Reading.

DataTree tree_from(const toml::node& node);

// In the order in which the keys stand in the file.
DataTree::Table table_from(const toml::table& table) {
  struct Placed {
    toml::source_position position;
    DataEntry entry;
  };

  std::vector<Placed> placed;
  for (const auto& [key, node] : table) {
    placed.push_back({key.source().begin, {std::string(key.str()), tree_from(node)}});
  }
  std::ranges::stable_sort(
      placed, [](const Placed& a, const Placed& b) { return a.position < b.position; });
  DataTree::Table result;
  for (auto& item : placed) result.push_back(std::move(item.entry));
  return result;
}

DataTree tree_from(const toml::node& node) {
  if (const auto* table = node.as_table()) return table_from(*table);
  if (const auto* array = node.as_array()) {
    DataTree::Array items;
    for (const auto& item : *array) items.push_back(tree_from(item));
    return items;
  }
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* text = node.as_string()) return text->get();
  std::ostringstream date;  // dates and times
  node.visit([&](const auto& value) {
    if constexpr (toml::is_date<decltype(value)> || toml::is_time<decltype(value)> ||
                  toml::is_date_time<decltype(value)>) {
      date << value.get();
    }
  });
  return date.str();
}

// Typed look-ups that name file and key when something else stands there.
class SidecarReader {
 public:
  SidecarReader(const fs::path& path, const toml::table& table) : path_(path), table_(table) {}

  template <class Value>
  std::optional<Value> find(std::string_view key, std::string_view expected) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return std::nullopt;
    auto value = node->value<Value>();
    if (!value) fail(key, expected);
    return value;
  }

  // A word of a short list, as its place in it.
  template <std::size_t kCount>
  std::optional<std::size_t> find_word(std::string_view key,
                                       const std::array<std::string_view, kCount>& words) const {
    const auto word = find<std::string>(key, "a word");
    if (!word) return std::nullopt;
    const auto found = std::ranges::find(words, *word);
    if (found == words.end()) fail(key, fmt::format("one of '{}'", fmt::join(words, "', '")));
    return static_cast<std::size_t>(found - words.begin());
  }

  std::optional<Radians> find_angle(std::string_view key) const {
    const auto degrees = find<double>(key, "a number");
    return degrees ? std::optional(Radians::from_degrees(*degrees)) : std::nullopt;
  }

  [[noreturn]] void fail(std::string_view key, std::string_view expected) const {
    throw Error(
        fmt::format("cannot use '{}': its key '{}' must be {}", path_.string(), key, expected))
        .hint(
            "correct the sidecar, or remove it and say what the file holds by input.depth_kind "
            "and input.depth_scale");
  }

 private:
  const fs::path& path_;
  const toml::table& table_;
};

DepthFileInfo info_from(const fs::path& path, const toml::table& table) {
  const SidecarReader reader(path, table);
  DepthFileInfo info;
  if (const auto word = reader.find<std::string>("kind", "a word")) {
    const auto kind = depth_kind_from_string(*word);
    if (!kind) reader.fail("kind", "a kind of depth such as 'distance'");
    info.kind = *kind;
  }
  const auto unit =
      reader.find_word("unit", std::array<std::string_view, 3>{"m", "1/m", "relative"});
  info.metric = unit != std::size_t{2};
  info.scale = reader.find<double>("scale", "a number");
  if (info.scale && !(std::isfinite(*info.scale) && *info.scale > 0.0)) {
    reader.fail("scale", "a number above 0");
  }
  const auto geometry =
      reader.find_word("geometry", std::array<std::string_view, 2>{"radial", "planar"});
  if (geometry == std::size_t{1}) info.geometry = DepthGeometry::kPlanar;
  const auto projection =
      reader.find_word("projection", std::array<std::string_view, 2>{"equirectangular", "pinhole"});
  if (projection == std::size_t{1}) info.projection = DepthProjection::kPinhole;
  info.horizontal_fov = reader.find_angle("horizontal_fov_deg");
  info.vertical_fov = reader.find_angle("vertical_fov_deg");
  info.width = reader.find<int>("width", "a whole number").value_or(0);
  info.height = reader.find<int>("height", "a whole number").value_or(0);
  info.min = reader.find<double>("min", "a number");
  info.max = reader.find<double>("max", "a number");
  info.model = reader.find<std::string>("model", "a text").value_or("");
  info.source = reader.find<std::string>("source", "a text").value_or("");
  if (const auto* report = table.get_as<toml::table>("report")) info.report = table_from(*report);
  return info;
}

}  // namespace

fs::path sidecar_path(const fs::path& depth_file) {
  fs::path path = depth_file;
  path += ".toml";
  return path;
}

std::optional<DepthFileInfo> read_sidecar(const fs::path& depth_file) {
  const fs::path path = sidecar_path(depth_file);
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  constexpr std::uintmax_t kMaxBytes = 16 << 20;
  const std::string text = read_file(path, kMaxBytes);
  try {
    return info_from(path, toml::parse(text));
  } catch (const toml::parse_error& error) {
    throw Error(fmt::format("cannot use '{}': it is not TOML (line {}: {})", path.string(),
                            error.source().begin.line, error.description()))
        .hint("correct or remove it");
  }
}

void write_sidecar(const fs::path& depth_file, const DepthFileInfo& info) {
  std::string text = "# What the numbers of the depth file beside this one mean.\n";
  append_table(table_of(info), "", text);
  write_file(sidecar_path(depth_file), text);
}

}  // namespace vergence::media
