// SPDX-License-Identifier: Apache-2.0
#include "config/function.hpp"

#include "config/word.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

namespace vergence::config {
namespace {

constexpr std::size_t kMaxValues = 100'000;  // more jobs than anybody waits for

struct FunctionName {
  std::string_view name;
  std::array<std::string_view, 3> parameters;
};

constexpr std::array<FunctionName, 9> kFunctions = {{{"int", {"value"}},
                                                     {"float", {"value"}},
                                                     {"str", {"value"}},
                                                     {"bool", {"value"}},
                                                     {"json_str", {"value"}},
                                                     {"choice", {}},
                                                     {"range", {"start", "stop", "step"}},
                                                     {"glob", {"include", "exclude"}},
                                                     {"sort", {"list", "reverse"}}}};

struct DeclinedName {
  std::string_view name;
  std::string_view instead;
};

constexpr std::array<DeclinedName, 4> kDeclined = {
    {{"interval", "give the values with range(start,stop,step) or choice(...)"},
     {"tag", "leave it out"},
     {"shuffle", "jobs run in the order that is written"},
     {"extend_list", "to extend a list write KEY+=[value]"}}};

Value value_of(std::int64_t integer) {
  Value value;
  value.data = integer;
  return value;
}

Value value_of(std::string text) {
  Value value;
  value.data = std::move(text);
  return value;
}

std::string spelling(const Value& value) {
  return value.text.empty() ? to_text(value) : value.text;
}

// ---- casts

std::string to_json(const Value& value) {
  std::string text;
  if (value.is_null()) return "null";
  if (const auto* list = value.as<Value::List>()) {
    for (const auto& item : *list) text += (text.empty() ? "" : ", ") + to_json(item);
    return "[" + text + "]";
  }
  if (const auto* table = value.as<Value::Table>()) {
    for (const auto& [key, inner] : *table) {
      text += fmt::format("{}\"{}\": {}", text.empty() ? "" : ", ", key, to_json(inner));
    }
    return "{" + text + "}";
  }
  // Texts and numbers are written alike, but for what JSON has no numbers for.
  const auto* number = value.as<double>();
  if (number != nullptr && std::isnan(*number)) return "NaN";
  if (number != nullptr && std::isinf(*number)) return *number > 0 ? "Infinity" : "-Infinity";
  return to_inline_toml(value);
}

std::optional<Value> cast_to_bool(const Value& from) {
  Value result;
  if (const auto* boolean = from.as<bool>()) {
    result.data = *boolean;
  } else if (const auto* integer = from.as<std::int64_t>()) {
    result.data = *integer != 0;
  } else if (const auto* number = from.as<double>()) {
    result.data = *number != 0.0;
  } else {
    return std::nullopt;
  }
  return result;
}

std::optional<Value> cast_to_number(std::string_view type, const Value& from) {
  Value result;
  double number = 0.0;
  if (const auto* boolean = from.as<bool>()) {
    number = *boolean ? 1.0 : 0.0;
  } else if (const auto* integer = from.as<std::int64_t>()) {
    if (type == "int") return value_of(*integer);
    number = static_cast<double>(*integer);
  } else if (const auto* real = from.as<double>()) {
    number = *real;
  } else {
    return std::nullopt;
  }
  if (type == "float") {
    result.data = number;
  } else if (std::abs(number) < 0x1p62) {
    result.data = static_cast<std::int64_t>(number);
  } else {
    return std::nullopt;
  }
  return result;
}

Value cast(std::string_view type, const Value& from) {
  if (type == "json_str") return value_of(to_json(from));
  Value result = from;
  result.text.clear();
  if (auto* items = result.as<Value::List>()) {
    for (auto& item : *items) item = cast(type, item);
    return result;
  }
  if (auto* entries = result.as<Value::Table>()) {
    for (auto& entry : *entries) entry.value = cast(type, entry.value);
    return result;
  }
  if (!from.is_null()) {
    if (type == "str") return value_of(spelling(from));
    const Value parsed = value_of_word(spelling(from));
    if (auto changed = type == "bool" ? cast_to_bool(parsed) : cast_to_number(type, parsed)) {
      return *changed;
    }
  }
  throw FunctionError(fmt::format("{} does not turn into {}", to_inline_toml(from), type));
}

// ---- range

// digits * 10^-scale, exact.
struct Decimal {
  std::int64_t digits = 0;
  int scale = 0;
  bool is_integer = true;
};

[[noreturn]] void no_decimal(const Value& value) {
  throw FunctionError(
      fmt::format("range() takes numbers of at most 15 digits, not {}", to_inline_toml(value)));
}

Decimal decimal_from(const Value& value) {
  if (value.as<std::int64_t>() == nullptr && value.as<double>() == nullptr) no_decimal(value);
  std::string text = spelling(value);
  std::erase(text, '_');
  Decimal result;
  result.is_integer = value.as<double>() == nullptr;
  const auto e = std::min(text.find_first_of("eE"), text.size());
  int exponent = 0;
  if (e < text.size()) {
    const char* begin = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
    std::from_chars(begin, text.data() + text.size(), exponent);
  }
  std::string digits = text.substr(0, e);
  if (digits.starts_with('+')) digits.erase(0, 1);
  const auto point = digits.find('.');
  const std::size_t decimals = point == std::string::npos ? 0 : digits.size() - point - 1;
  std::erase(digits, '.');
  const char* end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, result.digits);
  if (read.ec != std::errc() || read.ptr != end || digits.size() > 16 || std::abs(exponent) > 15) {
    no_decimal(value);
  }
  result.scale = static_cast<int>(decimals) - exponent;
  return result;
}

std::int64_t scaled(const Decimal& number, int scale, const Value& value) {
  std::int64_t digits = number.digits;
  for (int i = number.scale; i < scale; ++i) {
    if (std::abs(digits) > 100'000'000'000'000'000) no_decimal(value);
    digits *= 10;
  }
  return digits;
}

// "3.3" for 33 at scale 1; always with a point.
std::string decimal_text(std::int64_t digits, int scale) {
  std::string text = std::to_string(std::abs(digits));
  const auto decimals = static_cast<std::size_t>(scale);
  if (text.size() <= decimals) text.insert(0, decimals + 1 - text.size(), '0');
  text.insert(text.size() - decimals, ".");
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text += '0';
  return (digits < 0 ? "-" : "") + text;
}

// start + i * step below (or above) stop, in decimal numbers, so that 0.1 is 0.1.
Sweep range(const std::array<Value, 3>& bounds) {
  std::array<Decimal, 3> decimals;
  std::transform(bounds.begin(), bounds.end(), decimals.begin(), decimal_from);
  int scale = 0;
  for (const auto& decimal : decimals) scale = std::max(scale, decimal.scale);
  std::array<std::int64_t, 3> numbers{};
  for (std::size_t i = 0; i < 3; ++i) {
    numbers.at(i) = scaled(decimals.at(i), scale, bounds.at(i));
  }
  const auto [start, stop, step] = numbers;
  if (step == 0) throw FunctionError("the step of range() is 0");
  const std::int64_t distance = step > 0 ? stop - start : start - stop;
  const std::int64_t stride = std::abs(step);
  const std::int64_t count = distance <= 0 ? 0 : (distance - 1) / stride + 1;
  if (count == 0) throw FunctionError("range() gives no value: stop lies on the wrong side");
  if (count > static_cast<std::int64_t>(kMaxValues)) {
    throw FunctionError(fmt::format("range() gives {} values, more than {}", count, kMaxValues));
  }
  const bool integers = std::all_of(decimals.begin(), decimals.end(),
                                    [](const Decimal& decimal) { return decimal.is_integer; });
  Sweep sweep;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t digits = start + i * step;
    sweep.values.push_back(integers ? value_of(digits)
                                    : value_of_word(decimal_text(digits, scale)));
  }
  return sweep;
}

// ---- arguments by position and name

using Arguments = std::span<const FunctionArgument>;

const Meaning* named(Arguments arguments, std::string_view name) {
  const auto found = std::find_if(arguments.begin(), arguments.end(),
                                  [&](const FunctionArgument& a) { return a.name == name; });
  return found == arguments.end() ? nullptr : &found->meaning;
}

std::vector<Meaning> positional(Arguments arguments) {
  std::vector<Meaning> found;
  for (const auto& argument : arguments) {
    if (argument.name.empty()) found.push_back(argument.meaning);
  }
  return found;
}

const Value& plain(const Meaning& meaning, std::string_view function) {
  if (meaning.sweep) throw FunctionError(fmt::format("{}() takes no sweep", function));
  return meaning.value;
}

// The one thing that casts and sort() work on: a value, a sweep, or the arguments as a sweep.
Meaning subject(std::string_view function, Arguments arguments, std::string_view parameter) {
  std::vector<Meaning> given = positional(arguments);
  if (const auto* by_name = named(arguments, parameter)) given.push_back(*by_name);
  if (given.empty()) throw FunctionError(fmt::format("{}() takes a value", function));
  if (given.size() == 1) return given.front();
  Meaning all;
  all.sweep.emplace();
  for (const auto& meaning : given) all.sweep->values.push_back(plain(meaning, function));
  return all;
}

Meaning call_cast(std::string_view type, Arguments arguments) {
  Meaning result = subject(type, arguments, "value");
  if (!result.sweep) {
    result.value = cast(type, result.value);
    return result;
  }
  if (result.sweep->values.empty()) {
    throw FunctionError(fmt::format("{}() takes no glob()", type));
  }
  for (auto& value : result.sweep->values) value = cast(type, value);
  return result;
}

Meaning call_choice(Arguments arguments) {
  Meaning result;
  result.sweep.emplace();
  for (const auto& argument : arguments) {
    result.sweep->values.push_back(plain(argument.meaning, "choice"));
  }
  if (arguments.empty()) throw FunctionError("choice() gives no value");
  return result;
}

Meaning call_range(Arguments arguments) {
  const std::vector<Meaning> given = positional(arguments);
  static constexpr std::array<std::string_view, 3> kBounds = {"start", "stop", "step"};
  std::array<std::optional<Value>, 3> bounds;
  for (std::size_t i = 0; i < given.size() && i < 3; ++i) {
    bounds.at(given.size() == 1 ? 1 : i) = plain(given[i], "range");
  }
  bool twice = given.size() > 3;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto* by_name = named(arguments, kBounds.at(i));
    if (by_name == nullptr) continue;
    // range(3, stop=9): the number that has no name is the start.
    if (i == 1 && given.size() == 1) bounds[0] = std::exchange(bounds[1], std::nullopt);
    twice = twice || bounds.at(i).has_value();
    bounds.at(i) = plain(*by_name, "range");
  }
  if (twice || !bounds[1])
    throw FunctionError("range() takes a stop; start,stop; or start,stop,step");
  Meaning result;
  result.sweep =
      range({bounds[0].value_or(value_of(0)), *bounds[1], bounds[2].value_or(value_of(1))});
  return result;
}

