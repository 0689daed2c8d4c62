// SPDX-License-Identifier: Apache-2.0
#include "runs/child_process.hpp"

#include "core/error.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace vergence::runs {
namespace {

struct Pipe {
  int read = -1;
  int write = -1;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw Error(fmt::format("cannot make a pipe: {}", reason_from_errno(errno)));
  }
  return {ends[0], ends[1]};
}

// Streams that are not given stay this program's own.
struct Streams {
  int input = -1;
  int output = -1;
  int errors = -1;
};

pid_t start(const std::vector<std::string>& arguments, const Streams& streams) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (streams.input >= 0) ::posix_spawn_file_actions_adddup2(&actions, streams.input, 0);
  if (streams.output >= 0) ::posix_spawn_file_actions_adddup2(&actions, streams.output, 1);
  if (streams.errors >= 0) ::posix_spawn_file_actions_adddup2(&actions, streams.errors, 2);
  std::vector<char*> texts;
  texts.reserve(arguments.size() + 1);
  for (const auto& argument : arguments) texts.push_back(const_cast<char*>(argument.c_str()));
  texts.push_back(nullptr);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, texts[0], &actions, nullptr, texts.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    throw Error(fmt::format("cannot start '{}': {}", arguments.front(), reason_from_errno(error)));
  }
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return 127;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Answer ask(const std::vector<std::string>& arguments) {
  const Pipe pipe = make_pipe();
  pid_t pid = -1;
  try {
    pid = start(arguments, {.output = pipe.write, .errors = pipe.write});
  } catch (const Error&) {
    ::close(pipe.read);
    ::close(pipe.write);
    throw;
  }
  ::close(pipe.write);
  Answer answer;
  std::array<char, 4096> buffer{};
  while (true) {
    const auto got = ::read(pipe.read, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    answer.text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(pipe.read);
  answer.exit_code = wait_for(pid);
  return answer;
}

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) {
  const Pipe to = make_pipe();
  const Pipe from = make_pipe();
  try {
    pid_ = start(arguments, {.input = to.read, .output = from.write});
  } catch (const Error&) {
    for (const int end : {to.read, to.write, from.read, from.write}) ::close(end);
    throw;
  }
  ::close(to.read);
  ::close(from.write);
  to_ = to.write;
  from_ = from.read;
  ::fcntl(from_, F_SETFL, O_NONBLOCK);
}

ChildProcess::~ChildProcess() {
  wait();
  ::close(from_);
}

bool ChildProcess::write_line(const std::string& line) const {
  const std::string text = line + "\n";
  ssize_t written = 0;
  do {
    written = ::write(to_, text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  return written == static_cast<ssize_t>(text.size());
}

std::optional<std::string> ChildProcess::read_line() {
  std::array<char, 4096> buffer{};
  while (!closed_) {
    const auto got = ::read(from_, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;  // nothing more for now
    if (got == 0) closed_ = true;
    unread_.append(buffer.data(), static_cast<std::size_t>(got));
  }
  const auto end = unread_.find('\n');
  if (end == std::string::npos) {
    if (closed_) unread_.clear();  // half a line of a program that died
    return std::nullopt;
  }
  std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return line;
}

void ChildProcess::signal(int number) const {
  if (!exit_code_) ::kill(pid_, number);
}

int ChildProcess::wait() {
  if (!exit_code_) {
    ::close(to_);
    exit_code_ = wait_for(pid_);
  }
  return *exit_code_;
}

}  // namespace vergence::runs
