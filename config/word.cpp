// SPDX-License-Identifier: Apache-2.0
#include "config/word.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace vergence::config {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "1_000" without the blanks between digits; empty if an underscore stands elsewhere.
std::string without_underscores(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
    } else if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1])) {
      return {};
    }
  }
  return digits;
}

std::optional<double> parse_special_float(std::string_view text) {
  const double sign = text.starts_with('-') ? -1.0 : 1.0;
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const std::string word = lower(text);
  if (word == "inf") return sign * std::numeric_limits<double>::infinity();
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  return std::nullopt;
}

// An integer or a float; a number that fits neither type stays text.
std::optional<Value> parse_number(std::string_view text) {
  Value value;
  if (const auto special = parse_special_float(text)) {
    value.data = *special;
    return value;
  }
  std::string digits = without_underscores(text);
  if (digits.starts_with('+')) digits.erase(0, 1);
  const std::string_view unsigned_part =
      std::string_view(digits).substr(digits.starts_with('-') ? 1 : 0);
  const bool leads_with_zero = unsigned_part.size() > 1 && unsigned_part[0] == '0';
  if (unsigned_part.empty() || !(is_digit(unsigned_part[0]) || unsigned_part[0] == '.') ||
      (leads_with_zero && is_digit(unsigned_part[1]))) {
    return std::nullopt;
  }
  const char* begin = digits.data();
  const char* end = begin + digits.size();
  std::int64_t integer = 0;
  if (const auto result = std::from_chars(begin, end, integer);
      result.ec == std::errc() && result.ptr == end) {
    value.data = integer;
    return value;
  }
  double number = 0.0;
  const bool is_real = digits.find_first_of(".eE") != std::string::npos;
  if (const auto result = std::from_chars(begin, end, number);
      is_real && result.ec == std::errc() && result.ptr == end) {
    value.data = number;
    return value;
  }
  return std::nullopt;
}

// In single quotes. A backslash is plain there, but for those directly before a quote.
std::string quoted_argument(std::string_view string) {
  std::string text = "'";
  std::size_t backslashes = 0;
  for (const char c : string) {
    if (c == '\'') text.append(backslashes + 1, '\\');
    backslashes = c == '\\' ? backslashes + 1 : 0;
    text += c;
  }
  return text.append(backslashes, '\\') + "'";
}

}  // namespace

Value value_of_word(const std::string& word) {
  Value value;
  const std::string lowered = lower(word);
  if (lowered == "null") {
    value.data = Value::Null{};
  } else if (lowered == "true" || lowered == "false") {
    value.data = lowered == "true";
  } else if (auto number = parse_number(word)) {
    value = *number;
  } else {
    value.data = word;
  }
  value.text = word;
  return value;
}

std::string to_argument(const Value& value) {
  std::string text;
  if (const auto* list = value.as<Value::List>()) {
    for (const auto& item : *list) text += (text.empty() ? "" : ",") + to_argument(item);
    return "[" + text + "]";
  }
  if (const auto* table = value.as<Value::Table>()) {
    for (const auto& [key, inner] : *table) {
      text += fmt::format("{}{}:{}", text.empty() ? "" : ",", key, to_argument(inner));
    }
    return "{" + text + "}";
  }
  if (!value.text.empty()) return value.text;
  const auto* string = value.as<std::string>();
  return string != nullptr ? quoted_argument(*string) : to_inline_toml(value);
}

}  // namespace vergence::config
