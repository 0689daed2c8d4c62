// SPDX-License-Identifier: Apache-2.0
#include "config/defaults.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace vergence::config {
namespace {

constexpr std::size_t kMaxFiles = 500;  // hostile lists could double at every level

// One entry of a defaults list, or an argument that works like one.
struct Item {
  bool is_self = false;
  bool is_override = false;
  bool is_optional = false;
  bool is_file = false;  // "option" alone: a file beside the one that names it
  std::string group;     // from the top: "stereo/fill"
  std::string package;   // where it is mounted
  std::vector<std::string> options;
  std::vector<std::string> stand_ins;  // what an override replaced
  std::string origin;

  // What tells this choice from others.
  [[nodiscard]] std::string key() const;
};

// A choice made from outside the entry itself.
struct Choice {
  std::vector<std::string> options;
  std::optional<std::string> only_if;  // ~group=option: only when this is the option
  bool is_deletion = false;
  bool is_forced = false;  // ++group=option: added at the end when nothing else has it
  bool is_used = false;
  Item item;
};

std::string dotted(std::string text) {
  std::replace(text.begin(), text.end(), '/', '.');
  return text;
}

std::string joined(const std::string& front, const std::string& back, char joint) {
  return front.empty() || back.empty() ? front + back : front + joint + back;
}

std::string Item::key() const {
  return package == dotted(group) ? group : group + "@" + (package.empty() ? "_global_" : package);
}

std::string parent_of(const std::string& name) {
  const auto slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

bool take_word(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return true;
}

// The table that '@' names, seen from the package of the file that says so.
std::string package_from(std::string_view text, const std::string& parent) {
  if (text == "_here_") return parent;
  if (text == "_global_") return "";
  if (text.starts_with("_global_.")) return std::string(text.substr(9));
  return joined(parent, std::string(text), '.');
}

std::optional<std::vector<std::string>> option_names(const Value& value) {
  std::vector<std::string> names;
  if (const auto* list = value.as<Value::List>()) {
    for (const auto& item : *list) {
      if (item.as<std::string>() == nullptr) return std::nullopt;
      names.push_back(*item.as<std::string>());
    }
  } else if (const auto* name = value.as<std::string>()) {
    if (!name->empty()) names.push_back(*name);
  } else if (!value.is_null()) {
    if (value.text.empty() || value.as<Value::Table>() != nullptr) return std::nullopt;
    names.push_back(value.text);
  }
  return names;
}

// An entry with those of its own list, the last one first.
struct Node {
  std::string label;
  std::vector<Node> children;

  void write(std::string& text, std::size_t depth) const {
    text += std::string(2 * depth, ' ') + label + "\n";
    for (auto it = children.rbegin(); it != children.rend(); ++it) it->write(text, depth + 1);
  }
};

class Expansion {
 public:
  Expansion(SearchPath& search_path, std::vector<std::string>& diagnostics)
      : search_path_(search_path),
        diagnostics_(diagnostics) {}

  DefaultsResult run(const std::string& name, std::span<const Override> overrides) {
    for (const auto& change : overrides) take_argument(change);
    const Value* root = search_path_.load(name);
    if (root == nullptr) {
      diagnostics_.push_back(missing_file(name));
      return {};
    }
    Item top;
    top.is_self = true;
    Node tree{name, {}};
    file(name, *root, top, tree);
    complain_about_unused();
    std::reverse(result_.layers.begin(), result_.layers.end());
    tree.write(result_.tree, 0);
    return std::move(result_);
  }

 private:
  void take_argument(const Override& change) {
    Item item;
    item.group = change.key;
    item.package = change.package ? package_from(*change.package, "") : dotted(item.group);
    item.origin = fmt::format("override '{}'", change.argument);
    if (change.value) {
      const auto options = option_names(*change.value);
      if (!options) {
        diagnostics_.push_back(fmt::format("'{}': expected the name of an option\n  {}",
                                           change.argument, options_text(item.group)));
        return;
      }
      item.options = *options;
    }
    if (change.operation == Operation::kAdd) {
      added_.push_back(std::move(item));
      return;
    }
    Choice choice;
    choice.is_deletion = change.operation == Operation::kDelete;
    choice.is_forced = change.operation == Operation::kForce;
    if (choice.is_deletion && !item.options.empty()) choice.only_if = item.options.front();
    choice.options = item.options;
    choice.item = item;
    choices_.insert_or_assign(item.key(), std::move(choice));
  }

  // Puts the file's layers in front, last ones first: so the overrides of a file that comes late
  // in the list are known before the entries that they change.
  void file(const std::string& name, const Value& content, const Item& item, Node& node) {
    const bool is_root = item.is_self;
    const std::string group = parent_of(name);
    const std::string package = header_package(content, item.package, group);
    if (++num_files_ > kMaxFiles) {
      complain_about_circle(name);
      return;
    }
    open_files_.push_back(name);
    std::vector<Item> items = defaults_of(content, group, package);
    if (is_root) add_to(items);
    for (auto it = items.rbegin(); it != items.rend(); ++it) {
      if (it->is_override) choices_.try_emplace(it->key(), choice_of(*it));
    }
    if (is_root) add_forced(items);
    for (auto it = items.rbegin(); it != items.rend(); ++it) {
      if (it->is_self) {
        const auto parent = open_files_.size() > 1 ? *(open_files_.end() - 2) : "";
        result_.layers.push_back({&content, dotted(group), package, parent});
        node.children.push_back({"_self_", {}});
      } else if (!it->is_override) {
        entry(*it, node);
      }
    }
    open_files_.pop_back();
  }

  void complain_about_circle(const std::string& name) {
    diagnostics_.push_back(fmt::format("the defaults lists go round in a circle: {} -> {}",
                                       fmt::join(open_files_, " -> "), name));
  }

  // Puts the groups that arguments add where the list keeps an empty place for them, else last.
  void add_to(std::vector<Item>& items) {
    for (auto& added : added_) {
      const auto place = std::find_if(items.begin(), items.end(), [&](const Item& item) {
        return !item.is_self && !item.is_file && !item.is_override && item.options.empty() &&
               item.key() == added.key();
      });
      if (place == items.end()) {
        items.push_back(added);
      } else {
        *place = added;
      }
    }
  }

  static Choice choice_of(const Item& item) {
    Choice choice;
    choice.options = item.options;
    choice.item = item;
    return choice;
  }

  void add_forced(std::vector<Item>& items) {
    for (auto& [key, choice] : choices_) {
      const bool known = std::any_of(items.begin(), items.end(),
                                     [&, &k = key](const Item& item) { return item.key() == k; });
      if (choice.is_forced && !known) items.push_back(choice.item);
    }
  }

  // The table that the file says it belongs to, else that of its entry.
  std::string header_package(const Value& content, const std::string& package,
                             const std::string& group) {
    const Value* header = child(content, "_package_");
    if (header == nullptr) return package;
    const auto* text = header->as<std::string>();
    if (text != nullptr && *text == "_group_") return dotted(group);
    if (text != nullptr && *text == "_global_") return "";
    if (text == nullptr || split_key(*text).empty()) {
      diagnostics_.push_back(
          fmt::format("'_package_' in {}: expected \"_global_\", \"_group_\" or a key, got {}",
                      header->origin, to_inline_toml(*header)));
      return package;
    }
    return *text;
  }

  std::vector<Item> defaults_of(const Value& content, const std::string& group,
                                const std::string& package) {
    std::vector<Item> items;
    Item self;
    self.is_self = true;
    if (const Value* defaults = child(content, "defaults")) {
      const auto* list = defaults->as<Value::List>();
      if (list == nullptr) complain_about_entry(*defaults);
      for (const auto& entry : list == nullptr ? Value::List{} : *list) {
        if (auto item = parse_entry(entry, group, package)) items.push_back(std::move(*item));
      }
    }
    const auto is_self = [](const Item& item) { return item.is_self; };
    if (std::none_of(items.begin(), items.end(), is_self)) items.push_back(self);
    return items;
  }

  void complain_about_entry(const Value& entry) {
    diagnostics_.push_back(
        fmt::format("the defaults list in {} has a wrong entry: {}\n  entries are {{ group = "
                    "\"option\" }}, \"option\" or \"_self_\"; a group may be written \"override "
                    "/group\", \"optional group\" or \"group@table\"",
                    entry.origin, to_inline_toml(entry)));
  }

  std::optional<Item> parse_entry(const Value& entry, const std::string& parent_group,
                                  const std::string& parent_package) {
    Item item;
    item.origin = entry.origin;
    if (const auto* text = entry.as<std::string>()) {
      std::string_view name = *text;
      item.is_self = name == "_self_";
      item.is_file = true;
      item.is_optional = take_word(name, "optional ");
      item.group = parent_group;
      item.package = parent_package;
      if (name.starts_with('/')) {
        name.remove_prefix(1);
        item.group.clear();
      }
      item.options = {std::string(name)};
      if (!name.empty()) return item;
    }
    const auto* table = entry.as<Value::Table>();
    if (table == nullptr || table->size() != 1) {
      complain_about_entry(entry);
      return std::nullopt;
    }
    std::string_view name = table->front().key;
    item.is_override = take_word(name, "override ");
    item.is_optional = take_word(name, "optional ");
    const auto at = std::min(name.find('@'), name.size());
    std::string group(name.substr(0, at));
    const auto options = option_names(table->front().value);
    if (group.empty() || !options) {
      complain_about_entry(entry);
      return std::nullopt;
    }
    const bool absolute = group.front() == '/';
    if (absolute) group.erase(0, 1);
    item.group = absolute ? group : joined(parent_group, group, '/');
    // An override looks for the group where it is usually mounted.
    item.package = at < name.size()   ? package_from(name.substr(at + 1), parent_package)
                   : item.is_override ? dotted(item.group)
                                      : joined(parent_package, dotted(group), '.');
    item.options = *options;
    return item;
  }

  void entry(Item item, Node& parent) {
    if (!item.is_file) {
      const std::string key = item.key();
      if (const auto found = choices_.find(key); found != choices_.end()) {
        auto& choice = found->second;
        choice.is_used = true;
        const bool matches = !choice.only_if ||
                             (item.options.size() == 1 && item.options.front() == *choice.only_if);
        if (choice.is_deletion && matches) return;
        if (choice.is_deletion) {
          diagnostics_.push_back(fmt::format("{}: '{}' is '{}'", choice.item.origin, key,
                                             fmt::join(item.options, ",")));
          return;
        }
        item.stand_ins = std::exchange(item.options, choice.options);
        item.origin = choice.item.origin;
      }
      // Entries come last first, so the one that is too many was seen before this one.
      const auto [later, is_first] = chosen_.try_emplace(key, item);
      if (!is_first) {
        diagnostics_.push_back(
            fmt::format("{}: the group '{}' is chosen already\n  to change it write '{}={}'",
                        later->second.origin, key, key, fmt::join(later->second.options, ",")));
        return;
      }
      result_.choices[key] = fmt::format("{}", fmt::join(item.options, ","));
    }
    for (auto it = item.options.rbegin(); it != item.options.rend(); ++it)
      option(item, *it, parent);
  }

  void option(const Item& item, const std::string& name, Node& parent) {
    if (name == kMandatory) {
      diagnostics_.push_back(fmt::format("an option of '{}' must be chosen: '{}=OPTION'\n  {}",
                                         item.key(), item.key(), options_text(item.group)));
      return;
    }
    const std::string path = joined(item.group, name, '/');
    // A file that names itself builds on the next one of that name.
    const auto nth =
        static_cast<std::size_t>(std::count(open_files_.begin(), open_files_.end(), path));
    if (const Value* content = search_path_.load(path, nth)) {
      Item inner = item;
      inner.is_self = false;
      parent.children.push_back({item.is_file ? path : item.key() + ": " + name, {}});
      file(path, *content, inner, parent.children.back());
    } else if (nth > 0) {
      complain_about_circle(path);
    } else if (!item.is_optional) {
      diagnostics_.push_back(missing_option(item, name));
      // So that the group's keys are known and other mistakes come to light, too.
      Item stand_in = item;
      stand_in.stand_ins.clear();
      for (const auto& other : item.stand_ins) option(stand_in, other, parent);
    }
  }

  [[nodiscard]] std::string options_text(const std::string& group) const {
    const auto names = search_path_.options(group);
    return fmt::format("options: {}",
                       names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
  }

  [[nodiscard]] std::string did_you_mean(const std::string& name, const std::string& group) const {
    const auto near = nearest_names(name, search_path_.options(group));
    return near.empty() ? "" : fmt::format("\n  did you mean {}?", quoted_list(near));
  }

  [[nodiscard]] std::string missing_file(const std::string& name) const {
    return fmt::format("there is no configuration '{}'{}\n  searched: {}", name,
                       did_you_mean(name, ""), search_path_.describe());
  }

  [[nodiscard]] std::string missing_option(const Item& item, const std::string& name) const {
    if (item.group.empty()) return fmt::format("{}: {}", item.origin, missing_file(name));
    return fmt::format("unknown option '{}' of group '{}' in {}{}\n  {}\n  searched: {}", name,
                       item.group, item.origin, did_you_mean(name, item.group),
                       options_text(item.group), search_path_.describe());
  }

  void complain_about_unused() {
    for (const auto& [key, choice] : choices_) {
      if (choice.is_used || choice.is_forced) continue;
      std::string text =
          fmt::format("{}: the group '{}' is not in the defaults list", choice.item.origin, key);
      std::vector<std::string> elsewhere;
      for (const auto& [chosen, option] : result_.choices) {
        if (chosen.starts_with(choice.item.group + "@") || chosen == choice.item.group) {
          elsewhere.push_back(chosen);
        }
      }
      if (!elsewhere.empty()) {
        text += fmt::format("\n  did you mean {}?", quoted_list(elsewhere));
      }
      if (!choice.is_deletion &&
          (elsewhere.empty() || choice.item.package != dotted(choice.item.group))) {
        text += fmt::format("\n  to add it write '+{}={}'", key, fmt::join(choice.options, ","));
      }
      diagnostics_.push_back(std::move(text));
    }
  }

  SearchPath& search_path_;
  std::vector<std::string>& diagnostics_;
  std::map<std::string, Choice> choices_;
  std::vector<Item> added_;
  std::map<std::string, Item> chosen_;
  std::vector<std::string> open_files_;
  std::size_t num_files_ = 0;
  DefaultsResult result_;
};

}  // namespace

DefaultsResult expand_defaults(SearchPath& search_path, const std::string& name,
                               std::span<const Override> group_overrides,
                               std::vector<std::string>& diagnostics) {
  return Expansion(search_path, diagnostics).run(name, group_overrides);
}

}  // namespace vergence::config
