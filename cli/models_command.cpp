// SPDX-License-Identifier: Apache-2.0
// vergence models list|info|verify|fetch
#include "cli/work.hpp"
#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/text.hpp"
#include "pipeline/models_job.hpp"
#include "pipeline/options.hpp"

#include <array>

#include <fmt/format.h>

namespace vergence::cli {
namespace {

const std::array<std::string, 4> kActions = {"list", "info", "verify", "fetch"};

// As `eval` does it: JSON beside the table, or instead of it.
void print_report(const Work& work, const pipeline::ModelsReport& report) {
  for (const auto& warning : report.problems) work.complain(Error(warning));
  if (work.json == "-") {
    work.print(report.json);
    return;
  }
  if (!work.json.empty()) write_file(work.json, report.json);
  work.print(report.text);
}

void list(const Work& work) {
  const auto report = pipeline::list_models();
  print_report(work, report);
  if (!report.problems.empty()) {
    throw Error(fmt::format("{} model cards cannot be read", report.problems.size()));
  }
}

void need_names(const std::string& action, const std::vector<std::string>& names) {
  if (!names.empty()) return;
  throw Error(ErrorCode::kUsage, fmt::format("'models {}' needs the name of a network", action))
      .hint("'vergence models list' shows those that are known");
}

void fetch(const Work& work, const std::vector<std::string>& names) {
  const auto request = pipeline::fetch_request(work.config);
  pipeline::check_fetch(names, request);
  for_each_input(work, names.size(), [&](std::size_t i) {
    const auto file = pipeline::fetch_model(names[i], request, work.progress);
    work.progress.end();
    if (file) work.print(file->string());
  });
}

void verify(const Work& work, const std::vector<std::string>& names) {
  const auto report = pipeline::verify_models(names, work.progress);
  work.progress.end();
  print_report(work, report);
  if (report.num_failed > 0) {
    throw Error(fmt::format("{} of {} files are not what they should be", report.num_failed,
                            report.num_files))
        .hint("fetch them again with 'vergence models fetch NAME --force'");
  }
}

}  // namespace

void run_models(const Work& work) {
  const auto& action = work.inputs.at(0);
  const std::vector<std::string> names(work.inputs.begin() + 1, work.inputs.end());
  if (action == "list") {
    if (!names.empty()) {
      throw Error(ErrorCode::kUsage, fmt::format("'models list' has no use for '{}'", names[0]))
          .hint(fmt::format("'vergence models info {}' tells about one network", names[0]));
    }
    list(work);
  } else if (action == "info") {
    need_names(action, names);
    print_report(work, pipeline::describe_models(names));
  } else if (action == "verify") {
    verify(work, names);
  } else if (action == "fetch") {
    need_names(action, names);
    fetch(work, names);
  } else {
    const auto near = nearest_names(action, kActions);
    throw Error(ErrorCode::kUsage, fmt::format("'models' does not know '{}'", action))
        .hint(near.empty() ? "give " + quoted_list(kActions)
                           : "did you mean " + quoted_list(near) + "?");
  }
}

}  // namespace vergence::cli
