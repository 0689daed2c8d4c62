// SPDX-License-Identifier: Apache-2.0
#include "config/toml_file.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
// toml++ 3.3 asserts some of what it reports as an error of the file right afterwards ("[!]").
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

namespace vergence::config {
namespace {

// What to do about a backslash that TOML does not know, as in "\${x}" and "C:\photos".
constexpr std::string_view kOnEscapes =
    "\n  within single quotes a backslash is a plain character: '\\${x}', 'C:\\photos'";

class Converter {
 public:
  Converter(const std::string& name, std::vector<std::string>& diagnostics)
      : name_(name),
        diagnostics_(diagnostics) {}

  // `keys_are_free`: as in a defaults list, whose keys are no configuration keys.
  Value table(const toml::table& from, bool extra, bool keys_are_free, std::size_t depth) {
    Value result = make_table();
    result.extra = extra;
    auto& entries = std::get<Value::Table>(result.data);
    for (const auto& [key, node] : in_file_order(from)) {
      std::string name(*key);
      const bool marked = !keys_are_free && name.starts_with('+');
      if (marked) name.erase(0, 1);
      if (!keys_are_free && !is_key_name(name)) {
        complain(*node, fmt::format("'{}' is not a key", name),
                 "a key has letters, digits, '_', '-' or '$'");
      } else {
        const bool free = keys_are_free || (depth == 0 && name == "defaults");
        entries.push_back({name, node_value(*node, extra || marked, free, depth + 1)});
      }
    }
    result.origin = entries.empty() ? fmt::format("{}:{}", name_, from.source().begin.line)
                                    : entries.front().value.origin;
    return result;
  }

 private:
  using Item = std::pair<const toml::key*, const toml::node*>;

  static std::vector<Item> in_file_order(const toml::table& table) {
    std::vector<Item> items;
    for (const auto& [key, node] : table) items.emplace_back(&key, &node);
    std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
      return a.first->source().begin < b.first->source().begin;
    });
    return items;
  }

  void complain(const toml::node& node, const std::string& what, const std::string& hint) {
    const auto at = node.source().begin;
    diagnostics_.push_back(
        fmt::format("{}:{}:{}: {}\n  {}", name_, at.line, at.column, what, hint));
  }

  Value node_value(const toml::node& node, bool extra, bool free, std::size_t depth) {
    Value value;
    if (depth > kMaxDepth) {
      complain(node, "the value is nested too deeply",
               fmt::format("at most {} levels are allowed", kMaxDepth));
    } else if (const auto* inner = node.as_table()) {
      return table(*inner, extra, free, depth);
    } else if (const auto* array = node.as_array()) {
      Value::List items;
      for (const auto& item : *array) items.push_back(node_value(item, extra, free, depth + 1));
      value.data = std::move(items);
    } else if (const auto* string = node.as_string()) {
      value.data = string->get();
    } else if (const auto* integer = node.as_integer()) {
      value.data = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
      value.data = number->get();
    } else if (const auto* boolean = node.as_boolean()) {
      value.data = boolean->get();
    } else {
      std::ostringstream date;
      node.visit([&](const auto& typed) {
        if constexpr (toml::is_chronological<decltype(typed)>) date << typed.get();
      });
      value.data = date.str();
    }
    value.extra = extra;
    value.origin = fmt::format("{}:{}", name_, node.source().begin.line);
    return value;
  }

  const std::string& name_;
  std::vector<std::string>& diagnostics_;
};

class Writer {
 public:
  explicit Writer(const std::function<bool(const std::string&)>& is_extra) : is_extra_(is_extra) {}

  void table(const Value& from, Path& path) {
    const auto& entries = *from.as<Value::Table>();
    bool headed = path.empty();
    for (const auto& [key, value] : entries) {
      if (value.as<Value::Table>() != nullptr || value.is_null()) continue;
      if (!headed) header(path);
      headed = true;
      path.push_back(key);
      text_ += name(key, is_extra_(join_key(path))) + " = " + to_inline_toml(value) + "\n";
      path.pop_back();
    }
    for (const auto& [key, value] : entries) {
      if (value.as<Value::Table>() == nullptr) continue;
      path.push_back(key);
      table(value, path);
      path.pop_back();
    }
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  static std::string name(const std::string& key, bool extra) {
    if (extra) return "\"+" + key + "\"";
    return key.find('$') == std::string::npos ? key : "\"" + key + "\"";
  }

  void header(const Path& path) {
    std::string title;
    for (const auto& key : path) title += (title.empty() ? "" : ".") + name(key, false);
    text_ += (text_.empty() ? "[" : "\n[") + title + "]\n";
  }

  const std::function<bool(const std::string&)>& is_extra_;
  std::string text_;
};

}  // namespace

Value parse_toml(std::string_view text, const std::string& name,
                 std::vector<std::string>& diagnostics) {
  try {
    const toml::table parsed = toml::parse(text, std::string_view(name));
    return Converter(name, diagnostics).table(parsed, false, false, 0);
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    const bool escape = error.description().find("escape") != std::string_view::npos;
    diagnostics.push_back(fmt::format("{}:{}:{}: {}{}", name, at.line, at.column,
                                      error.description(), escape ? kOnEscapes : ""));
    return make_table();
  }
}

std::string to_toml_file(const Value& table,
                         const std::function<bool(const std::string&)>& is_extra) {
  Writer writer(is_extra);
  Path path;
  writer.table(table, path);
  return writer.text();
}

}  // namespace vergence::config
