// SPDX-License-Identifier: Apache-2.0
// Depth metrics as text for people and for programs.
#pragma once

#include "evaluation/depth_metrics.hpp"

#include <string>

namespace vergence::evaluation {

// One row per metric, one column per weighting, ending with a line break.
[[nodiscard]] std::string to_table(const DepthEvaluation& evaluation);

// One object: {"align", "plain": {...}, "spherical": {...} or null, "seam": {...} or null}, whose
// keys are the field names of DepthMetrics and SeamStep; indented by two, ending with a line break.
[[nodiscard]] std::string to_json(const DepthEvaluation& evaluation);

}  // namespace vergence::evaluation
