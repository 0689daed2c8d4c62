// SPDX-License-Identifier: Apache-2.0
#include "config/override.hpp"

#include "config/word.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace vergence::config {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::size_t kShown = 160;  // bytes of an argument that messages repeat in full
constexpr std::string_view kEscapable = "\\()[]{}:=,\"' \t";

constexpr std::string_view kFunctions =
    " (the functions are choice, range, glob, sort, int, float, str, bool and json_str)";

// Of a long argument only the first part.
std::string beginning(std::string_view argument) {
  if (argument.size() <= kShown) return std::string(argument);
  std::size_t end = kShown / 2;
  while ((static_cast<unsigned char>(argument[end]) & 0xC0U) == 0x80U) --end;
  return std::string(argument.substr(0, end)) + "...";
}

class Parser {
 public:
  Parser(std::string_view argument, std::size_t position)
      : argument_(argument),
        position_(position),
        begin_(position) {}

  // What stands there up to the end; more than one value makes a sweep.
  Meaning meaning() {
    skip_blanks();
    if (at_end()) return {text_value({}), std::nullopt};
    const std::size_t start = position_;
    Meaning first = element(Place::kTop);
    if (at_end()) return first;
    if (peek() == ',' && first.sweep) {
      position_ = start;
      fail("a sweep cannot stand inside another one");
    }
    Sweep sweep;
    sweep.values.push_back(std::move(first.value));
    while (!at_end()) {
      expect(',');
      sweep.values.push_back(plain_element(Place::kTop));
    }
    return {Value(), std::move(sweep)};
  }

 private:
  enum class Place { kTop, kList, kTable, kCall };

  [[nodiscard]] bool at_end() const { return position_ >= argument_.size(); }

  [[nodiscard]] char peek() const { return at_end() ? '\0' : argument_[position_]; }

  void skip_blanks() {
    while (!at_end() && kBlanks.find(peek()) != std::string_view::npos) ++position_;
  }

  static Value text_value(std::string text) {
    Value value;
    value.data = std::move(text);
    return value;
  }

