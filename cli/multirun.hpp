// SPDX-License-Identifier: Apache-2.0
// Many jobs by one command line, and what is done with their records afterwards.
#pragma once

#include "cli/command_line.hpp"
#include "cli/job.hpp"
#include "cli/work.hpp"

#include <string>
#include <vector>

namespace vergence::cli {

// What is typed: the arguments as they are, and as they were read.
struct Typed {
  const CommandLine& line;
  const std::vector<std::string>& arguments;
};

// A single job. With run.record or run.dir it keeps a record. Throws what the job throws.
void run_single(const Typed& typed, const config::Config& config, const Host& host);

// --multirun: composes and checks all jobs, then runs them as `launcher` says and writes the
// summary. Throws config::ConfigError with the mistakes of all jobs before anything begins, Error
// at the end where jobs have failed, and Error(kInterrupted).
void run_multirun(const Typed& typed, const Host& host);

// The processes that a single job on a long video can be shared between, as `launcher` says; none
// for launcher=serial. `overrides`: the job's. `line`, `config` and `host` must outlive the result.
[[nodiscard]] Workers workers_for(const CommandLine& line, const config::Config& config,
                                  const std::vector<std::string>& overrides, const Host& host);

// --worker DIR: runs the jobs of a multirun whose numbers come on stdin, one a line, and answers
// each with its number when it has ended. Throws Error at the end where one failed.
void run_worker(const std::string& folder, const Host& host);

// --rerun DIR [key=value...]: repeats a job from its record, in a folder of its own, and prints
// what is not as it was. Throws what the job throws.
void rerun(const Typed& typed, const Host& host);

// compare RUN RUN...
void run_compare(const CommandLine& line, const Host& host);

// collect DIR [--wait]: looks after the jobs of a multirun that was left to a cluster, and writes
// the summary of what there is. Throws Error where jobs have failed or have not ended.
void run_collect(const CommandLine& line, const Host& host);

}  // namespace vergence::cli
