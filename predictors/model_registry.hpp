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
// $XDG_CACHE_HOME/vergence/models or ~/.cache/vergence/models. The first one is where fetched files
// go. The folders need not exist.
[[nodiscard]] std::vector<std::filesystem::path> model_folders();

// Names of the networks that have a card, inside the program or as NAME.toml in a model folder;
// sorted.
[[nodiscard]] std::vector<std::string> known_models();

// The user's own card of a network, NAME.toml in a model folder; it goes before the one inside the
// program. Nothing if there is none.
[[nodiscard]] std::optional<std::filesystem::path> find_card_file(std::string_view name);

// The card of a known network. Throws Error(kUsage) naming near names for an unknown one, and what
// read_model_card() throws.
[[nodiscard]] ModelCard find_model_card(std::string_view name);

// The weights of a network: the first file of its card that exists in a model folder. Nothing if
// there is none.
[[nodiscard]] std::optional<std::filesystem::path> find_weights(const ModelCard& card);

}  // namespace vergence::predictors
