// SPDX-License-Identifier: Apache-2.0
// Other programs: one that is asked something, and one that is talked to line by line.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vergence::runs {

// What a program said on stdout and stderr together, and its exit code (128 + N when signal N ended
// it). Throws Error where it cannot be started.
struct Answer {
  int exit_code = 0;
  std::string text;
};

[[nodiscard]] Answer ask(const std::vector<std::string>& arguments);

// A running program with pipes to its stdin and from its stdout. Ends with this object: its stdin
// is closed, and it is waited for.
class ChildProcess {
 public:
  // Throws Error where it cannot be started.
  explicit ChildProcess(const std::vector<std::string>& arguments);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  // Writes a line; false when the program does not listen any more.
  bool write_line(const std::string& line) const;

  // The next whole line that has arrived, if there is one; reads what is there without waiting.
  [[nodiscard]] std::optional<std::string> read_line();

  // Whether its stdout is closed and all lines were read: it has ended, or is about to.
  [[nodiscard]] bool closed() const { return closed_ && unread_.empty(); }

  // To be polled for input.
  [[nodiscard]] int descriptor() const { return from_; }

  void signal(int number) const;

  // Closes its stdin and waits. Returns the exit code, as Answer::exit_code.
  int wait();

 private:
  int pid_ = -1;  // a pid_t
  int to_ = -1;
  int from_ = -1;
  bool closed_ = false;
  std::string unread_;
  std::optional<int> exit_code_;
};

}  // namespace vergence::runs
