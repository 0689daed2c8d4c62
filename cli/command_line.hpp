// SPDX-License-Identifier: Apache-2.0
// The command line: one table of commands and flags, from which parsing and help are made.
#pragma once

#include "cli/progress.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::cli {

struct CommandLine {
  std::string command;  // empty: none was given
  std::vector<std::string> inputs;
  std::vector<std::string> overrides;  // as written, and those that flags stand for, in their order
  std::string output;                  // -o
  std::string prediction;              // eval --pred
  std::string ground_truth;            // eval --gt
  std::string json;                    // eval --json
  std::string find_param;              // sbs --find-param
  std::string config_name = "config";
  std::vector<std::filesystem::path> config_dirs;
  std::string print_config;  // --cfg: "job"
  std::string print_info;    // --info: "origin"
  ProgressStyle progress = ProgressStyle::kAuto;
  bool quiet = false;
  bool verbose = false;
  bool help = false;
  bool version = false;
};

// A flag that takes a value or none. It stands for a configuration key or fills a field.
struct Flag {
  const char* names;                          // "-o,--output"
  const char* value;                          // "PATH"; empty: takes none
  const char* key;                            // "input.depth"; empty: fills `field`
  std::string CommandLine::*field = nullptr;  // where a value without a key goes
  const char* help;
};

struct Command {
  const char* name;
  const char* usage;    // behind "vergence NAME"
  const char* summary;  // one line
  const char* details;  // a paragraph; may be empty
  int min_inputs;
  int max_inputs;
  std::vector<Flag> flags;
  std::vector<std::string> key_prefixes;  // configuration that matters to it
};

[[nodiscard]] std::span<const Command> commands();

// The command of that name, or null.
[[nodiscard]] const Command* find_command(std::string_view name);

// Whether an argument is a configuration override: "a.b=v", "group/sub=v", "+...", "~...".
[[nodiscard]] bool is_override(std::string_view argument);

// Reads the arguments (without the program's name). Overrides and flags may stand anywhere before a
// "--"; what follows it is an input, whatever it looks like. Throws Error(kUsage) for an unknown
// command or flag, with the nearest names, and for a wrong number of inputs; not so where help or
// the version was asked for.
[[nodiscard]] CommandLine parse_command_line(std::span<const std::string> arguments);

// What --help prints: of the program, or of one command without its configuration keys.
[[nodiscard]] std::string program_help();
[[nodiscard]] std::string command_help(const Command& command);

}  // namespace vergence::cli
