// SPDX-License-Identifier: Apache-2.0
#include "config/schema.hpp"

#include "config/override.hpp"
#include "config/search_path.hpp"
#include "config/toml_file.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

namespace vergence::config {
namespace {

struct TypeName {
  std::string_view name;
  BaseType type;
  std::string_view one;   // "expected ..."
  std::string_view many;  // "expected a list of ..."
};

constexpr std::array<TypeName, 6> kTypes = {{
    {"bool", BaseType::kBool, "true or false", "true or false"},
    {"int", BaseType::kInt, "an integer", "integers"},
    {"number", BaseType::kNumber, "a number", "numbers"},
    {"string", BaseType::kString, "a string", "strings"},
    {"path", BaseType::kPath, "a path", "paths"},
    {"enum", BaseType::kEnum, "a word", "words"},
}};

const TypeName& type_name(BaseType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(),
                       [&](const TypeName& t) { return t.type == type; });
}

std::optional<double> to_number(const Value& value) {
  if (const auto* integer = value.as<std::int64_t>()) return static_cast<double>(*integer);
  if (const auto* number = value.as<double>()) return *number;
  return std::nullopt;
}

std::vector<std::string> words(const std::vector<Value>& values) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const auto& value : values) texts.push_back(to_text(value));
  return texts;
}

[[noreturn]] void broken(const std::string& key, const std::string& what) {
  throw Error(fmt::format("configs/schema.toml: '{}': {}", key, what));
}

// One property of a rule. Returns false for a name that is none.
bool set_property(KeyRule& rule, const std::string& name, const Value& value) {
  const auto* text = value.as<std::string>();
  const auto number = to_number(value);
  if (name == "type" && text != nullptr) {
    std::string_view type = *text;
    rule.is_list = type.starts_with("list of ");
    if (rule.is_list) type.remove_prefix(8);
    const auto* found = std::find_if(kTypes.begin(), kTypes.end(),
                                     [&](const TypeName& t) { return t.name == type; });
    if (found == kTypes.end()) return false;
    rule.type = found->type;
  } else if (name == "doc" && text != nullptr) {
    rule.doc = *text;
  } else if (name == "group" && text != nullptr) {
    rule.group = *text;
  } else if (name == "unit" && text != nullptr) {
    rule.unit = *text;
  } else if (name == "values" && value.as<Value::List>() != nullptr) {
    rule.values = *value.as<Value::List>();
  } else if (name == "min" && number) {
    rule.min = number;
  } else if (name == "above" && number) {
    rule.above = number;
  } else if (name == "max" && number) {
    rule.max = number;
  } else {
    return false;
  }
  return true;
}

std::string with_unit(std::string text, const KeyRule& rule) {
  return rule.unit.empty() ? text : std::move(text) + " " + rule.unit;
}

// "in [0, 200]", "of at least 0", "above 0"; empty without limits.
std::string range_text(const KeyRule& rule) {
  if (rule.max) {
    const auto low = rule.min ? rule.min : rule.above;
    if (!low) return fmt::format(" of at most {}", *rule.max);
    return fmt::format(" in {}{}, {}]", rule.min ? '[' : '(', *low, *rule.max);
  }
  if (rule.min) return fmt::format(" of at least {}", *rule.min);
  if (rule.above) return fmt::format(" above {}", *rule.above);
  return {};
}

bool in_range(double number, const KeyRule& rule) {
  return std::isfinite(number) && !(rule.min && number < *rule.min) &&
         !(rule.above && number <= *rule.above) && !(rule.max && number > *rule.max);
}

// A string that spells a value of another type is that value ("10", "true").
Value spelled(const Value& value) {
  const auto* text = value.as<std::string>();
  if (text == nullptr || text->empty() ||
      text->find_first_of("()[]{}\"'\\,$") != std::string::npos) {
    return value;
  }
  return parse_value(*text);
}

