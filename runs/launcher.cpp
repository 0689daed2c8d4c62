// SPDX-License-Identifier: Apache-2.0
#include "runs/launcher.hpp"

#include "runs/child_process.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/output_file.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <deque>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <poll.h>

namespace vergence::runs {
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMilliseconds = 100;
// What interrupted workers are given to write their records before they are killed.
constexpr auto kGrace = std::chrono::seconds(10);

bool has_ended(Status status) {
  return status != Status::kWaiting && status != Status::kRunning;
}

void mark(const Multirun& multirun, int number, Status status, const std::string& message) {
  const auto folder = job_record_folder(multirun, number);
  auto record = read_record(folder);
  record.status = status;
  record.message = message;
  record.exit_code = static_cast<int>(status == Status::kInterrupted ? ErrorCode::kInterrupted
                                                                     : ErrorCode::kFailed);
  write_progress(folder, record);
}

std::vector<std::string> worker_command(const Multirun& multirun, const fs::path& program) {
  std::vector<std::string> command{program.string(), "--progress", "none", "--worker",
                                   fs::absolute(multirun.folder).string()};
  // The whole job has said it all.
  if (multirun.parts) command.emplace_back("--quiet");
  return command;
}

void run_serially(const Multirun& multirun, const LaunchCalls& calls) {
  for (int number = 0; number < static_cast<int>(multirun.job_folders.size()); ++number) {
    throw_if_interrupted();
    calls.run(number);
    calls.ended(number);
  }
}

// Worker processes, each with the jobs it is working on: one, or none.
class LocalLauncher {
 public:
  LocalLauncher(const Multirun& multirun, const fs::path& program, const LaunchCalls& calls)
      : multirun_(multirun),
        command_(worker_command(multirun, program)),
        calls_(calls) {
    for (int i = 0; i < static_cast<int>(multirun.job_folders.size()); ++i) waiting_.push_back(i);
  }

  void run(int num_workers) {
    try {
      for (int i = 0; i < num_workers; ++i) start_worker();
      while (!workers_.empty()) {
        throw_if_interrupted();
        wait_for_news();
        for (std::size_t i = 0; i < workers_.size();) {
          if (listen(workers_[i])) {
            ++i;
          } else {
            workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
          }
        }
      }
    } catch (const Error&) {
      stop();
      throw;
    }
  }

 private:
  struct Worker {
    std::unique_ptr<ChildProcess> process;
    int job = -1;
  };

  void start_worker() {
    if (waiting_.empty()) return;
    Worker worker{.process = std::make_unique<ChildProcess>(command_)};
    give_job(worker);
    workers_.push_back(std::move(worker));
  }

  bool give_job(Worker& worker) {
    worker.job = -1;
    if (waiting_.empty()) return false;
    worker.job = waiting_.front();
    waiting_.pop_front();
    worker.process->write_line(std::to_string(worker.job));
    return true;
  }

  void wait_for_news() {
    std::vector<pollfd> ends;
    ends.reserve(workers_.size());
    for (const auto& worker : workers_) ends.push_back({worker.process->descriptor(), POLLIN, 0});
    ::poll(ends.data(), ends.size(), kPollMilliseconds);
  }

  // Takes what a worker says; false when it is done for.
  bool listen(Worker& worker) {
    while (const auto line = worker.process->read_line()) {
      if (*line != std::to_string(worker.job)) continue;  // what a library has printed
      calls_.ended(worker.job);
      if (!give_job(worker)) return false;
    }
    if (!worker.process->closed()) return true;
    const int code = worker.process->wait();
    mark(multirun_, worker.job, Status::kFailed,
         fmt::format("the worker process ended with exit code {}{}", code,
                     code == 128 + SIGKILL ? " (killed, perhaps for want of memory)" : ""));
    calls_.ended(worker.job);
    start_worker();
    return false;
  }

  void stop() {
    for (const auto& worker : workers_) worker.process->signal(SIGINT);
    const auto end = Clock::now() + kGrace;
    for (const auto& worker : workers_) {
      while (!worker.process->closed() && Clock::now() < end) {
        wait_for_news();
        while (worker.process->read_line()) {
        }
      }
      if (!worker.process->closed()) worker.process->signal(SIGKILL);
      worker.process->wait();
      const auto status = read_record(job_record_folder(multirun_, worker.job)).status;
      if (!has_ended(status)) mark(multirun_, worker.job, Status::kInterrupted, "interrupted");
    }
  }

