// SPDX-License-Identifier: Apache-2.0
#include "config/config.hpp"

#include "config/composer.hpp"
#include "config/interpolation.hpp"
#include "config/override.hpp"
#include "config/schema.hpp"
#include "config/search_path.hpp"
#include "config/suggestion.hpp"
#include "config/toml_file.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace vergence::config {

struct Config::Impl {
  Composition composition;
};

namespace {

void escape_strings(Value& value) {
  if (auto* string = value.as<std::string>()) {
    *string = escape_interpolation(*string);
  } else if (auto* list = value.as<Value::List>()) {
    for (auto& item : *list) escape_strings(item);
  } else if (auto* table = value.as<Value::Table>()) {
    for (auto& [key, inner] : *table) escape_strings(inner);
  }
}

const Value& read(const Value& tree, std::string_view key) {
  const Path path = split_key(key);
  const Value* value = path.empty() ? nullptr : find(tree, path);
  if (value != nullptr && !value->is_mandatory()) return *value;
  const KeyRule* rule = Schema::shipped().find(key);
  throw Error(ErrorCode::kUsage, fmt::format("'{}' has no value", key))
      .hint(fmt::format("set it with '{}{}=VALUE'{}", value == nullptr ? "+" : "", key,
                        rule == nullptr ? "" : " (" + rule->doc + ")"));
}

[[noreturn]] void wrong_type(std::string_view key, const Value& value, std::string_view wanted) {
  throw Error(ErrorCode::kUsage, fmt::format("'{}' ({}): expected {}, got {}", key, value.origin,
                                             wanted, describe_value(value)));
}

std::optional<double> as_number(const Value& value) {
  if (const auto* integer = value.as<std::int64_t>()) return static_cast<double>(*integer);
  if (const auto* number = value.as<double>()) return *number;
  return std::nullopt;
}

}  // namespace

ConfigError::ConfigError(std::vector<std::string> diagnostics)
    : Error(ErrorCode::kUsage, fmt::format("{}", fmt::join(diagnostics, "\n"))),
      diagnostics_(std::move(diagnostics)) {}

