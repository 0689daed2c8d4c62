// SPDX-License-Identifier: Apache-2.0
// vergence tag FILE... --as LAYOUT [-o OUT]
#include "cli/work.hpp"
#include "core/error.hpp"
#include "pipeline/tag_job.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::cli {

void run_tag(const Work& work) {
  if (work.inputs.size() > 1 && !work.output.empty()) {
    throw Error(ErrorCode::kUsage, "'-o' names one file, but there are several inputs")
        .hint("tag them one by one, or leave out -o: they keep their names");
  }
  for_each_input(work, work.inputs.size(), [&](std::size_t i) {
    const auto report = pipeline::tag_file({.input = work.inputs[i],
                                            .output = work.output,
                                            .as = work.config.string("tag.as"),
                                            .fov_deg = work.config.number("tag.fov_deg"),
                                            .v1 = work.config.boolean("tag.v1"),
                                            .apple = work.config.boolean("output.apple")},
                                           work.progress);
    work.progress.end();
    spdlog::info("'{}': {}{}", report.written.string(), report.said,
                 report.in_place ? " (changed in place)" : "");
    for (const auto& warning : report.warnings) spdlog::warn("{}", warning);
    work.print(report.written.string());
  });
}

}  // namespace vergence::cli
