// SPDX-License-Identifier: Apache-2.0
#include "tests/support/paths.hpp"

#include <cstdlib>
#include <stdexcept>

namespace vergence::test {
namespace fs = std::filesystem;

namespace {

fs::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr)
    throw std::runtime_error(std::string(name) + " is not set; run through ctest");
  return value;
}

}  // namespace

fs::path source_dir() {
  return from_environment("VERGENCE_SOURCE_DIR");
}

fs::path binary_dir() {
  return from_environment("VERGENCE_BINARY_DIR");
}

fs::path shared_dir() {
  const char* chosen = std::getenv("VERGENCE_SHARED");
  const fs::path path = chosen != nullptr ? fs::path(chosen) : source_dir() / ".." / "shared";
  return fs::is_directory(path) ? fs::canonical(path) : fs::path();
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "vergence-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace vergence::test
