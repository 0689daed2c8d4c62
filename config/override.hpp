// SPDX-License-Identifier: Apache-2.0
// The grammar of arguments: KEY=VALUE and its relatives, Hydra's with a few kindnesses.
#pragma once

#include "config/function.hpp"
#include "config/value.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vergence::config {

enum class Operation {
  kChange,  // key=value: the key exists
  kAdd,     // +key=value: it does not
  kForce,   // ++key=value: either way
  kAppend,  // key+=[value]: to the end of a list
  kDelete,  // ~key or ~key=value
};

// One argument, taken apart. Whether `key` names a group or a value is for the caller to know.
struct Override {
  std::string argument;  // as written
  Operation operation = Operation::kChange;
  std::string key;                     // "mesh.edges", or a group such as "stereo/fill"
  std::optional<std::string> package;  // behind '@': where a group is mounted
  std::optional<Value> value;          // none for ~key and where there is a sweep
  std::optional<Sweep> sweep;          // several values: "1,2", choice(...), range(...), glob(...)
};

// The argument is not in the grammar. what() is a whole diagnostic: a line that says what is wrong,
// the argument with a caret under the place, and how to write it instead.
class SyntaxError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Splits at the first '='. Throws SyntaxError.
[[nodiscard]] Override parse_override(std::string_view argument);

// Everything before the value, '=' included: "+mesh.edges=".
[[nodiscard]] std::string key_part(const Override& parsed);

// A value alone, as behind '='. Throws SyntaxError.
[[nodiscard]] Value parse_value(std::string_view text);

// `text` in single quotes, as a POSIX shell reads it.
[[nodiscard]] std::string shell_quoted(std::string_view text);

// Whether the bytes are UTF-8, which TOML demands.
[[nodiscard]] bool is_utf8(std::string_view bytes);

}  // namespace vergence::config
