// SPDX-License-Identifier: Apache-2.0
#include "cli/multirun.hpp"

#include "runs/compare.hpp"
#include "runs/launcher.hpp"
#include "runs/multirun.hpp"
#include "runs/summary.hpp"

#include "config/sweep.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/output_file.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <functional>
#include <iostream>
#include <limits>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>

namespace vergence::cli {
namespace fs = std::filesystem;

namespace {

using Overrides = std::vector<std::string>;

config::ComposeRequest request_for(const CommandLine& line, const Overrides& overrides) {
  return {.config_name = line.config_name,
          .config_dirs = line.config_dirs,
          .overrides = overrides,
          .job = {.number = 0, .name = line.command, .inputs = line.inputs, .overrides = {}},
          .now = line.began};
}

// The ground truth of each input, or none at all. Its key may name the input, of which a job can
// have several, and is therefore read for each of them.
std::vector<std::string> ground_truths(config::ComposeRequest request, const CommandLine& line) {
  std::vector<std::string> truths;
  bool any = false;
  for (const auto& input : input_files(line)) {
    request.job.inputs = {input};
    truths.push_back(config::compose(request).string("run.ground_truth"));
    if (truths.back().empty()) continue;
    any = true;
    if (!fs::exists(truths.back())) {
      throw Error(fmt::format("the ground truth '{}' of '{}' is missing", truths.back(), input))
          .hint("correct run.ground_truth");
    }
  }
  if (any && line.command != "depth") {
    throw Error(
        ErrorCode::kUsage,
        fmt::format("'run.ground_truth' is for 'depth', and '{}' writes none", line.command))
        .hint("leave it out");
  }
  return any ? truths : std::vector<std::string>();
}

// The request with an empty ground truth, so that a pattern for single inputs does not count.
config::ComposeRequest without_ground_truth(config::ComposeRequest request) {
  request.overrides.emplace_back("run.ground_truth=''");
  return request;
}

struct Plan {
  std::vector<config::Config> configs;
  std::vector<runs::Record> records;
};

// Collects the mistakes of all jobs.
class Mistakes {
 public:
  void watch(const std::function<void()>& step) {
    try {
      step();
    } catch (const config::ConfigError& error) {
      for (const auto& mistake : error.diagnostics()) add(mistake);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUsage) throw;
      add(error.what());
    }
  }

  void throw_any() const {
    if (!texts_.empty()) throw config::ConfigError(texts_);
  }

 private:
  void add(const std::string& text) {
    if (std::find(texts_.begin(), texts_.end(), text) == texts_.end()) texts_.push_back(text);
  }

  std::vector<std::string> texts_;
};

runs::LauncherOptions launcher_options(const config::Config& config) {
  runs::LauncherOptions options{.name = config.string("launcher.name")};
  if (options.name == "local") {
    options.workers = static_cast<int>(config.integer("launcher.workers"));
  } else if (options.name == "slurm") {
    options.workers = static_cast<int>(config.integer("launcher.workers"));
    options.partition = config.string("launcher.partition");
    options.cpus = static_cast<int>(config.integer("launcher.cpus"));
    options.mem = config.string("launcher.mem");
    options.time = config.string("launcher.time");
    options.extra = config.strings("launcher.extra");
    options.wait = config.boolean("launcher.wait");
    options.poll_s = config.number("launcher.poll_s");
  }
  return options;
}

// All jobs, composed and checked.
class Planner {
 public:
  Planner(const Typed& typed, const Host& host)
      : typed_(typed),
        host_(host),
        jobs_(config::expand_sweeps(request_for(typed.line, typed.line.overrides))),
        swept_(runs::swept_overrides(jobs_)) {}

  Plan plan() {
    const auto first = request(0);
    const auto options = launcher_options(config::compose(without_ground_truth(first)));
    const auto share = runs::share_of_cores(options, static_cast<int>(jobs_.size()));
    Plan result;
    Mistakes mistakes;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      throw_if_interrupted();
      mistakes.watch([&] { add(i, share.threads, result); });
    }
    mistakes.throw_any();
    return result;
  }

