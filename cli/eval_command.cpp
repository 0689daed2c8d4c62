// SPDX-License-Identifier: Apache-2.0
// vergence eval --pred P --gt G, vergence eval --stereo LEFT RIGHT REF
#include "cli/work.hpp"
#include "core/error.hpp"
#include "core/output_file.hpp"
#include "pipeline/eval_job.hpp"
#include "pipeline/options.hpp"

#include <fmt/format.h>

namespace vergence::cli {

namespace {

pipeline::EvalReport evaluate(const Work& work) {
  if (work.config.boolean("eval.stereo")) {
    return pipeline::evaluate_view(pipeline::stereo_eval_request(work.inputs, work.config));
  }
  if (!work.inputs.empty()) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'eval' has no use for '{}' without --stereo", work.inputs.front()))
        .hint("give --pred P --gt G, or --stereo LEFT RIGHT REF");
  }
  if (work.prediction.empty() || work.ground_truth.empty()) {
    throw Error(ErrorCode::kUsage, "'eval' needs a prediction and a ground truth")
        .hint("give --pred P --gt G");
  }
  return pipeline::evaluate_files(
      pipeline::eval_request(work.prediction, work.ground_truth, work.config));
}

}  // namespace

void run_eval(const Work& work) {
  const auto report = evaluate(work);
  if (work.note_metrics) {
    const auto& compared = work.inputs.empty() ? work.prediction : work.inputs.at(1);
    work.note_metrics(compared, report.json);
  }
  if (work.json == "-") {
    work.print(report.json);
    return;
  }
  if (!work.json.empty()) write_file(work.json, report.json);
  work.print(report.table);
}

}  // namespace vergence::cli