bool coerce_to_bool(Value& value) {
  const Value read = spelled(value);
  if (const auto* boolean = read.as<bool>()) {
    value.data = *boolean;
    return true;
  }
  const auto* text = read.as<std::string>();
  if (text == nullptr) return false;
  const bool yes = *text == "yes" || *text == "on";
  if (!yes && *text != "no" && *text != "off") return false;
  value.data = yes;
  return true;
}

bool coerce_to_int(Value& value) {
  const Value read = spelled(value);
  if (const auto* integer = read.as<std::int64_t>()) {
    value.data = *integer;
    return true;
  }
  const auto* number = read.as<double>();
  // Integers beyond 2^53 do not survive as floats.
  if (number == nullptr || std::trunc(*number) != *number || std::abs(*number) > 0x1p53) {
    return false;
  }
  value.data = static_cast<std::int64_t>(*number);
  return true;
}

bool coerce_to_number(Value& value) {
  const auto number = to_number(spelled(value));
  if (number) value.data = *number;
  return number.has_value();
}

bool coerce_to_string(Value& value, const KeyRule& rule) {
  if (value.is_null() || value.as<Value::List>() != nullptr ||
      value.as<Value::Table>() != nullptr) {
    return false;
  }
  if (value.as<std::string>() == nullptr) {
    value.data = value.text.empty() ? to_text(value) : value.text;
  }
  auto& text = *value.as<std::string>();
  const char* home = std::getenv("HOME");
  // The shell leaves "key=~/x" alone.
  if (rule.type == BaseType::kPath && text.starts_with("~/") && home != nullptr && is_utf8(home)) {
    text.replace(0, 1, home);
  }
  return true;
}

bool coerce_scalar(Value& value, const KeyRule& rule) {
  bool fits = false;
  switch (rule.type) {
    case BaseType::kBool:
      fits = coerce_to_bool(value);
      break;
    case BaseType::kInt:
      fits = coerce_to_int(value);
      break;
    case BaseType::kNumber:
      fits = coerce_to_number(value);
      break;
    case BaseType::kString:
    case BaseType::kPath:
    case BaseType::kEnum:
      fits = coerce_to_string(value, rule);
      break;
  }
  if (!fits) return false;
  if (const auto number = to_number(value); number && !in_range(*number, rule)) return false;
  return rule.values.empty() ||
         std::any_of(rule.values.begin(), rule.values.end(),
                     [&](const Value& allowed) { return same_value(allowed, value); });
}

// "did you mean ...?" on a line of its own; empty where no allowed word is near.
std::string nearest_words(const Value& value, const KeyRule& rule) {
  if (rule.type != BaseType::kEnum || value.as<std::string>() == nullptr) return {};
  const auto near = nearest_names(*value.as<std::string>(), words(rule.values));
  return near.empty() ? "" : fmt::format("\n  did you mean {}?", quoted_list(near));
}

}  // namespace

Schema::Schema(std::string_view text) {
  std::vector<std::string> mistakes;
  const Value table = parse_toml(text, "configs/schema.toml", mistakes);
  if (!mistakes.empty()) throw Error(mistakes.front());
  Path path;
  read(table, path);
}

const Schema& Schema::shipped() {
  static const Schema schema = [] {
    const auto files = embedded_files();
    const auto file = std::find_if(files.begin(), files.end(),
                                   [](const EmbeddedFile& f) { return f.name == "schema"; });
    return Schema(file == files.end() ? std::string_view() : file->text);
  }();
  return schema;
}

void Schema::read(const Value& table, Path& path) {
  const Value* type = child(table, "type");
  if (type == nullptr || type->as<std::string>() == nullptr) {
    for (const auto& [key, value] : *table.as<Value::Table>()) {
      path.push_back(key);
      if (value.as<Value::Table>() == nullptr) broken(join_key(path), "a rule is a table");
      read(value, path);
      path.pop_back();
    }
    return;
  }
  KeyRule rule;
  rule.key = join_key(path);
  for (const auto& [name, value] : *table.as<Value::Table>()) {
    if (!set_property(rule, name, value)) broken(rule.key, fmt::format("'{}' is wrong", name));
  }
  if (rule.doc.empty()) broken(rule.key, "'doc' is missing");
  if (rule.type == BaseType::kEnum && rule.values.empty()) broken(rule.key, "'values' is missing");
  rules_.push_back(std::move(rule));
}

