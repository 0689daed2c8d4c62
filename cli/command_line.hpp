// SPDX-License-Identifier: Apache-2.0
// The command line: one table of commands and flags, from which parsing and help are made.
#pragma once

#include "cli/progress.hpp"

#include <ctime>
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
  std::string config_path;                         // --config-path
  std::vector<std::filesystem::path> config_dirs;  // --config-path, then --config-dir
  std::string rerun;                               // --rerun
  std::string worker;                              // --worker: how launchers call this program
  std::string print_config;                        // --cfg: "job" or "all"
  std::string print_info;                          // --info: "defaults", "origin", ...
  std::string package;           // --package: the only key or table that is printed
  std::string shell_completion;  // --shell-completion: "install=bash"
  std::string save_as;           // config --save: a preset's name
  std::string force;             // config --force: "true"
  std::string reference;         // config --reference: "true"
  ProgressStyle progress = ProgressStyle::kAuto;
  bool multirun = false;
  bool wait = false;     // collect --wait
  bool resolve = false;  // print values instead of ${interpolations}
  bool quiet = false;
  bool verbose = false;
  bool help = false;
  bool version = false;
  std::time_t began = std::time(nullptr);  // for ${now:}, the same in all jobs
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

// The flags that every command has. Those whose `field` and `key` are empty are here for help and
// completion.
[[nodiscard]] std::span<const Flag> common_flags();

// The names of a flag, "-o" and "--output".
[[nodiscard]] std::vector<std::string> names_of(const Flag& flag);

// What a flag may be given, where that is one of few words ("job", "all" for --cfg).
[[nodiscard]] std::vector<std::string> choices_of(std::string_view flag);

// Whether a flag of any command needs a value behind it.
[[nodiscard]] bool takes_value(std::string_view flag);

// Where the command stands among arguments that come before any "--"; their number without one.
[[nodiscard]] std::size_t find_command_word(std::span<const std::string> arguments);

// The command of that name, or null.
[[nodiscard]] const Command* find_command(std::string_view name);

// Whether an argument is a configuration override: "a.b=v", "group/sub=v", "+...", "~...".
[[nodiscard]] bool is_override(std::string_view argument);

// Reads the arguments (without the program's name). Overrides and flags may stand anywhere before a
// "--"; what follows it is an input, whatever it looks like. Throws Error(kUsage) for an unknown
// command or flag, with the nearest names, for two flags of which each asks for something else than
// the job, and for a wrong number of inputs; not so where help or the version was asked for.
[[nodiscard]] CommandLine parse_command_line(std::span<const std::string> arguments);

// What --help prints: of the program, or of one command without its configuration keys.
[[nodiscard]] std::string program_help();
[[nodiscard]] std::string command_help(const Command& command);

}  // namespace vergence::cli
