// SPDX-License-Identifier: Apache-2.0
// Ctrl-C as a request that long work notices at its own safe points.
#pragma once

namespace vergence {

// Asks running work to stop. Async-signal-safe.
void request_interrupt() noexcept;

// Forgets the request (a library user who goes on after an interrupted job).
void clear_interrupt() noexcept;

[[nodiscard]] bool interrupt_requested() noexcept;

// Throws Error(kInterrupted) if a stop was asked for. Long loops call this between items.
void throw_if_interrupted();

}  // namespace vergence
