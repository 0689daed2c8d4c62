// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt_watch.hpp"

#include "core/interrupt.hpp"
#include "core/output_file.hpp"

#include <pthread.h>
#include <unistd.h>

namespace vergence::cli {
namespace {

constexpr int kInterruptedExitCode = 130;

bool is_ignored(int signal_number) {
  struct sigaction action {};

  return ::sigaction(signal_number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

InterruptWatch::InterruptWatch() {
  ::sigemptyset(&signals_);
  // Only used to wake the thread at the end.
  ::sigaddset(&signals_, SIGUSR2);
  for (const int signal_number : {SIGINT, SIGTERM}) {
    if (!is_ignored(signal_number)) ::sigaddset(&signals_, signal_number);
  }
  ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  thread_ = std::thread([this] { watch(); });
}

InterruptWatch::~InterruptWatch() {
  done_ = true;
  ::pthread_kill(thread_.native_handle(), SIGUSR2);
  thread_.join();
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void InterruptWatch::watch() {
  while (true) {
    int signal_number = 0;
    if (::sigwait(&signals_, &signal_number) != 0) continue;
    if (done_) return;
    if (signal_number == SIGUSR2) continue;
    if (interrupt_requested()) {
      remove_partial_files();
      ::_exit(kInterruptedExitCode);
    }
    request_interrupt();
  }
}

}  // namespace vergence::cli
