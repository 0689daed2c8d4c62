// SPDX-License-Identifier: Apache-2.0
// Reader for .safetensors weights: https://github.com/huggingface/safetensors#format .
#pragma once

#include "predictors/weights.hpp"

#include <cstddef>
#include <map>
#include <span>
#include <string>

namespace vergence::predictors {

// The tensors of a file, as spans into `file`; `name` is what messages call it. Checks everything
// before it returns: the header's length (at most 100 MB and inside the file), the JSON, types,
// shapes, and that the tensors fill the data without gap or overlap. Memory used is bounded by a
// small multiple of the header. Throws Error naming the file and the tensor.
[[nodiscard]] std::map<std::string, TensorView> parse_safetensors(std::span<const std::byte> file,
                                                                  const std::string& name);

}  // namespace vergence::predictors
