// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/web_server.hpp"

#include "core/output_file.hpp"

#include <chrono>
#include <csignal>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vergence::test {
namespace fs = std::filesystem;

WebServer::WebServer() {
  const auto script = (source_dir() / "tests/cli/web_server.py").string();
  std::vector<std::string> words = {VERGENCE_PYTHON, script, folder_.path().string()};
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  if (::posix_spawn(&process_, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0) {
    throw std::runtime_error("cannot start the web server");
  }
  for (int i = 0; i < 3000 && !fs::exists(folder_ / ".port"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

WebServer::~WebServer() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

std::string WebServer::root() const {
  return "http://127.0.0.1:" + read_file(folder_ / ".port");
}

std::string WebServer::url(const std::string& mood, const std::string& name) const {
  return root() + "/" + mood + "/" + name;
}

std::vector<nlohmann::json> WebServer::requests() const {
  std::vector<nlohmann::json> found;
  if (!fs::exists(folder_ / ".log")) return found;
  std::istringstream lines(read_file(folder_ / ".log"));
  for (std::string line; std::getline(lines, line);) found.push_back(nlohmann::json::parse(line));
  return found;
}

}  // namespace vergence::test
