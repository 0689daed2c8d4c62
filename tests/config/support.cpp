// SPDX-License-Identifier: Apache-2.0
#include "tests/config/support.hpp"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>
#include <sstream>

namespace vergence::config::test {
namespace {

// The personal folder of whoever runs the tests must not take part.
class Isolation : public ::testing::Environment {
 public:
  void SetUp() override {
    folder_.emplace();
    ASSERT_EQ(::setenv("XDG_CONFIG_HOME", folder_->path().c_str(), 1), 0);
  }

  void TearDown() override { folder_.reset(); }

 private:
  std::optional<vergence::test::TemporaryFolder> folder_;
};

// Configurations that are compared must not differ because a second went by between them.
constexpr std::time_t kNow = 1'790'000'000;

const ::testing::Environment* const kIsolation = ::testing::AddGlobalTestEnvironment(new Isolation);

}  // namespace

Files& Files::write(const std::string& name, std::string_view text) {
  const std::filesystem::path file = folder_ / (name + ".toml");
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
  return *this;
}

ComposeRequest Files::request(std::vector<std::string> overrides, const std::string& name) const {
  return {.config_name = name,
          .config_dirs = {folder_.path()},
          .overrides = std::move(overrides),
          .now = kNow};
}

Config compose_shipped(std::vector<std::string> overrides) {
  ComposeRequest request;
  request.overrides = std::move(overrides);
  request.now = kNow;
  return compose(request);
}

Config compose_text(std::string_view text, std::vector<std::string> overrides) {
  Files files;
  files.write("only", text);
  return compose(files.request(std::move(overrides), "only"));
}

std::string shipped_origin(const std::string& key) {
  std::istringstream lines(compose_shipped().origin_table());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key + " = ")) return line.substr(line.rfind("# ") + 2);
  }
  return {};
}

std::set<std::string> values_of(const Config& config) {
  std::set<std::string> values;
  std::istringstream lines(config.origin_table());
  for (std::string line; std::getline(lines, line);) {
    const std::string setting = line.substr(0, line.rfind("  # "));
    values.insert(setting.substr(0, setting.find_last_not_of(' ') + 1));
  }
  return values;
}

std::vector<std::string> mistakes_in(const ComposeRequest& request) {
  try {
    static_cast<void>(compose(request));
  } catch (const ConfigError& error) {
    return error.diagnostics();
  }
  return {};
}

std::vector<std::string> mistakes(std::vector<std::string> overrides) {
  ComposeRequest request;
  request.overrides = std::move(overrides);
  return mistakes_in(request);
}

std::vector<std::string> mistakes_in_text(std::string_view text,
                                          std::vector<std::string> overrides) {
  Files files;
  files.write("only", text);
  return mistakes_in(files.request(std::move(overrides), "only"));
}

}  // namespace vergence::config::test
