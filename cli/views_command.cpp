// SPDX-License-Identifier: Apache-2.0
// vergence views INPUT -o DIR
#include "cli/work.hpp"
#include "core/error.hpp"
#include "pipeline/options.hpp"
#include "pipeline/views_job.hpp"

namespace vergence::cli {

void run_views(const Work& work) {
  if (work.output.empty()) {
    throw Error(ErrorCode::kUsage, "'views' needs a folder to write to").hint("give -o DIR");
  }
  pipeline::check_views_folder(work.output);
  const auto source =
      pipeline::open_source(work.inputs.at(0), pipeline::source_options(work.config));
  const auto paths = pipeline::write_views(
      source, work.output, pipeline::depth_options(work.config).views, work.progress);
  work.progress.end();
  for (const auto& path : paths) work.print(path.string());
}

}  // namespace vergence::cli
