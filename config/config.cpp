// SPDX-License-Identifier: Apache-2.0
#include "config/config.hpp"

#include "config/defaults.hpp"
#include "config/interpolation.hpp"
#include "config/override.hpp"
#include "config/schema.hpp"
#include "config/search_path.hpp"
#include "config/suggestion.hpp"
#include "config/toml_file.hpp"
#include "config/value.hpp"

#include <algorithm>
#include <ctime>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace vergence::config {

struct Config::Impl {
  Value written;   // with ${interpolations}
  Value resolved;  // without, every value of its key's type
  std::map<std::string, std::string> choices;
};

namespace {

using Diagnostics = std::vector<std::string>;

// How the origin of what an argument set begins; the argument and a quote follow.
constexpr std::string_view kArgumentOrigin = "argument '";

bool is_reserved(const std::string& name) {
  return name == "defaults" || name == "_package_";
}

// The files and arguments as one tree, before interpolation.
class Composer {
 public:
  Composer(SearchPath& search_path, const Schema& schema, Diagnostics& diagnostics)
      : search_path_(search_path),
        schema_(schema),
        diagnostics_(diagnostics) {}

  void run(const ComposeRequest& request) {
    std::vector<Override> of_groups;
    std::vector<Override> of_values;
    for (const auto& argument : request.overrides) {
      try {
        Override parsed = parse_override(argument);
        if (!is_acceptable(parsed)) continue;
        auto& kind = is_about_group(parsed) ? of_groups : of_values;
        kind.push_back(std::move(parsed));
      } catch (const SyntaxError& error) {
        diagnostics_.emplace_back(error.what());
      }
    }
    const std::size_t before = diagnostics_.size();
    DefaultsResult files =
        expand_defaults(search_path_, request.config_name, of_groups, diagnostics_);
    files_are_whole_ = diagnostics_.size() == before;
    choices_ = std::move(files.choices);
    for (const auto& layer : files.layers) add_layer(layer);
    before_arguments_ = tree_;
    for (const auto& change : of_values) apply(change);
    prune(tree_);
  }

  // Brings every value of the resolved tree into its key's type; tells what does not fit and what
  // nobody knows.
  void check(Value& node, Path& path) {
    const std::string key = join_key(path);
    if (path.size() + depth_of(node) > kMaxDepth && node.as<Value::Table>() == nullptr) {
      diagnostics_.push_back(
          fmt::format("'{}' ({}): nested too deeply", key.substr(0, 60), node.origin));
    } else if (const KeyRule* rule = rule_for(key)) {
      if (node.is_mandatory()) return;
      if (const auto wrong = coerce(node, *rule)) tell(key, node, *wrong);
    } else if (auto* table = node.as<Value::Table>()) {
      for (auto& [name, value] : *table) {
        path.push_back(name);
        check(value, path);
        path.pop_back();
      }
    } else if (const auto rules = schema_.below(key); !rules.empty()) {
      tell(key, node,
           fmt::format("expected a table of keys such as '{}', got {}", rules.front()->key,
                       describe_value(node)));
    } else if (!node.extra) {
      const std::string name = key.substr(key.rfind('.') + 1);
      diagnostics_.push_back(
          fmt::format("unknown key '{}' ({}){}\n  a key of your own is written "
                      "\"+{}\" there",
                      key, node.origin, advice_for_unknown_key(key, known()), name));
    }
  }

  [[nodiscard]] const Value& tree() const { return tree_; }

  [[nodiscard]] const std::map<std::string, std::string>& choices() const { return choices_; }

 private:
  [[nodiscard]] KnownKeys known() { return {before_arguments_, schema_, search_path_, choices_}; }

  // A rule may also reach a group that is mounted at another table ("predictor@left").
  [[nodiscard]] const KeyRule* rule_for(const std::string& key) const {
    if (const auto* rule = schema_.find(key)) return rule;
    for (const auto& [package, group] : mounts_) {
      if (!key.starts_with(package + ".")) continue;
      if (const auto* rule = schema_.find(group + key.substr(package.size()))) return rule;
    }
    return nullptr;
  }

