// SPDX-License-Identifier: Apache-2.0
// What a learned warp is to the rest of the program: a network that tells, for each pixel of a new
// view, where in the source it comes from. stereo/learned_warp.hpp makes views with one;
// implementations live in predictors/.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence {

// What the network looks at.
struct WarpInput {
  cv::Mat nearness;  // CV_32FC1, 0..1, 1 = nearest; any size of at least 4 x 4
  float divergence =
      2.0F;  // parallax of nearness 1 over 0 between both eyes, percent of the long side
  float convergence = 0.5F;             // nearness that stands on the screen
  bool preserve_screen_border = false;  // parallax fades to 0 at the left and right border
};

// The view of the left eye at the size of the nearness: pixel (x, y) is
// sum_i weights[i](x, y) * source(x + shifts_px[i](x, y), y).
struct WarpLayers {
  std::vector<cv::Mat> shifts_px;  // CV_32FC1, pixels of the map; one or more
  std::vector<cv::Mat> weights;    // CV_32FC1, of each layer, adding up to 1; none for one layer

  // CV_32FC1, empty for networks that do not tell: log odds that the source did not see the pixel.
  cv::Mat hole_logits;
};

struct WarpNetworkInfo {
  std::string name;     // the card's name: "row_flow_v3"
  std::string licence;  // SPDX id, or the card's words

  // The right eye's shifts are the left eye's, negated. Of the other networks the right eye is the
  // left eye of the mirrored picture.
  bool symmetric = false;

  // Above `one_step_divergence` the view is made in several steps of at most `step_divergence`,
  // because the network was trained for no more. 0: always one step.
  float one_step_divergence = 0.0F;
  float step_divergence = 0.0F;
};

class WarpNetwork {
 public:
  virtual ~WarpNetwork() = default;

  [[nodiscard]] virtual const WarpNetworkInfo& info() const = 0;

  // Layers for each input, in their order; several inputs are worked on at once where there are
  // threads. Throws Error with the reason where the network cannot run.
  [[nodiscard]] virtual std::vector<WarpLayers> left_eyes(std::span<const WarpInput> inputs) = 0;
};

}  // namespace vergence
