// SPDX-License-Identifier: Apache-2.0
// The quality of a synthesised view as text.
#pragma once

#include "evaluation/stereo_metrics.hpp"

#include <optional>
#include <string>

namespace vergence::evaluation {

// Lines of names and numbers; "-" for what is not known.
[[nodiscard]] std::string to_table(const StereoMetrics& metrics,
                                   const std::optional<VerticalDisparity>& vertical);

// One JSON object: psnr, psnr_inner, psnr_visible, psnr_disoccluded, disoccluded_share, ssim, siou,
// vertical_disparity {median_px, mean_absolute_px, num_blocks}. null for what is not known; the
// PSNR of equal pixels, which is infinite, is the string "inf".
[[nodiscard]] std::string to_json(const StereoMetrics& metrics,
                                  const std::optional<VerticalDisparity>& vertical);

}  // namespace vergence::evaluation
