// SPDX-License-Identifier: Apache-2.0
// A configuration as a tree of plain values that remember where they came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vergence::config {

// What stands for a value that the user must give.
inline constexpr std::string_view kMandatory = "???";

// Deeper keys and values are refused, so that recursion stays shallow on any input.
inline constexpr std::size_t kMaxDepth = 32;

struct Entry;

struct Value {
  using Null = std::monostate;
  using List = std::vector<Value>;
  using Table = std::vector<Entry>;  // in the order of the file

  std::variant<Null, bool, std::int64_t, double, std::string, List, Table> data;
  std::string text;    // a scalar as an argument spelled it ("1e3"), for keys that hold text
  std::string origin;  // "configs/mesh/desktop.toml:3" or "argument 'mesh.edges=cut'"
  bool extra = false;  // added with '+': the schema need not know the key

  template <class T>
  [[nodiscard]] const T* as() const {
    return std::get_if<T>(&data);
  }

  template <class T>
  [[nodiscard]] T* as() {
    return std::get_if<T>(&data);
  }

  [[nodiscard]] bool is_null() const { return as<Null>() != nullptr; }

  [[nodiscard]] bool is_mandatory() const;
};

struct Entry {
  std::string key;
  Value value;
};

using Path = std::vector<std::string>;

[[nodiscard]] Value make_table();

// Whether `name` may be a key: letters, digits, '_', '-' and '$', at least one.
[[nodiscard]] bool is_key_name(std::string_view name);

// "a.b[0].c" and "a.b.0.c" as {"a", "b", "0", "c"}. Empty when it is not a key or too deep.
[[nodiscard]] Path split_key(std::string_view key);
[[nodiscard]] std::string join_key(std::span<const std::string> path);

// The entry of a table, the element of a list (name = index), or null.
[[nodiscard]] const Value* child(const Value& parent, std::string_view name);
[[nodiscard]] Value* child(Value& parent, std::string_view name);

// The value at the end of a path, or null.
[[nodiscard]] const Value* find(const Value& root, std::span<const std::string> path);
[[nodiscard]] Value* find(Value& root, std::span<const std::string> path);

// Removes an entry or element; false if there is none.
bool erase(Value& parent, std::string_view name);

// Puts `from` over `into`: tables merge, everything else replaces.
void merge(Value& into, const Value& from);

// Removes tables that hold nothing (TOML would print them as empty headers).
void prune(Value& table);

// Marks all values in `value` as extra, with one origin.
void mark(Value& value, bool extra, const std::string& origin);

// Levels of lists and tables in a value: 0 for a scalar.
[[nodiscard]] std::size_t depth_of(const Value& value);

// Equal in value; 1 and 1.0 are.
[[nodiscard]] bool same_value(const Value& a, const Value& b);

// A value as TOML writes it in one line; null as "null".
[[nodiscard]] std::string to_inline_toml(const Value& value);

// A scalar as text to be put into a string: strings as they are, everything else as TOML.
[[nodiscard]] std::string to_text(const Value& value);

}  // namespace vergence::config