std::vector<std::string> patterns(const Value& value) {
  std::vector<std::string> texts;
  if (const auto* list = value.as<Value::List>()) {
    for (const auto& item : *list) texts.push_back(spelling(item));
  } else {
    texts.push_back(spelling(value));
  }
  return texts;
}

Meaning call_glob(Arguments arguments) {
  const std::vector<Meaning> given = positional(arguments);
  const auto* include = given.empty() ? named(arguments, "include") : &given[0];
  const auto* exclude = given.size() < 2 ? named(arguments, "exclude") : &given[1];
  const std::size_t used = (include == nullptr ? 0 : 1) + (exclude == nullptr ? 0 : 1);
  if (include == nullptr || used != arguments.size()) {
    throw FunctionError("glob() takes a pattern or a list of them, and exclude=");
  }
  Meaning result;
  result.sweep.emplace();
  result.sweep->include = patterns(plain(*include, "glob"));
  if (result.sweep->include.empty()) throw FunctionError("glob() gives no pattern");
  if (exclude != nullptr) result.sweep->exclude = patterns(plain(*exclude, "glob"));
  return result;
}

// Whether a comes before b. Numbers and truth values compare with each other, texts with texts.
bool comes_before(const Value& a, const Value& b) {
  const auto* text_a = a.as<std::string>();
  const auto* text_b = b.as<std::string>();
  if (text_a != nullptr && text_b != nullptr) return *text_a < *text_b;
  const auto number_a = cast_to_number("float", a);
  const auto number_b = cast_to_number("float", b);
  if (!number_a || !number_b) {
    throw FunctionError(
        fmt::format("sort() cannot compare {} with {}", to_inline_toml(a), to_inline_toml(b)));
  }
  const double x = *number_a->as<double>();
  const double y = *number_b->as<double>();
  if (std::isnan(x) || std::isnan(y)) throw FunctionError("sort() cannot compare nan");
  return x < y;
}

