// SPDX-License-Identifier: Apache-2.0
// What several networks say about one flat photo -> one map.
#pragma once

#include "alignment/panorama_depth.hpp"

#include <span>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::alignment {

struct PhotoDepth {
  // Of the size of the largest map: planar_depth where some network speaks of metres, else
  // disparity.
  AnyDepth depth;
  bool in_metres = false;
  std::vector<NetworkReport> networks;  // in the order of the maps
};

// `maps` holds one map per network, all of the same view; `picture` (CV_8UC3 RGB) covers the same
// view edge to edge. Nothing but the networks themselves can tell which is right, so the one that
// speaks of metres leads, else the one that resembles the others most, else the first. The others
// are brought to it by a robust scale and shift of inverse planar depth (a scale not above 0
// refuses the map) and averaged with weights that fall with the mean square distance from the
// middle of all maps around the pixel and rise with how well the map's edges coincide with the
// picture's. Throws Error as fuse_views() does, and for two maps of one network.
[[nodiscard]] PhotoDepth fuse_photo(std::span<const ViewDepth> maps, const cv::Mat& picture);

}  // namespace vergence::alignment
