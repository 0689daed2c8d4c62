// SPDX-License-Identifier: Apache-2.0
// The networks that are known by name, and where their weights are on this machine.
#pragma once

#include "predictors/model_card.hpp"

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace vergence::predictors {

// Where models are looked for, in this order: $VERGENCE_MODELS (folders separated by ":"), then
// $XDG_CACHE_HOME/vergence/models or ~/.cache/vergence/models. The last one is where fetched files
// go. The folders need not exist.
[[nodiscard]] std::vector<std::filesystem::path> model_folders();

// Ids of the networks that come with a card inside the program, sorted.
[[nodiscard]] std::vector<std::string> known_models();

// The card of a known network; a card NAME.toml in a model folder goes before the one inside the
// program. Throws Error(kUsage) naming near names for an unknown one.
[[nodiscard]] ModelCard find_model_card(std::string_view name);

// The weights of a network: the first file of its card that exists in a model folder. Nothing if
// there is none.
[[nodiscard]] std::optional<std::filesystem::path> find_weights(const ModelCard& card);

}  // namespace vergence::predictors