  const Multirun& multirun_;
  std::vector<std::string> command_;
  const LaunchCalls& calls_;
  std::deque<int> waiting_;
  std::vector<Worker> workers_;
};

std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

// An array job: one task per job, whose number is the task's.
class SlurmLauncher {
 public:
  SlurmLauncher(Multirun& multirun, const LaunchCalls& calls)
      : multirun_(multirun),
        calls_(calls) {}

  void submit(const LauncherOptions& options, const fs::path& program) {
    std::string line;
    for (const auto& word : worker_command(multirun_, program)) line += " " + shell_word(word);
    write_file(folder() / "slurm.sh",
               fmt::format("#!/bin/sh\necho \"$SLURM_ARRAY_TASK_ID\" |{}\n", line));
    std::string arguments;
    for (const auto& argument : sbatch_arguments(options)) arguments += argument + "\n";
    write_file(folder() / "slurm.arguments", arguments);
    std::vector<int> all(multirun_.job_folders.size());
    std::iota(all.begin(), all.end(), 0);
    submit(all);
  }

  // Looks at all jobs once; returns how many have not ended. What has ended since the last time is
  // told to `ended`.
  int look() {
    const auto queued = queued_tasks();
    std::vector<int> lost;
    int unfinished = 0;
    for (int i = 0; i < static_cast<int>(multirun_.job_folders.size()); ++i) {
      if (told_.contains(i)) continue;
      const auto status = read_record(job_record_folder(multirun_, i)).status;
      // Slurm interrupts what it preempts; that is a loss, unless the user wanted it.
      const bool taken_away = status == Status::kInterrupted && !multirun_.cancelled;
      if (has_ended(status) && !taken_away) {
        tell(i);
        continue;
      }
      ++unfinished;
      // A record may become visible a little later than the end of its task.
      if (queued.contains(i)) {
        missed_.erase(i);
      } else if (++missed_[i] > 1) {
        lost.push_back(i);
      }
    }
    return unfinished - give_up_or_submit(lost);
  }

  void cancel() {
    multirun_.cancelled = true;
    write_multirun(multirun_);
    for (const auto& id : multirun_.slurm_jobs) static_cast<void>(ask({"scancel", id}));
    for (int i = 0; i < static_cast<int>(multirun_.job_folders.size()); ++i) {
      if (has_ended(read_record(job_record_folder(multirun_, i)).status)) continue;
      mark(multirun_, i, Status::kInterrupted, "interrupted");
    }
  }

  void wait(double poll_s) {
    try {
      while (look() > 0) {
        const auto end = Clock::now() + std::chrono::duration<double>(poll_s);
        while (Clock::now() < end) {
          throw_if_interrupted();
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
      }
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted) cancel();
      throw;
    }
  }

 private:
  [[nodiscard]] fs::path folder() const { return fs::absolute(multirun_.folder); }

  [[nodiscard]] std::vector<std::string> sbatch_arguments(const LauncherOptions& options) const {
    // A task that is requeued by Slurm itself would not be counted: lost ones come back by us,
    // once.
    std::vector<std::string> arguments{"--job-name=vergence", "--no-requeue",
                                       "--chdir=" + multirun_.working_folder.string(),
                                       "--output=" + (folder() / "slurm-%a.log").string()};
    const auto add = [&](const char* name, const std::string& value) {
      if (!value.empty()) arguments.push_back(fmt::format("--{}={}", name, value));
    };
    add("partition", options.partition);
    if (options.cpus > 0) add("cpus-per-task", std::to_string(options.cpus));
    add("mem", options.mem);
    add("time", options.time);
    arguments.insert(arguments.end(), options.extra.begin(), options.extra.end());
    return arguments;
  }

