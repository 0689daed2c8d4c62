// SPDX-License-Identifier: Apache-2.0
// libFuzzer: the input is arguments, one per line. What composes must print as TOML that composes
// to the same again; what sweeps must make jobs whose arguments have one value each.
#include "config/completion.hpp"
#include "config/config.hpp"
#include "config/sweep.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

using vergence::config::compose;
using vergence::config::ComposeRequest;

namespace {

// A few groups and keys of every kind: composed ten times faster than all.
constexpr const char* kBase = R"(defaults = [
  { mesh = "desktop" }, { views = "icosahedron_6" }, "_self_", { preset = "" }]
threads = 0
"+l" = [1, { a = "${threads}" }]
[t]
"+text" = "x${.n}"
"+n" = 1.5
)";

std::filesystem::path folder_with_base() {
  auto folder = std::filesystem::temp_directory_path() / fmt::format("fuzz_override_{}", getpid());
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "base.toml") << kBase;
  return folder;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path kFolder = folder_with_base();
  ComposeRequest request;
  request.config_dirs = {kFolder};
  request.config_name = "base";
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    request.overrides.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  static_cast<void>(vergence::config::complete_override(request, request.overrides.front()));
  try {
    const auto jobs = vergence::config::expand_sweeps(request);
    for (std::size_t i = 0; i < jobs.size(); i += 1 + jobs.size() / 4) {
      if (vergence::config::has_sweep(jobs[i])) std::abort();
    }
  } catch (const vergence::config::ConfigError&) {
    // What is wrong there is told once more below.
  }
  std::string printed;
  try {
    printed = compose(request).to_toml();
  } catch (const vergence::config::ConfigError&) {
    return 0;
  }
  std::ofstream(kFolder / "printed.toml", std::ios::binary) << printed;
  ComposeRequest again;
  again.config_dirs = {kFolder};
  again.config_name = "printed";
  if (compose(again).to_toml() != printed) std::abort();
  return 0;
}
