// SPDX-License-Identifier: Apache-2.0
// vergence eval --pred P --gt G
#include "cli/work.hpp"
#include "core/error.hpp"
#include "core/output_file.hpp"
#include "pipeline/eval_job.hpp"
#include "pipeline/options.hpp"

namespace vergence::cli {

void run_eval(const Work& work) {
  if (work.prediction.empty() || work.ground_truth.empty()) {
    throw Error(ErrorCode::kUsage, "'eval' needs a prediction and a ground truth")
        .hint("give --pred P --gt G");
  }
  const auto report = pipeline::evaluate_files(
      pipeline::eval_request(work.prediction, work.ground_truth, work.config));
  if (work.json == "-") {
    work.print(report.json);
    return;
  }
  if (!work.json.empty()) write_file(work.json, report.json);
  work.print(report.table);
}

}  // namespace vergence::cli
