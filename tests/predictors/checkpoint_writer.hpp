// SPDX-License-Identifier: Apache-2.0
// Writes weights as .safetensors and in the layouts of torch.save, tensor by tensor, so that files
// of several gigabytes need the memory of their largest tensor only.
#pragma once

#include "predictors/weights.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace vergence::test {

struct TensorSource {
  std::string name;
  std::vector<std::int64_t> shape;
  // Writes the product(shape) values in row-major order; called once per file, in file order.
  std::function<void(std::span<float>)> fill;
  // kF32, kF64, kF16, kBF16 or kI64, to which the values are converted.
  predictors::ScalarType type = predictors::ScalarType::kF32;
};

// A tensor of these values, which are copied.
[[nodiscard]] TensorSource tensor_of(std::string name, std::vector<std::int64_t> shape,
                                     std::vector<float> values);

// Throws std::runtime_error when the file cannot be written.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorSource> tensors);

struct CheckpointStyle {
  enum class Format { kZip, kLegacy };
  Format format = Format::kZip;  // kLegacy: torch.save(..., _use_new_zipfile_serialization=False)
  bool ordered = true;           // OrderedDict, as state_dict() gives it; false: dict
  bool parameters = false;       // values are nn.Parameter, not plain tensors
  std::string key = {};          // the tensors stand under this key, as "model"; empty: on top
  bool training = false;         // beside `key`: epoch, optimizer and scores
  std::string prefix = {};       // before each name, as "module."
  bool transposed = false;       // tensors stand in the file with their first side innermost
  // Type of the kF32 tensors in the file.
  predictors::ScalarType type = predictors::ScalarType::kF32;
};

// Throws std::runtime_error when the file cannot be written.
void write_checkpoint(const std::filesystem::path& path, std::span<const TensorSource> tensors,
                      const CheckpointStyle& style = {});

}  // namespace vergence::test
