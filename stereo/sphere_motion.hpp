// SPDX-License-Identifier: Apache-2.0
// How a camera that sees the whole sphere turned between two frames of a shot.
#pragma once

#include <optional>

#include <Eigen/Core>
#include <opencv2/core.hpp>

namespace vergence::stereo {

// An equirectangular picture (the whole sphere; CV_8UC3 or CV_16UC3) as sphere_rotation() wants it:
// CV_32FC1 luma in 0..255, at most 256 wide. Throws std::invalid_argument for other types.
[[nodiscard]] cv::Mat sphere_luma(const cv::Mat& picture);

// b_from_a: the rotation that takes directions of frame a to those in which frame b shows the same,
// for most of what has texture; nothing where no rotation explains it (a cut, no texture). A camera
// that moves as well turns as what is far away says: what lies below the horizon, mostly the near
// floor, counts less. Direct alignment of brightness on the sphere, as global_motion.hpp does it in
// the plane, from coarse to fine; finds rotations up to about 15 degrees.
// `luma_a`, `luma_b`: of one size, from sphere_luma(). Throws std::invalid_argument otherwise.
[[nodiscard]] std::optional<Eigen::Matrix3d> sphere_rotation(const cv::Mat& luma_a,
                                                             const cv::Mat& luma_b);

// An equirectangular map of frame b (CV_8UC3 or CV_32FC1) as frame a would show it. NaN spreads.
[[nodiscard]] cv::Mat turned_sphere(const cv::Mat& of_b, const Eigen::Matrix3d& b_from_a);

}  // namespace vergence::stereo