  [[nodiscard]] static bool begins_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }

  // What stands around the position, in one line, and a caret below it. The caret counts
  // characters, not bytes.
  [[nodiscard]] std::string place() const {
    std::size_t from = position_ > kShown / 2 ? position_ - kShown / 2 : 0;
    std::size_t to = std::min(argument_.size(), position_ + kShown / 2);
    while (from > 0 && !begins_character(argument_[from])) --from;
    while (to < argument_.size() && !begins_character(argument_[to])) ++to;
    std::string line = from > 0 ? "..." : "";
    std::size_t column = line.size();
    for (std::size_t i = from; i < to; ++i) {
      const char c = argument_[i];
      line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
      if (i < position_ && begins_character(c)) ++column;
    }
    if (to < argument_.size()) line += "...";
    return fmt::format("    {}\n    {:>{}}", line, '^', column + 1);
  }

  [[noreturn]] void fail(const std::string& reason) const {
    const bool is_long = argument_.size() > kShown;
    std::string text = fmt::format(
        "cannot read '{}': {}\n{}\n  if the value is a text, write it "
        "in quotes",
        beginning(argument_), reason, place());
    if (is_long) throw SyntaxError(text);
    const std::string key(argument_.substr(0, begin_));
    std::string quoted = "\"";
    for (const char c : argument_.substr(begin_)) {
      if (c == '"') quoted += '\\';
      quoted += c;
    }
    throw SyntaxError(fmt::format("{}: {}", text, shell_quoted(key + quoted + "\"")));
  }

  void expect(char wanted) {
    skip_blanks();
    if (peek() != wanted || at_end()) {
      fail(at_end() ? fmt::format("'{}' is missing at the end", wanted)
                    : fmt::format("unexpected '{}'", printable()));
    }
    ++position_;
    skip_blanks();
  }

  // Between the members of something that ends with `close`.
  void separator(char close) {
    if (at_end()) fail(fmt::format("'{}' is missing at the end", close));
    if (peek() != close) expect(',');
  }

  // The character at the position, whole also in UTF-8.
  [[nodiscard]] std::string printable() const {
    std::size_t end = position_ + 1;
    while (end < argument_.size() &&
           (static_cast<unsigned char>(argument_[end]) & 0xC0U) == 0x80U) {
      ++end;
    }
    return std::string(argument_.substr(position_, end - position_));
  }

  Meaning element(Place place) {
    if (++depth_ > kMaxDepth) fail("the value is nested too deeply");
    skip_blanks();
    Meaning result;
    switch (peek()) {
      case '[':
        result.value = list();
        break;
      case '{':
        result.value = table();
        break;
      case '"':
      case '\'':
        result.value = quoted();
        break;
      default:
        result = word_or_call(place);
    }
    skip_blanks();
    --depth_;
    return result;
  }

  // An element where a sweep and null have no place.
  Value plain_element(Place place) {
    const std::size_t start = position_;
    Meaning result = element(place);
    if (result.sweep) {
      position_ = start;
      fail("a sweep cannot stand inside a value");
    }
    if (place == Place::kList && result.value.is_null()) {
      position_ = start;
      fail("a list cannot hold null");
    }
    return std::move(result.value);
  }

  Value list() {
    Value::List items;
    ++lists_;
    ++position_;
    skip_blanks();
    while (peek() != ']') {
      items.push_back(plain_element(Place::kList));
      separator(']');
    }
    ++position_;
    --lists_;
    Value value;
    value.data = std::move(items);
    return value;
  }

  Value table() {
    Value result = make_table();
    auto& entries = std::get<Value::Table>(result.data);
    ++position_;
    skip_blanks();
    while (peek() != '}') {
      const std::size_t start = position_;
      const std::string key = table_key();
      if (child(result, key) != nullptr) {
        position_ = start;
        fail(fmt::format("'{}' stands twice in the table", key));
      }
      skip_blanks();
      expect(peek() == '=' ? '=' : ':');
      const std::size_t value_start = position_;
      Value value = plain_element(Place::kTable);
      if (lists_ > 0 && value.is_null()) {
        position_ = value_start;
        fail("a list cannot hold null");
      }
      entries.push_back({key, std::move(value)});
      separator('}');
    }
    ++position_;
    return result;
  }

  std::string table_key() {
    const std::size_t start = position_;
    std::string key;
    if (peek() == '"' || peek() == '\'') {
      key = std::get<std::string>(quoted().data);
    } else {
      while (!at_end() && is_key_name(argument_.substr(position_, 1)))
        key += argument_[position_++];
    }
    if (!is_key_name(key)) {
      if (key.empty() && at_end()) fail("'}' is missing at the end");
      if (!key.empty()) position_ = start;
      fail("expected a key of letters, digits, '_', '-' or '$'");
    }
    return key;
  }

  // Backslashes are plain, except directly before the quote: there a pair means one, and an odd one
  // makes the quote part of the text.
  Value quoted() {
    const std::size_t start = position_;
    const char quote = argument_[position_++];
    std::string text;
    while (!at_end()) {
      std::size_t backslashes = 0;
      while (peek() == '\\') {
        ++backslashes;
        ++position_;
      }
      if (peek() != quote || at_end()) {
        text.append(backslashes, '\\');
        if (!at_end()) text += argument_[position_++];
        continue;
      }
      text.append(backslashes / 2, '\\');
      ++position_;
      if (backslashes % 2 == 0) return text_value(std::move(text));
      text += quote;
    }
    position_ = start;
    fail(fmt::format("the quote {} is never closed", quote));
  }

  // Copies "${...}" as it is, with everything inside it.
  void interpolation(std::string& text) {
    const std::size_t start = position_;
    std::size_t depth = 0;
    do {
      if (peek() == '{') ++depth;
      if (peek() == '}') --depth;
      text += argument_[position_++];
    } while (!at_end() && (depth > 0 || argument_[position_ - 1] == '$'));
    if (depth > 0) {
      position_ = start;
      fail("'${' is never closed by '}'");
    }
  }

  [[nodiscard]] bool ends_word(Place place) const {
    const char c = peek();
    return c == ',' || (place == Place::kList && c == ']') ||
           (place == Place::kTable && c == '}') || (place == Place::kCall && c == ')');
  }

  Meaning word_or_call(Place place) {
    std::string text;
    std::size_t kept = 0;  // length up to the last character that is no plain blank
    bool escaped = false;
    const std::size_t start = position_;
    while (!at_end() && !ends_word(place)) {
      const char c = peek();
      const bool has_next = position_ + 1 < argument_.size();
      if (c == '(' && !escaped && is_function(text)) return call(text, start);
      if (c == '\\' && has_next && kEscapable.find(argument_[position_ + 1]) != std::string::npos) {
        text += argument_[position_ + 1];
        position_ += 2;
        escaped = true;
        kept = text.size();
      } else if (c == '$' && has_next && argument_[position_ + 1] == '{') {
        interpolation(text);
        kept = text.size();
      } else if (std::string_view("()[]{}\"'").find(c) != std::string_view::npos) {
        fail(fmt::format("unexpected '{}'{}", c, c == '(' && is_key_name(text) ? kFunctions : ""));
      } else {
        text += c;
        ++position_;
        if (kBlanks.find(c) == std::string_view::npos) kept = text.size();
      }
    }
    text.resize(kept);
    if (text.empty() && place != Place::kTable) {
      fail(at_end() ? "a value is missing at the end"
                    : fmt::format("unexpected '{}'", printable()));
    }
    return {escaped ? text_value(std::move(text)) : value_of_word(text), std::nullopt};
  }

  // From the '(' on; `start` is where the function's name begins.
  Meaning call(const std::string& function, std::size_t start) {
    ++position_;
    std::vector<FunctionArgument> arguments;
    skip_blanks();
    while (peek() != ')') {
      FunctionArgument argument;
      argument.name = parameter_name(function);
      argument.meaning = element(Place::kCall);
      arguments.push_back(std::move(argument));
      separator(')');
    }
    ++position_;
    try {
      return call_function(function, arguments);
    } catch (const FunctionError& error) {
      position_ = start;
      fail(error.what());
    }
  }

  // Takes "step=" where the function knows it; empty where a value begins.
  std::string parameter_name(std::string_view function) {
    const auto equals = argument_.find('=', position_);
    if (equals == std::string_view::npos) return {};
    std::string_view name = argument_.substr(position_, equals - position_);
    name = name.substr(0, name.find_last_not_of(kBlanks) + 1);
    if (!has_parameter(function, name)) return {};
    position_ = equals + 1;
    return std::string(name);
  }

  std::string_view argument_;
  std::size_t position_;
  std::size_t begin_;  // where the value begins
  std::size_t depth_ = 0;
  std::size_t lists_ = 0;
};

