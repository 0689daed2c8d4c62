// SPDX-License-Identifier: Apache-2.0
// Runs a program as a user would and keeps what it said.
#pragma once

#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vergence::test {

struct ProcessOptions {
  std::filesystem::path working_folder = {};            // empty = the caller's
  std::map<std::string, std::string> environment = {};  // added to the caller's
  std::optional<unsigned> user_id = {};                 // run as this user and group
  std::optional<std::filesystem::path> output = {};     // stdout goes there instead
  double timeout_seconds = 120.0;                       // then it is killed
  std::function<bool(const std::string& errors)> signal_when =
      {};                      // asked every 5 ms, with stderr so far
  int signal_number = SIGINT;  // sent once signal_when says true
  int num_signals = 1;         // 20 ms apart
};

struct ProcessResult {
  int exit_code = -1;  // 128 + N when signal N ended it
  bool timed_out = false;
  std::string output;  // stdout
  std::string errors;  // stderr
  double seconds = 0.0;
};

// Starts `arguments[0]` (a path) with the others as its arguments, stdin at /dev/null, and waits.
// Throws std::runtime_error if it cannot be started.
[[nodiscard]] ProcessResult run_process(const std::vector<std::string>& arguments,
                                        const ProcessOptions& options = {});

}  // namespace vergence::test
