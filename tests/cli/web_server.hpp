// SPDX-License-Identifier: Apache-2.0
// A web server of the test's own (web_server.py), to fetch from.
#pragma once

#include "tests/support/paths.hpp"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/types.h>

namespace vergence::test {

class WebServer {
 public:
  WebServer();
  ~WebServer();
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  // Where its files are.
  [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }

  // The address of a file in a mood.
  [[nodiscard]] std::string url(const std::string& mood, const std::string& name) const;

  // "http://127.0.0.1:PORT", also as a proxy.
  [[nodiscard]] std::string root() const;

  // The requests so far: method, path, tunnel, and headers in lower case.
  [[nodiscard]] std::vector<nlohmann::json> requests() const;

 private:
  TemporaryFolder folder_;
  pid_t process_ = -1;
};

}  // namespace vergence::test
