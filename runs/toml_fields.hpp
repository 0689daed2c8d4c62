// SPDX-License-Identifier: Apache-2.0
// The fields of the TOML files that runs write, and how they are read back: a missing one, or one
// of another type, is told with the file's name. Not installed.
#pragma once

#include "config/value.hpp"
#include "core/error.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vergence::runs {

[[nodiscard]] config::Value value_of(auto data) {
  config::Value value;
  value.data = std::move(data);
  return value;
}

template <class Item>
[[nodiscard]] config::Value list_of(const std::vector<Item>& items) {
  config::Value::List list;
  for (const auto& item : items) list.push_back(value_of(item));
  return value_of(std::move(list));
}

// The text of a file that holds the table.
[[nodiscard]] std::string toml_of(const config::Value& table);

// One file. All functions throw Error that names it where a field is not as it should be.
class FieldReader {
 public:
  explicit FieldReader(std::filesystem::path path);

  [[nodiscard]] const config::Value& tree() const { return tree_; }

  template <class T>
  [[nodiscard]] const T& get(const config::Value& table, std::string_view key) const {
    return typed<T>(config::child(table, key), key);
  }

  template <class T>
  [[nodiscard]] const T& get(std::string_view key) const {
    return get<T>(tree_, key);
  }

  // A whole number will do.
  [[nodiscard]] double number(const config::Value& table, std::string_view key) const;

  template <class T>
  [[nodiscard]] std::vector<T> list(std::string_view key) const {
    std::vector<T> items;
    for (const auto& item : get<config::Value::List>(key)) items.push_back(typed<T>(&item, key));
    return items;
  }

 private:
  template <class T>
  [[nodiscard]] const T& typed(const config::Value* value, std::string_view key) const {
    const T* found = value != nullptr ? value->as<T>() : nullptr;
    if (found == nullptr) throw damaged(key, value == nullptr ? "missing" : "of another type");
    return *found;
  }

  [[nodiscard]] Error damaged(std::string_view key, std::string_view how) const;

  std::filesystem::path path_;
  config::Value tree_;
};

}  // namespace vergence::runs
