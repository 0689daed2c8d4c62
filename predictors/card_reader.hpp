// SPDX-License-Identifier: Apache-2.0
// Reads typed values out of a TOML table and collects every mistake, so that a user sees all of
// them at once. Part of model_card.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::predictors {

// A word of a card and what it stands for.
template <class Value>
struct Word {
  std::string_view word;
  Value value;
};

// Keys are "section.key". A key that was never asked for is unknown. Where a value is not as asked
// for, that is noted and the fallback is returned.
class CardReader {
 public:
  // `name` is what messages call the card. Throws Error(kUsage) for a text that is no TOML.
  CardReader(std::string_view toml, std::string name);
  CardReader(const CardReader&) = delete;
  CardReader& operator=(const CardReader&) = delete;
  ~CardReader();

  // `key` may also be written `other`.
  void also(const std::string& other, const std::string& key);

  // Whether the key stands in the card; marks it as known.
  [[nodiscard]] bool has(const std::string& key);

  // Notes a mistake, in words.
  void problem(const std::string& text);

  // Empty if the key is not there.
  [[nodiscard]] std::string text(const std::string& key, bool required = false);

  // A list of texts, or one text; empty if the key is not there.
  [[nodiscard]] std::vector<std::string> texts(const std::string& key);

  [[nodiscard]] bool flag(const std::string& key, bool fallback);

  [[nodiscard]] int integer(const std::string& key, int fallback, int lowest, int highest);

  // A count above zero; 0 if the key is not there.
  [[nodiscard]] std::int64_t big_integer(const std::string& key);

  // A finite number, above zero if so asked.
  [[nodiscard]] double number(const std::string& key, double fallback, bool positive);

  // A list of as many finite numbers as `fallback` has.
  template <std::size_t kCount>
  [[nodiscard]] std::array<double, kCount> numbers(const std::string& key,
                                                   std::array<double, kCount> fallback,
                                                   bool positive = false) {
    read_numbers(key, fallback, positive);
    return fallback;
  }

  // One of the words; `fallback` if the key is not there, which is a mistake where there is none.
  template <class Value, std::size_t kCount>
  [[nodiscard]] Value word(const std::string& key, const std::array<Word<Value>, kCount>& words,
                           std::optional<Value> fallback) {
    std::array<std::string_view, kCount> known;
    for (std::size_t i = 0; i < kCount; ++i) known[i] = words[i].word;
    const auto index = word_index(key, known, !fallback);
    return index ? words[*index].value : fallback.value_or(words.front().value);
  }

  // Notes the keys that nothing asked for, then throws Error(kUsage) if there was any mistake.
  void finish();

 private:
  struct Card;

  void read_numbers(const std::string& key, std::span<double> values, bool positive);
  [[nodiscard]] std::optional<std::size_t> word_index(const std::string& key,
                                                      std::span<const std::string_view> words,
                                                      bool required);

  std::unique_ptr<Card> card_;
};

}  // namespace vergence::predictors