  void submit(const std::vector<int>& numbers) {
    std::vector<std::string> command{"sbatch", "--parsable",
                                     fmt::format("--array={}", fmt::join(numbers, ","))};
    std::string arguments = read_file(folder() / "slurm.arguments");
    for (std::size_t begin = 0; begin < arguments.size();) {
      const auto end = arguments.find('\n', begin);
      command.push_back(arguments.substr(begin, end - begin));
      begin = end == std::string::npos ? arguments.size() : end + 1;
    }
    command.push_back((folder() / "slurm.sh").string());
    const auto answer = ask(command);
    // "123" or "123;cluster"
    const auto id = answer.text.substr(0, answer.text.find_first_of(";\n"));
    int number = 0;
    const auto parsed = std::from_chars(id.data(), id.data() + id.size(), number);
    if (answer.exit_code != 0 || parsed.ec != std::errc() || parsed.ptr != id.data() + id.size()) {
      throw Error(fmt::format("sbatch refused the jobs: {}",
                              answer.text.substr(0, answer.text.find_last_not_of('\n') + 1)))
          .hint("check the keys of 'launcher' and the cluster's state (sinfo)");
    }
    multirun_.slurm_jobs.push_back(id);
    write_multirun(multirun_);
  }

  // The numbers of tasks that wait, run or are being put away.
  [[nodiscard]] std::set<int> queued_tasks() const {
    std::set<int> tasks;
    for (const auto& id : multirun_.slurm_jobs) {
      const auto answer = ask({"squeue", "--noheader", "--array", "--format=%K", "--jobs=" + id});
      // An id that the cluster has forgotten is an error, and none of its tasks runs.
      if (answer.exit_code != 0) {
        if (answer.text.find("Invalid job id") != std::string::npos) continue;
        throw Error(fmt::format("squeue failed: {}",
                                answer.text.substr(0, answer.text.find_last_not_of('\n') + 1)))
            .hint("try again with `vergence collect DIR` when the cluster is back");
      }
      const char* at = answer.text.data();
      const char* const end = at + answer.text.size();
      while (at < end) {
        int number = 0;
        const auto [rest, error] = std::from_chars(at, end, number);
        if (error == std::errc()) tasks.insert(number);
        at = std::max(rest, at) + 1;
      }
    }
    return tasks;
  }

  // Returns how many have come to their end by this.
  int give_up_or_submit(const std::vector<int>& lost) {
    std::vector<int> again;
    int given_up = 0;
    for (const int number : lost) {
      missed_.erase(number);
      auto& known = multirun_.submitted_again;
      if (std::find(known.begin(), known.end(), number) == known.end()) {
        known.push_back(number);
        again.push_back(number);
      } else {
        mark(multirun_, number, Status::kFailed,
             fmt::format("Slurm lost the task twice; '{}' may tell why",
                         (folder() / fmt::format("slurm-{}.log", number)).string()));
        tell(number);
        ++given_up;
      }
    }
    if (!again.empty()) submit(again);
    return given_up;
  }

  void tell(int number) {
    told_.insert(number);
    calls_.ended(number);
  }

  Multirun& multirun_;
  const LaunchCalls& calls_;
  std::set<int> told_;
  std::map<int, int> missed_;  // how often in a row a job was in no queue
};

}  // namespace

Share share_of_cores(const LauncherOptions& options, int num_jobs) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  if (options.name == "slurm") return {.workers = num_jobs, .threads = options.cpus};
  if (options.name != "local") return {};
  const int wanted = options.workers > 0 ? options.workers : cores;
  const int workers = std::clamp(wanted, 1, std::max(1, num_jobs));
  return {.workers = workers, .threads = std::max(1, cores / workers)};
}

bool launch(Multirun& multirun, const LauncherOptions& options, const fs::path& program,
            const LaunchCalls& calls) {
  if (options.name == "local") {
    const int num_jobs = static_cast<int>(multirun.job_folders.size());
    LocalLauncher(multirun, program, calls).run(share_of_cores(options, num_jobs).workers);
  } else if (options.name == "slurm") {
    SlurmLauncher slurm(multirun, calls);
    slurm.submit(options, program);
    if (!options.wait) return false;
    slurm.wait(options.poll_s);
  } else {
    run_serially(multirun, calls);
  }
  return true;
}

int collect(Multirun& multirun, bool wait, double poll_s, const LaunchCalls& calls) {
  if (multirun.launcher != "slurm") return 0;
  SlurmLauncher slurm(multirun, calls);
  if (wait) {
    slurm.wait(poll_s);
    return 0;
  }
  // Twice, as a task that is missing once may only just have ended.
  int unfinished = slurm.look();
  if (unfinished > 0) {
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(poll_s, 2.0)));
    unfinished = slurm.look();
  }
  return unfinished;
}

}  // namespace vergence::runs
