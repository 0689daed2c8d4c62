// SPDX-License-Identifier: Apache-2.0
// The functions of the grammar of arguments: casts, and those that give several values.
#pragma once

#include "config/value.hpp"

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::config {

// Several values for one key, each for a job of its own.
struct Sweep {
  std::vector<Value> values;  // in their order; empty where patterns stand for them
  // glob(): patterns of the names of a group's options, as for files in a shell.
  std::vector<std::string> include;
  std::vector<std::string> exclude;
};

// What a piece of the grammar stands for: one value or a sweep.
struct Meaning {
  Value value;
  std::optional<Sweep> sweep;
};

// An argument of a function, "3" or "step=3".
struct FunctionArgument {
  std::string name;  // empty: by its position
  Meaning meaning;
};

// A function was called wrongly; what() is the reason, without the place.
class FunctionError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// Whether a word before a '(' is one of Hydra's functions; also those that are not offered.
[[nodiscard]] bool is_function(std::string_view name);

// Whether a function has an argument of that name.
[[nodiscard]] bool has_parameter(std::string_view function, std::string_view name);

// int, float, str, bool, json_str: of scalars, lists, tables and sweeps.
// choice(a,b), range(start,stop,step), glob(pattern,exclude=pattern), sort(a,b,reverse=true).
// Throws FunctionError.
[[nodiscard]] Meaning call_function(std::string_view name,
                                    std::span<const FunctionArgument> arguments);

}  // namespace vergence::config
