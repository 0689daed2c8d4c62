// SPDX-License-Identifier: Apache-2.0
#include "predictors/embedded.hpp"

// The assembler puts the file between two symbols; the zero behind it belongs to neither.
#define VERGENCE_EMBED(symbol, file)                                                             \
  __asm__(".pushsection .rodata\n.balign 64\n" #symbol "_begin:\n.incbin \"" VERGENCE_MODELS_DIR \
          "/" file "\"\n" #symbol "_end:\n.byte 0\n.popsection\n");                              \
  extern "C" const std::byte symbol##_begin[];                                                   \
  extern "C" const std::byte symbol##_end[]

VERGENCE_EMBED(vergence_nano_weights, "nano/nano.safetensors");

namespace vergence::predictors {

std::span<const std::byte> embedded_weights(std::string_view id) {
  if (id == "nano") return {vergence_nano_weights_begin, vergence_nano_weights_end};
  return {};
}

}  // namespace vergence::predictors
