// SPDX-License-Identifier: Apache-2.0
// Side data of FFmpeg's streams by which its muxers tell stereo and projection, and what its
// demuxers found of them; not installed.
#pragma once

#include "media/video.hpp"

#include <cstddef>
#include <optional>

struct AVStream;

namespace vergence::media {

// Gives the stream a record of `type` (FFmpeg's AVPacketSideDataType); takes `data`, which FFmpeg
// allocated. Throws std::bad_alloc.
void add_side_data(AVStream& stream, int type, void* data, std::size_t size);

// How the eyes lie; nothing is added for kNone and for eyes in turn, which Matroska takes for two
// in one block.
void add_stereo(AVStream& stream, StereoTag stereo, bool right_first);

// Which part of the sphere is shown; nothing is added for projections that FFmpeg has no word for.
void add_spherical(AVStream& stream, const SphericalTag& tag);

// What the container says; nothing for a flat picture.
[[nodiscard]] std::optional<SphericalTag> spherical_of(const AVStream& stream);

// Copies the side data of a stream whose packets are copied, without stereo and projection.
void copy_other_side_data(const AVStream& from, AVStream& to);

}  // namespace vergence::media
