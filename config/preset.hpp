// SPDX-License-Identifier: Apache-2.0
// Presets of the user's own, saved from arguments.
#pragma once

#include "config/config.hpp"

#include <filesystem>
#include <string>

namespace vergence::config {

// Writes what the arguments of `request` change as preset/NAME.toml into the user's own folder
// ($XDG_CONFIG_HOME/vergence, default ~/.config/vergence), so that "preset=NAME" stands for them.
// Returns the file. `name` has letters, digits, '_' and '-'. Interpolations are kept as written.
//
// Throws ConfigError for arguments that do not compose or that a file cannot express (~key), and
// Error (kUsage) for a wrong name, where there is such a preset already, the user's own or a
// shipped one, and `overwrite` is false, and where neither HOME nor XDG_CONFIG_HOME is set.
[[nodiscard]] std::filesystem::path save_preset(const std::string& name,
                                                const ComposeRequest& request, bool overwrite);

}  // namespace vergence::config
