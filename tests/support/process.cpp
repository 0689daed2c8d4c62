// SPDX-License-Identifier: Apache-2.0
#include "tests/support/process.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vergence::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }

  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  ~Pipe() {
    ::close(ends[0]);
    close_writer();
  }

  void close_writer() {
    if (ends[1] >= 0) ::close(ends[1]);
    ends[1] = -1;
  }

  // Appends what is there; false once the other side has closed.
  bool drain(std::string& text) const {
    std::array<char, 16384> buffer{};
    while (true) {
      const ssize_t got = ::read(ends[0], buffer.data(), buffer.size());
      if (got > 0) {
        text.append(buffer.data(), static_cast<std::size_t>(got));
      } else {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
      }
    }
  }

  std::array<int, 2> ends{-1, -1};
};

// Between fork and exec: only what is needed, and 127 if anything fails.
[[noreturn]] void become(std::vector<char*> arguments, std::vector<char*> environment,
                         const ProcessOptions& options, int output, int errors) {
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (options.output) output = ::open(options.output->c_str(), O_WRONLY);
  const bool ready =
      ::dup2(nothing, 0) >= 0 && ::dup2(output, 1) >= 0 && ::dup2(errors, 2) >= 0 &&
      (options.working_folder.empty() || ::chdir(options.working_folder.c_str()) == 0) &&
      (!options.user_id || (::setgroups(0, nullptr) == 0 && ::setgid(*options.user_id) == 0 &&
                            ::setuid(*options.user_id) == 0));
  if (ready) ::execve(arguments[0], arguments.data(), environment.data());
  ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_of(const ProcessOptions& options) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!options.environment.contains(text.substr(0, text.find('=')))) entries.push_back(text);
  }
  for (const auto& [name, value] : options.environment)
    entries.push_back(fmt::format("{}={}", name, value));
  return entries;
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& arguments,
                          const ProcessOptions& options) {
  Pipe output;
  Pipe errors;
  auto argument_texts = arguments;
  auto environment_texts = environment_of(options);
  const auto argument_pointers = pointers(argument_texts);
  const auto environment_pointers = pointers(environment_texts);
  const auto start = Clock::now();
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    become(argument_pointers, environment_pointers, options, output.ends[1], errors.ends[1]);
  }
  output.close_writer();
  errors.close_writer();

  ProcessResult result;
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  int status = 0;
  int num_sent = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    output.drain(result.output);
    errors.drain(result.errors);
    if (!result.timed_out && elapsed() > options.timeout_seconds) {
      result.timed_out = true;
      ::kill(child, SIGKILL);
    }
    if (options.signal_when && num_sent < options.num_signals &&
        (num_sent > 0 || options.signal_when(result.errors))) {
      if (num_sent > 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ::kill(child, options.signal_number);
      ++num_sent;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  output.drain(result.output);
  errors.drain(result.errors);
  result.seconds = elapsed();
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (result.exit_code == 127 && result.errors.empty()) {
    throw std::runtime_error(fmt::format("cannot run '{}'", arguments.at(0)));
  }
  return result;
}

}  // namespace vergence::test
