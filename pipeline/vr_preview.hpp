// SPDX-License-Identifier: Apache-2.0
// A sheet to look at before a long VR job, and what the whole will take.
#pragma once

#include "pipeline/stereo_preview.hpp"
#include "pipeline/vr_job.hpp"

namespace vergence::pipeline {

// Makes one frame of an item (of a video the middle one): both eyes, depth, anaglyph, wiggle; of an
// input that shows both eyes they are its own. Logs how long it took and, of a video, time and disk
// for all frames.
[[nodiscard]] StereoPreview preview_vr(const SbsItem& item, const VrOptions& options,
                                       const LazyNetworks& networks, Progress& progress);

}  // namespace vergence::pipeline
