// SPDX-License-Identifier: Apache-2.0
// Single values as arguments spell them, in both directions.
#pragma once

#include "config/value.hpp"

#include <string>

namespace vergence::config {

// What an unquoted word means: null, a truth value, a number, else text. Its spelling is kept.
[[nodiscard]] Value value_of_word(const std::string& word);

// The value such that the grammar of arguments reads it again: "1e3", "'a, b'", "[1, {k: v}]".
[[nodiscard]] std::string to_argument(const Value& value);

}  // namespace vergence::config