  void tell(const std::string& key, const Value& value, const std::string& wrong) {
    std::string_view argument = value.origin;
    if (argument.starts_with(kArgumentOrigin)) {
      argument.remove_prefix(kArgumentOrigin.size());
      argument.remove_suffix(1);
      const auto begin = std::min(argument.find_first_not_of('+'), argument.size());
      if (argument.substr(begin).starts_with(key + "=")) {
        diagnostics_.push_back(fmt::format("'{}': {}", argument, wrong));
        return;
      }
    }
    diagnostics_.push_back(fmt::format("'{}' ({}): {}", key, value.origin, wrong));
  }

  [[nodiscard]] bool is_about_group(const Override& parsed) const {
    const bool is_table = parsed.value && parsed.value->as<Value::Table>() != nullptr;
    return !is_table && search_path_.is_group(parsed.key);
  }

  static std::string refused_sweep(const Override& parsed) {
    const auto& argument = parsed.argument;
    const std::string key = key_part(parsed);
    const std::string value = argument.substr(key.size());
    if (value.ends_with(')') && value.find('(') < value.find(',')) {
      return fmt::format("'{}' gives several values, which takes --multirun", argument);
    }
    return fmt::format(
        "'{}' gives several values, and a job takes one\n  for a job with each add --multirun, for "
        "a list write '{}[{}]', for a text with a comma '{}\"{}\"'",
        argument, key, value, key, value);
  }

  bool is_acceptable(const Override& parsed) {
    const auto& argument = parsed.argument;
    if (parsed.sweep) {
      diagnostics_.push_back(refused_sweep(parsed));
    } else if (is_reserved(split_key(parsed.key).empty() ? "" : split_key(parsed.key).front()) ||
               (parsed.package && is_reserved(split_key(*parsed.package).front()))) {
      diagnostics_.push_back(fmt::format(
          "'{}': 'defaults' and '_package_' belong to files and are no keys", argument));
    } else if ((parsed.package || parsed.key.find('/') != std::string::npos) &&
               !is_about_group(parsed)) {
      diagnostics_.push_back(fmt::format("unknown group '{}' in override '{}'\n  groups: {}",
                                         parsed.key, argument,
                                         fmt::join(search_path_.groups(), ", ")));
    } else if (is_about_group(parsed) && parsed.operation == Operation::kAppend) {
      diagnostics_.push_back(
          fmt::format("'{}': a group is no list\n  to add another option write "
                      "'+{}'",
                      argument, parsed.key));
    } else {
      return true;
    }
    return false;
  }

  void add_layer(const Layer& layer) {
    Value content = *layer.content;
    erase(content, "defaults");
    erase(content, "_package_");
    const Path package = split_key(layer.package);
    if (!package.empty() && is_reserved(package.front())) {
      diagnostics_.push_back(
          fmt::format("{}: nothing can be mounted at '{}'", content.origin, layer.package));
      return;
    }
    if (!layer.package.empty() && layer.package != layer.group) {
      mounts_.insert_or_assign(layer.package, layer.group);
    }
    Value* target = &tree_;
    for (const auto& name : package) target = &table_at(*target, name);
    merge(*target, content);
  }

  // The table `name` in `parent`; made when it is missing.
  static Value& table_at(Value& parent, const std::string& name) {
    Value* found = child(parent, name);
    if (found == nullptr) {
      auto& entries = *parent.as<Value::Table>();
      entries.push_back({name, make_table()});
      found = &entries.back().value;
    }
    if (found->as<Value::Table>() == nullptr) found->data = Value::Table{};
    return *found;
  }

  void apply(const Override& change) {
    const Path path = split_key(change.key);
    if (change.operation == Operation::kDelete) {
      remove(path, change);
    } else if (change.operation == Operation::kAppend) {
      append(path, change);
    } else {
      Value value = *change.value;
      mark(value, false, fmt::format("{}{}'", kArgumentOrigin, change.argument));
      set(path, std::move(value), change.operation, change);
    }
  }

  void unknown(const std::string& key, const Override& change) {
    // A group without its file is the reason, and told already.
    const std::string group = key.substr(0, key.find('.'));
    if (!files_are_whole_ && schema_.find(key) != nullptr && child(tree_, group) == nullptr) return;
    std::string text = fmt::format("unknown key '{}' in override '{}'{}", key, change.argument,
                                   advice_for_unknown_key(key, known()));
    if (change.operation == Operation::kChange && schema_.find(key) == nullptr) {
      text += fmt::format("\n  to add a new key write '+{}'", change.argument);
    }
    diagnostics_.push_back(std::move(text));
  }

