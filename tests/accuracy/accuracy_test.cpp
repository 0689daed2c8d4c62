// SPDX-License-Identifier: Apache-2.0
// The numbers that the whole job must hold, through the program as a user runs it.
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <gtest/gtest.h>

namespace vergence {
namespace {

TEST(Accuracy, SimulatedViewsStayWithinTheirBounds) {
  VERGENCE_REQUIRE_SHARED();
  const auto result = test::run_process(
      {"/usr/bin/python3", (test::source_dir() / "scripts/accuracy.py").string(),
       (test::binary_dir() / "bin/vergence").string(), test::shared_dir().string(), "--check"},
      {.timeout_seconds = 500.0});
  EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
  EXPECT_NE(result.output.find("| courtyard | all stages |"), std::string::npos) << result.errors;
}

}  // namespace
}  // namespace vergence
