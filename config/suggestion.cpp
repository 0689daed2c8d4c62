// SPDX-License-Identifier: Apache-2.0
#include "config/suggestion.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>

namespace vergence::config {
namespace {

void collect(const Value& node, bool with_tables, Path& path, std::vector<std::string>& keys) {
  const auto* table = node.as<Value::Table>();
  if (!path.empty() && (table == nullptr || with_tables)) keys.push_back(join_key(path));
  if (table == nullptr) return;
  for (const auto& [key, value] : *table) {
    path.push_back(key);
    collect(value, with_tables, path, keys);
    path.pop_back();
  }
}

// "'predictor.size' (int, default 518, configs/predictor/small.toml:4)".
std::string described(const std::string& key, const KnownKeys& known) {
  const Value* value = find(known.tree, split_key(key));
  const KeyRule* rule = known.schema.find(key);
  std::string details = rule != nullptr ? type_label(*rule) + ", " : "";
  if (value != nullptr) {
    details += fmt::format("default {}, {}", to_inline_toml(*value), value->origin);
  }
  return fmt::format("'{}' ({})", key, details);
}

std::string alternatives(const std::vector<std::string>& texts) {
  if (texts.size() == 1) return texts.front();
  return fmt::format("{} or {}", fmt::join(texts.begin(), texts.end() - 1, ", "), texts.back());
}

std::string advice_near(const std::string& key, const std::vector<std::string>& keys,
                        const KnownKeys& known) {
  std::vector<std::string> texts;
  for (const auto& near : nearest_names(key, keys)) texts.push_back(described(near, known));
  return texts.empty() ? "" : fmt::format("\n  did you mean {}?", alternatives(texts));
}

// The same last name in another table: "size" of "mesh.size".
std::string advice_elsewhere(const std::string& key, const std::vector<std::string>& keys) {
  const std::string leaf = key.substr(key.rfind('.') + 1);
  std::vector<std::string> found;
  for (const auto& other : keys) {
    if (other.size() > leaf.size() && other.ends_with("." + leaf)) found.push_back(other);
  }
  if (found.size() > 3) found.resize(3);
  return found.empty() ? "" : fmt::format("\n  '{}' exists as {}", leaf, quoted_list(found, "and"));
}

std::string advice_on_groups(const std::string& key, const KnownKeys& known) {
  if (key.find('.') != std::string::npos) return {};
  std::string text;
  for (const auto& group : nearest_names(key, known.search_path.groups())) {
    text += fmt::format("\n  did you mean the group '{}' (options: {})?", group,
                        fmt::join(known.search_path.options(group), ", "));
  }
  return text;
}

}  // namespace

std::vector<std::string> leaf_keys(const Value& table) {
  std::vector<std::string> keys;
  Path path;
  collect(table, false, path, keys);
  return keys;
}

std::vector<std::string> tables_and_keys(const Value& table) {
  std::vector<std::string> keys;
  Path path;
  collect(table, true, path, keys);
  return keys;
}

std::vector<std::string> options_with_key(const std::string& key, SearchPath& search_path) {
  std::vector<std::string> found;
  const Path path = split_key(key);
  if (path.size() < 2 || !search_path.is_group(path.front())) return found;
  for (const auto& option : search_path.options(path.front())) {
    const Value* content = search_path.load(fmt::format("{}/{}", path.front(), option));
    if (content != nullptr && find(*content, std::span(path).subspan(1)) != nullptr) {
      found.push_back(option);
    }
  }
  return found;
}

std::string advice_for_unknown_key(const std::string& key, const KnownKeys& known) {
  if (known.schema.find(key) != nullptr) {
    const std::string group = key.substr(0, key.find('.'));
    std::vector<std::string> owners = options_with_key(key, known.search_path);
    for (auto& owner : owners) owner.insert(0, group + "=");
    const auto chosen = known.choices.find(group);
    if (!owners.empty() && chosen != known.choices.end()) {
      return fmt::format("\n  it belongs to {}; now it is '{}={}'", quoted_list(owners, "and"),
                         group, chosen->second);
    }
  }
  auto keys = leaf_keys(known.tree);
  std::erase(keys, key);  // a file may have brought it
  std::string advice = advice_near(key, keys, known);
  if (advice.empty()) advice = advice_elsewhere(key, keys);
  return advice + advice_on_groups(key, known);
}

}  // namespace vergence::config
