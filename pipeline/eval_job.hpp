// SPDX-License-Identifier: Apache-2.0
// Depth metrics of one file against another.
#pragma once

#include "core/eye.hpp"
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

// A synthesised view of one eye against the real one.
struct StereoEvalRequest {
  std::filesystem::path left;         // pictures of both eyes; the one of `eye` was made from the
  std::filesystem::path right;        // other one, and may be a full side by side frame of both
  std::filesystem::path reference;    // the real picture of `eye`
  std::optional<OwnDepth> disparity;  // of the source picture
  Eye eye = Eye::kRight;
};

// Throws Error naming the file, also for pictures of different sizes.
[[nodiscard]] EvalReport evaluate_view(const StereoEvalRequest& request);

}  // namespace vergence::pipeline
