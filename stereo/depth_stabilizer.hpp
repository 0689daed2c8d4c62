// SPDX-License-Identifier: Apache-2.0
// A video's depth held steady: shots, their range of depth, and where the screen stands in it.
// Everything that a frame's parallax depends on is decided from the statistics of frames alone, so
// that an interrupted job decides the same again.
#pragma once

#include "stereo/nearness.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// What is kept of a frame. Plain numbers: kept in the journal of a job, byte for byte.
struct FrameStatistics {
  double time_s = 0.0;
  std::array<float, 64> luma{};   // share of pixels per bin of brightness
  std::array<float, 64> depth{};  // share per bin of raw nearness between min and max
  DepthRange extremes;            // least and greatest raw nearness
  DepthRange percentiles;         // robust ones, see frame_statistics()
  float median = 0.0F;            // of the raw nearness
  float subject = 0.0F;           // raw nearness of what the picture is about
};

// `picture`: CV_8UC3 or CV_16UC3 RGB; `raw`: CV_32FC1 raw nearness (larger = nearer, any scale;
// not finite = no value) of any size.
[[nodiscard]] FrameStatistics frame_statistics(const cv::Mat& picture, const cv::Mat& raw,
                                               double time_s);

// How the screen's place is chosen.
enum class ConvergenceMode { kConstant, kAuto, kKeyframes };

struct ConvergenceKey {
  double time_s = 0.0;
  float convergence = 0.5F;
};

// What holds the range steady.
enum class RangeMode {
  kFrame,  // every frame by itself: flickers
  kEma,    // iw3's --ema-normalize (RangeSmoother), begun anew at cuts
  kShot,   // robust percentiles over the shot with look-ahead (the default)
};

struct StabilizerOptions {
  RangeMode range = RangeMode::kShot;
  RangeSmootherOptions ema;
  int look_ahead = 30;  // frames, >= 1
  bool cuts = true;     // looks for shot cuts
  ConvergenceMode convergence_mode = ConvergenceMode::kConstant;
  float convergence = 0.5F;
  std::vector<ConvergenceKey> keys;      // kKeyframes, in order of time; linear between
  float convergence_slew_per_s = 0.25F;  // it moves no faster than that within a shot
};

// What a frame's parallax is made with.
struct FrameDecision {
  std::int64_t frame = 0;
  DepthRange range;  // nearness = nearness_in_range(raw, range)
  float convergence = 0.5F;
  bool first_of_shot = false;
};

// Takes the statistics of frames in order; gives the decisions in order, once they are known:
// at most look_ahead frames later.
class DepthStabilizer {
 public:
  // Throws std::invalid_argument for options out of range.
  explicit DepthStabilizer(const StabilizerOptions& options = {});

  // The decisions that the next frame makes known (none, one or several).
  [[nodiscard]] std::vector<FrameDecision> push(const FrameStatistics& frame);

  // Those of the frames that are left: at the end of the video.
  [[nodiscard]] std::vector<FrameDecision> flush();

 private:
  StabilizerOptions options_;
};

}  // namespace vergence::stereo
