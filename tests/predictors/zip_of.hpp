// SPDX-License-Identifier: Apache-2.0
// Small zip files in memory, right or wrong on purpose.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vergence::test {

struct ZippedFile {
  std::string name;
  std::string content;
  int method = 0;  // 0: stored; others only claim to be compressed
  int flags = 0;   // 1: claims to be encrypted
};

// The `count` lowest bytes of a number, lowest first.
[[nodiscard]] std::string little_endian_bytes(std::uint64_t value, int count);

// Stored files behind each other, then the directory, without zip64.
[[nodiscard]] std::string zip_of(const std::vector<ZippedFile>& files);

}  // namespace vergence::test
