// SPDX-License-Identifier: Apache-2.0
#include "config/completion.hpp"

#include "config/composer.hpp"
#include "config/schema.hpp"
#include "config/search_path.hpp"
#include "config/suggestion.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace vergence::config {
namespace {

class Completer {
 public:
  explicit Completer(const ComposeRequest& request)
      : search_path_(search_folders(request.config_dirs), ignored_),
        composition_(compose_tree(request, ignored_)) {}

  std::vector<Candidate> run(std::string_view word) {
    const auto sign = std::min(word.find_first_not_of("+~"), word.size());
    sign_ = word.substr(0, sign);
    word.remove_prefix(sign);
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) {
      keys(word);
    } else {
      values(std::string(word.substr(0, equals)), word.substr(equals + 1));
    }
    return std::move(found_);
  }

 private:
  void add(std::string text, std::string description) {
    text.insert(0, sign_);
    found_.push_back({std::move(text), std::move(description)});
  }

  // One level at a time: groups and tables first, then what is in them.
  void keys(std::string_view word) {
    const bool ends_at_key = sign_ == "~";
    for (const auto& group : search_path_.groups()) {
      if (group.starts_with(word)) add(group + (ends_at_key ? "" : "="), "group");
    }
    for (const auto& [name, option] : choices_) {
      const bool is_mounted = name.find('@') != std::string::npos;
      if (is_mounted && name.starts_with(word)) add(name + (ends_at_key ? "" : "="), "group");
    }
    const auto dot = word.rfind('.');
    const std::size_t level = dot == std::string_view::npos ? 0 : dot + 1;
    std::set<std::string> seen;
    const auto add_key = [&](const std::string& key) {
      if (!key.starts_with(word)) return;
      const auto end = key.find('.', level);
      const bool is_table = end != std::string::npos;
      const std::string text = is_table ? key.substr(0, end + 1) : key + (ends_at_key ? "" : "=");
      if (!seen.insert(text).second) return;
      const KeyRule* rule = is_table ? nullptr : Schema::shipped().find(key);
      add(text, rule == nullptr ? "" : rule->doc);
    };
    for (const auto& key : leaf_keys(tree_)) add_key(key);
    // A key that only some options have may be typed before the option.
    for (const auto& rule : Schema::shipped().rules()) add_key(rule.key);
    for (const auto& key : keys_of_elements()) add_key(key);
  }

  // Those of the tables in lists that hold tables of a group's keys.
  [[nodiscard]] std::vector<std::string> keys_of_elements() const {
    std::vector<std::string> keys;
    for (const auto& rule : Schema::shipped().rules()) {
      const Value* node = rule.group.empty() ? nullptr : find(tree_, split_key(rule.key));
      const auto* items = node == nullptr ? nullptr : node->as<Value::List>();
      for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
        if ((*items)[i].as<Value::Table>() == nullptr) continue;
        for (const auto& key : leaf_keys((*items)[i])) {
          keys.push_back(fmt::format("{}.{}.{}", rule.key, i, key));
        }
      }
    }
    return keys;
  }

  void values(const std::string& key, std::string_view value) {
    const auto comma = value.rfind(',');
    const std::size_t done = comma == std::string_view::npos ? 0 : comma + 1;
    const std::string front = key + "=" + std::string(value.substr(0, done));
    value.remove_prefix(done);
    const auto add_value = [&](const std::string& name, const std::string& description) {
      if (name.starts_with(value)) add(front + name, description);
    };
    const std::string group = key.substr(0, key.find('@'));
    if (search_path_.is_group(group)) {
      for (const auto& name : search_path_.options(group)) add_value(name, "");
      return;
    }
    const KeyRule* rule = Schema::shipped().find(key);
    if (rule == nullptr) return;
    for (const auto& allowed : rule->values) add_value(to_text(allowed), "");
    if (rule->type == BaseType::kBool) {
      add_value("true", "");
      add_value("false", "");
    }
    const Value* now = find(tree_, split_key(key));
    if (rule->values.empty() && rule->type != BaseType::kBool && rule->type != BaseType::kPath &&
        now != nullptr && value.empty() && to_text(*now).size() < 40 && !to_text(*now).empty()) {
      add_value(to_text(*now), type_label(*rule));
    }
  }

  std::vector<std::string> ignored_;
  SearchPath search_path_;
  Composition composition_;
  const Value& tree_ = composition_.written;
  const std::map<std::string, std::string>& choices_ = composition_.choices;
  std::string sign_;
  std::vector<Candidate> found_;
};

}  // namespace

std::vector<Candidate> complete_override(const ComposeRequest& request, std::string_view word) {
  return Completer(request).run(word);
}

bool takes_path(std::string_view key) {
  key.remove_prefix(std::min(key.find_first_not_of("+~"), key.size()));
  const KeyRule* rule = Schema::shipped().find(key);
  return rule != nullptr && rule->type == BaseType::kPath;
}

}  // namespace vergence::config
