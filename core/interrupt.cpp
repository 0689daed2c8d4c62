// SPDX-License-Identifier: Apache-2.0
#include "core/interrupt.hpp"

#include "core/error.hpp"

#include <atomic>

namespace vergence {
namespace {

std::atomic<bool> g_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

void request_interrupt() noexcept {
  g_requested = true;
}

void clear_interrupt() noexcept {
  g_requested = false;
}

bool interrupt_requested() noexcept {
  return g_requested;
}

void throw_if_interrupted() {
  if (g_requested) throw Error(ErrorCode::kInterrupted, "interrupted");
}

}  // namespace vergence
