// SPDX-License-Identifier: Apache-2.0
// vergence depth INPUT... [-o OUT]
#include "cli/recording.hpp"
#include "cli/work.hpp"
#include "pipeline/depth_output.hpp"
#include "pipeline/options.hpp"
#include "pipeline/outputs.hpp"

#include <array>
#include <memory>

namespace vergence::cli {
namespace {

constexpr std::array<std::string_view, 4> kExtensions = {".exr", ".pfm", ".npy", ".png"};

}  // namespace

void run_depth(const Work& work) {
  const auto source_options = pipeline::source_options(work.config);
  const auto depth_options = pipeline::depth_options(work.config);
  const auto output_options = pipeline::depth_output_options(work.config);
  const auto own = pipeline::own_depth(work.config);
  const auto batch = pipeline::plan_batch(work.inputs, work.output,
                                          {"_depth", "." + output_options.format, kExtensions});
  const auto predictors =
      own ? std::vector<std::unique_ptr<DepthPredictor>>() : shared_networks(work);
  for_each_input(work, batch.size(), [&](std::size_t i) {
    const auto& [input, output] = batch[i];
    const auto source = pipeline::open_source(input, source_options);
    pipeline::check_writable(output);
    const auto depth =
        own ? pipeline::use_own_depth(*own, source, depth_options)
            : pipeline::estimate_depth(source, predictors, depth_options, work.progress);
    work.progress.begin("writing", "files", 1);
    const auto paths =
        pipeline::write_depth_result(output, depth, input.filename().string(), output_options);
    work.progress.advance();
    work.progress.end();
    for (const auto& path : paths) work.print(path.string());
    if (work.note_result) work.note_result(input, paths.front());
  });
}

}  // namespace vergence::cli
