// SPDX-License-Identifier: Apache-2.0
#include "predictors/weights.hpp"

#include "core/error.hpp"
#include "core/zip_archive.hpp"
#include "predictors/checkpoint/torch_checkpoint.hpp"
#include "predictors/safetensors.hpp"
#include "predictors/weight_file.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using Tensors = std::map<std::string, TensorView>;

Tensors tensors_of(std::span<const std::byte> file, const std::string& name) {
  const WeightFormat format = weight_format(file);
  switch (format) {
    case WeightFormat::kSafetensors:
      return parse_safetensors(file, name);
    case WeightFormat::kCheckpoint:
      return is_zip(file) ? parse_zip_checkpoint(read_zip_directory(file, name), file.size(), name)
                          : parse_legacy_checkpoint(file, name);
    case WeightFormat::kTorchScript:
      throw Error(fmt::format("'{}' is a TorchScript file, a program of its own", name))
          .hint("use predictor=torchscript with a model card (docs/model-cards.md)");
    case WeightFormat::kZip:
      (void)read_zip_directory(file, name);  // says what is damaged, if something is
      break;
    default:
      break;
  }
  throw Error(fmt::format("'{}' is {}", name, to_string(format)))
      .hint("give the official checkpoint (.pth, .pt) or a .safetensors file");
}

// Takes off what wrappers put before every name: torch.nn.DataParallel and torch.compile.
Tensors without_prefix(Tensors tensors) {
  for (const std::string_view prefix : {"_orig_mod.", "module.", "_orig_mod."}) {
    const bool shared =
        !tensors.empty() && std::all_of(tensors.begin(), tensors.end(), [&](const auto& tensor) {
          return tensor.first.starts_with(prefix);
        });
    if (!shared) continue;
    Tensors renamed;
    for (auto& [name, view] : tensors) {
      renamed.emplace(name.substr(prefix.size()), std::move(view));
    }
    tensors = std::move(renamed);
  }
  return tensors;
}

}  // namespace

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
  return {without_prefix(tensors_of(file, name)), nullptr};
}

Weights read_weights(const std::filesystem::path& path) {
  const MappedFile file = map_file(path);
  return {without_prefix(tensors_of(file.bytes, path.string())), file.owner};
}

}  // namespace vergence::predictors
