// SPDX-License-Identifier: Apache-2.0
// Thousands of damaged files per format, the same in every run: each is read or refused with an
// Error, in little memory. libFuzzer looks further where clang is there (fuzz.cmake).
#include "core/output_file.hpp"
#include "tests/predictors/fuzz_targets.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include <sys/resource.h>

namespace vergence::test {
namespace {

constexpr int kFiles = 6000;

class Damage {
 public:
  explicit Damage(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string next() {
    std::string file = seed();
    for (std::size_t edits = below(6); edits > 0; --edits) edit(file);
    return file;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  const std::string& seed() { return seeds_[below(seeds_.size())]; }

  void edit(std::string& file) {
    static const std::array<std::string, 8> kPieces = {
        std::string(4, '\xff'),     std::string(8, '\xff'), std::string(7, '\xff') + '\x7f',
        std::string(4, '\0'),       "9223372036854775807",  "[[{\"",
        std::string("(((]]]})RQb"), "PK\1\2PK\5\6"};
    const std::size_t at = below(file.size() + 1);
    switch (below(7)) {
      case 0:
      case 1:
        if (at < file.size()) file[at] = static_cast<char>(random_());
        break;
      case 2:
        if (at < file.size()) file[at] = static_cast<char>(file[at] + (below(2) == 0 ? 1 : -1));
        break;
      case 3: {
        const std::string& piece = kPieces.at(below(kPieces.size()));
        file.replace(at, below(2) == 0 ? piece.size() : 0, piece);
        break;
      }
      case 4: {
        const std::string& other = seed();
        file.insert(at, other.substr(below(other.size()), below(100)));
        break;
      }
      case 5:
        file.erase(at, below(40));
        break;
      default:
        if (below(4) == 0) file.resize(at);
        break;
    }
  }

  std::mt19937 random_{20260101};
  std::vector<std::string> seeds_;
};

class Fuzz : public ::testing::TestWithParam<FuzzTarget> {};

std::vector<std::string> seeds_of(std::string_view target) {
  const bool is_card = target == "model_card";
  const std::string folder(target.substr(0, target.find("_checkpoint")));
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(
           is_card ? source_dir() / "models" : source_dir() / "tests/data/checkpoints" / folder)) {
    if (entry.is_regular_file() && (!is_card || entry.path().extension() == ".toml")) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  seeds.reserve(files.size());
  for (const auto& file : files) seeds.push_back(read_file(file));
  return seeds;
}

TEST_P(Fuzz, DamagedFilesDoNoHarm) {
  const FuzzTarget& target = GetParam();
  const std::vector<std::string> seeds = seeds_of(target.name);
  ASSERT_FALSE(seeds.empty());
  for (const auto& seed : seeds) EXPECT_TRUE(target.read(std::as_bytes(std::span(seed))));
  Damage damage(seeds);
  int accepted = 0;
  for (int i = 0; i < kFiles; ++i) {
    const std::string file = damage.next();
    ASSERT_NO_THROW(accepted += target.read(std::as_bytes(std::span(file))) ? 1 : 0) << i;
  }
  // Some were hardly damaged, and most were.
  EXPECT_GT(accepted, kFiles / 20);
  EXPECT_LT(accepted, kFiles * 9 / 10);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 1'000'000) << "kilobytes";
}

INSTANTIATE_TEST_SUITE_P(Targets, Fuzz,
                         ::testing::ValuesIn(fuzz_targets().begin(), fuzz_targets().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace vergence::test