Config::Config(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

bool Config::contains(std::string_view key) const {
  const Path path = split_key(key);
  const Value* value = path.empty() ? nullptr : find(impl_->composition.resolved, path);
  return value != nullptr && !value->is_mandatory();
}

bool Config::boolean(std::string_view key) const {
  const Value& value = read(impl_->composition.resolved, key);
  if (const auto* boolean = value.as<bool>()) return *boolean;
  wrong_type(key, value, "true or false");
}

std::int64_t Config::integer(std::string_view key) const {
  const Value& value = read(impl_->composition.resolved, key);
  if (const auto* integer = value.as<std::int64_t>()) return *integer;
  wrong_type(key, value, "an integer");
}

double Config::number(std::string_view key) const {
  const Value& value = read(impl_->composition.resolved, key);
  if (const auto number = as_number(value)) return *number;
  wrong_type(key, value, "a number");
}

std::string Config::string(std::string_view key) const {
  const Value& value = read(impl_->composition.resolved, key);
  if (const auto* string = value.as<std::string>()) return *string;
  wrong_type(key, value, "a string");
}

std::vector<std::string> Config::strings(std::string_view key) const {
  const Value& value = read(impl_->composition.resolved, key);
  const auto* items = value.as<Value::List>();
  if (items == nullptr) wrong_type(key, value, "a list of strings");
  std::vector<std::string> strings;
  for (const auto& item : *items) {
    const auto* string = item.as<std::string>();
    if (string == nullptr) wrong_type(key, value, "a list of strings");
    strings.push_back(*string);
  }
  return strings;
}

std::vector<double> Config::numbers(std::string_view key) const {
  const Value& value = read(impl_->composition.resolved, key);
  const auto* items = value.as<Value::List>();
  if (items == nullptr) wrong_type(key, value, "a list of numbers");
  std::vector<double> numbers;
  for (const auto& item : *items) {
    const auto number = as_number(item);
    if (!number) wrong_type(key, value, "a list of numbers");
    numbers.push_back(*number);
  }
  return numbers;
}

bool Config::set_by_user(std::string_view key) const {
  const Path path = split_key(key);
  const Value* value = path.empty() ? nullptr : find(impl_->composition.resolved, path);
  if (value == nullptr) return false;
  if (value->origin.starts_with(kArgumentOrigin)) return true;
  const Value* other = find(shipped_composition().written, path);
  return other == nullptr || !same_value(*value, *other);
}

std::string Config::choice(std::string_view group) const {
  const auto found = impl_->composition.choices.find(std::string(group));
  return found == impl_->composition.choices.end() ? "" : found->second;
}

std::vector<std::string> Config::keys() const {
  return leaf_keys(impl_->composition.resolved);
}

std::string Config::to_toml(bool resolved) const {
  const auto is_extra = [](const std::string& key) {
    return Schema::shipped().find(key) == nullptr;
  };
  if (!resolved) return to_toml_file(impl_->composition.written, is_extra);
  // What the values say now is literal: "${" must not be read as an interpolation again.
  Value tree = impl_->composition.resolved;
  escape_strings(tree);
  return to_toml_file(tree, is_extra);
}

std::string Config::package_toml(std::string_view key, bool resolved) const {
  std::string dotted(key);
  std::replace(dotted.begin(), dotted.end(), '/', '.');
  const Path path = split_key(dotted);
  const Value* found =
      path.empty()
          ? nullptr
          : find(resolved ? impl_->composition.resolved : impl_->composition.written, path);
  if (found == nullptr) {
    const auto near = nearest_names(dotted, tables_and_keys(impl_->composition.written));
    throw Error(ErrorCode::kUsage, fmt::format("there is no key '{}' to print", key))
        .hint(near.empty() ? "see `vergence config`" : "did you mean " + quoted_list(near) + "?");
  }
  if (found->as<Value::Table>() == nullptr) return to_text(*found) + "\n";
  Value table = *found;
  if (resolved) escape_strings(table);
  const std::string prefix = join_key(path) + ".";
  return to_toml_file(table, [&](const std::string& inner) {
    return Schema::shipped().find(prefix + inner) == nullptr;
  });
}

std::string Config::defaults_table() const {
  return impl_->composition.defaults_table;
}

std::string Config::defaults_tree() const {
  return impl_->composition.defaults_tree;
}

std::string Config::search_path_table() const {
  return impl_->composition.search_path;
}

std::string Config::origin_table() const {
  std::vector<std::pair<std::string, std::string>> lines;
  std::size_t width = 0;
  for (const auto& key : keys()) {
    const Value& value = *find(impl_->composition.resolved, split_key(key));
    lines.emplace_back(fmt::format("{} = {}", key, to_inline_toml(value)), value.origin);
    width = std::max(width, std::min<std::size_t>(lines.back().first.size(), 60));
  }
  std::string table;
  for (const auto& [setting, origin] : lines) {
    table += fmt::format("{:<{}}  # {}\n", setting, width, origin);
  }
  return table;
}

Config compose(const ComposeRequest& request) {
  std::vector<std::string> diagnostics;
  auto impl = std::make_shared<Config::Impl>();
  impl->composition = compose_tree(request, diagnostics);
  if (!diagnostics.empty()) throw ConfigError(std::move(diagnostics));
  return Config(std::move(impl));
}

void check_override(std::string_view argument) {
  try {
    static_cast<void>(parse_override(argument));
  } catch (const SyntaxError& error) {
    throw ConfigError({error.what()});
  }
}

std::vector<std::string> groups() {
  std::vector<std::string> none;
  return SearchPath({}, none).groups();
}

std::vector<std::string> options(std::string_view group) {
  std::vector<std::string> none;
  return SearchPath({}, none).options(std::string(group));
}

}  // namespace vergence::config
