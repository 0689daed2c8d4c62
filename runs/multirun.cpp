// SPDX-License-Identifier: Apache-2.0
#include "runs/multirun.hpp"

#include "runs/toml_fields.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace vergence::runs {
namespace fs = std::filesystem;
using config::Value;

namespace {

constexpr std::string_view kFileName = "multirun.toml";

// A file of others must not lead out of the multirun's folder.
void check_inside(const fs::path& file, const std::string& folder) {
  const auto path = fs::path(folder).lexically_normal();
  if (path.empty() || path.is_absolute() || *path.begin() == "..") {
    throw Error(fmt::format("'{}' is damaged: '{}' is no folder in it", file.string(), folder));
  }
}

}  // namespace

fs::path make_new_folder(const fs::path& wanted) {
  std::error_code error;
  const auto fail = [&](const fs::path& folder) {
    throw Error(fmt::format("cannot make the folder '{}': {}", folder.string(),
                            reason_from_errno(error.value())))
        .hint("give another one with run.dir or run.sweep.dir");
  };
  const auto parent =
      wanted.has_filename() ? wanted.parent_path() : wanted.parent_path().parent_path();
  if (!parent.empty()) fs::create_directories(parent, error);
  if (error) fail(parent);
  const std::string name = wanted.has_filename() ? wanted.string() : wanted.parent_path().string();
  for (int suffix = 1;; ++suffix) {
    fs::path folder = suffix == 1 ? fs::path(name) : fs::path(fmt::format("{}_{}", name, suffix));
    // Only one process is told that it has made it.
    if (fs::create_directory(folder, error)) return folder;
    if (error && error != std::errc::file_exists) fail(folder);
  }
}

void write_multirun(const Multirun& multirun) {
  const auto table = value_of(Value::Table{
      {"launcher", value_of(multirun.launcher)},
      {"started", value_of(multirun.started)},
      {"working_folder", value_of(multirun.working_folder.string())},
      {"command_line", list_of(multirun.command_line)},
      {"overrides", list_of(multirun.overrides)},
      {"job_folders", list_of(multirun.job_folders)},
      {"slurm_jobs", list_of(multirun.slurm_jobs)},
      {"submitted_again", list_of(multirun.submitted_again)},
      {"cancelled", value_of(multirun.cancelled)},
      {"parts", value_of(multirun.parts)},
  });
  write_file(multirun.folder / kFileName, toml_of(table));
}

Multirun read_multirun(const fs::path& folder) {
  if (!is_multirun(folder)) {
    throw Error(fmt::format("'{}' is not the folder of a multirun", folder.string()))
        .hint("give the folder that holds 'multirun.toml'");
  }
  const auto path = folder / kFileName;
  const FieldReader reader(path);
  Multirun multirun{.folder = folder,
                    .command_line = reader.list<std::string>("command_line"),
                    .overrides = reader.list<std::string>("overrides"),
                    .working_folder = reader.get<std::string>("working_folder"),
                    .started = reader.get<std::string>("started"),
                    .launcher = reader.get<std::string>("launcher"),
                    .job_folders = reader.list<std::string>("job_folders"),
                    .slurm_jobs = reader.list<std::string>("slurm_jobs"),
                    .submitted_again = reader.list<std::int64_t>("submitted_again"),
                    .cancelled = reader.get<bool>("cancelled"),
                    .parts = reader.get<bool>("parts")};
  for (const auto& job : multirun.job_folders) check_inside(path, job);
  return multirun;
}

bool is_multirun(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / kFileName, error);
}

fs::path job_folder(const Multirun& multirun, int number) {
  return multirun.folder / multirun.job_folders.at(static_cast<std::size_t>(number));
}

fs::path job_record_folder(const Multirun& multirun, int number) {
  return job_folder(multirun, number) / kRecordFolder;
}

std::vector<Record> read_jobs(const Multirun& multirun) {
  std::vector<Record> records;
  for (int i = 0; i < static_cast<int>(multirun.job_folders.size()); ++i) {
    try {
      records.push_back(read_record(job_record_folder(multirun, i)));
    } catch (const Error& error) {
      Record lost;
      lost.number = i;
      lost.status = Status::kFailed;
      lost.exit_code = static_cast<int>(ErrorCode::kFailed);
      lost.message = error.what();
      records.push_back(std::move(lost));
    }
  }
  return records;
}

std::vector<std::vector<std::string>> swept_overrides(
    const std::vector<std::vector<std::string>>& jobs) {
  std::vector<std::string> keys;  // in the order of their first appearance
  std::set<std::string> differing;
  const auto value_in = [](const std::vector<std::string>& job, const std::string& key) {
    std::string value = "\n";  // no value looks like this
    for (const auto& argument : job) {
      if (const auto parts = split_override(argument); parts.first == key) value = parts.second;
    }
    return value;
  };
  for (const auto& job : jobs) {
    for (const auto& argument : job) {
      const auto key = split_override(argument).first;
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  for (const auto& key : keys) {
    for (const auto& job : jobs) {
      if (value_in(job, key) != value_in(jobs.front(), key)) differing.insert(key);
    }
  }
  std::vector<std::vector<std::string>> swept(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    for (const auto& key : keys) {
      if (differing.contains(key)) swept[i].push_back(key + "=" + value_in(jobs[i], key));
    }
  }
  return swept;
}

}  // namespace vergence::runs
