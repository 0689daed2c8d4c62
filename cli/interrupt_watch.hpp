// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and SIGTERM: the first asks the work to stop, the second ends the program at once.
#pragma once

#include <thread>

namespace vergence::cli {

// While it lives, both signals wake a thread of its own, which may do what a signal handler must
// not (cleaning up). Signals that the caller of the program had set to be ignored (nohup) stay
// ignored. One at a time.
class InterruptWatch {
 public:
  InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;
  ~InterruptWatch();

 private:
  std::thread thread_;
};

}  // namespace vergence::cli
