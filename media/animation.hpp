// SPDX-License-Identifier: Apache-2.0
// Short animations, for looking at in any browser.
#pragma once

#include <filesystem>
#include <span>

#include <opencv2/core.hpp>

namespace vergence::media {

// Writes an animated WebP that repeats for ever, whole or not at all. `frames`: CV_8UC3 RGB of one
// size, at most 16383 pixels a side; each is shown for `frame_ms` milliseconds. Throws
// std::invalid_argument for other frames, Error when the file cannot be written.
void write_animation(const std::filesystem::path& path, std::span<const cv::Mat> frames,
                     int frame_ms);

}  // namespace vergence::media
