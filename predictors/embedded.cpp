// SPDX-License-Identifier: Apache-2.0
#include "predictors/embedded.hpp"

#include <algorithm>
#include <array>

// The assembler puts the file between two symbols; the zero behind it belongs to neither.
#define VERGENCE_EMBED(symbol, file)                                                             \
  __asm__(".pushsection .rodata\n.balign 64\n" #symbol "_begin:\n.incbin \"" VERGENCE_MODELS_DIR \
          "/" file "\"\n" #symbol "_end:\n.byte 0\n.popsection\n");                              \
  extern "C" const std::byte symbol##_begin[];                                                   \
  extern "C" const std::byte symbol##_end[]

VERGENCE_EMBED(vergence_nano_card, "nano/nano.toml");
VERGENCE_EMBED(vergence_nano_weights, "nano/nano.safetensors");

namespace vergence::predictors {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::span<const EmbeddedModel> embedded_models() {
  static const std::array<EmbeddedModel, 1> models = {
      {{.id = "nano",
        .card = text_of({vergence_nano_card_begin, vergence_nano_card_end}),
        .weights = {vergence_nano_weights_begin, vergence_nano_weights_end}}}};
  return models;
}

const EmbeddedModel* find_embedded_model(std::string_view id) {
  const auto models = embedded_models();
  const auto found =
      std::find_if(models.begin(), models.end(), [&](const auto& model) { return model.id == id; });
  return found == models.end() ? nullptr : &*found;
}

}  // namespace vergence::predictors
