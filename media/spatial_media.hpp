// SPDX-License-Identifier: Apache-2.0
// The boxes by which an MP4 tells that it is 3D, 180 or 360: Google's Spherical Video V2 (st3d,
// sv3d) and V1 (an XML in a uuid), Apple's vexu and hfov, and SA3D of ambisonic sound. Layouts and
// sources: docs/tagging.md. Not installed.
#pragma once

#include "media/mp4_boxes.hpp"
#include "media/video_tags.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace vergence::media {

// The boxes of the tags, with their headers left to mp4::serialized. `tags` hold what files can
// say: see check_tags in video_tags.hpp.
[[nodiscard]] mp4::Box st3d_box(StereoTag stereo);
[[nodiscard]] mp4::Box sv3d_box(const SphericalTag& tag);
[[nodiscard]] mp4::Box vexu_box(const VideoTags& tags);

// Degrees across that Apple's hfov tells for these tags; 0 = not known: no box.
[[nodiscard]] double apple_hfov_deg(const VideoTags& tags);

// The XML of V1 for a video of that size.
[[nodiscard]] std::string v1_xml(const VideoTags& tags, cv::Size size);

// What a `moov` says now. Damaged boxes count as missing.
[[nodiscard]] VideoTagFacts facts_of(const mp4::Box& moov);

// Takes every tag off the one video track of a `moov` and puts these on. Throws Error, naming
// `name`: no video track, several, eyes in layers of their own (MV-HEVC), Apple's boxes asked for a
// track that is not hvc1.
void set_tags(mp4::Box& moov, const VideoTags& tags, const std::string& name);

// Gives pictures of half-size eyes wide or tall pixels, and takes those off all others. Behind
// set_tags.
void set_eye_aspect(mp4::Box& moov, const VideoTags& tags);

// The boxes of ambisonic sound (SA3D, SAND) of each audio track, in their order.
[[nodiscard]] std::vector<std::vector<mp4::Box>> sound_tags_of(const mp4::Box& moov);

// The same of a file; none of a file that is no MP4 or cannot be read.
[[nodiscard]] std::vector<std::vector<mp4::Box>> read_sound_tags(const std::filesystem::path& path);

// Gives the audio tracks of a `moov`, in their order, such boxes; tracks beyond stay as they are.
void set_sound_tags(mp4::Box& moov, std::span<const std::vector<mp4::Box>> tags);

// The end of writing an MP4 by a muxer that left its `moov` behind the media: puts on the tags and
// moves the index to the front. Damages the file if interrupted: for files without their final
// name.
void finish_tagged_mp4(const std::filesystem::path& path, const VideoTags& tags,
                       std::span<const std::vector<mp4::Box>> sound_tags);

}  // namespace vergence::media
