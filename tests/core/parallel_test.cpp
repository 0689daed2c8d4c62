// SPDX-License-Identifier: Apache-2.0
#include "core/parallel.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"

#include <atomic>
#include <numeric>

#include <gtest/gtest.h>

namespace vergence {
namespace {

TEST(ParallelFor, VisitsEveryItemOnce) {
  std::vector<std::atomic<int>> visits(1003);
  parallel_for(3, 1003, [&](int first, int last) {
    for (int i = first; i < last; ++i) ++visits[static_cast<std::size_t>(i)];
  });
  for (std::size_t i = 0; i < visits.size(); ++i) EXPECT_EQ(visits[i], i < 3 ? 0 : 1) << i;
}

TEST(ParallelFor, PassesOnTheFirstException) {
  EXPECT_THROW(parallel_for(0, 100, [](int, int) { throw Error("broken"); }), Error);
}

TEST(ParallelFor, StopsWhenInterrupted) {
  request_interrupt();
  try {
    parallel_for(0, 10, [](int, int) { FAIL() << "no work after an interrupt"; });
    FAIL() << "must throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  clear_interrupt();
}

}  // namespace
}  // namespace vergence
