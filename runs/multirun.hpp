// SPDX-License-Identifier: Apache-2.0
// A multirun on disk: a folder with one folder per job (each with its record), `multirun.toml`,
// and what is made of them at the end: `summary.csv` and `summary.html`.
#pragma once

#include "runs/record.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vergence::runs {

// The content of multirun.toml.
struct Multirun {
  std::filesystem::path folder;                    // where it lies; not in the file
  std::vector<std::string> command_line = {};      // as typed
  std::vector<std::string> overrides = {};         // as typed, sweeps included
  std::filesystem::path working_folder = {};       // where relative paths begin
  std::string started = {};                        // UTC, as Record::started
  std::string launcher = {};                       // "serial", "local" or "slurm"
  std::vector<std::string> job_folders = {};       // by number, relative to `folder`
  std::vector<std::string> slurm_jobs = {};        // Slurm's ids, one per submission
  std::vector<std::int64_t> submitted_again = {};  // jobs that were lost once
  bool cancelled = false;                          // by Ctrl-C, while Slurm had the jobs
  bool parts = false;  // the jobs are parts of one: no outputs and records of their own
};

// Makes `wanted` as a new folder, with those above it; where it is there already, `wanted`_2, _3
// and so on, so that two runs of one second keep apart. Throws Error with the reason.
[[nodiscard]] std::filesystem::path make_new_folder(const std::filesystem::path& wanted);

void write_multirun(const Multirun& multirun);

// Throws Error where `folder` is none of a multirun, or its file is damaged.
[[nodiscard]] Multirun read_multirun(const std::filesystem::path& folder);

[[nodiscard]] bool is_multirun(const std::filesystem::path& folder);

[[nodiscard]] std::filesystem::path job_folder(const Multirun& multirun, int number);
[[nodiscard]] std::filesystem::path job_record_folder(const Multirun& multirun, int number);

// The records of all jobs. One that cannot be read is replaced by a failed one that says why.
[[nodiscard]] std::vector<Record> read_jobs(const Multirun& multirun);

// The overrides of each job that differ between jobs: of every key that some jobs set otherwise
// than others, as "key=value".
[[nodiscard]] std::vector<std::vector<std::string>> swept_overrides(
    const std::vector<std::vector<std::string>>& jobs);

}  // namespace vergence::runs
