// SPDX-License-Identifier: Apache-2.0
// One picture and its depth become one 3D frame: what photos and videos have in common.
#pragma once

#include "core/angle.hpp"
#include "core/depth.hpp"
#include "core/warp_network.hpp"
#include "pipeline/frame_maker.hpp"
#include "stereo/depth_stabilizer.hpp"
#include "stereo/layout.hpp"
#include "stereo/parallax.hpp"
#include "stereo/scanline_warp.hpp"
#include "stereo/viewing.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// How the eyes' views are made; the words of `stereo.method` stand in brackets.
enum class StereoMethod {
  kScanline,     // [scanline] stereo/scanline_warp.hpp
  kForwardFill,  // [forward_fill] iw3's, stereo/classic_warp.hpp
  kBackward,     // [backward] the plain gather
  kLearned,      // [row_flow_v2 ...] a network, stereo/learned_warp.hpp
};

// What sets the strength: `stereo.strength`.
enum class StereoStrength {
  kDivergence,  // [divergence] percent of the picture's long side, around the screen
  kParallaxPx,  // [parallax_px] pixels, all of it before the screen
  kMetric,      // [metric] the viewer's eyes and screen, stereo/viewing.hpp
};

// All of the group `stereo` that one frame needs.
struct StereoFrameOptions {
  StereoMethod method = StereoMethod::kScanline;
  stereo::Interpolation interpolation = stereo::Interpolation::kBilinear;  // of kScanline
  std::shared_ptr<WarpNetwork> warp_network;                               // of kLearned
  int map_width_px = 0;  // of kLearned: width that the map is brought to; 0 = as it is
  int warp_steps = 0;    // of kLearned: stereo::LearnedWarpOptions::steps

  StereoStrength strength = StereoStrength::kDivergence;
  stereo::ParallaxOptions parallax;  // its convergence is that of each frame instead
  float parallax_px = 15.0F;         // of kParallaxPx
  stereo::Viewing viewing;           // its picture's width and synthetic view are filled in
  Radians comfort = Radians::from_degrees(1.0);
  bool comfort_cap = false;  // see stereo::cap_comfort

  // What the raw nearness was made from (raw_nearness() below). Decides what a foreground scale
  // means, and whether kMetric knows distances. Of disparity_px, the raw maps of a video are a
  // pair's own parallax (make_from_disparity() below).
  DepthKind depth_kind = DepthKind::kDisparity;
  bool in_metres = false;

  std::string mapper = "auto";       // as map_nearness() knows it; auto = by the foreground scale
  std::string mapper_type = "auto";  // "div", "mul", "shift"; auto = div for distances, else mul
  float foreground_scale = 0.0F;     // -3 .. 3

  // The convergence is a nearness as it comes in (the place of a thing in the picture) and goes
  // through the mapper too; otherwise it is one behind the mapper, as iw3 has it.
  bool convergence_is_mapped = false;

  std::array<int, 2> edge_dilation = {2, 1};  // passes along x and y, at the map's own size
  std::array<int, 2> pair_dilation = {0, 0};  // the same for make_from_disparity()
  bool floating_window = false;               // see stereo/floating_window.hpp
  float ipd_offset = 0.0F;                    // see stereo::pad_for_eye_distance

  stereo::LayoutOptions layout;
  cv::Size max_size;   // of the frame; 0 = any
  cv::Size letterbox;  // of the frame; empty = none
};

// The mapper that the options lead to. Throws Error for a foreground scale outside -3..3.
[[nodiscard]] std::string mapper_of(const StereoFrameOptions& options);

// What a map says as raw nearness: larger = nearer, any scale, CV_32FC1, finite everywhere. iw3's
// rule: disparities and inverse distances as they are, distances negated. Distances of 1e9 and more
// (sky) and values that are not known are filled as fill_from_background() does. Throws Error where
// no value is known at all.
[[nodiscard]] cv::Mat raw_nearness(const AnyDepth& depth);

// Values that are not finite get the smaller (farther) one of their known neighbours in the row,
// rows without any those of the row above, or else below. False if nothing is finite.
bool fill_from_background(cv::Mat& values);

// The parallax of a stereo pair without gaps, CV_32FC1: what is 0 (so data sets mark what is not
// known) or not finite is filled as above. Throws Error naming the file where no value is known.
[[nodiscard]] cv::Mat pair_disparity(const AnyDepth& depth, const std::filesystem::path& file);

// Makes 3D frames of flat pictures, all of one size.
class StereoFrameMaker final : public FrameMaker {
 public:
  // Throws Error(kUsage) for an unknown mapper, or a learned method without its network.
  explicit StereoFrameMaker(const StereoFrameOptions& options);
  ~StereoFrameMaker() override;
  StereoFrameMaker(StereoFrameMaker&&) noexcept;
  StereoFrameMaker& operator=(StereoFrameMaker&&) noexcept;

  // From now on depth is that of this part of the pictures only; what is around it (black bars)
  // stays in both eyes as it is.
  void crop_to(const cv::Rect& part);

  [[nodiscard]] cv::Size frame_size(cv::Size picture) const override;
  [[nodiscard]] bool keeps_grey() const override;

  // `picture`: RGB or RGBA, CV_8U, CV_16U or CV_32F (0..1); `raw`: CV_32FC1 raw nearness of any
  // size (the network's), finite; `decision`: what it is made of (its range, convergence and
  // borders). Throws std::invalid_argument for other types.
  void make(const cv::Mat& picture, const cv::Mat& raw, const stereo::FrameDecision& decision,
            cv::Mat& frame);

  // The same for `window[current]` of a video. What its foreground hides is filled with what the
  // other frames show there (stereo/background_plate.hpp; of method kScanline only).
  void make(std::span<const StereoMoment> window, std::size_t current, cv::Mat& frame) override;

  // The same from nearness in 0..1.
  void make(const cv::Mat& picture, const cv::Mat& nearness, float convergence, cv::Mat& frame);

  // With a pair's own parallax instead of nearness (CV_32FC1, x_left - x_right in pixels of the
  // map, which may have another size than the picture; finite). Strength, convergence and mapper do
  // not matter. With two synthetic views each eye takes half of it.
  void make_from_disparity(const cv::Mat& picture, const cv::Mat& disparity_px, cv::Mat& frame);

  // Of the last frame, before it was packed: the eyes' pictures (of the picture's size), and the
  // parallax of each made eye (CV_32FC1 pixels, > 0 before the screen; of the cropped part).
  [[nodiscard]] const cv::Mat& left() const;
  [[nodiscard]] const cv::Mat& right() const;
  [[nodiscard]] const cv::Mat& parallax_px() const;

  // What the last frame asks of the viewer's eyes: nothing where a layout shows depth.
  [[nodiscard]] stereo::ComfortReport comfort() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::pipeline
