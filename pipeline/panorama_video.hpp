// SPDX-License-Identifier: Apache-2.0
// Depth of 360 videos by a network that knows flat pictures: steady over time.
//
// - The tangent views stay with the scene, not with the camera: its turns are found in the pictures
//   (stereo/sphere_motion.hpp) and undone, so that a network sees the same in a view from frame to
//   frame, and errs in the same way. They follow the camera's tilt slowly.
// - Only every k-th frame's views are aligned (a key moment, alignment/panorama_track.hpp); between
//   two of them scales, shifts, corrections and sky go over from one to the next.
// - One scale holds for a shot: each key moment's is that of the one before, by the median of what
//   both see, drawn slowly to what the moment by itself says (the floor, the median distance).
// - A cut begins all of this anew.
#pragma once

#include "core/predictor.hpp"
#include "pipeline/depth_job.hpp"
#include "pipeline/video_job.hpp"
#include "projection/picture_model.hpp"

#include <functional>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

struct PanoramaVideoOptions {
  // What pictures of a size show; see projection::PictureModel.
  std::function<projection::PictureModel(cv::Size)> model;

  // Views, fusion, sky, width_px of the maps (0 = half the picture's, 512 to 2048) and
  // camera_height_m. The rest (sky_mask, factor, nadir) does not count here.
  DepthOptions depth;

  int keyframes = 8;  // every so many frames are aligned by themselves; 1 = all
};

// Inverse distances (1/m, larger = nearer; NaN = not seen) over the whole of each picture, in its
// own model, of one network, which must outlive the source. Throws Error(kUsage) for keyframes < 1
// or views that do not cover the sphere.
[[nodiscard]] DepthSource panorama_depth(DepthPredictor& network,
                                         const PanoramaVideoOptions& options);

}  // namespace vergence::pipeline
