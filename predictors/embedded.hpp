// SPDX-License-Identifier: Apache-2.0
// Files of models/ that are part of the library's binary.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace vergence::predictors {

struct EmbeddedFile {
  std::string_view name;  // below models/, without ".toml"
  std::string_view text;
};

// The cards of all known networks, sorted by name.
[[nodiscard]] std::span<const EmbeddedFile> embedded_cards();

// The weights of a network that comes with the program (a safetensors file); empty for all others.
[[nodiscard]] std::span<const std::byte> embedded_weights(std::string_view id);

}  // namespace vergence::predictors
