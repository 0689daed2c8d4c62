// SPDX-License-Identifier: Apache-2.0
// What a depth network is to the rest of the program. Implementations live in predictors/.
#pragma once

#include "core/depth.hpp"
#include "core/progress.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence {

// One picture for a network.
struct PredictorInput {
  std::string name;       // "view_00", or the file's stem: what FilesPredictor looks for
  cv::Mat rgb;            // CV_8UC3, RGB, sRGB-encoded, any size
  double focal_px = 0.0;  // horizontal focal length in pixels of `rgb`; 0 = unknown
};

struct PredictorInfo {
  std::string name;                        // the card's name: "nano"
  std::string licence;                     // SPDX id, or the card's words
  DepthKind kind = DepthKind::kDisparity;  // what predict() returns
  bool metric = false;                     // distances and planar depths are in metres
  int preferred_size_px = 0;               // side of a square view the network likes best; 0 = any
};

// A network (or a folder of its results) that turns pictures into depth maps.
class DepthPredictor {
 public:
  virtual ~DepthPredictor() = default;

  [[nodiscard]] virtual const PredictorInfo& info() const = 0;

  // One map per picture, in their order, each of kind info().kind. A map has the network's own
  // output size, which may differ from the picture's; both cover the same field of view edge to
  // edge. `progress` advances by one per picture (its stage is begun by the caller). Throws Error,
  // naming the picture, when a map cannot be made.
  [[nodiscard]] virtual std::vector<AnyDepth> predict(std::span<const PredictorInput> pictures,
                                                      Progress& progress) = 0;
};

}  // namespace vergence
