// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), piece by piece.
#pragma once

#include "core/progress.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace vergence::predictors {

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::span<const std::byte> bytes);

  // 64 lower-case hexadecimal digits of all bytes so far; more may follow.
  [[nodiscard]] std::string hex() const;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// The digest of a whole file, read in pieces; shown as a stage "checking NAME". Throws Error naming
// the file that cannot be read, and Error(kInterrupted).
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& path, Progress& progress);

// Whether a text is a digest as hex() gives it.
[[nodiscard]] bool is_sha256(std::string_view text);

}  // namespace vergence::predictors
