// SPDX-License-Identifier: Apache-2.0
// Manual pages, made from the same tables as --help.
#pragma once

#include "cli/command_line.hpp"

#include <string>

namespace vergence::cli {

// vergence(1) in the man macros.
[[nodiscard]] std::string manual_page();

// vergence-NAME(1), with the configuration keys that matter to the command.
[[nodiscard]] std::string manual_page(const Command& command);

}  // namespace vergence::cli