// The bytes with those that are not ASCII as \xHH.
std::string escaped(std::string_view bytes) {
  std::string text = "'";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += byte >= 0x20 && byte < 0x7F ? std::string(1, c) : fmt::format("\\x{:02X}", byte);
  }
  return text + "'";
}

// Takes the operator off both ends of the key's text.
Operation take_operation(std::string_view& key) {
  if (key.starts_with("++")) {
    key.remove_prefix(2);
    return Operation::kForce;
  }
  if (key.starts_with('+')) {
    key.remove_prefix(1);
    return Operation::kAdd;
  }
  if (key.starts_with('~')) {
    key.remove_prefix(1);
    return Operation::kDelete;
  }
  if (key.ends_with('+')) {
    key.remove_suffix(1);
    return Operation::kAppend;
  }
  return Operation::kChange;
}

bool is_group_or_key(std::string_view text) {
  std::string dotted(text);
  std::replace(dotted.begin(), dotted.end(), '/', '.');
  return !split_key(dotted).empty();
}

bool is_package(std::string_view text) {
  return !split_key(text).empty();
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    const std::size_t length = byte < 0x80   ? 1
                               : byte < 0xC2 ? 0
                               : byte < 0xE0 ? 2
                               : byte < 0xF0 ? 3
                               : byte < 0xF5 ? 4
                                             : 0;
    if (length == 0 || i + length > bytes.size()) return false;
    std::uint32_t code = length == 1 ? byte : byte & (0x7FU >> length);
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(bytes[i + k]);
      if ((next & 0xC0U) != 0x80U) return false;
      code = code << 6U | (next & 0x3FU);
    }
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (surrogate || code > 0x10FFFF || (length == 3 && code < 0x800) ||
        (length == 4 && code < 0x10000)) {
      return false;
    }
    i += length;
  }
  return true;
}

std::string shell_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string key_part(const Override& parsed) {
  return parsed.argument.substr(0, parsed.argument.find('=') + 1);
}

Value parse_value(std::string_view text) {
  Meaning meaning = Parser(text, 0).meaning();
  if (meaning.sweep)
    throw SyntaxError(fmt::format("cannot read '{}': one value is expected", text));
  return std::move(meaning.value);
}

Override parse_override(std::string_view argument) {
  if (!is_utf8(argument)) {
    throw SyntaxError(fmt::format("argument {} is not UTF-8 text", escaped(argument)));
  }
  Override result;
  result.argument = argument;
  const auto equals = argument.find('=');
  std::string_view key = trimmed(argument.substr(0, equals));
  result.operation = take_operation(key);
  if (const auto at = key.find('@'); at != std::string_view::npos) {
    result.package = key.substr(at + 1);
    key = key.substr(0, at);
  }
  result.key = key;
  if (equals == std::string_view::npos && result.operation != Operation::kDelete) {
    throw SyntaxError(fmt::format("cannot read '{}': expected KEY=VALUE", argument));
  }
  if (!is_group_or_key(key) || (result.package && !is_package(*result.package))) {
    throw SyntaxError(fmt::format(
        "cannot read '{}': '{}' is not a key\n  a key is names with dots between them; a name has "
        "letters, digits, '_', '-' or '$'",
        argument, trimmed(argument.substr(0, equals))));
  }
  if (equals != std::string_view::npos) {
    Meaning meaning = Parser(argument, equals + 1).meaning();
    result.sweep = std::move(meaning.sweep);
    if (!result.sweep) result.value = std::move(meaning.value);
  }
  return result;
}

}  // namespace vergence::config
