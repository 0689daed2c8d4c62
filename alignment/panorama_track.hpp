// SPDX-License-Identifier: Apache-2.0
// Depth of a 360 video that holds still: tangent views that stay with the scene are aligned at key
// frames only; between them everything that the alignment decides goes over from one to the next.
//
// What a frame's map depends on besides its own views is two key moments and plain numbers, so that
// a video can be gone on with from any key frame.
#pragma once

#include "alignment/panorama_depth.hpp"

#include <memory>
#include <optional>
#include <span>

#include <Eigen/Core>
#include <opencv2/core.hpp>

namespace vergence::alignment {

// The views of one frame, aligned: scales, shifts and corrections of the views, where the sky is,
// how far the farthest is. Immutable.
class KeyMoment {
 public:
  // `views`: one network's, in a frame of directions that the moments of a shot share, so that the
  // view of a name sees the same part of the scene in all of them. `picture`: CV_8UC3 RGB of the
  // whole sphere in that frame, any size, to find the sky in; may be empty. `options` as for
  // fuse_views(); a sky mask covers the whole sphere. Throws Error as fuse_views() does.
  KeyMoment(std::span<const ViewDepth> views, const cv::Mat& picture,
            const PanoramaDepthOptions& options);
  ~KeyMoment();
  KeyMoment(KeyMoment&&) noexcept;
  KeyMoment& operator=(KeyMoment&&) noexcept;

  // The logarithm of the factor on this moment's inverse distances that makes them metres, as far
  // as the moment alone can tell: by the camera's height above the floor (> 0; where a level floor
  // is seen), else 0 for a network in metres, else so that the median is as the options ask.
  [[nodiscard]] double log_scale(double camera_height_m) const;

  // The logarithm of the factor that brings this moment's inverse distances to those of `before`
  // for most directions: scenes change little between key frames. Nothing where they have nothing
  // in common.
  [[nodiscard]] std::optional<double> log_change(const KeyMoment& before) const;

 private:
  friend class MomentFusion;
  struct State;
  std::unique_ptr<const State> state_;
};

// A frame between two key moments.
struct BetweenMoments {
  const KeyMoment* before = nullptr;  // null: the frame stands before the shot's first key moment
  const KeyMoment* after = nullptr;
  double share = 1.0;             // 0 = at `before`, 1 = at `after`
  double before_log_scale = 0.0;  // of the moments, as they are held over the shot
  double after_log_scale = 0.0;
};

// Inverse distance (1/m, CV_32FC1) over `window` of a frame whose `views` are those of the moments.
// `camera_from_track`: rotation from the moments' directions to the picture's. The map of each view
// is first brought to those of the moments by a robust scale and shift: networks' maps wander from
// frame to frame. NaN where no view saw anything.
[[nodiscard]] cv::Mat fuse_between(const BetweenMoments& moments, std::span<const ViewDepth> views,
                                   const Eigen::Matrix3d& camera_from_track,
                                   const projection::SphereWindow& window,
                                   const PanoramaDepthOptions& options);

}  // namespace vergence::alignment
