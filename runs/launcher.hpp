// SPDX-License-Identifier: Apache-2.0
// How the jobs of a multirun are started: one after the other in this process, in several processes
// on this machine, or as an array job of a Slurm cluster.
#pragma once

#include "runs/multirun.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace vergence::runs {

// How `launcher` is configured.
struct LauncherOptions {
  std::string name = "serial";  // "serial", "local" or "slurm"
  int workers = 0;  // local: processes; 0 = as many as there are cores, at most one a job

  // slurm, as sbatch's options of these names; empty or 0: as the cluster says
  std::string partition = {};
  int cpus = 1;
  std::string mem = {};
  std::string time = {};
  std::vector<std::string> extra = {};  // further arguments of sbatch
  bool wait = true;                     // false: submit only; collected later
  double poll_s = 2.0;
};

// What a launcher calls.
struct LaunchCalls {
  // Runs a job in this process and keeps its record up to date. A job that fails is no exception;
  // Ctrl-C is.
  std::function<void(int number)> run;
  // A job has come to its end; its record is written.
  std::function<void(int number)> ended;
};

// How many processes work at once, and the threads that each of them should have so that they
// share the cores; 0 = all there are.
struct Share {
  int workers = 1;
  int threads = 0;
};

[[nodiscard]] Share share_of_cores(const LauncherOptions& options, int num_jobs);

// Runs all jobs. Returns whether they have ended (not so with options.wait = false). Throws
// Error(kInterrupted) on Ctrl-C, after the other processes were told so, and Error where a launcher
// does not work at all (no sbatch). `program` is this program's own file.
bool launch(Multirun& multirun, const LauncherOptions& options,
            const std::filesystem::path& program, const LaunchCalls& calls);

// Looks after jobs that were submitted earlier: those that Slurm has lost are submitted again
// once, and marked as failed the second time. With `wait` it stays until all have ended. Returns
// how many have not.
int collect(Multirun& multirun, bool wait, double poll_s, const LaunchCalls& calls);

}  // namespace vergence::runs
