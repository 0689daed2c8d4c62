// SPDX-License-Identifier: Apache-2.0
// The processes of a launcher, as a video job wants them.
#pragma once

#include "cli/work.hpp"
#include "pipeline/video_tasks.hpp"

namespace vergence::cli {

// `work` must outlive the result. `num_inputs`: of the command; only a single video is shared.
[[nodiscard]] pipeline::VideoWorkers video_workers(const Work& work, std::size_t num_inputs);

}  // namespace vergence::cli