  void set(const Path& path, Value value, Operation operation, const Override& change) {
    const std::string key = join_key(path);
    Value* existing = find(tree_, path);
    const bool exists = existing != nullptr;
    if (!exists && operation == Operation::kChange) return unknown(key, change);
    const bool replaces =
        exists && value.as<Value::Table>() == nullptr && value.as<Value::List>() == nullptr;
    if (operation == Operation::kAdd && replaces) {
      diagnostics_.push_back(fmt::format(
          "'{}': the key '{}' exists already ({})\n  to change it "
          "write '{}', to set it in any case '+{}'",
          change.argument, key, existing->origin, change.argument.substr(1), change.argument));
      return;
    }
    const bool holds_keys = !exists || existing->as<Value::Table>() != nullptr;
    if (auto* entries = value.as<Value::Table>(); entries != nullptr && holds_keys) {
      for (auto& [name, inner] : *entries) {
        Path inner_path = path;
        inner_path.push_back(name);
        const bool adds = operation != Operation::kChange;
        set(inner_path, inner, adds ? Operation::kForce : operation, change);
      }
    } else if (value.is_null()) {
      set_null(path, key, change);
    } else if (exists) {
      mark(value, existing->extra, value.origin);
      *existing = std::move(value);
    } else {
      mark(value, true, value.origin);
      create(path, value, change);
    }
  }

  // TOML has no null: such a key is absent.
  void set_null(const Path& path, const std::string& key, const Override& change) {
    if (const KeyRule* rule = rule_for(key)) {
      diagnostics_.push_back(
          fmt::format("'{}': expected {}, got null\n  to remove the key write "
                      "'~{}'",
                      change.argument, expectation(*rule), key));
      return;
    }
    Value* parent = find(tree_, std::span(path).first(path.size() - 1));
    if (parent != nullptr) erase(*parent, path.back());
  }

  void create(const Path& path, const Value& value, const Override& change) {
    Value* node = &tree_;
    for (std::size_t i = 0; i < path.size(); ++i) {
      auto* entries = node->as<Value::Table>();
      Value* next = child(*node, path[i]);
      if (next == nullptr && entries == nullptr) {
        const std::string parent = join_key(std::span(path).first(i));
        diagnostics_.push_back(fmt::format("'{}': '{}' is {} and has no '{}'", change.argument,
                                           parent, describe_value(*node), path[i]));
        return;
      }
      if (next == nullptr) {
        entries->push_back({path[i], i + 1 == path.size() ? value : make_table()});
        next = &entries->back().value;
      }
      node = next;
    }
  }

  void append(const Path& path, const Override& change) {
    Value* existing = find(tree_, path);
    if (existing == nullptr) return unknown(change.key, change);
    auto* items = existing->as<Value::List>();
    Value value = *change.value;
    const std::string origin = fmt::format("{}{}'", kArgumentOrigin, change.argument);
    mark(value, existing->extra, origin);
    if (items == nullptr || value.is_null()) {
      diagnostics_.push_back(fmt::format(
          "'{}': {}", change.argument,
          items == nullptr
              ? fmt::format("'{}' is no list but {}", change.key, describe_value(*existing))
              : "a list cannot hold null"));
      return;
    }
    existing->origin = origin;
    if (const auto* more = value.as<Value::List>()) {
      items->insert(items->end(), more->begin(), more->end());
    } else {
      items->push_back(std::move(value));
    }
  }

  void remove(const Path& path, const Override& change) {
    const Value* existing = find(tree_, path);
    if (existing == nullptr) return unknown(change.key, change);
    if (change.value && !same_value(*existing, *change.value)) {
      diagnostics_.push_back(
          fmt::format("'{}': '{}' is {}", change.argument, change.key, describe_value(*existing)));
      return;
    }
    erase(*find(tree_, std::span(path).first(path.size() - 1)), path.back());
  }

  SearchPath& search_path_;
  const Schema& schema_;
  Diagnostics& diagnostics_;
  Value tree_ = make_table();
  Value before_arguments_;
  std::map<std::string, std::string> choices_;
  std::map<std::string, std::string> mounts_;  // package -> group, where they differ
  bool files_are_whole_ = true;
};

// The tree of the shipped files alone.
Value shipped_defaults() {
  Diagnostics none;
  SearchPath shipped({}, none);
  Composer composer(shipped, Schema::shipped(), none);
  composer.run({});
  return composer.tree();
}

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
  const Value* value = path.empty() ? nullptr : find(impl_->resolved, path);
  return value != nullptr && !value->is_mandatory();
}

