// SPDX-License-Identifier: Apache-2.0
#include "config/reference.hpp"

#include "config/composer.hpp"
#include "config/config.hpp"
#include "config/schema.hpp"
#include "config/search_path.hpp"
#include "config/suggestion.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace vergence::config {
namespace {

std::string group_of(const std::string& key) {
  const auto dot = key.find('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

// The default of a key as TOML; where only some options have the key, these: "(predictor=files)".
std::string default_of(const std::string& key, SearchPath& shipped) {
  const Value* value = find(shipped_composition().written, split_key(key));
  if (value != nullptr) return to_inline_toml(*value);
  return fmt::format("({}={})", group_of(key), fmt::join(options_with_key(key, shipped), "|"));
}

// The remark that a shipped file begins with, as one line.
std::string remark_of(std::string_view name) {
  const auto files = embedded_files();
  const auto file = std::find_if(files.begin(), files.end(),
                                 [&](const EmbeddedFile& f) { return f.name == name; });
  std::string remark;
  std::string_view text = file == files.end() ? std::string_view() : file->text;
  while (text.starts_with("# ")) {
    const auto end = std::min(text.find('\n'), text.size());
    remark += (remark.empty() ? "" : " ") + std::string(text.substr(2, end - 2));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return remark;
}

// A cell of a Markdown table.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, 1, '\\');
  }
  return text;
}

std::string range_of(const KeyRule& rule) {
  if (!rule.values.empty()) {
    std::vector<std::string> words;
    for (const auto& value : rule.values) words.push_back("`" + to_text(value) + "`");
    return fmt::format("{}", fmt::join(words, ", "));
  }
  if (rule.min && rule.max) return fmt::format("{} to {}", *rule.min, *rule.max);
  std::string text;
  if (rule.min) text = fmt::format("at least {}", *rule.min);
  if (rule.above) text = fmt::format("above {}", *rule.above);
  if (rule.max) text += fmt::format("{}at most {}", text.empty() ? "" : ", ", *rule.max);
  return text;
}

std::string option_table(const std::string& group) {
  if (group.empty()) return {};
  const auto names = options(group);
  std::string text = "| option | is |\n|---|---|\n";
  const auto& choices = shipped_composition().choices;
  const auto chosen = choices.find(group);
  for (const auto& name : names) {
    text += fmt::format("| `{}={}`{} | {} |\n", group, name,
                        chosen != choices.end() && chosen->second == name ? " (default)" : "",
                        cell(remark_of(fmt::format("{}/{}", group, name))));
  }
  return names.empty() ? "" : text + "\n";
}

std::string key_row(const KeyRule& rule, SearchPath& shipped) {
  const std::string label = type_label({.key = {},
                                        .type = rule.type,
                                        .is_list = rule.is_list,
                                        .values = {},
                                        .min = {},
                                        .above = {},
                                        .max = {},
                                        .unit = {},
                                        .doc = {}});
  return fmt::format("| `{}` | {} | {} | {} | `{}` | {} |\n", rule.key, label, range_of(rule),
                     rule.unit, cell(default_of(rule.key, shipped)), cell(rule.doc));
}

}  // namespace

std::vector<KeyDescription> key_descriptions(std::span<const std::string> prefixes) {
  std::vector<std::string> none;
  SearchPath shipped({}, none);
  std::vector<KeyDescription> found;
  for (const auto& rule : Schema::shipped().rules()) {
    const bool wanted =
        std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
          return rule.key == prefix || rule.key.starts_with(prefix + ".");
        });
    if (!wanted) continue;
    found.push_back({rule.key, type_label(rule), default_of(rule.key, shipped), rule.doc});
  }
  return found;
}

std::string describe_keys(std::span<const std::string> prefixes) {
  const auto lines = key_descriptions(prefixes);
  std::size_t key_width = 0;
  std::size_t type_width = 0;
  std::size_t value_width = 0;
  for (const auto& line : lines) {
    key_width = std::max(key_width, line.key.size());
    type_width = std::max(type_width, std::min<std::size_t>(line.type.size(), 24));
    value_width = std::max(value_width, std::min<std::size_t>(line.value.size(), 24));
  }
  std::string text;
  for (const auto& line : lines) {
    text += fmt::format("{:<{}}  {:<{}}  {:<{}}  {}\n", line.key, key_width, line.type, type_width,
                        line.value, value_width, line.meaning);
  }
  return text;
}

std::string reference() {
  std::vector<std::string> none;
  SearchPath shipped({}, none);
  std::vector<std::string> sections = {""};  // the keys at the top come first
  const auto add = [&](const std::string& group) {
    if (std::find(sections.begin(), sections.end(), group) == sections.end()) {
      sections.push_back(group);
    }
  };
  for (const auto& rule : Schema::shipped().rules()) add(group_of(rule.key));
  for (const auto& group : groups()) add(group);
  std::string text =
      "# Configuration: every group and key\n\n"
      "Written by `scripts/update-docs` from `configs/`; changes belong there. How to set a key, "
      "choose an\noption and keep presets: [overrides.md](overrides.md).\n";
  for (const auto& section : sections) {
    text += section.empty() ? "\n" : fmt::format("\n## {}\n\n{}", section, option_table(section));
    std::string rows;
    for (const auto& rule : Schema::shipped().rules()) {
      if (group_of(rule.key) == section) rows += key_row(rule, shipped);
    }
    if (rows.empty()) continue;
    text += "| key | type | range | unit | default | meaning |\n|---|---|---|---|---|---|\n" + rows;
  }
  return text;
}

}  // namespace vergence::config
