// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and SIGTERM: the first asks the work to stop, the second ends the program at once.
#pragma once

#include <atomic>
#include <csignal>
#include <thread>

namespace vergence::cli {

// While it lives, both signals are taken by a thread of its own (so that cleaning up may do what a
// signal handler must not). Signals that the caller of the program had set to be ignored (nohup)
// stay ignored. Threads made before it would still be killed by a signal, so make it first.
class InterruptWatch {
 public:
  InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;
  ~InterruptWatch();

 private:
  void watch();

  sigset_t signals_{};
  sigset_t before_{};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace vergence::cli
