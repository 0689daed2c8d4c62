// SPDX-License-Identifier: Apache-2.0
// What players take a file for: each family goes by its own signs (boxes, bitstream, file name,
// size). docs/players.md tells the same in words, with sources.
#pragma once

#include "media/video.hpp"
#include "media/video_tags.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// What a player shows.
struct Belief {
  enum class Shape { kFlat, kSphere, kHemisphere, kPartOfSphere, kFisheye, kCubemap, kEac, kMesh };
  Shape shape = Shape::kFlat;
  media::StereoTag stereo = media::StereoTag::kNone;
  bool squeezed = false;
  bool right_first = false;

  bool operator==(const Belief&) const = default;
};

// "VR180, side by side", "flat, side by side (half)", "360 degrees, one picture".
[[nodiscard]] std::string to_string(const Belief& belief);

// The signs that players go by.
struct FileSigns {
  std::string stem;       // the file's name without folder and extension
  std::string container;  // "mp4", "mov", "matroska", "photo", "other"
  std::string pair;       // "VR photo" ...: a photo of two pictures, one for each eye; else empty
  cv::Size size;
  double pixel_aspect = 1.0;
  std::string codec;                                     // FFmpeg's name
  std::optional<media::VideoTagFacts> boxes;             // of MP4 and MOV
  std::optional<media::SphericalTag> spherical;          // of other containers, and of photos
  media::StereoTag stereo = media::StereoTag::kNone;     // the same
  media::StereoTag bitstream = media::StereoTag::kNone;  // frame packing messages
};

// What the tags of a file say, read by all the rules: V2 before V1, the container's own words.
// Nothing where it has none.
[[nodiscard]] std::optional<Belief> belief_of_tags(const FileSigns& signs);

// What the words of a file's name say in a headset player's vocabulary; nothing without such words
// and where they contradict each other. `vr180_is_fisheye`: SKYBOX reads VR180 so.
[[nodiscard]] std::optional<Belief> belief_of_name(std::string_view stem, cv::Size size,
                                                   bool vr180_is_fisheye);

// A family of players, and what it believes.
struct Verdict {
  std::string player;
  std::string goes_by;           // "boxes", "file name", "size" ...
  std::optional<Belief> belief;  // nothing: it refuses the file
  std::string remark;            // why, or what is special
};

[[nodiscard]] std::vector<Verdict> verdicts_on(const FileSigns& signs);

// What is odd or contradicts itself, as whole sentences, with what to do about it. `name` is the
// whole file name, for commands that are proposed.
[[nodiscard]] std::vector<std::string> warnings_about(const FileSigns& signs,
                                                      const std::string& name);

// The end of a file name by which most players know this; empty for a flat picture.
[[nodiscard]] std::string name_suffix(const Belief& belief);

// The word of `vergence tag --as` for it; empty where there is none.
[[nodiscard]] std::string tag_word(const Belief& belief);

// Whether pictures of that size can be it: a hemisphere's eyes are square, a sphere's 2:1.
[[nodiscard]] bool fits_size(const Belief& belief, cv::Size size);

}  // namespace vergence::pipeline
