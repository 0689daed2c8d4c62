// SPDX-License-Identifier: Apache-2.0
// Reader for .safetensors weights: https://github.com/huggingface/safetensors#format . The file is
// mapped, not read: tensors are spans into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vergence::predictors {

enum class ScalarType {
  kBool,
  kU8,
  kI8,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kI64,
  kU64,
  kF64
};

// Bytes of one value.
[[nodiscard]] std::size_t size_of(ScalarType type);

// One tensor; `bytes` holds product(shape) little-endian values in row-major order. They need not
// be aligned to their size.
struct TensorView {
  ScalarType type = ScalarType::kF32;
  std::vector<std::int64_t> shape;  // empty for a scalar
  std::span<const std::byte> bytes;
};

// The tensors of one file by name; keeps the bytes alive.
class Weights {
 public:
  // `owner` is what `tensors` point into (nothing if they live as long as the program).
  Weights(std::map<std::string, TensorView> tensors, std::shared_ptr<const void> owner)
      : tensors_(std::move(tensors)),
        owner_(std::move(owner)) {}

  [[nodiscard]] const std::map<std::string, TensorView>& tensors() const { return tensors_; }

 private:
  std::map<std::string, TensorView> tensors_;
  std::shared_ptr<const void> owner_;
};

// Checks everything before it returns: the header's length (at most 100 MB and inside the file),
// the JSON, types, shapes, and that the tensors fill the data without gap or overlap. Memory used
// is bounded by a small multiple of the header. Throws Error naming the file and the tensor.
[[nodiscard]] Weights read_safetensors(const std::filesystem::path& path);

// The same for bytes in memory, which must outlive the result; `name` is what messages call them.
[[nodiscard]] Weights parse_safetensors(std::span<const std::byte> file, const std::string& name);

}  // namespace vergence::predictors
