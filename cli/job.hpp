// SPDX-License-Identifier: Apache-2.0
// One call of a command, with or without a record. A record is all that a job needs to run: a
// worker process, a task of a cluster and a repetition a week later start from it.
#pragma once

#include "runs/record.hpp"

#include "cli/command_line.hpp"
#include "cli/progress.hpp"
#include "config/config.hpp"

#include <exception>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::cli {

// What the program lends to its jobs.
struct Host {
  Console& console;
  std::string version;
  std::function<void(std::string_view)> print;                 // to stdout
  std::function<std::string(const std::exception&)> describe;  // one sentence
};

// Runs the command in this process. Throws what it throws.
void run_command(const CommandLine& line, const config::Config& config, const Host& host);

// The arguments of a command line without overrides and without flags that stand for keys, such
// that parse_command_line() gives the rest back.
[[nodiscard]] std::vector<std::string> plain_arguments(const CommandLine& line);

// A record of a job that waits. `arguments` is the whole command line as typed.
[[nodiscard]] runs::Record new_record(const CommandLine& line,
                                      const std::vector<std::string>& arguments,
                                      const config::Config& config, const Host& host);

// The configuration that a record keeps, below its own arguments. Throws ConfigError where that
// does not suit this program.
[[nodiscard]] config::Config recorded_config(const std::filesystem::path& record_folder,
                                             const runs::Record& record, const CommandLine& line);

// Where a job's outputs go.
enum class Place {
  kAsTyped,   // where the command line says
  kInFolder,  // into the job's own folder, below which -o is taken
  kOfWhole,   // as typed, of a job that is a part of another: neither inputs nor outputs are noted
};

// Runs the job whose record is in `record_folder` (.../.vergence) and keeps the record up to date.
// What fails is told by the record, which is returned. Throws Error(kInterrupted) on Ctrl-C, when
// that is noted, and Error where the record cannot be read or written.
runs::Record run_job(const std::filesystem::path& record_folder, Place place, const Host& host);

// The files behind the inputs: folders stand for the pictures in them where the command takes
// pictures. Throws Error for one that is not there.
[[nodiscard]] std::vector<std::string> input_files(const CommandLine& line);

// Throws Error(kUsage) for settings that contradict each other, before anything is worked on.
void check_settings(const CommandLine& line, const config::Config& config, const Host& host);

}  // namespace vergence::cli
