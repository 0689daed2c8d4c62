// SPDX-License-Identifier: Apache-2.0
// The weights of a network as they stand in the file that its authors published. The file is
// mapped, not read: tensors are spans into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
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

// One tensor of little-endian values, which need not be aligned to their size.
struct TensorView {
  ScalarType type = ScalarType::kF32;
  std::vector<std::int64_t> shape;  // empty for a scalar
  // From the tensor's first value to the last one that it reaches.
  std::span<const std::byte> bytes;
  // Distance along each side, in values, >= 0. Empty: row-major without gaps, so that `bytes` holds
  // product(shape) values; that is how every tensor comes that is contiguous.
  std::vector<std::int64_t> strides = {};
};

// The tensors of one file by name; keeps the bytes alive.
class Weights {
 public:
  // `owner`: the file, mapped read-only, that `tensors` point into; nothing if they live as long as
  // the program.
  Weights(std::map<std::string, TensorView> tensors, std::shared_ptr<const void> owner)
      : tensors_(std::move(tensors)),
        owner_(std::move(owner)) {}

  [[nodiscard]] const std::map<std::string, TensorView>& tensors() const { return tensors_; }

  // What the tensors point into; a copy keeps them alive beyond this object.
  [[nodiscard]] const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  std::map<std::string, TensorView> tensors_;
  std::shared_ptr<const void> owner_;
};

// Reads what torch.save and safetensors write, told apart by content:
// - .safetensors,
// - the zip format of torch.save (PyTorch >= 1.6) and the one before it,
// where the tensors are a dictionary of their own or entry "model_state_dict", "state_dict" or
// "model" of a larger checkpoint. A prefix "module." (DataParallel) or "_orig_mod." (torch.compile)
// that all names share is taken off; nothing else is renamed.
// Python objects in a checkpoint are never made: tensors, containers, numbers and text are read,
// any other object is refused by its name. Everything is checked before this returns: every tensor
// lies inside the file. Memory used is a small multiple of the file's list of tensors. Throws Error
// naming the file, also for a TorchScript file, which is a program rather than weights.
[[nodiscard]] Weights read_weights(const std::filesystem::path& path);

// The same for bytes in memory, which must outlive the result; `name` is what messages call them.
[[nodiscard]] Weights parse_weights(std::span<const std::byte> file, const std::string& name);

}  // namespace vergence::predictors
