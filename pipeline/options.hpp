// SPDX-License-Identifier: Apache-2.0
// Configuration -> what the jobs ask for. The only place that reads keys.
#pragma once

#include "config/config.hpp"
#include "core/predictor.hpp"
#include "media/handed_on.hpp"
#include "pipeline/depth_job.hpp"
#include "pipeline/depth_output.hpp"
#include "pipeline/eval_job.hpp"
#include "pipeline/mesh_job.hpp"
#include "pipeline/models_job.hpp"
#include "pipeline/sbs_video.hpp"
#include "predictors/predictor_factory.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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

// The groups `stereo`, `names`, `batch` and what of `input` and `output` 3D photos are made with.
// The layouts "separate" and "frame_sequential" become full side by side. `warp_network` of a
// learned method is made too. Throws Error(kUsage) for keys that contradict each other.
[[nodiscard]] SbsPhotoOptions sbs_photo_options(const config::Config& config);
[[nodiscard]] SbsNaming sbs_naming(const config::Config& config);
[[nodiscard]] media::HandedOn handed_on(const config::Config& config);
[[nodiscard]] SbsBatchOptions sbs_batch_options(const config::Config& config);

// The groups `temporal` and `video`, for every kind of video job. `settings` holds them, `stereo`
// and the limits of the output's size, `depth_settings` holds `predictor` and `input`: what else a
// result depends on is to be added. The maker of frames and what players are told are left open.
[[nodiscard]] VideoJobOptions video_job_options(const config::Config& config);

// The lines "KEY = VALUE" of the configuration that lie below these tables (or are these keys),
// without some keys: what a result depends on.
[[nodiscard]] std::vector<Setting> settings_below(const config::Config& config,
                                                  std::span<const std::string_view> tables,
                                                  std::span<const std::string_view> without = {});

// Both for 3D videos.
[[nodiscard]] SbsVideoOptions sbs_video_options(const config::Config& config,
                                                const SbsPhotoOptions& photo);

// Seconds from "83.5", "1:23.5" or "0:01:23.5". Throws Error(kUsage) naming the key.
[[nodiscard]] double seconds_at(const config::Config& config, std::string_view key);

// All of `eval`; the files come from the command line.
[[nodiscard]] EvalRequest eval_request(const std::filesystem::path& prediction,
                                       const std::filesystem::path& ground_truth,
                                       const config::Config& config);

// The same for a view; three pictures from the command line.
[[nodiscard]] StereoEvalRequest stereo_eval_request(std::span<const std::string> pictures,
                                                    const config::Config& config);

// All of `models`; the networks come from the command line.
[[nodiscard]] FetchRequest fetch_request(const config::Config& config);

// The networks that the group `predictor` names, with their settings: several for an ensemble, none
// for a folder of maps. Throws Error(kUsage) for an ensemble of fewer than two different ones.
struct Network {
  predictors::NetworkOptions options;
  predictors::RunOptions run;
};

[[nodiscard]] std::vector<Network> networks(const config::Config& config);

// The networks of the group `predictor`: several for an ensemble, otherwise one (a folder of maps
// is one too).
[[nodiscard]] std::vector<std::unique_ptr<DepthPredictor>> make_predictors(
    const config::Config& config);

// Sets the threads of all parallel loops.
void apply_machine_options(const config::Config& config);

}  // namespace vergence::pipeline