Meaning call_sort(Arguments arguments) {
  Meaning result = subject("sort", arguments, "list");
  bool reverse = false;
  if (const auto* direction = named(arguments, "reverse")) {
    const auto* boolean = direction->value.as<bool>();
    if (boolean == nullptr) throw FunctionError("reverse= takes true or false");
    reverse = *boolean;
  }
  auto* values = result.sweep ? &result.sweep->values : result.value.as<Value::List>();
  if (values == nullptr) return result;
  if (values->empty() && result.sweep) throw FunctionError("sort() takes no glob()");
  // Every pair that a sort may compare is comparable when each is with the first.
  for (const auto& value : *values) static_cast<void>(comes_before(values->front(), value));
  std::stable_sort(values->begin(), values->end(), [&](const Value& a, const Value& b) {
    return reverse ? comes_before(b, a) : comes_before(a, b);
  });
  return result;
}

const FunctionName* find_function(std::string_view name) {
  const auto* found = std::find_if(kFunctions.begin(), kFunctions.end(),
                                   [&](const FunctionName& f) { return f.name == name; });
  return found == kFunctions.end() ? nullptr : found;
}

}  // namespace

bool is_function(std::string_view name) {
  return find_function(name) != nullptr ||
         std::any_of(kDeclined.begin(), kDeclined.end(),
                     [&](const DeclinedName& declined) { return declined.name == name; });
}

bool has_parameter(std::string_view function, std::string_view name) {
  const FunctionName* found = find_function(function);
  return found != nullptr && !name.empty() &&
         std::find(found->parameters.begin(), found->parameters.end(), name) !=
             found->parameters.end();
}

Meaning call_function(std::string_view name, std::span<const FunctionArgument> arguments) {
  for (const auto& declined : kDeclined) {
    if (declined.name == name) {
      throw FunctionError(fmt::format("{}() is not offered; {}", name, declined.instead));
    }
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].name.empty() && named(arguments.first(i), arguments[i].name) != nullptr) {
      throw FunctionError(fmt::format("{}= stands twice", arguments[i].name));
    }
  }
  if (name == "choice") return call_choice(arguments);
  if (name == "range") return call_range(arguments);
  if (name == "glob") return call_glob(arguments);
  if (name == "sort") return call_sort(arguments);
  return call_cast(name, arguments);
}

}  // namespace vergence::config
