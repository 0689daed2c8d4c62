// SPDX-License-Identifier: Apache-2.0
// One picture and its depth become one 3D frame: what photos and videos have in common.
#pragma once

#include "core/depth.hpp"
#include "stereo/layout.hpp"
#include "stereo/parallax.hpp"
#include "stereo/scanline_warp.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// How the eyes' views are made; the words of `stereo.method` stand in brackets.
enum class StereoMethod {
  kScanline,     // [scanline] stereo/scanline_warp.hpp
  kForwardFill,  // [forward_fill] iw3's, stereo/classic_warp.hpp
  kBackward,     // [backward] the plain gather
};

[[nodiscard]] std::optional<StereoMethod> stereo_method_from_string(std::string_view word);

// What sets the strength: `stereo.strength`.
enum class StereoStrength {
  kDivergence,  // percent of the picture's long side, around the screen
  kParallaxPx,  // pixels, all of it before the screen
};

// Where the two eyes go.
enum class EyesIn { kOneFrame, kTwoFiles, kTwoFrames };

// All of the group `stereo` that one frame needs.
struct StereoFrameOptions {
  StereoMethod method = StereoMethod::kScanline;
  stereo::Interpolation interpolation = stereo::Interpolation::kBilinear;  // of kScanline
  StereoStrength strength = StereoStrength::kDivergence;
  float parallax_px = 15.0F;         // of kParallaxPx
  stereo::ParallaxOptions parallax;  // its convergence is given with each frame instead

  // What the nearness was made from: decides what a foreground scale means.
  DepthKind depth_kind = DepthKind::kDisparity;
  std::string mapper = "auto";       // as map_nearness() knows it; auto = by the foreground scale
  std::string mapper_type = "auto";  // "div", "mul", "shift"; auto = div for distances, else mul
  float foreground_scale = 0.0F;     // -3 .. 3

  // The convergence is a nearness as it comes in (the place of a thing in the picture) and goes
  // through the mapper too; otherwise it is one behind the mapper, as iw3 has it.
  bool convergence_is_mapped = false;

  std::array<int, 2> edge_dilation = {2, 1};  // passes along x and y, at the map's own size
  float ipd_offset = 0.0F;                    // see stereo::pad_for_eye_distance

  stereo::LayoutOptions layout;
  EyesIn eyes_in = EyesIn::kOneFrame;  // the others have no layout
  cv::Size max_size;                   // of the frame; 0 = any
  cv::Size letterbox;                  // of the frame; empty = none
};

// The mapper that the options lead to.
[[nodiscard]] std::string mapper_of(const StereoFrameOptions& options);

// What a map says as raw nearness: larger = nearer, any scale, CV_32FC1, finite everywhere. iw3's
// rule: disparities as they are, distances negated. Distances of 1e9 and more (sky) and values that
// are not known get the farther one of their known neighbours in the row, rows without any that of
// the next row. Throws Error where no value is known at all.
[[nodiscard]] cv::Mat raw_nearness(const AnyDepth& depth);

// Fills what is not finite as described above; larger values are nearer. False if nothing is
// finite.
bool fill_from_background(cv::Mat& values);

// A part of a picture, for black bars that are cut off and put back.
struct PicturePart {
  cv::Rect part;
  cv::Size whole;
};

// Makes frames of one size one after another, without allocating what it can keep. For one thread
// at a time (it uses all threads itself).
class StereoFrameMaker {
 public:
  // Throws Error(kUsage) for options that contradict each other or an unknown mapper.
  explicit StereoFrameMaker(const StereoFrameOptions& options);
  ~StereoFrameMaker();
  StereoFrameMaker(StereoFrameMaker&&) noexcept;
  StereoFrameMaker& operator=(StereoFrameMaker&&) noexcept;

  // From now on pictures are `part` of larger ones: the eyes get black around them again.
  void put_back(const PicturePart& part);

  // The size of the packed frame for pictures of this size; of one eye where the eyes do not share
  // a frame.
  [[nodiscard]] cv::Size frame_size(cv::Size picture) const;

  // `picture`: RGB or RGBA, CV_8U, CV_16U or CV_32F; `nearness`: CV_32FC1 0..1, of any size (the
  // network's); `convergence`: of this frame. Throws std::invalid_argument for other types.
  void make(const cv::Mat& picture, const cv::Mat& nearness, float convergence, cv::Mat& frame);

  // The same for eyes that do not share a frame.
  void make_eyes(const cv::Mat& picture, const cv::Mat& nearness, float convergence, cv::Mat& left,
                 cv::Mat& right);

  // With a pair's own parallax instead of nearness (CV_32FC1, x_left - x_right in pixels of the
  // map, which may have another size than the picture; finite): divergence, convergence, mapper and
  // dilation do not matter. With two synthetic views each eye takes half of it.
  void make_from_disparity(const cv::Mat& picture, const cv::Mat& disparity_px, cv::Mat& frame);
  void make_eyes_from_disparity(const cv::Mat& picture, const cv::Mat& disparity_px, cv::Mat& left,
                                cv::Mat& right);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::pipeline
