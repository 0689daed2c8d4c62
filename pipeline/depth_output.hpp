// SPDX-License-Identifier: Apache-2.0
// A depth result as files: the map, its sidecar and a colour picture.
#pragma once

#include "media/colormap.hpp"
#include "pipeline/depth_job.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vergence::pipeline {

struct DepthOutputOptions {
  std::string format = "exr";  // where the output's name does not tell
  double png_scale = 0.001;    // metres per step of a 16-bit PNG
  bool preview = true;         // NAME_preview.png beside NAME.EXT
  media::ColormapOptions colors;
};

// Writes distances to `path` (.exr .pfm .npy .png), PATH.toml and the preview: all of them or none.
// Returns the paths written, `path` first. `source` is the picture's file name.
std::vector<std::filesystem::path> write_depth_result(const std::filesystem::path& path,
                                                      const DepthResult& result,
                                                      const std::string& source,
                                                      const DepthOutputOptions& options);

}  // namespace vergence::pipeline
