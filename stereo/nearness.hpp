// SPDX-License-Identifier: Apache-2.0
// Depth made fit for parallax, with iw3's parameters. "Nearness" is CV_32FC1 in 0..1, 1 = nearest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// ---- From raw depth to nearness, steadily over time

struct DepthRange {
  float min = 0.0F;
  float max = 1.0F;
};

// (raw - min) / (max - min), cut to 0..1; 0 everywhere for an empty range.
[[nodiscard]] cv::Mat nearness_in_range(const cv::Mat& raw, const DepthRange& range);

struct RangeSmootherOptions {
  float decay = 0.75F;  // 0..1: share of the old range in the new one
  int look_ahead = 30;  // frames, >= 1; a frame's range spans it and the next look_ahead - 1
};

// Exponentially weighted range of a video's depth that knows the frames ahead, as iw3's
// --ema-normalize: frames come out look_ahead - 1 frames after they went in.
class RangeSmoother {
 public:
  // Throws std::invalid_argument for a decay outside 0..1 or a look-ahead below 1.
  explicit RangeSmoother(const RangeSmootherOptions& options = {});

  // Takes the range of the next frame in; gives the range to use for the oldest frame that has not
  // come out yet, once its look-ahead is complete.
  [[nodiscard]] std::optional<DepthRange> push(const DepthRange& frame);

  // The ranges for the frames that have not come out: at a cut and at the end. The next frame
  // begins anew.
  [[nodiscard]] std::vector<DepthRange> flush();

 private:
  RangeSmootherOptions options_;
  std::vector<DepthRange> window_;  // frames that have not come out
  std::optional<DepthRange> current_;
};

// ---- Mappers: which nearness gets how much of the parallax

// Maps nearness by name: "none", "pow2", "softplus", "softplus2", "mul_1" .. "mul_3", "inv_mul_1"
// .. "inv_mul_3" (for relative depth), "shift_045" "shift_06" "shift_08" "shift_14" "shift_20"
// "shift_30", "div_25" "div_10" "div_6" "div_4" "div_2" "div_1" (for metric depth). "a:b" does a,
// then b; "a+b=w" is (1 - w) a + w b. Throws Error for an unknown name.
void map_nearness(std::string_view mapper, cv::Mat& nearness);

// The family that a foreground scale walks through.
enum class MapperFamily { kDiv, kMul, kShift };

// The mapper of iw3's --foreground-scale: -3 .. 3 in the family; between whole levels a blend of
// the two beside it. Throws Error for a scale outside -3..3.
[[nodiscard]] std::string foreground_mapper(MapperFamily family, float scale);

// ---- Edges

// Grows near things at depth edges, as iw3's --edge-dilation: `across` passes along x, `down`
// along y, the first min(across, down) in both. Works on the whole map: its strength at an edge
// depends on all other edges. Values may have any scale.
void dilate_edges(int across, int down, cv::Mat& nearness);

// Nearness of the picture's size from a smaller map: bilinear, antialiased, corner pixels aligned
// (torch.nn.functional.interpolate with antialias and align_corners), as iw3 does.
[[nodiscard]] cv::Mat resize_nearness(const cv::Mat& nearness, cv::Size size);

}  // namespace vergence::stereo
