// SPDX-License-Identifier: Apache-2.0
// Distances from the pictures of two eyes, matched along the rows in which their parallax lies.
#pragma once

#include "core/depth.hpp"
#include "projection/picture_model.hpp"
#include "stereo/sphere_stereo.hpp"

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// Along each eye's own rays; they cover what the eyes' pictures show, at a smaller size. NaN = not
// known (seen by one eye alone, or too even to match), 1e9 = too far to tell.
struct PairDistance {
  RayDistance left;
  RayDistance right;
};

// `left` and `right`: CV_8UC3 or CV_16UC3 of `model`'s size; the eyes are `ipd_m` apart: parallel
// ones to the left and right (both cameras look the same way), omnidirectional ones on a circle
// (the model is equirectangular). Both are laid out so that epipolar lines are rows (transverse
// equirectangular, or equirectangular itself) at up to 1024 columns and matched semi-globally, both
// ways (Hirschmuller, "Stereo Processing by Semiglobal Matching and Mutual Information", PAMI 2008,
// as OpenCV has it); what the two ways disagree about is not known. Nothing nearer than four times
// the distance between the eyes is found. Throws std::invalid_argument for other pictures, or an
// ipd that is not > 0.
[[nodiscard]] PairDistance match_eyes(const cv::Mat& left, const cv::Mat& right,
                                      const projection::PictureModel& model,
                                      stereo::EyeGeometry geometry, double ipd_m);

}  // namespace vergence::pipeline