 private:
  [[nodiscard]] config::ComposeRequest request(std::size_t i) const {
    auto result = request_for(typed_.line, jobs_[i]);
    result.job.number = static_cast<int>(i);
    result.job.overrides = swept_[i];
    return result;
  }

  void add(std::size_t i, int threads, Plan& plan) {
    auto wanted = request(i);
    // Keys of `run` are not swept: where the first job has no ground truth, none has.
    std::vector<std::string> truths;
    if (plan.records.empty() || !plan.records.front().ground_truths.empty()) {
      truths = ground_truths(wanted, typed_.line);
    }
    wanted = without_ground_truth(std::move(wanted));
    auto config = config::compose(wanted);
    // Processes that work side by side share the cores, unless the user says otherwise.
    if (threads > 0 && config.integer("threads") == 0) {
      wanted.overrides.push_back(fmt::format("threads={}", threads));
      config = config::compose(wanted);
    }
    check_settings(typed_.line, config, host_);
    auto record = new_record(typed_.line, typed_.arguments, config, host_);
    record.number = static_cast<int>(i);
    record.overrides = jobs_[i];
    record.swept = swept_[i];
    record.ground_truths = truths;
    plan.configs.push_back(std::move(config));
    plan.records.push_back(std::move(record));
  }

  const Typed& typed_;
  const Host& host_;
  std::vector<Overrides> jobs_;
  std::vector<Overrides> swept_;
};

runs::Multirun make_folders(const Typed& typed, const Plan& plan) {
  const auto& config = plan.configs.front();
  runs::Multirun multirun{.folder = runs::make_new_folder(config.string("run.sweep.dir")),
                          .command_line = plan.records.front().command_line,
                          .overrides = typed.line.overrides,
                          .working_folder = fs::current_path(),
                          .started = runs::utc_now(),
                          .launcher = config.string("launcher.name"),
                          .job_folders = {},
                          .slurm_jobs = {},
                          .submitted_again = {}};
  for (std::size_t i = 0; i < plan.configs.size(); ++i) {
    throw_if_interrupted();
    const auto subdir = plan.configs[i].string("run.sweep.subdir");
    // Names that repeat get a suffix of their own.
    const auto folder = runs::make_new_folder(multirun.folder / subdir);
    multirun.job_folders.push_back(folder.lexically_relative(multirun.folder).string());
    runs::write_record(folder / runs::kRecordFolder, plan.records[i]);
  }
  runs::write_multirun(multirun);
  return multirun;
}

void check_subdirs(const Plan& plan) {
  for (const auto& config : plan.configs) {
    const auto path = fs::path(config.string("run.sweep.subdir")).lexically_normal();
    if (path.empty() || path == "." || path.is_absolute() || *path.begin() == "..") {
      throw Error(ErrorCode::kUsage,
                  fmt::format("'run.sweep.subdir' is '{}', which is no folder below run.sweep.dir",
                              path.string()))
          .hint("give a relative one, for example ${vergence.job.num}");
    }
  }
}

// Tells of jobs as they end.
class Reporter {
 public:
  Reporter(const runs::Multirun& multirun, const Host& host) : multirun_(multirun), host_(host) {}

  void ended(int number) {
    const auto record = runs::read_record(runs::job_record_folder(multirun_, number));
    const auto settings = fmt::format("{}", fmt::join(record.swept, " "));
    if (record.status == runs::Status::kDone) {
      spdlog::info("job {} of {} is done in {:.1f} s{}{}", number, multirun_.job_folders.size(),
                   record.seconds, settings.empty() ? "" : ": ", settings);
    } else {
      host_.console.print(fmt::format("error: job {} ({}) {}: {}", number, settings,
                                      to_string(record.status), record.message));
    }
    for (const auto& output : record.outputs) {
      host_.print((runs::job_folder(multirun_, number) / output.path).string());
    }
  }