const KeyRule* Schema::find(std::string_view key) const {
  const auto found = std::find_if(rules_.begin(), rules_.end(),
                                  [&](const KeyRule& rule) { return rule.key == key; });
  if (found != rules_.end()) return &*found;
  for (const auto& rule : rules_) {
    if (rule.group.empty() || !key.starts_with(rule.key + ".")) continue;
    const auto inner = key.substr(rule.key.size() + 1);
    const auto dot = inner.find_first_not_of("0123456789");
    if (dot == 0 || dot == std::string_view::npos || inner[dot] != '.') continue;
    return find(rule.group + std::string(inner.substr(dot)));
  }
  return nullptr;
}

std::vector<const KeyRule*> Schema::below(std::string_view table) const {
  const std::string prefix = std::string(table) + ".";
  std::vector<const KeyRule*> found;
  for (const auto& rule : rules_) {
    if (rule.key.starts_with(prefix)) found.push_back(&rule);
  }
  return found;
}

std::string expectation(const KeyRule& rule) {
  const auto& names = type_name(rule.type);
  const std::string lead = rule.is_list ? "a list of " : "";
  if (!rule.values.empty()) {
    const auto texts = words(rule.values);
    if (rule.type == BaseType::kEnum) {
      return fmt::format("{}{}{}", lead, texts.size() > 1 ? "one of " : "", quoted_list(texts));
    }
    return lead + with_unit(fmt::format("one of {}", fmt::join(texts, ", ")), rule);
  }
  return lead +
         with_unit(std::string(rule.is_list ? names.many : names.one) + range_text(rule), rule);
}

std::string type_label(const KeyRule& rule) {
  const std::string lead = rule.is_list ? "list of " : "";
  if (!rule.values.empty()) return lead + fmt::format("{}", fmt::join(words(rule.values), "|"));
  std::string text = lead + std::string(type_name(rule.type).name);
  if (rule.min && rule.max) {
    text += fmt::format(" {}..{}", *rule.min, *rule.max);
  } else {
    if (rule.min) text += fmt::format(" >= {}", *rule.min);
    if (rule.above) text += fmt::format(" > {}", *rule.above);
    if (rule.max) text += fmt::format(" <= {}", *rule.max);
  }
  return with_unit(std::move(text), rule);
}

std::string describe_value(const Value& value) {
  if (value.as<std::string>() != nullptr) return "the string " + to_inline_toml(value);
  if (value.as<Value::List>() != nullptr) return "the list " + to_inline_toml(value);
  if (value.as<Value::Table>() != nullptr) return "the table " + to_inline_toml(value);
  return to_inline_toml(value);
}

std::optional<std::string> coerce(Value& value, const KeyRule& rule) {
  const std::string wrong = fmt::format("expected {}, got ", expectation(rule));
  if (!rule.is_list) {
    const Value given = value;
    if (coerce_scalar(value, rule)) return std::nullopt;
    return wrong + describe_value(given) + nearest_words(value, rule);
  }
  auto* items = value.as<Value::List>();
  if (items == nullptr) {
    return wrong + describe_value(value) +
           fmt::format("\n  a list of one is written [{}]", to_inline_toml(value));
  }
  for (auto& item : *items) {
    if (!rule.group.empty() && item.as<Value::Table>() != nullptr) continue;
    const Value given = item;
    if (!coerce_scalar(item, rule)) {
      return wrong + describe_value(given) + " in it" + nearest_words(item, rule);
    }
  }
  return std::nullopt;
}

}  // namespace vergence::config
