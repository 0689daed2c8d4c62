// SPDX-License-Identifier: Apache-2.0
// How the camera moved between two frames of a shot.
#pragma once

#include <optional>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// Where the pixel (x, y) of frame a is in frame b: b_from_a * (x, y, 1). Whole numbers are pixels'
// centres.
using Affine = cv::Matx23d;

[[nodiscard]] Affine identity_motion();

// Motion of one after motion of the other: c_from_b * b_from_a.
[[nodiscard]] Affine compose(const Affine& c_from_b, const Affine& b_from_a);

[[nodiscard]] Affine inverse(const Affine& b_from_a);

[[nodiscard]] inline cv::Point2d moved(const Affine& b_from_a, double x, double y) {
  return {b_from_a(0, 0) * x + b_from_a(0, 1) * y + b_from_a(0, 2),
          b_from_a(1, 0) * x + b_from_a(1, 1) * y + b_from_a(1, 2)};
}

// The motion of a frame b that is `factor` times as large as that of b_from_a.
[[nodiscard]] Affine scaled_motion(const Affine& b_from_a, double factor);

// The affine motion that most of the textured pixels of `luma_a` share, or nothing where no motion
// explains most of them (a cut, a blur, no texture). Direct alignment of brightness, inverse
// compositional (Baker and Matthews, "Lucas-Kanade 20 Years On", IJCV 56(3), 2004, 3.2), from
// coarse to fine, with Tukey's weights for what moves otherwise and with gain and offset for
// changes of exposure. Finds motions up to about a tenth of the width.
// `luma_a`, `luma_b`: CV_32FC1 in 0..255 of one size, best 200 to 500 wide; `weight_a`: CV_32FC1 of
// that size, how much a pixel counts (the far ones move with the camera alone), or empty for all
// alike. Throws std::invalid_argument for other types or unequal sizes.
[[nodiscard]] std::optional<Affine> global_motion(const cv::Mat& luma_a, const cv::Mat& luma_b,
                                                  const cv::Mat& weight_a = {});

}  // namespace vergence::stereo
