// SPDX-License-Identifier: Apache-2.0
#include "config/composer.hpp"

#include "config/defaults.hpp"
#include "config/interpolation.hpp"
#include "config/override.hpp"
#include "config/schema.hpp"
#include "config/search_path.hpp"
#include "config/suggestion.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace vergence::config {
namespace {

using Diagnostics = std::vector<std::string>;

bool is_reserved(const std::string& name) {
  return name == "defaults" || name == "_package_";
}

// Lines "file  package  parent".
std::string table_of(const std::vector<Layer>& layers) {
  std::vector<std::array<std::string, 3>> rows = {{"file", "package", "named by"}};
  std::array<std::size_t, 2> widths{};
  for (const auto& layer : layers) {
    const auto& origin = layer.content->origin;
    rows.push_back({origin.substr(0, origin.rfind(':')),
                    layer.package.empty() ? "_global_" : layer.package, layer.parent});
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < 2; ++i) widths.at(i) = std::max(widths.at(i), row.at(i).size());
  }
  std::string text;
  for (const auto& [file, package, parent] : rows) {
    text += fmt::format("{:<{}}  {:<{}}  {}\n", file, widths[0], package, widths[1], parent);
  }
  return text;
}

std::string table_of(const SearchPath& search_path) {
  std::string text;
  const auto personal = personal_folder();
  for (const auto& folder : search_path.folders()) {
    const bool own = folder == personal;
    text += fmt::format("{}  ({})\n", folder.string(), own ? "your own" : "--config-dir");
  }
  return text + "configs  (inside the program)\n";
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
    defaults_tree_ = std::move(files.tree);
    defaults_table_ = table_of(files.layers);
    for (const auto& layer : files.layers) add_layer(layer);
    for (const auto& rule : schema_.rules()) {
      if (!rule.group.empty()) join_elements(rule);
    }
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
      if (!rule->group.empty()) check_elements(node, path);
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

  // The tables of a list that may hold those of a group.
  void check_elements(Value& list, Path& path) {
    auto* items = list.as<Value::List>();
    for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
      if ((*items)[i].as<Value::Table>() == nullptr) continue;
      path.push_back(std::to_string(i));
      check((*items)[i], path);
      path.pop_back();
    }
  }

  [[nodiscard]] const Value& tree() const { return tree_; }

  [[nodiscard]] const std::map<std::string, std::string>& choices() const { return choices_; }

  [[nodiscard]] const std::string& defaults_tree() const { return defaults_tree_; }

  [[nodiscard]] const std::string& defaults_table() const { return defaults_table_; }

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

  // Options that are mounted at the elements of a list ("predictor@predictor.members.1") lie in a
  // table of their numbers first.
  void join_elements(const KeyRule& rule) {
    Value* node = find(tree_, split_key(rule.key));
    const auto* numbered = node == nullptr ? nullptr : node->as<Value::Table>();
    if (numbered == nullptr || numbered->empty()) return;
    Value::List items;
    for (std::size_t i = 0; i < numbered->size(); ++i) {
      const Value* item = child(*node, std::to_string(i));
      if (item == nullptr) {
        diagnostics_.push_back(fmt::format(
            "'{0}': elements are numbered from 0, and {1} is missing\n  to mount an option there "
            "write '{2}@{0}.{1}=OPTION'",
            rule.key, i, rule.group));
        erase(*find(tree_, split_key(rule.group)), rule.key.substr(rule.key.rfind('.') + 1));
        return;
      }
      items.push_back(*item);
    }
    node->data = std::move(items);
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

  // Whether the key leads into a list that is too short; that is told.
  bool misses_list(const Path& path, const Override& change) {
    for (std::size_t i = 1; i < path.size(); ++i) {
      const auto front = std::span(path).first(i);
      const Value* node = find(tree_, front);
      const auto* list = node == nullptr ? nullptr : node->as<Value::List>();
      if (list == nullptr || child(*node, path[i]) != nullptr) continue;
      diagnostics_.push_back(fmt::format(
          "'{}': the list '{}' has {} element{}, counted from 0, and no '{}'\n  to put more at "
          "its end write '{}+=[VALUE]'",
          change.argument, join_key(front), list->size(), list->size() == 1 ? "" : "s", path[i],
          join_key(front)));
      return true;
    }
    return false;
  }

  void unknown(const std::string& key, const Override& change) {
    if (misses_list(split_key(key), change)) return;
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
    if (misses_list(path, change)) return;
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
  std::string defaults_tree_;
  std::string defaults_table_;
};

bool has_interpolation(const Value& value) {
  if (const auto* string = value.as<std::string>()) return string->find("${") != std::string::npos;
  if (const auto* list = value.as<Value::List>()) {
    return std::any_of(list->begin(), list->end(), has_interpolation);
  }
  const auto* table = value.as<Value::Table>();
  return table != nullptr && std::any_of(table->begin(), table->end(), [](const Entry& entry) {
           return has_interpolation(entry.value);
         });
}

// Gives the values that stand as they are the types that the check gave them.
void settle(Value& written, const Value& resolved) {
  if (auto* table = written.as<Value::Table>()) {
    for (auto& [key, value] : *table) {
      if (const Value* checked = child(resolved, key)) settle(value, *checked);
    }
  } else if (!has_interpolation(written)) {
    written.data = resolved.data;
  }
}

}  // namespace

Composition compose_tree(const ComposeRequest& request, Diagnostics& diagnostics) {
  Composition result;
  SearchPath search_path(search_folders(request.config_dirs), diagnostics);
  Composer composer(search_path, Schema::shipped(), diagnostics);
  composer.run(request);
  result.written = composer.tree();
  result.choices = composer.choices();
  result.defaults_table = composer.defaults_table();
  result.defaults_tree = composer.defaults_tree();
  result.search_path = table_of(search_path);
  result.resolved = resolve(result.written, request.job, request.now, diagnostics);
  Path path;
  composer.check(result.resolved, path);
  settle(result.written, result.resolved);
  prune(result.resolved);
  return result;
}

const Composition& shipped_composition() {
  static const Composition composition = [] {
    Diagnostics none;
    SearchPath shipped({}, none);
    Composer composer(shipped, Schema::shipped(), none);
    composer.run({});
    Composition result;
    result.written = composer.tree();
    result.choices = composer.choices();
    return result;
  }();
  return composition;
}

}  // namespace vergence::config
