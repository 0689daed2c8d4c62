// SPDX-License-Identifier: Apache-2.0
// Pictures of both eyes (VR180, 360-3D, flat 3D) in other layouts and projections, turned, as one
// eye's, or with another distance between the eyes.
#pragma once

#include "pipeline/frame_maker.hpp"
#include "pipeline/recognition.hpp"
#include "pipeline/vr_frame.hpp"

#include <functional>
#include <memory>
#include <optional>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

struct VrRelayoutOptions {
  // What comes out. Its ipd_m, nearest_m and refine_rims matter where the distance between the eyes
  // changes. Around pictures that do not fill the eyes it is black, or (surround blur and mirror)
  // the picture's border is carried on.
  VrFrameOptions frame;
  bool squeezed = false;      // each eye is stored at half its width (sbs) or height (tb)
  Eye mono_eye = Eye::kLeft;  // which one makes a mono frame
  // The distance between the eyes becomes frame.ipd_m. Off: it stays as it was recorded.
  bool change_ipd = false;
  double input_ipd_m = 0.064;  // as it was recorded
};

// Every output pixel samples the input once, and is the input's own where nothing moves. Turned
// eyes see what parallel eyes in the same places see that look elsewhere: exact for any angles, but
// the line through the eyes stays where the cameras were, so that looking `yaw` to the side leaves
// cos(yaw) of the distance between them, and rolling makes vertical parallax; comfortable to some
// 20 degrees. A 360-3D input may be turned about the vertical axis at will. Another distance
// between the eyes is made of distances that are found in the pair (pair_distance.hpp) by moving
// each eye by its share (stereo::SphereStereo).
class VrRelayout final : public FrameMaker {
 public:
  // The model of one eye's picture as it lies in a file's picture of this size.
  using EyeModel = std::function<projection::PictureModel(cv::Size picture)>;

  // `eyes`: how the eyes lie in the pictures; of kTwoPictures use the make() below. Throws
  // Error(kUsage) where the distance between the eyes is to change and is not positive, or there is
  // but one eye. frame_size() and make() throw Error(kUsage) as eye_model() of vr_frame.hpp does.
  VrRelayout(const VrRelayoutOptions& options, const EyeLayout& eyes, EyeModel source);
  ~VrRelayout() override;
  VrRelayout(VrRelayout&&) noexcept;
  VrRelayout& operator=(VrRelayout&&) noexcept;

  [[nodiscard]] cv::Size frame_size(cv::Size picture) const override;
  void make(std::span<const StereoMoment> window, std::size_t current, cv::Mat& frame) override;

  // The same from a picture, or from both eyes' pictures of one size and type, CV_8UC3 or CV_16UC3
  // (also CV_32FC3 where the distance between the eyes stays).
  void make(const cv::Mat& picture, cv::Mat& frame);
  void make(const cv::Mat& left, const cv::Mat& right, cv::Mat& frame);

  // The eyes of the last frame, as they lie in it; one and the same for mono.
  [[nodiscard]] const cv::Mat& left() const;
  [[nodiscard]] const cv::Mat& right() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The same for what was recognised, whatever the size of the pictures.
[[nodiscard]] VrRelayout::EyeModel eye_models(const Recognition& seen, std::optional<Radians> fov_x,
                                              std::optional<Radians> fisheye_fov);

}  // namespace vergence::pipeline
