// SPDX-License-Identifier: Apache-2.0
// What the fuzzers feed with damaged files: one function per format.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace vergence::test {

struct FuzzTarget {
  std::string_view name;
  // Reads the bytes. Returns whether they were accepted; false after the one kind of exception that
  // may come, vergence::Error. Throws std::logic_error when a tensor lies outside of the bytes.
  bool (*read)(std::span<const std::byte> bytes);
};

// safetensors, zip_checkpoint, legacy_checkpoint, pickle (of a zip checkpoint), model_card.
[[nodiscard]] std::span<const FuzzTarget> fuzz_targets();

}  // namespace vergence::test
