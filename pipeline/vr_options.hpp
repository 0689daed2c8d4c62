// SPDX-License-Identifier: Apache-2.0
// Configuration -> what VR jobs ask for. Reads `vr`, `limits`, `view` and what of other groups
// matters to them.
#pragma once

#include "config/config.hpp"
#include "pipeline/options.hpp"
#include "pipeline/vr_job.hpp"

namespace vergence::pipeline {

// For photos and videos alike. Throws Error(kUsage) for keys that contradict each other.
[[nodiscard]] VrOptions vr_options(const config::Config& config);

// What stands behind the names of results.
[[nodiscard]] SbsNaming vr_naming(const config::Config& config, const VrFrameOptions& frame);

}  // namespace vergence::pipeline
