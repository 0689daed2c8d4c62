// SPDX-License-Identifier: Apache-2.0
// A video's depth held steady: shots, their range of depth, and where the screen stands in it.
// Everything that a frame's parallax depends on is decided from the statistics of frames alone, so
// that an interrupted job decides the same again.
#pragma once

#include "stereo/nearness.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// What is kept of a frame. Plain numbers: kept in the journal of a job, byte for byte.
struct FrameStatistics {
  double time_s = 0.0;
  std::array<float, 64> luma{};  // 16 bins of brightness for each quarter of the picture (top left,
                                 // top right, bottom left, bottom right); those of one sum to 1
  std::array<float, 64> depth{};    // share of the values per bin between the percentiles; sum to 1
  DepthRange extremes{0.0F, 0.0F};  // least and greatest raw nearness
  DepthRange percentiles{0.0F, 0.0F};  // 0.5 and 99.5 % of the values lie below
  float median = 0.0F;                 // of the raw nearness
  DepthRange subject{0.0F, 0.0F};      // 10 and 90 % of the subject's raw nearness lie below
  float left_border = 0.0F;            // raw nearness of what stands at the picture's left border,
  float right_border = 0.0F;           // its right border: nearer than nine tenths of what is there
  std::array<float, 8> carried{};      // what the source of depth hands on from frame to frame; not
                                       // looked at here
};

// `picture`: CV_8UC3 or CV_16UC3 RGB; `raw`: CV_32FC1 raw nearness (larger = nearer, any scale;
// not finite = no value; all of the depth's numbers are 0 where no pixel has one) of any size.
//
// The subject is the eighth of the picture that is nearest and most in its middle: where the
// product of the nearness between the percentiles and a Gaussian of a quarter of the width and
// height about the centre is greatest. Throws std::invalid_argument for other types or an empty
// picture.
[[nodiscard]] FrameStatistics frame_statistics(const cv::Mat& picture, const cv::Mat& raw,
                                               double time_s);

// How far apart two frames are, 0 = alike; frames of different shots are mostly beyond 1. The sum
// of how far brightness has to move to turn one histogram into the other (mean of the quarters,
// earth mover's distance) and of the same for the depth, each in units of what tells shots apart.
// The depth of nearly black frames, and of those without any, does not count.
[[nodiscard]] float frame_distance(const FrameStatistics& a, const FrameStatistics& b);

// How the screen's place is chosen.
enum class ConvergenceMode {
  kConstant,
  kAuto,       // the subject's nearness, see DepthStabilizer
  kKeyframes,  // by time
};

struct ConvergenceKey {
  double time_s = 0.0;
  float convergence = 0.5F;
};

// What holds the range steady.
enum class RangeMode {
  kFrame,  // every frame's extremes by themselves: flickers
  kEma,    // iw3's --ema-normalize (RangeSmoother), begun anew at cuts
  kShot,   // robust percentiles over the shot with look-ahead (the default)
};

struct StabilizerOptions {
  RangeMode range = RangeMode::kShot;
  RangeSmootherOptions ema;  // its look_ahead is not used: the one below is
  int look_ahead = 30;       // frames, >= 1; a frame's range spans it and the next look_ahead - 1
  bool cuts = true;          // looks for shot cuts
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

  // Nearness 0..1 of what stands at the borders, steady: for floating_window.hpp.
  float left_border = 0.0F;
  float right_border = 0.0F;

  // Raw nearness that half of the values lie below, steady: what gives a relative depth its scale.
  float median = 0.0F;
};

// Takes the statistics of frames in order; gives the decisions in order, once they are known.
//
// Cuts: a frame begins a shot where each of the next frames (it included, up to 6) is far from each
// of the last 6 frames of the shot before: a flash or a short obstruction is followed by frames
// like those before it. Fades, shakes and fast pans change from frame to frame throughout; a cut
// must stand out of the changes around it.
//
// kShot: a shot begins with the range that spans the robust percentiles of its first frames within
// the look-ahead. Then it widens ahead of what comes nearer or goes farther, by at most half of its
// width per second, and narrows by at most a twentieth, so that the strength neither pops nor
// pumps. A percentile counts as the middle one of three frames; single odd frames do not, nor do
// nearly black ones, whose depth is a guess.
//
// The median is the mean of those within the look-ahead; within a shot it comes closer to that by a
// factor of e in two seconds.
//
// kAuto: iw3's rule, (q10 + q90) / 2 + (convergence - 0.5) * 3 * (q90 - q10) with the quantiles of
// the subject, cut to 0..1; mean over the look-ahead, then a moving average that keeps 0.9 of the
// old value in 1/30 s, begun anew at cuts.
class DepthStabilizer {
 public:
  // Throws std::invalid_argument for options out of range or keys out of order.
  explicit DepthStabilizer(const StabilizerOptions& options = {});

  // The most frames whose decision is still open after a push(): look_ahead - 1, and up to 5 more
  // where cuts are looked for.
  [[nodiscard]] int delay() const { return options_.look_ahead - 1 + reach_ - 1; }

  // The decisions that the next frame makes known (none, one or several).
  [[nodiscard]] std::vector<FrameDecision> push(const FrameStatistics& frame);

  // Those of the frames that are left: at the end of the video. The next frame begins anew.
  [[nodiscard]] std::vector<FrameDecision> flush();

 private:
  struct Frame {
    FrameStatistics statistics;
    bool first_of_shot = false;
  };

  // Frames of the deque `frames_`, by their place in it: [first, last).
  struct Span {
    std::size_t first;
    std::size_t last;
  };

  void judge_next();
  [[nodiscard]] bool begins_shot(std::size_t place) const;
  void decide_ready(bool at_end, std::vector<FrameDecision>& decisions);
  [[nodiscard]] Span window_at(std::size_t place) const;
  [[nodiscard]] FrameDecision decide(std::size_t place);
  [[nodiscard]] DepthRange shot_range(const Span& window, bool first, double seconds) const;
  [[nodiscard]] std::vector<DepthRange> percentiles_in(const Span& window) const;
  [[nodiscard]] DepthRange spanned(const Span& window) const;
  [[nodiscard]] float converge(const Span& window, const DepthRange& range, double seconds) const;
  [[nodiscard]] float subject_convergence(const Span& window, const DepthRange& range) const;
  [[nodiscard]] float median_over(const Span& window, double seconds) const;
  [[nodiscard]] float nearest_at(const Span& window, float FrameStatistics::*side,
                                 const DepthRange& range) const;

  StabilizerOptions options_;
  int reach_ = 1;  // frames on either side of a cut that are compared
  RangeSmoother smoother_;
  std::deque<DepthRange> smoothed_;  // kEma: of the frames judged, from the next decision on

  std::deque<Frame> frames_;     // those that are still needed, in order
  std::size_t num_judged_ = 0;   // of frames_: known whether they begin a shot
  std::size_t num_decided_ = 0;  // of frames_
  std::int64_t next_frame_ = 0;  // number of the next decision
  FrameDecision last_;           // the latest decision
  double last_time_s_ = 0.0;     // and its time
};

}  // namespace vergence::stereo
