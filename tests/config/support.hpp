// SPDX-License-Identifier: Apache-2.0
// Composing in tests, away from the configuration of whoever runs them.
#pragma once

#include "config/config.hpp"
#include "config/reference.hpp"
#include "tests/support/paths.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::config::test {

// A folder of configuration files of the test's own.
class Files {
 public:
  // Writes NAME.toml ("mesh/huge"), without the care for power cuts that outputs get.
  Files& write(const std::string& name, std::string_view text);

  [[nodiscard]] ComposeRequest request(std::vector<std::string> overrides = {},
                                       const std::string& name = "config") const;

  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / (name + ".toml")).string();
  }

 private:
  vergence::test::TemporaryFolder folder_;
};

// The shipped files and `overrides`.
[[nodiscard]] Config compose_shipped(std::vector<std::string> overrides = {});

// A file that holds just `text`, and `overrides`.
[[nodiscard]] Config compose_text(std::string_view text, std::vector<std::string> overrides = {});

// "configs/mesh/desktop.toml:3" for a key of the shipped configuration.
[[nodiscard]] std::string shipped_origin(const std::string& key);

// "key = value" for every key.
[[nodiscard]] std::set<std::string> values_of(const Config& config);

// What is wrong with it; empty when nothing is.
[[nodiscard]] std::vector<std::string> mistakes_in(const ComposeRequest& request);
[[nodiscard]] std::vector<std::string> mistakes(std::vector<std::string> overrides);
[[nodiscard]] std::vector<std::string> mistakes_in_text(std::string_view text,
                                                        std::vector<std::string> overrides = {});

}  // namespace vergence::config::test
