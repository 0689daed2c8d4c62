// SPDX-License-Identifier: Apache-2.0
#include "cli/job.hpp"

#include "cli/multirun.hpp"
#include "cli/timed_progress.hpp"
#include "cli/work.hpp"
#include "core/error.hpp"
#include "core/module.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>

#include <fmt/format.h>
#include <unistd.h>

namespace vergence::cli {
namespace fs = std::filesystem;

namespace {

template <class Function>
Function* command_function(const char* name) {
  return reinterpret_cast<Function*>(module_symbol("commands", name));
}

Work work_for(const CommandLine& line, const config::Config& config, const Host& host,
              Progress& progress) {
  return {.command = line.command,
          .inputs = line.inputs,
          .output = line.output,
          .prediction = line.prediction,
          .ground_truth = line.ground_truth,
          .json = line.json,
          .find_param = line.find_param,
          .config = config,
          .progress = progress,
          .print = host.print,
          .complain = [&host](const std::exception& error) {
            host.console.print("error: " + host.describe(error));
          }};
}

// "somewhere (AMD EPYC 7B13)"
std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  std::ifstream facts("/proc/cpuinfo");
  for (std::string line; std::getline(facts, line);) {
    if (!line.starts_with("model name")) continue;
    const auto colon = line.find(": ");
    if (colon != std::string::npos)
      return fmt::format("{} ({})", name.data(), line.substr(colon + 2));
  }
  return name.data();
}

// Settings that the recorded ones already hold, given again so that they count as the user's own.
std::vector<std::string> repeatable(const std::vector<std::string>& overrides) {
  const auto groups = config::groups();
  std::vector<std::string> result;
  for (const auto& argument : overrides) {
    const auto key = runs::split_override(argument).first;
    const bool plain = !argument.starts_with('+') && !argument.starts_with('~') &&
                       !key.ends_with('+') && key.find('@') == std::string::npos &&
                       key.find('/') == std::string::npos && key != "run.ground_truth";
    if (plain && std::find(groups.begin(), groups.end(), key) == groups.end()) {
      result.push_back(argument);
    }
  }
  return result;
}

// The outputs of a job in a folder of its own.
void put_into(const fs::path& folder, CommandLine& line) {
  const auto inside = [&](const std::string& name) {
    const auto path = fs::path(name).lexically_normal();
    if (path.is_absolute() || *path.begin() == ".." || name == "-") {
      throw Error(ErrorCode::kUsage, fmt::format("'{}' does not lie in the folder of a job", name))
          .hint("give a name without '/' and '..', and run.sweep.dir for the place of all jobs");
    }
    const auto whole = folder / path;
    fs::create_directories(whole.parent_path());
    return whole.string();
  };
  if (line.command == "eval") {
    line.json = inside(line.json.empty() ? "metrics.json" : line.json);
  } else if (line.output.empty()) {
    line.output = line.command == "views" ? (folder / "views").string() : folder.string() + "/";
  } else {
    line.output = inside(line.output);
  }
}

void note_failure(runs::Record& record, const std::exception& error, const Host& host) {
  const auto* ours = dynamic_cast<const Error*>(&error);
  const auto code = ours != nullptr ? ours->code() : ErrorCode::kFailed;
  record.status =
      code == ErrorCode::kInterrupted ? runs::Status::kInterrupted : runs::Status::kFailed;
  record.exit_code = static_cast<int>(code);
  record.message = host.describe(error);
}

}  // namespace

config::Config recorded_config(const fs::path& record_folder, const runs::Record& record,
                               const CommandLine& line) {
  return config::compose({.config_name = "config",
                          .config_dirs = {record_folder},
                          .overrides = repeatable(record.overrides),
                          .job = {.number = std::max(0, record.number),
                                  .name = line.command,
                                  .inputs = line.inputs,
                                  .overrides = record.swept}});
}

void run_command(const CommandLine& line, const config::Config& config, const Host& host) {
  auto work = work_for(line, config, host, host.console);
  work.workers = workers_for(line, config, line.overrides, host);
  command_function<decltype(vergence_run_command)>("vergence_run_command")(work);
}

std::vector<std::string> plain_arguments(const CommandLine& line) {
  std::vector<std::string> arguments{line.command};
  for (const auto& flag : find_command(line.command)->flags) {
    if (flag.field == nullptr || (line.*flag.field).empty()) continue;
    const std::string_view names = flag.names;
    arguments.emplace_back(names.substr(names.find(',') + 1));
    arguments.push_back(line.*flag.field);
  }
  arguments.emplace_back("--");
  arguments.insert(arguments.end(), line.inputs.begin(), line.inputs.end());
  return arguments;
}

runs::Record new_record(const CommandLine& line, const std::vector<std::string>& arguments,
                        const config::Config& config, const Host& host) {
  runs::Record record;
  record.command_line = {"vergence"};
  record.command_line.insert(record.command_line.end(), arguments.begin(), arguments.end());
  record.arguments = plain_arguments(line);
  record.overrides = line.overrides;
  record.working_folder = fs::current_path();
  record.config = config.to_toml();
  record.version = host.version;
  return record;
}

runs::Record run_job(const fs::path& record_folder, Place place, const Host& host) {
  using Clock = std::chrono::steady_clock;
  auto record = runs::read_record(record_folder);
  record.status = runs::Status::kRunning;
  record.started = runs::utc_now();
  record.host = host_name();
  record.version = host.version;
  runs::write_progress(record_folder, record);
  TimedProgress progress(host.console);
  const auto began = Clock::now();
  try {
    auto line = parse_command_line(record.arguments);
    const auto config = recorded_config(record_folder, record, line);
    if (place == Place::kInFolder) put_into(record_folder.parent_path(), line);
    auto work = work_for(line, config, host, progress);
    if (place != Place::kOfWhole) {
      work.record = &record;
      work.record_folder = record_folder;
      for (const auto& file : input_files(line)) work.input_files.emplace_back(file);
      // Jobs of a multirun share the launcher's processes already.
      if (record.number < 0) work.workers = workers_for(line, config, record.overrides, host);
    }
    command_function<decltype(vergence_run_command)>("vergence_run_command")(work);
    record.status = runs::Status::kDone;
    record.exit_code = 0;
    record.message.clear();
  } catch (const std::exception& error) {
    note_failure(record, error, host);
  }
  record.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  record.stage_seconds = progress.seconds();
  host.console.end();
  runs::write_progress(record_folder, record);
  if (record.status == runs::Status::kInterrupted) {
    throw Error(ErrorCode::kInterrupted, record.message);
  }
  return record;
}

std::vector<std::string> input_files(const CommandLine& line) {
  std::vector<std::string> files;
  command_function<decltype(vergence_input_files)>("vergence_input_files")(line.command,
                                                                           line.inputs, files);
  return files;
}

void check_settings(const CommandLine& line, const config::Config& config, const Host& host) {
  command_function<decltype(vergence_check_settings)>("vergence_check_settings")(
      work_for(line, config, host, host.console));
}

}  // namespace vergence::cli
