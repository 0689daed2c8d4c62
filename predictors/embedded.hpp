// SPDX-License-Identifier: Apache-2.0
// Files of models/ that are part of the library's binary.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace vergence::predictors {

struct EmbeddedModel {
  std::string_view id;
  std::string_view card;               // the TOML text
  std::span<const std::byte> weights;  // a safetensors file
};

// All models inside the program.
[[nodiscard]] std::span<const EmbeddedModel> embedded_models();

// The one of this id, or nothing.
[[nodiscard]] const EmbeddedModel* find_embedded_model(std::string_view id);

}  // namespace vergence::predictors
