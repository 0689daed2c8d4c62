// SPDX-License-Identifier: Apache-2.0
#include "config/value.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace vergence::config {
namespace {

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '$';
}

std::optional<std::size_t> index_from(std::string_view name) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return index;
}

std::string number_to_toml(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string string_to_toml(std::string_view string) {
  std::string text = "\"";
  for (const char c : string) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\t') {
      text += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      text += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      text += c;
    }
  }
  return text + "\"";
}

std::string list_to_toml(const Value::List& list) {
  std::string text = "[";
  for (const auto& item : list) {
    if (text.size() > 1) text += ", ";
    text += to_inline_toml(item);
  }
  return text + "]";
}

std::string table_to_toml(const Value::Table& table) {
  std::string text = "{";
  for (const auto& [key, value] : table) {
    text += text.size() > 1 ? ", " : " ";
    const bool is_bare = is_key_name(key) && key.find('$') == std::string::npos;
    text += (is_bare ? key : string_to_toml(key)) + " = " + to_inline_toml(value);
  }
  return text + (table.empty() ? "}" : " }");
}

}  // namespace

bool Value::is_mandatory() const {
  const auto* string = as<std::string>();
  return string != nullptr && *string == kMandatory;
}

Value make_table() {
  Value table;
  table.data = Value::Table{};
  return table;
}

bool is_key_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), is_key_character);
}

Path split_key(std::string_view key) {
  Path path;
  std::string name;
  bool after_index = false;  // "a[0]" ends a name; only '.' or '[' may follow
  for (std::size_t i = 0; i <= key.size(); ++i) {
    const char c = i < key.size() ? key[i] : '.';
    if (c == '.' || c == '[') {
      if (name.empty() != after_index) return {};
      if (!name.empty()) path.push_back(std::exchange(name, {}));
      after_index = false;
      if (c == '[') {
        const auto end = key.find(']', i);
        if (end == std::string_view::npos) return {};
        path.emplace_back(key.substr(i + 1, end - i - 1));
        if (!index_from(path.back())) return {};
        i = end;
        after_index = true;
      }
    } else if (is_key_character(c) && !after_index) {
      name += c;
    } else {
      return {};
    }
  }
  return path.size() > kMaxDepth ? Path{} : path;
}

std::string join_key(std::span<const std::string> path) {
  return fmt::format("{}", fmt::join(path, "."));
}

const Value* child(const Value& parent, std::string_view name) {
  if (const auto* table = parent.as<Value::Table>()) {
    for (const auto& entry : *table) {
      if (entry.key == name) return &entry.value;
    }
  } else if (const auto* list = parent.as<Value::List>()) {
    const auto index = index_from(name);
    if (index && *index < list->size()) return &(*list)[*index];
  }
  return nullptr;
}

Value* child(Value& parent, std::string_view name) {
  return const_cast<Value*>(child(std::as_const(parent), name));
}

const Value* find(const Value& root, std::span<const std::string> path) {
  const Value* node = &root;
  for (const auto& name : path) {
    if (node != nullptr) node = child(*node, name);
  }
  return node;
}

Value* find(Value& root, std::span<const std::string> path) {
  return const_cast<Value*>(find(std::as_const(root), path));
}

bool erase(Value& parent, std::string_view name) {
  const Value* found = child(parent, name);
  if (found == nullptr) return false;
  if (auto* table = parent.as<Value::Table>()) {
    std::erase_if(*table, [&](const Entry& entry) { return &entry.value == found; });
  } else if (auto* list = parent.as<Value::List>()) {
    list->erase(list->begin() + (found - list->data()));
  }
  return true;
}

void merge(Value& into, const Value& from) {
  auto* target = into.as<Value::Table>();
  const auto* source = from.as<Value::Table>();
  if (target == nullptr || source == nullptr) {
    into = from;
    return;
  }
  for (const auto& entry : *source) {
    if (Value* known = child(into, entry.key)) {
      merge(*known, entry.value);
    } else {
      target->push_back(entry);
    }
  }
}

void prune(Value& table) {
  auto* entries = table.as<Value::Table>();
  if (entries == nullptr) return;
  for (auto& entry : *entries) prune(entry.value);
  std::erase_if(*entries, [](const Entry& entry) {
    const auto* inner = entry.value.as<Value::Table>();
    return inner != nullptr && inner->empty();
  });
}

void mark(Value& value, bool extra, const std::string& origin) {
  value.extra = extra;
  value.origin = origin;
  if (auto* table = value.as<Value::Table>()) {
    for (auto& entry : *table) mark(entry.value, extra, origin);
  } else if (auto* list = value.as<Value::List>()) {
    for (auto& item : *list) mark(item, extra, origin);
  }
}

std::size_t depth_of(const Value& value) {
  std::size_t deepest = 0;
  if (const auto* table = value.as<Value::Table>()) {
    for (const auto& entry : *table) deepest = std::max(deepest, depth_of(entry.value));
    return deepest + 1;
  }
  if (const auto* list = value.as<Value::List>()) {
    for (const auto& item : *list) deepest = std::max(deepest, depth_of(item));
    return deepest + 1;
  }
  return 0;
}

bool same_value(const Value& a, const Value& b) {
  const auto number = [](const Value& value) -> std::optional<double> {
    if (const auto* integer = value.as<std::int64_t>()) return static_cast<double>(*integer);
    if (const auto* real = value.as<double>()) return *real;
    return std::nullopt;
  };
  if (number(a) && number(b)) return *number(a) == *number(b);
  return to_inline_toml(a) == to_inline_toml(b);
}

std::string to_inline_toml(const Value& value) {
  struct Printer {
    std::string operator()(Value::Null) const { return "null"; }

    std::string operator()(bool boolean) const { return boolean ? "true" : "false"; }

    std::string operator()(std::int64_t integer) const { return fmt::format("{}", integer); }

    std::string operator()(double number) const { return number_to_toml(number); }

    std::string operator()(const std::string& string) const { return string_to_toml(string); }

    std::string operator()(const Value::List& list) const { return list_to_toml(list); }

    std::string operator()(const Value::Table& table) const { return table_to_toml(table); }
  };

  return std::visit(Printer{}, value.data);
}

std::string to_text(const Value& value) {
  const auto* string = value.as<std::string>();
  return string != nullptr ? *string : to_inline_toml(value);
}

}  // namespace vergence::config
