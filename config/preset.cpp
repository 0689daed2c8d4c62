// SPDX-License-Identifier: Apache-2.0
#include "config/preset.hpp"

#include "config/composer.hpp"
#include "config/override.hpp"
#include "config/schema.hpp"
#include "config/search_path.hpp"
#include "config/toml_file.hpp"
#include "core/output_file.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace vergence::config {
namespace {

namespace fs = std::filesystem;

Value text_value(std::string text) {
  Value value;
  value.data = std::move(text);
  return value;
}

// What arguments change, as a file can say it.
class PresetWriter {
 public:
  PresetWriter(const SearchPath& search_path, const Value& composed)
      : search_path_(search_path),
        composed_(composed) {}

  void add(const Override& change) {
    const bool is_table = change.value && change.value->as<Value::Table>() != nullptr;
    if (!is_table && search_path_.is_group(change.key)) {
      add_choice(change);
    } else if (change.operation == Operation::kDelete) {
      diagnostics_.push_back(fmt::format("'{}': a preset cannot remove a key", change.argument));
    } else if (is_table) {
      for (const auto& key : change.value->as<Value::Table>()->empty()
                                 ? std::vector<std::string>{}
                                 : keys_below(*change.value)) {
        take(split_key(change.key + "." + key));
      }
    } else {
      take(split_key(change.key));
    }
  }

  [[nodiscard]] std::string text() {
    if (!diagnostics_.empty()) throw ConfigError(std::move(diagnostics_));
    std::string text = "_package_ = \"_global_\"\n";
    if (!entries_.empty()) {
      text += "defaults = [\n";
      for (const auto& entry : entries_) text += "  " + to_inline_toml(entry) + ",\n";
      text += "]\n";
    }
    const std::string keys = to_toml_file(
        keys_, [](const std::string& key) { return Schema::shipped().find(key) == nullptr; });
    return keys.empty() ? text : text + "\n" + keys;
  }

 private:
  static std::vector<std::string> keys_below(const Value& table) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : *table.as<Value::Table>()) {
      const auto* inner = value.as<Value::Table>();
      if (inner == nullptr || inner->empty()) {
        keys.push_back(key);
        continue;
      }
      for (const auto& below : keys_below(value)) keys.push_back(fmt::format("{}.{}", key, below));
    }
    return keys;
  }

  void add_choice(const Override& change) {
    const Value option = change.operation == Operation::kDelete || change.value->is_null()
                             ? text_value({})
                             : *change.value;
    const auto* name = option.as<std::string>();
    if (change.key == "preset" && !change.package && name != nullptr) {
      // A preset on top of another one: the file beside it.
      if (!name->empty()) entries_.push_back(option);
      return;
    }
    const bool adds = change.operation == Operation::kAdd || change.operation == Operation::kForce;
    const std::string key = fmt::format("{}/{}{}", adds ? "" : "override ", change.key,
                                        change.package ? "@" + *change.package : "");
    Value entry = make_table();
    entry.as<Value::Table>()->push_back({key, option});
    entries_.push_back(std::move(entry));
  }

  // The composed value of a key; of the whole list where the key is one of its elements.
  void take(const Path& path) {
    const Value* from = &composed_;
    Value* to = &keys_;
    for (std::size_t i = 0; i < path.size(); ++i) {
      from = child(*from, path[i]);
      if (from == nullptr) return;  // removed again by another argument
      const bool is_leaf = i + 1 == path.size() || from->as<Value::Table>() == nullptr;
      Value* known = child(*to, path[i]);
      if (known == nullptr) {
        auto& entries = *to->as<Value::Table>();
        entries.push_back({path[i], is_leaf ? *from : make_table()});
        known = &entries.back().value;
      }
      if (is_leaf) return;
      to = known;
    }
  }

  const SearchPath& search_path_;
  const Value& composed_;
  Value keys_ = make_table();
  std::vector<Value> entries_;  // of the defaults list
  std::vector<std::string> diagnostics_;
};

void check_name(const std::string& name, const SearchPath& search_path, bool overwrite) {
  if (!is_key_name(name) || name.find('$') != std::string::npos) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}' cannot be the name of a preset", name))
        .hint("a name has letters, digits, '_' and '-'");
  }
  const auto known = search_path.options("preset");
  if (!overwrite && std::find(known.begin(), known.end(), name) != known.end()) {
    throw Error(ErrorCode::kUsage, fmt::format("there is a preset '{}' already", name))
        .hint("choose another name, or add --force to write over it");
  }
}

}  // namespace

fs::path save_preset(const std::string& name, const ComposeRequest& request, bool overwrite) {
  std::vector<std::string> diagnostics;
  const SearchPath search_path(search_folders(request.config_dirs), diagnostics);
  check_name(name, search_path, overwrite);
  const Composition composed = compose_tree(request, diagnostics);
  if (!diagnostics.empty()) throw ConfigError(std::move(diagnostics));
  PresetWriter writer(search_path, composed.written);
  for (const auto& argument : request.overrides) writer.add(parse_override(argument));
  const fs::path folder = personal_place();
  if (folder.empty()) {
    throw Error(ErrorCode::kUsage, "there is no folder for presets")
        .hint("set HOME or XDG_CONFIG_HOME");
  }
  fs::path file = folder / "preset" / (name + ".toml");
  const std::string text = writer.text();
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  if (error) {
    throw Error(fmt::format("cannot create '{}': {}", file.parent_path().string(),
                            reason_from_errno(error.value())));
  }
  write_file(file, text);
  return file;
}

}  // namespace vergence::config
