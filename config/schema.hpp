// SPDX-License-Identifier: Apache-2.0
// What every key means and may be (configs/schema.toml).
#pragma once

#include "config/value.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::config {

enum class BaseType { kBool, kInt, kNumber, kString, kPath, kEnum };

struct KeyRule {
  std::string key;
  BaseType type = BaseType::kString;
  bool is_list = false;
  std::vector<Value> values;    // what alone is allowed; empty = no such limit
  std::optional<double> min;    // allowed itself
  std::optional<double> above;  // not allowed itself
  std::optional<double> max;    // allowed itself
  std::string unit;
  std::string doc;
  std::string group = {};  // elements of the list may also be tables of this group's keys
};

class Schema {
 public:
  // Reads the text of a schema file. Throws Error when the schema itself is wrong.
  explicit Schema(std::string_view text);

  // That of the program.
  [[nodiscard]] static const Schema& shipped();

  // In the order of the file.
  [[nodiscard]] std::span<const KeyRule> rules() const { return rules_; }

  // Also for a key within an element of a list that holds a group's tables.
  [[nodiscard]] const KeyRule* find(std::string_view key) const;

  // The rules below a table ("mesh.texture"); none if it is not one.
  [[nodiscard]] std::vector<const KeyRule*> below(std::string_view table) const;

 private:
  void read(const Value& table, Path& path);

  std::vector<KeyRule> rules_;
};

// What a rule expects, for messages: "a number in [0, 200] mm", "one of 'keep' or 'cut'".
[[nodiscard]] std::string expectation(const KeyRule& rule);

// The same for tables of keys: "number 0..200 mm", "keep|cut".
[[nodiscard]] std::string type_label(const KeyRule& rule);

// A value for messages: `the string "abc"`, "300".
[[nodiscard]] std::string describe_value(const Value& value);

// Turns a value into the rule's type where nothing is lost ("10" and 10.0 into 10). Returns what is
// wrong otherwise: "expected ..., got ...", with a line of advice where there is some.
[[nodiscard]] std::optional<std::string> coerce(Value& value, const KeyRule& rule);

}  // namespace vergence::config
