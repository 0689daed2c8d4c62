// SPDX-License-Identifier: Apache-2.0
#include "predictors/card_reader.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
// toml++ 3.3 asserts some of what it reports as an error of the file right afterwards ("[!]").
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

namespace vergence::predictors {
namespace {

std::string shown(const toml::node& value) {
  std::ostringstream text;
  value.visit([&](const auto& typed) { text << typed; });
  std::string line = std::move(text).str();
  std::replace(line.begin(), line.end(), '\n', ' ');
  constexpr std::size_t kLongest = 60;
  if (line.size() > kLongest) line = line.substr(0, kLongest) + "...";
  return line;
}

}  // namespace

struct CardReader::Card {
  toml::table table;
  std::string name;
  std::set<std::string> known;
  std::map<std::string, std::string> other_names;
  std::vector<std::string> problems;

  // The value of a key, and the name under which it stands in the card.
  struct Found {
    const toml::node* node = nullptr;
    std::string key;
  };

  Found find(const std::string& key) {
    known.insert(key);
    const toml::node* node = table.at_path(key).node();
    const auto other = other_names.find(key);
    if (node != nullptr || other == other_names.end()) return {node, key};
    return {table.at_path(other->second).node(), other->second};
  }

  std::optional<double> checked_number(const std::string& key, const toml::node& value,
                                       bool positive) {
    const auto found = value.is_number() ? value.value<double>() : std::nullopt;
    if (found && std::isfinite(*found) && (!positive || *found > 0.0)) return found;
    problems.push_back(fmt::format("'{}' must be a number{}, not {}", key,
                                   positive ? " above 0" : "", shown(value)));
    return std::nullopt;
  }

  void find_unknown(const toml::table& section, const std::string& prefix) {
    for (const auto& [key, value] : section) {
      const std::string full = prefix + std::string(key.str());
      if (known.contains(full)) continue;
      const auto inside = known.lower_bound(full + ".");
      const bool is_section = inside != known.end() && inside->starts_with(full + ".");
      if (is_section && value.is_table()) {
        find_unknown(*value.as_table(), full + ".");
      } else if (is_section) {
        problems.push_back(fmt::format("'{}' must be a table", full));
      } else {
        const std::vector<std::string> candidates(known.begin(), known.end());
        const auto near = nearest_names(full, candidates, 1);
        problems.push_back(
            fmt::format("unknown key '{}'{}", full,
                        near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near.front())));
      }
    }
  }
};

CardReader::CardReader(std::string_view toml, std::string name) : card_(std::make_unique<Card>()) {
  card_->name = std::move(name);
  try {
    card_->table = toml::parse(toml, card_->name);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the model card '{}' is no TOML in line {}: {}", card_->name,
                            error.source().begin.line, error.description()))
        .hint("docs/model-cards.md shows a card");
  }
}

CardReader::~CardReader() = default;

void CardReader::also(const std::string& other, const std::string& key) {
  card_->other_names[key] = other;
  card_->known.insert(other);
  if (card_->table.at_path(key).node() != nullptr &&
      card_->table.at_path(other).node() != nullptr) {
    problem(fmt::format("'{}' and '{}' are the same", key, other));
  }
}

bool CardReader::has(const std::string& key) {
  return card_->find(key).node != nullptr;
}

void CardReader::problem(const std::string& text) {
  card_->problems.push_back(text);
}

std::string CardReader::text(const std::string& key, bool required) {
  const auto [node, written] = card_->find(key);
  if (node == nullptr) {
    if (required) problem(fmt::format("'{}' is missing", key));
    return {};
  }
  const auto value = node->value_exact<std::string>();
  if (!value) problem(fmt::format("'{}' must be a text, not {}", written, shown(*node)));
  if (value && required && value->empty()) problem(fmt::format("'{}' is empty", written));
  return value.value_or("");
}

std::vector<std::string> CardReader::texts(const std::string& key) {
  const auto [node, written] = card_->find(key);
  if (node == nullptr) return {};
  if (const auto single = node->value_exact<std::string>()) return {*single};
  std::vector<std::string> result;
  const toml::array* values = node->as_array();
  if (values != nullptr) {
    for (const auto& value : *values) {
      if (const auto text = value.value_exact<std::string>()) result.push_back(*text);
    }
  }
  if (values == nullptr || result.size() != values->size()) {
    problem(fmt::format("'{}' must be a list of texts, not {}", written, shown(*node)));
  }
  return result;
}

bool CardReader::flag(const std::string& key, bool fallback) {
  const auto [node, written] = card_->find(key);
  if (node == nullptr) return fallback;
  const auto value = node->value_exact<bool>();
  if (!value) problem(fmt::format("'{}' must be true or false, not {}", written, shown(*node)));
  return value.value_or(fallback);
}

int CardReader::integer(const std::string& key, int fallback, int lowest, int highest) {
  const auto [node, written] = card_->find(key);
  if (node == nullptr) return fallback;
  const auto value = node->value_exact<std::int64_t>();
  if (value && *value >= lowest && *value <= highest) return static_cast<int>(*value);
  problem(fmt::format("'{}' must be a whole number from {} to {}, not {}", written, lowest, highest,
                      shown(*node)));
  return fallback;
}

std::int64_t CardReader::big_integer(const std::string& key) {
  const auto [node, written] = card_->find(key);
  if (node == nullptr) return 0;
  const auto value = node->value_exact<std::int64_t>();
  if (value && *value > 0) return *value;
  problem(fmt::format("'{}' must be a whole number above 0, not {}", written, shown(*node)));
  return 0;
}

double CardReader::number(const std::string& key, double fallback, bool positive) {
  const auto [node, written] = card_->find(key);
  if (node == nullptr) return fallback;
  return card_->checked_number(written, *node, positive).value_or(fallback);
}

void CardReader::read_numbers(const std::string& key, std::span<double> values, bool positive) {
  const auto [node, written] = card_->find(key);
  if (node == nullptr) return;
  const toml::array* list = node->as_array();
  if (list == nullptr || list->size() != values.size()) {
    constexpr std::array<std::string_view, 4> kCounts = {"no", "one", "two", "three"};
    problem(fmt::format("'{}' must be {} numbers, not {}", written, kCounts.at(values.size()),
                        shown(*node)));
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string member = fmt::format("{}[{}]", written, i);
    values[i] = card_->checked_number(member, (*list)[i], positive).value_or(values[i]);
  }
}

std::optional<std::size_t> CardReader::word_index(const std::string& key,
                                                  std::span<const std::string_view> words,
                                                  bool required) {
  const auto [node, written] = card_->find(key);
  if (node == nullptr) {
    if (required) problem(fmt::format("'{}' is missing", key));
    return std::nullopt;
  }
  const auto given = node->value_exact<std::string>();
  const auto match = given ? std::find(words.begin(), words.end(), *given) : words.end();
  if (match != words.end()) return static_cast<std::size_t>(match - words.begin());
  const std::vector<std::string> known(words.begin(), words.end());
  problem(fmt::format("'{}' must be {}, not {}", written, quoted_list(known), shown(*node)));
  return std::nullopt;
}

void CardReader::finish() {
  card_->find_unknown(card_->table, "");
  const auto& problems = card_->problems;
  if (problems.empty()) return;
  const std::string count =
      problems.size() == 1 ? "a mistake" : fmt::format("{} mistakes", problems.size());
  throw Error(ErrorCode::kUsage, fmt::format("the model card '{}' has {}: {}", card_->name, count,
                                             fmt::join(problems, "; ")))
      .hint("docs/model-cards.md lists every key");
}

}  // namespace vergence::predictors
