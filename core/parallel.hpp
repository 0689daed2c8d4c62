// SPDX-License-Identifier: Apache-2.0
// Parallel loops over rows or items, on one shared pool (OpenCV's), so that pools do not fight for
// cores.
#pragma once

#include <functional>

namespace vergence {

// How many threads loops use from now on; 0 = as many as the machine has cores. LibTorch's own
// count is set by predictors/ to the same number.
void set_thread_count(int count);
[[nodiscard]] int thread_count();

// Calls body(first, last) for disjoint ranges that cover [begin, end), at most `thread_count()` at
// a time. The ranges hold at least `grain` items (the last one may hold fewer). The first exception
// that a body throws is thrown again here, after all bodies have stopped; Ctrl-C
// (core/interrupt.hpp) ends the loop with an Error of code kInterrupted between ranges.
void parallel_for(int begin, int end, const std::function<void(int first, int last)>& body,
                  int grain = 8);

}  // namespace vergence
