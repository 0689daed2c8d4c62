// SPDX-License-Identifier: Apache-2.0
// The message in a bitstream that says how two eyes lie in each picture: frame packing arrangement
// SEI, ITU-T H.264 D.1.26 and H.265 D.2.16; not installed.
#pragma once

#include "media/video_writer.hpp"

#include <cstdint>
#include <optional>
#include <vector>

struct AVPacket;

namespace vergence::media {

// frame_packing_arrangement_type of the standards; nothing for pictures of one eye.
[[nodiscard]] std::optional<int> frame_packing_type(StereoTag tag);

// The NAL unit (without a start code) of the message: it holds until the next one. `hevc`: for
// H.265, else for H.264. `second_frame`: this picture is the second of a pair in time (only for
// frame-sequential video). Nothing where the standard has no word for the arrangement.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> frame_packing_nal(StereoTag tag,
                                                                         bool right_first,
                                                                         bool hevc,
                                                                         bool second_frame = false);

// Puts a NAL unit before the first slice of a packet whose NAL units follow start codes (ITU-T
// H.264 and H.265, annex B). A packet without a slice stays as it is. Throws std::bad_alloc.
void insert_before_slices(AVPacket& packet, const std::vector<std::uint8_t>& nal, bool hevc);

}  // namespace vergence::media