 private:
  const runs::Multirun& multirun_;
  const Host& host_;
};

// Writes and names the summary.
void finish(const runs::Multirun& multirun, const Host& host) {
  runs::write_summary(multirun);
  host.print((multirun.folder / "summary.csv").string());
  host.print((multirun.folder / "summary.html").string());
}

void throw_if_jobs_failed(const runs::Multirun& multirun) {
  const auto records = runs::read_jobs(multirun);
  const auto failed = std::count_if(records.begin(), records.end(), [](const auto& record) {
    return record.status == runs::Status::kFailed || record.status == runs::Status::kInterrupted;
  });
  if (failed > 0) throw Error(fmt::format("{} of {} jobs failed", failed, records.size()));
}

// This program's own file, for processes that do a part of the work.
fs::path own_program() {
  return fs::read_symlink("/proc/self/exe");
}

// The results of a job print themselves while it runs; in a multirun the reporter names them.
Host quiet(const Host& host) {
  Host result = host;
  result.print = [](std::string_view) {};
  return result;
}

// Where the record of a single run goes: beside its first output, without touching that of another.
fs::path free_record_folder(const fs::path& folder) {
  for (int suffix = 1;; ++suffix) {
    const auto name = suffix == 1 ? std::string(runs::kRecordFolder)
                                  : fmt::format("{}_{}", runs::kRecordFolder, suffix);
    std::error_code error;
    if (!fs::exists(folder / name, error)) return folder / name;
  }
}

fs::path folder_of_outputs(const CommandLine& line) {
  const auto& named = line.output.empty() ? line.json : line.output;
  if (!named.empty() && named != "-") {
    fs::path path = named;
    if (named.ends_with('/') || fs::is_directory(path)) return path;
    return path.has_parent_path() ? path.parent_path() : fs::path(".");
  }
  const auto files = input_files(line);
  const fs::path first = files.empty() ? fs::path() : fs::path(files.front());
  return first.has_parent_path() ? first.parent_path() : fs::path(".");
}

[[noreturn]] void throw_as(const runs::Record& record) {
  throw Error(static_cast<ErrorCode>(record.exit_code), record.message);
}

void enter(const fs::path& folder) {
  std::error_code error;
  fs::current_path(folder, error);
  if (error) {
    throw Error(fmt::format("cannot work in the folder '{}', where the job began: {}",
                            folder.string(), reason_from_errno(error.value())))
        .hint("make the folder again; the names of inputs count from there");
  }
}

// Throws where a record cannot be repeated as it is, before anything is written.
void check_record(const fs::path& folder, const runs::Record& record, const CommandLine& line) {
  try {
    static_cast<void>(recorded_config(fs::absolute(folder), record, line));
  } catch (const config::ConfigError& error) {
    std::vector<std::string> mistakes = {
        fmt::format("the settings in '{}', of version {}, do not work with this program",
                    folder.string(), record.version)};
    mistakes.insert(mistakes.end(), error.diagnostics().begin(), error.diagnostics().end());
    throw config::ConfigError(std::move(mistakes));
  }
  const auto here = fs::current_path();
  enter(record.working_folder);
  enter(here);
}

// Where and how the tasks of one job run.
struct TaskPlace {
  fs::path folder;
  runs::LauncherOptions options;
};

// Runs a job once for each task. Returns why tasks failed.
std::vector<std::string> run_tasks(runs::Record record, const std::vector<std::string>& tasks,
                                   const TaskPlace& place,
                                   const std::function<void(std::size_t)>& ended) {
  runs::Multirun multirun{.folder = place.folder,
                          .command_line = record.command_line,
                          .overrides = record.overrides,
                          .working_folder = record.working_folder,
                          .started = runs::utc_now(),
                          .launcher = place.options.name,
                          .job_folders = {},
                          .slurm_jobs = {},
                          .submitted_again = {},
                          .parts = true};
  const auto overrides = record.overrides;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    record.number = static_cast<int>(i);
    record.overrides = overrides;
    record.overrides.push_back(fmt::format("launcher.task='{}'", tasks[i]));
    multirun.job_folders.push_back(std::to_string(i));
    runs::write_record(runs::job_record_folder(multirun, record.number), record);
  }
  runs::write_multirun(multirun);
  std::vector<std::string> reasons;
  const runs::LaunchCalls calls{.run = {}, .ended = [&](int number) {
                                  const auto job =
                                      runs::read_record(runs::job_record_folder(multirun, number));
                                  if (job.status != runs::Status::kDone)
                                    reasons.push_back(job.message);
                                  ended(static_cast<std::size_t>(number));
                                }};
  runs::launch(multirun, place.options, own_program(), calls);
  return reasons;
}

}  // namespace

