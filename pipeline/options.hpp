// SPDX-License-Identifier: Apache-2.0
// Configuration -> what the jobs ask for. The only place that reads keys.
#pragma once

#include "config/config.hpp"
#include "core/predictor.hpp"
#include "pipeline/depth_job.hpp"
#include "pipeline/depth_output.hpp"
#include "pipeline/eval_job.hpp"
#include "pipeline/mesh_job.hpp"
#include "pipeline/models_job.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

namespace vergence::pipeline {

[[nodiscard]] SourceOptions source_options(const config::Config& config);
[[nodiscard]] DepthOptions depth_options(const config::Config& config);
[[nodiscard]] DepthOutputOptions depth_output_options(const config::Config& config);
[[nodiscard]] MeshJobOptions mesh_options(const config::Config& config);

// The depth file of input.depth, or nothing where there is none.
[[nodiscard]] std::optional<OwnDepth> own_depth(const config::Config& config);

// A depth file named otherwise, with input.depth_kind and input.depth_scale.
[[nodiscard]] OwnDepth own_depth_at(const std::filesystem::path& path,
                                    const config::Config& config);

// All of `eval`; the files come from the command line.
[[nodiscard]] EvalRequest eval_request(const std::filesystem::path& prediction,
                                       const std::filesystem::path& ground_truth,
                                       const config::Config& config);

// All of `models`; the networks come from the command line.
[[nodiscard]] FetchRequest fetch_request(const config::Config& config);

// The networks of the group `predictor`: several for an ensemble, otherwise one (a folder of maps
// is one too).
[[nodiscard]] std::vector<std::unique_ptr<DepthPredictor>> make_predictors(
    const config::Config& config);

// Sets the threads of all parallel loops.
void apply_machine_options(const config::Config& config);

}  // namespace vergence::pipeline
