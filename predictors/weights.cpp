// SPDX-License-Identifier: Apache-2.0
#include "predictors/weights.hpp"

#include "core/error.hpp"
#include "predictors/safetensors.hpp"
#include "predictors/weight_file.hpp"

#include <fmt/format.h>

namespace vergence::predictors {

std::size_t size_of(ScalarType type) {
  switch (type) {
    case ScalarType::kBool:
    case ScalarType::kU8:
    case ScalarType::kI8:
      return 1;
    case ScalarType::kI16:
    case ScalarType::kU16:
    case ScalarType::kF16:
    case ScalarType::kBF16:
      return 2;
    case ScalarType::kI32:
    case ScalarType::kU32:
    case ScalarType::kF32:
      return 4;
    case ScalarType::kI64:
    case ScalarType::kU64:
    case ScalarType::kF64:
      break;
  }
  return 8;
}

Weights parse_weights(std::span<const std::byte> file, const std::string& name) {
  return {parse_safetensors(file, name), nullptr};
}

Weights read_weights(const std::filesystem::path& path) {
  const MappedFile file = map_file(path);
  return {parse_weights(file.bytes, path.string()).tensors(), file.owner};
}

}  // namespace vergence::predictors
