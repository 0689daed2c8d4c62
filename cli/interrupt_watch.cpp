// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt_watch.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/output_file.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace vergence::cli {
namespace {

constexpr int kInterruptedExitCode = 130;
constexpr char kSignalled = 's';
constexpr char kDone = 'd';

// A pipe rather than sigwait: libraries start threads before main() that no mask of ours reaches.
std::array<int, 2> g_pipe{-1, -1};

void tell_watch(char message) {
  const int error = errno;
  // A full pipe holds signals enough.
  [[maybe_unused]] const auto written = ::write(g_pipe[1], &message, 1);
  errno = error;
}

void on_signal(int) {
  tell_watch(kSignalled);
}

void set_handler(int signal_number, void (*handler)(int)) {
  struct sigaction action {};

  if (::sigaction(signal_number, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) return;
  action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(signal_number, &action, nullptr);
}

void watch() {
  char message = 0;
  while (true) {
    const auto got = ::read(g_pipe[0], &message, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || message == kDone) return;
    if (interrupt_requested()) {
      remove_partial_files();
      ::_exit(kInterruptedExitCode);
    }
    request_interrupt();
  }
}

}  // namespace

InterruptWatch::InterruptWatch() {
  if (::pipe2(g_pipe.data(), O_CLOEXEC) != 0) {
    throw Error(fmt::format("cannot make a pipe: {}", reason_from_errno(errno)));
  }
  ::fcntl(g_pipe[1], F_SETFL, O_NONBLOCK);
  thread_ = std::thread(&watch);
  for (const int signal_number : {SIGINT, SIGTERM}) set_handler(signal_number, &on_signal);
}

InterruptWatch::~InterruptWatch() {
  for (const int signal_number : {SIGINT, SIGTERM}) set_handler(signal_number, SIG_DFL);
  tell_watch(kDone);
  thread_.join();
  for (int& end : g_pipe) {
    ::close(end);
    end = -1;
  }
}

}  // namespace vergence::cli
