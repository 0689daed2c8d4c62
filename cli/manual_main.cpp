// SPDX-License-Identifier: Apache-2.0
// Part of the build: writes the manual pages and the completions of shells, to be installed.
//   vergence_manual FOLDER
#include "cli/completion.hpp"
#include "cli/manual.hpp"
#include "core/error.hpp"
#include "core/output_file.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>

int main(int argc, char** argv) {
  using namespace vergence;  // NOLINT(google-build-using-namespace)
  try {
    if (argc != 2) throw Error("usage: vergence_manual FOLDER");
    const std::filesystem::path folder = argv[1];
    std::filesystem::create_directories(folder / "man1");
    write_file(folder / "man1/vergence.1", cli::manual_page());
    for (const auto& command : cli::commands()) {
      write_file(folder / "man1" / ("vergence-" + std::string(command.name) + ".1"),
                 cli::manual_page(command));
    }
    write_file(folder / "vergence", cli::completion_script("bash"));
    write_file(folder / "_vergence", cli::completion_script("zsh"));
    write_file(folder / "vergence.fish", cli::completion_script("fish"));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
