// SPDX-License-Identifier: Apache-2.0
// The one exception type that crosses rooms. cli/ catches it, prints it and turns it into an exit
// code.
#pragma once

#include <stdexcept>
#include <string>

namespace vergence {

// What kind of failure it is; the value is the program's exit code.
enum class ErrorCode {
  kFailed = 1,         // the work could not be done: missing or bad input, no space, no permission
  kUsage = 2,          // wrong command line or configuration
  kInterrupted = 130,  // the user pressed Ctrl-C (128 + SIGINT)
};

// Text = what happened, to which file or key, why; the hint = what to do about it.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& what_happened);
  // Shorthand for the most common code, kFailed.
  explicit Error(const std::string& what_happened);

  // Adds what the user can do; shown behind the text as "; <hint>". Returns *this, to be thrown.
  Error&& hint(const std::string& text) &&;

  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
  std::string text_;
};

// The reason behind an errno value, in lower case and without a full stop ("no such file or
// directory").
[[nodiscard]] std::string reason_from_errno(int errno_value);

}  // namespace vergence
