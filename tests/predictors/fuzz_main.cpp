// SPDX-License-Identifier: Apache-2.0
// libFuzzer: feeds the target that the variable VERGENCE_FUZZ_TARGET names. The program ends with
// an error on anything but success or vergence::Error (tests/predictors/fuzz_targets.hpp).
#include "tests/predictors/fuzz_targets.hpp"

#include <cstdint>
#include <cstdlib>
#include <iostream>

// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const vergence::test::FuzzTarget* const kTarget = [] {
    const char* name = std::getenv("VERGENCE_FUZZ_TARGET");
    for (const auto& target : vergence::test::fuzz_targets()) {
      if (name != nullptr && target.name == name) return &target;
    }
    std::cerr << "VERGENCE_FUZZ_TARGET names no target\n";
    std::exit(2);
  }();
  (void)kTarget->read(std::as_bytes(std::span(data, size)));
  return 0;
}
