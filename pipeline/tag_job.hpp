// SPDX-License-Identifier: Apache-2.0
// Tags an existing video or photo: what players are told of it, without encoding anything.
#pragma once

#include "core/progress.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::pipeline {

struct TagRequest {
  std::filesystem::path input;
  std::filesystem::path output;  // empty = the file itself
  std::string as;                // a word of tag_layouts()
  double fov_deg = 0.0;          // of a hemisphere or a flat picture, across; 0 = as usual
  bool v1 = false;               // the older tag also where it cannot tell the picture
  bool apple = false;
};

struct TagReport {
  std::filesystem::path written;
  bool in_place = false;
  std::string said = {};                   // "360 degrees, top-bottom"
  std::vector<std::string> warnings = {};  // whole sentences
};

// What a file can be tagged as: "vr180-sbs", "360", "none" ...
[[nodiscard]] std::span<const std::string_view> tag_layouts();

// Throws Error as write_video_tags (media/video_tags.hpp) does; Error(kUsage) for a layout that the
// file's kind has no tag for.
TagReport tag_file(const TagRequest& request, Progress& progress);

}  // namespace vergence::pipeline
