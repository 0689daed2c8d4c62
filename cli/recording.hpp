// SPDX-License-Identifier: Apache-2.0
// What a command leaves in its record while it works: files and their hashes, times, metrics and
// previews. Part of the module `commands`.
#pragma once

#include "cli/work.hpp"
#include "core/predictor.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace vergence::cli {

// Calls `command` with a Work that watches what it does, and fills work.record, which is there.
// Throws what the command throws, and Error for a ground truth that a result cannot be compared
// with; the record then tells how far it came.
void run_recorded(const Work& work, const std::function<void(const Work&)>& command);

// The networks that the configuration asks for. Jobs that are recorded share them and their maps
// within this process.
[[nodiscard]] std::vector<std::unique_ptr<DepthPredictor>> shared_networks(const Work& work);

}  // namespace vergence::cli
