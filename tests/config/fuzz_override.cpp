// SPDX-License-Identifier: Apache-2.0
// libFuzzer: the input is arguments, one per line. What composes must print as TOML that composes
// to the same again.
#include "config/config.hpp"
#include "core/output_file.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

using vergence::config::compose;
using vergence::config::ComposeRequest;

// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path kFolder = std::filesystem::temp_directory_path();
  ComposeRequest request;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    request.overrides.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  try {
    const std::string printed = compose(request).to_toml();
    vergence::write_file(kFolder / "fuzz_printed.toml", printed);
    ComposeRequest again;
    again.config_dirs = {kFolder};
    again.config_name = "fuzz_printed";
    if (compose(again).to_toml() != printed) std::abort();
  } catch (const vergence::config::ConfigError&) {
    return 0;
  }
  return 0;
}
