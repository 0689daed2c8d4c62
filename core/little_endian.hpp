// SPDX-License-Identifier: Apache-2.0
// Numbers as they stand in files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vergence {

// The unsigned number of `count` bytes (at most 8), lowest first; the caller has checked that
// `text` reaches so far.
[[nodiscard]] inline std::uint64_t little_endian(std::string_view text, std::size_t offset,
                                                 std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;) {
    value = (value << 8) | static_cast<unsigned char>(text[offset + i]);
  }
  return value;
}

}  // namespace vergence
