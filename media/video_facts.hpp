// SPDX-License-Identifier: Apache-2.0
// What a stream and its first frame say besides pixels: HDR, stereo, which side is up; not
// installed.
#pragma once

#include "media/video.hpp"

#include <optional>
#include <string>

struct AVFrame;
struct AVStream;

namespace vergence::media {

// What to do to a frame so that it is upright: transpose it (swap x and y), then mirror it.
struct Orientation {
  bool transpose = false;
  bool mirror_x = false;
  bool mirror_y = false;

  // Clockwise, 0, 90, 180 or 270; a mirroring is left out.
  [[nodiscard]] int clockwise_deg() const;

  // FFmpeg's filters that do it; empty = nothing to do.
  [[nodiscard]] std::string filter() const;
};

// From the display matrix of the stream or the frame, to the nearest quarter turn.
[[nodiscard]] Orientation orientation_of(const AVStream& stream, const AVFrame& frame);

// From the container or the bitstream.
[[nodiscard]] HdrMetadata hdr_of(const AVStream& stream, const AVFrame& frame);

struct StereoFacts {
  StereoTag tag = StereoTag::kNone;
  bool right_first = false;
};

// Nothing where neither the container nor the bitstream speaks of two eyes.
[[nodiscard]] std::optional<StereoFacts> stereo_of(const AVStream& stream, const AVFrame& frame);

// What the bitstream alone says.
[[nodiscard]] std::optional<StereoTag> bitstream_stereo_of(const AVFrame& frame);

}  // namespace vergence::media