void run_single(const Typed& typed, const config::Config& config, const Host& host) {
  const auto folder = config.string("run.dir");
  if (folder.empty() && !config.boolean("run.record")) {
    if (!config.string("run.ground_truth").empty()) {
      spdlog::warn("run.ground_truth is for what is recorded; add run.record=true or run.dir");
    }
    run_command(typed.line, config, host);
    return;
  }
  auto record = new_record(typed.line, typed.arguments, config, host);
  record.ground_truths = ground_truths(request_for(typed.line, typed.line.overrides), typed.line);
  const auto place = folder.empty() ? Place::kAsTyped : Place::kInFolder;
  fs::path records;
  if (place == Place::kInFolder) {
    records = runs::make_new_folder(folder) / runs::kRecordFolder;
  } else {
    records = free_record_folder(folder_of_outputs(typed.line));
  }
  runs::write_record(records, record);
  const auto done = run_job(records, place, host);
  host.print((records / "run.toml").string());
  if (done.status != runs::Status::kDone) throw_as(done);
}

void run_multirun(const Typed& typed, const Host& host) {
  const auto plan = Planner(typed, host).plan();
  check_subdirs(plan);
  auto multirun = make_folders(typed, plan);
  const auto options = launcher_options(plan.configs.front());
  spdlog::info("{} job{} in '{}'", plan.records.size(), plan.records.size() == 1 ? "" : "s",
               multirun.folder.string());
  Reporter reporter(multirun, host);
  const runs::LaunchCalls calls{.run =
                                    [&](int number) {
                                      run_job(runs::job_record_folder(multirun, number),
                                              Place::kInFolder, quiet(host));
                                    },
                                .ended = [&](int number) { reporter.ended(number); }};
  try {
    if (!runs::launch(multirun, options, own_program(), calls)) {
      host.print(multirun.folder.string());
      spdlog::info("submitted; `vergence collect {}` looks after the jobs",
                   multirun.folder.string());
      return;
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted) runs::write_summary(multirun);
    throw;
  }
  finish(multirun, host);
  throw_if_jobs_failed(multirun);
}

Workers workers_for(const CommandLine& line, const config::Config& config,
                    const std::vector<std::string>& overrides, const Host& host) {
  auto options = launcher_options(config);
  if (options.name == "serial" || !config.boolean("launcher.split_videos")) return {};
  // There are always more tasks than processes.
  const auto share = runs::share_of_cores(options, std::numeric_limits<int>::max());
  Workers workers{.count = options.name == "slurm" ? std::max(1, options.workers) : share.workers,
                  .threads = static_cast<int>(config.integer("threads"))};
  if (workers.threads == 0) workers.threads = share.threads;
  options.wait = true;
  workers.run = [&line, &config, &host, overrides, options, threads = workers.threads](
                    const fs::path& folder, const std::vector<std::string>& tasks,
                    const std::function<void(std::size_t)>& ended) {
    auto record = new_record(line, plain_arguments(line), config, host);
    record.overrides = overrides;
    record.overrides.push_back(fmt::format("threads={}", threads));
    return run_tasks(record, tasks, {folder, options}, ended);
  };
  return workers;
}

