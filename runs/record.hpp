// SPDX-License-Identifier: Apache-2.0
// What made a file: the record that a job keeps in the folder `.vergence` beside its outputs.
//
//   config.toml     the resolved configuration, which composes to the same again
//   overrides.toml  the arguments that changed it
//   run.toml        everything else: command, state, hashes, times, metrics
//   preview_N.jpg   small pictures of the outputs
//
// A record is also what a job is started from: the states below are those of its life.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vergence::runs {

inline constexpr std::string_view kRecordFolder = ".vergence";

enum class Status {
  kWaiting,      // planned, not begun
  kRunning,      // begun, not ended; also of a job whose process was killed
  kDone,         // as asked for
  kFailed,       // `message` tells why
  kInterrupted,  // by Ctrl-C
};

// "waiting", "running", "done", "failed", "interrupted", and back.
[[nodiscard]] std::string_view to_string(Status status);
[[nodiscard]] std::optional<Status> status_from_string(std::string_view word);

// A file that the job read or wrote.
struct FileNote {
  std::string path;    // as the user named it; of outputs within the job's folder: relative to it
  std::string sha256;  // hexadecimal; empty where it could not be read
  std::uint64_t bytes = 0;
  std::string key;  // of the configuration, for files that it names; empty for inputs and outputs
};

using Metric = std::pair<std::string, double>;

// What was measured on one input.
struct MetricRow {
  std::string input;
  std::vector<Metric> values;
};

struct Record {
  // What was asked for.
  int number = -1;                         // of the job in its multirun; -1 = a single run
  std::vector<std::string> command_line;   // as typed
  std::vector<std::string> arguments;      // the command, its inputs and flags, without overrides
  std::vector<std::string> overrides;      // of this job
  std::vector<std::string> swept;          // those of the overrides that the sweep changes
  std::vector<std::string> ground_truths;  // one per input, or none
  std::filesystem::path working_folder;    // where relative paths begin
  std::string config;                      // TOML

  // What came of it.
  Status status = Status::kWaiting;
  int exit_code = 0;
  std::string message;  // why it failed

  // By what: equal numbers can be expected only of equal ones.
  std::string version;
  std::string host;
  std::string device;  // "cpu", or as the configuration says
  int threads = 0;     // of the parallel loops
  std::vector<std::pair<std::string, std::int64_t>> seeds;

  // When and how long.
  std::string started;  // UTC, "2026-11-21T15:04:05Z"; empty: not yet
  double seconds = 0.0;
  std::vector<Metric> stage_seconds;  // by stage, in the order of their first appearance
  std::int64_t views_predicted = 0;   // pictures that networks looked at ...
  std::int64_t views_reused = 0;      // ... and those whose map an earlier job had made

  std::vector<FileNote> inputs;
  std::vector<FileNote> outputs;
  std::vector<std::string> previews;  // names in the record's folder
  std::vector<MetricRow> metrics;
};

// The folder that holds run.toml, for a job's folder or that folder itself. Throws Error where
// there is none.
[[nodiscard]] std::filesystem::path record_folder(const std::filesystem::path& run);

// Writes the three files into `folder` (.../.vergence), which is made. Throws Error naming the
// file.
void write_record(const std::filesystem::path& folder, const Record& record);

// Writes run.toml alone, which is what changes while a job runs.
void write_progress(const std::filesystem::path& folder, const Record& record);

// Reads a record. Throws Error naming the file that is missing or damaged, and the key.
[[nodiscard]] Record read_record(const std::filesystem::path& folder);

// Of each metric the mean over the rows that have it, in the order of their first appearance.
[[nodiscard]] std::vector<Metric> mean_metrics(const Record& record);

// The settings of a record's configuration, flattened: {"views.fov_deg", "100.0"}, in the order of
// the file. Throws Error where it is no TOML.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> settings_of(const Record& record);

// "a.b=1" as {"a.b", "1"}, without leading '+' or '~'; the value is empty where there is none.
[[nodiscard]] std::pair<std::string, std::string> split_override(std::string_view override_text);

// Now, as Record::started.
[[nodiscard]] std::string utc_now();

}  // namespace vergence::runs