bool Config::boolean(std::string_view key) const {
  const Value& value = read(impl_->resolved, key);
  if (const auto* boolean = value.as<bool>()) return *boolean;
  wrong_type(key, value, "true or false");
}

std::int64_t Config::integer(std::string_view key) const {
  const Value& value = read(impl_->resolved, key);
  if (const auto* integer = value.as<std::int64_t>()) return *integer;
  wrong_type(key, value, "an integer");
}

double Config::number(std::string_view key) const {
  const Value& value = read(impl_->resolved, key);
  if (const auto number = as_number(value)) return *number;
  wrong_type(key, value, "a number");
}

std::string Config::string(std::string_view key) const {
  const Value& value = read(impl_->resolved, key);
  if (const auto* string = value.as<std::string>()) return *string;
  wrong_type(key, value, "a string");
}

std::vector<std::string> Config::strings(std::string_view key) const {
  const Value& value = read(impl_->resolved, key);
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
  const Value& value = read(impl_->resolved, key);
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
  const Value* value = path.empty() ? nullptr : find(impl_->resolved, path);
  if (value == nullptr) return false;
  if (value->origin.starts_with(kArgumentOrigin)) return true;
  const Value shipped = shipped_defaults();
  const Value* other = find(shipped, path);
  return other == nullptr || !same_value(*value, *other);
}

std::string Config::choice(std::string_view group) const {
  const auto found = impl_->choices.find(std::string(group));
  return found == impl_->choices.end() ? "" : found->second;
}

std::vector<std::string> Config::keys() const {
  return leaf_keys(impl_->resolved);
}

std::string Config::to_toml(bool resolved) const {
  const auto is_extra = [](const std::string& key) {
    return Schema::shipped().find(key) == nullptr;
  };
  if (!resolved) return to_toml_file(impl_->written, is_extra);
  // What the values say now is literal: "${" must not be read as an interpolation again.
  Value tree = impl_->resolved;
  escape_strings(tree);
  return to_toml_file(tree, is_extra);
}

std::string Config::origin_table() const {
  std::vector<std::pair<std::string, std::string>> lines;
  std::size_t width = 0;
  for (const auto& key : keys()) {
    const Value& value = *find(impl_->resolved, split_key(key));
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
  Diagnostics diagnostics;
  SearchPath search_path(search_folders(request.config_dirs), diagnostics);
  Composer composer(search_path, Schema::shipped(), diagnostics);
  composer.run(request);
  auto impl = std::make_shared<Config::Impl>();
  impl->written = composer.tree();
  impl->choices = composer.choices();
  impl->resolved = resolve(impl->written, std::time(nullptr), diagnostics);
  Path path;
  composer.check(impl->resolved, path);
  prune(impl->resolved);
  if (!diagnostics.empty()) throw ConfigError(std::move(diagnostics));
  return Config(std::move(impl));
}

std::vector<std::string> groups() {
  Diagnostics none;
  return SearchPath({}, none).groups();
}

std::vector<std::string> options(std::string_view group) {
  Diagnostics none;
  return SearchPath({}, none).options(std::string(group));
}

std::string describe_keys(std::span<const std::string> prefixes) {
  Diagnostics none;
  SearchPath shipped({}, none);
  const Schema& schema = Schema::shipped();
  const Value defaults = shipped_defaults();

  struct Line {
    std::string key, type, value;
    const KeyRule* rule;
  };

  std::vector<Line> lines;
  for (const auto& rule : schema.rules()) {
    const bool wanted =
        std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
          return rule.key == prefix || rule.key.starts_with(prefix + ".");
        });
    if (!wanted) continue;
    const Value* value = find(defaults, split_key(rule.key));
    const std::string group = rule.key.substr(0, rule.key.find('.'));
    lines.push_back(
        {rule.key, type_label(rule),
         value != nullptr
             ? to_inline_toml(*value)
             : fmt::format("({}={})", group, fmt::join(options_with_key(rule.key, shipped), "|")),
         &rule});
  }
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
                        line.value, value_width, line.rule->doc);
  }
  return text;
}

}  // namespace vergence::config
