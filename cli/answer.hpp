// SPDX-License-Identifier: Apache-2.0
// What the program prints in place of a job: help, configuration, completion.
#pragma once

#include "cli/command_line.hpp"
#include "config/config.hpp"

#include <optional>
#include <string>

namespace vergence::cli {

// What a command line asks to be composed.
[[nodiscard]] config::ComposeRequest compose_request(const CommandLine& line);

// The text for stdout where the command line asks for one: --version, --help, --cfg, --info,
// --shell-completion, and the commands `config` and `completion`; none where it asks for a job.
// Throws ConfigError, and Error for a key or a shell that is not known.
[[nodiscard]] std::optional<std::string> answer(const CommandLine& line);

}  // namespace vergence::cli
