// SPDX-License-Identifier: Apache-2.0
// Depth metrics of one file against another.
#pragma once

#include "evaluation/depth_metrics.hpp"
#include "pipeline/depth_job.hpp"

#include <filesystem>
#include <string>

namespace vergence::pipeline {

struct EvalRequest {
  OwnDepth prediction;
  OwnDepth ground_truth;
  std::filesystem::path mask;            // black = ignore; empty = none
  evaluation::DepthEvalOptions options;  // its mask is filled from the file
};

struct EvalReport {
  std::string table;
  std::string json;
};

// Throws Error naming the file.
[[nodiscard]] EvalReport evaluate_files(const EvalRequest& request);

}  // namespace vergence::pipeline
