// SPDX-License-Identifier: Apache-2.0
// Where tests find data and may write.
#pragma once

#include <filesystem>

namespace vergence::test {

// Root of the source tree and of the build tree.
[[nodiscard]] std::filesystem::path source_dir();
[[nodiscard]] std::filesystem::path binary_dir();

// The larger sample material ($VERGENCE_SHARED, default ../shared beside the checkout), or an empty
// path. Use VERGENCE_REQUIRE_SHARED() first in a test that needs it.
[[nodiscard]] std::filesystem::path shared_dir();

// A fresh folder of this test's own, removed when the object dies.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace vergence::test

// Skips the test, with the reason, where the shared material is missing.
#define VERGENCE_REQUIRE_SHARED()                                             \
  do {                                                                        \
    if (vergence::test::shared_dir().empty()) {                               \
      GTEST_SKIP() << "the shared material is missing (set VERGENCE_SHARED)"; \
    }                                                                         \
  } while (false)
