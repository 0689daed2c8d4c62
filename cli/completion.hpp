// SPDX-License-Identifier: Apache-2.0
// Completion for shells: the scripts, and the answers that they ask the program for.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::cli {

// The script that teaches a shell ("bash", "zsh" or "fish") to complete. Throws Error (kUsage) for
// another one.
[[nodiscard]] std::string completion_script(std::string_view shell);

// The answer to `vergence __complete SHELL LINE [WORDBREAKS]`, which the scripts call: ways to go
// on with LINE, the command line up to the cursor, one a line. For zsh and fish each has a tab and
// a description behind it; for bash it is what comes behind the last of the characters WORDBREAKS
// at which readline ends a word. Never throws for anything that users may have typed.
[[nodiscard]] std::string completions(std::span<const std::string> arguments);

}  // namespace vergence::cli
