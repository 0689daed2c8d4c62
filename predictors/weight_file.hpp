// SPDX-License-Identifier: Apache-2.0
// What a file of network weights is, told by its content.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

namespace vergence::predictors {

// A file mapped into memory, read-only.
struct MappedFile {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  // unmaps when the last copy goes
};

// Throws Error naming the file where it cannot be opened or is not a regular file. An empty file
// gives no bytes.
[[nodiscard]] MappedFile map_file(const std::filesystem::path& path);

enum class WeightFormat {
  kSafetensors,
  kTorchScript,  // zip with code
  kCheckpoint,   // zip or old-style pickle of tensors, without code
  kZip,          // another zip
  kOnnx,
  kText,  // a web page or a Git LFS pointer that was saved in place of the file
  kEmpty,
  kUnknown,
};

// Looks at the first bytes and, in a zip, at the names in its directory. Never throws.
[[nodiscard]] WeightFormat weight_format(std::span<const std::byte> file);

// In words, with an article: "a checkpoint without code".
[[nodiscard]] std::string_view to_string(WeightFormat format);

}  // namespace vergence::predictors
