// SPDX-License-Identifier: Apache-2.0
// Small text helpers that error messages of several rooms share.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vergence {

// ASCII letters in lower case, all else as it is.
[[nodiscard]] std::string lower(std::string_view text);

// Without blanks, tabs and ends of lines at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

// Optimal-string-alignment (restricted Damerau-Levenshtein) distance in bytes.
[[nodiscard]] int edit_distance(std::string_view a, std::string_view b);

// Up to `max_count` candidates within max(2, length / 3) edits of `word`, nearest first.
[[nodiscard]] std::vector<std::string> nearest_names(std::string_view word,
                                                     std::span<const std::string> candidates,
                                                     std::size_t max_count = 3);

// "a", "a or b", "a, b or c", each in single quotes.
[[nodiscard]] std::string quoted_list(std::span<const std::string> words,
                                      std::string_view last_joint = "or");

// Text from a file as a message may show it: at most `longest` bytes of it, control characters as
// "?".
[[nodiscard]] std::string printable(std::string_view text, std::size_t longest = 80);

}  // namespace vergence