void run_worker(const std::string& folder, const Host& host) {
  const auto multirun = runs::read_multirun(folder);
  // A part belongs to a whole; what it has finished is kept.
  if (multirun.parts && multirun.launcher == "local") ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  enter(multirun.working_folder);
  int failed = 0;
  for (std::string text; std::getline(std::cin, text);) {
    int number = -1;
    std::from_chars(text.data(), text.data() + text.size(), number);
    if (number < 0 || number >= static_cast<int>(multirun.job_folders.size())) {
      throw Error(fmt::format("'{}' has no job '{}'", folder, text));
    }
    const auto record = run_job(runs::job_record_folder(multirun, number),
                                multirun.parts ? Place::kOfWhole : Place::kInFolder, quiet(host));
    if (record.status != runs::Status::kDone) ++failed;
    host.print(std::to_string(number));
  }
  if (failed > 0) throw Error(fmt::format("{} jobs failed", failed));
}

void rerun(const Typed& typed, const Host& host) {
  const fs::path from = runs::record_folder(typed.line.rerun);
  const auto before = runs::read_record(from);
  auto line = parse_command_line(before.arguments);
  check_record(from, before, line);
  fs::path job = from.parent_path();
  std::string wanted =
      (job.lexically_normal().has_filename() ? job : fs::absolute(job)).string() + "_rerun";
  // A single run's -o may lead anywhere; its name is what counts here.
  if (before.number < 0) {
    for (auto* name : {&line.output, &line.json}) *name = fs::path(*name).filename().string();
  }
  auto overrides = typed.line.overrides;
  std::erase_if(overrides, [&](const std::string& argument) {
    const auto [key, value] = runs::split_override(argument);
    if (key == "run.dir") wanted = value;
    return key == "run.dir";
  });
  const auto config = config::compose({.config_name = "config",
                                       .config_dirs = {fs::absolute(from)},
                                       .overrides = overrides,
                                       .job = {.number = std::max(0, before.number),
                                               .name = line.command,
                                               .inputs = line.inputs,
                                               .overrides = before.swept}});
  const auto folder = fs::absolute(runs::make_new_folder(wanted));
  auto record = before;
  record.arguments = plain_arguments(line);
  record.config = config.to_toml();
  record.overrides.insert(record.overrides.end(), overrides.begin(), overrides.end());
  record.status = runs::Status::kWaiting;
  const auto records = folder / runs::kRecordFolder;
  runs::write_record(records, record);
  const auto here = fs::current_path();
  enter(before.working_folder);
  const auto after = run_job(records, Place::kInFolder, host);
  enter(here);
  if (after.status != runs::Status::kDone) throw_as(after);
  const std::vector<runs::NamedRecord> both = {{"then", before}, {"now", after}};
  host.print(runs::to_table(runs::compare(both)));
}

void run_compare(const CommandLine& line, const Host& host) {
  const std::vector<fs::path> folders(line.inputs.begin(), line.inputs.end());
  const auto records = runs::read_runs(folders);
  if (records.size() < 2) {
    throw Error(ErrorCode::kUsage, "'compare' needs at least two runs")
        .hint("give two folders of jobs, or that of a multirun");
  }
  const auto comparison = runs::compare(records);
  if (line.json == "-") {
    host.print(runs::to_json(comparison));
    return;
  }
  if (!line.json.empty()) write_file(line.json, runs::to_json(comparison));
  host.print(runs::to_table(comparison));
}

void run_collect(const CommandLine& line, const Host& host) {
  auto multirun = runs::read_multirun(line.inputs.front());
  Reporter reporter(multirun, host);
  const runs::LaunchCalls calls{.run = {}, .ended = [&](int number) { reporter.ended(number); }};
  const int unfinished = runs::collect(multirun, line.wait, 2.0, calls);
  finish(multirun, host);
  if (unfinished > 0) {
    throw Error(
        fmt::format("{} of {} jobs have not ended", unfinished, multirun.job_folders.size()))
        .hint("collect again later, or with --wait");
  }
  throw_if_jobs_failed(multirun);
}

}  // namespace vergence::cli
