// SPDX-License-Identifier: Apache-2.0
// How close the synthesised view of one eye comes to a real one.
//
// "Inner" leaves out the strip at the right border of a right view that the left camera did not
// see (at the left border of a left view): int(largest disparity + 2) columns. Pictures are
// CV_8UC3 RGB of one size.
#pragma once

#include "core/eye.hpp"

#include <optional>

#include <opencv2/core.hpp>

namespace vergence::evaluation {

// Which pixels of the view of `eye`, made from the other eye's picture, that source could not show,
// CV_8UC1, 255 = disoccluded: those that no source pixel falls beside when moved by its disparity
// (both neighbours of where it falls are hit). `disparity_px`: CV_32FC1 of the source, x_left -
// x_right >= 0; not finite = no pixel.
[[nodiscard]] cv::Mat disoccluded_pixels(const cv::Mat& disparity_px, Eye eye);

// What the source and its disparity add to the comparison.
struct StereoReference {
  cv::Mat source;         // the other eye's picture, for SIoU; empty = not known
  cv::Mat disparity_px;   // of the source, CV_32FC1, for inner, visible and disoccluded; or empty
  Eye eye = Eye::kRight;  // the one whose view is compared
};

// PSNR in dB with a peak of 255, over all channels; infinite for equal pixels, nothing where there
// is no pixel to compare.
struct StereoMetrics {
  double psnr = 0.0;  // whole picture
  std::optional<double> psnr_inner;
  std::optional<double> psnr_visible;       // inner pixels that the source showed
  std::optional<double> psnr_disoccluded;   // inner pixels that it did not
  std::optional<double> disoccluded_share;  // of the inner pixels, 0..1

  // Structural similarity (Wang et al., IEEE TIP 2004): 11 x 11 Gaussian of 1.5 pixels, K1 = 0.01,
  // K2 = 0.03, mean of the three channels, over the inner pixels (all, without a disparity).
  double ssim = 0.0;

  // Stereo intersection over union (Yu et al., "Mono2Stereo", CVPR 2025) over the inner pixels:
  // 0.75 IoU of the Canny edges (100/200, grey) of view and reference + 0.25 IoU of where each
  // differs from the source by more than 5 grey levels. Sees a view that was left unchanged, which
  // PSNR and SSIM do not. Nothing without a source.
  std::optional<double> siou;
};

// Compares `view` with the real picture `reference`. Throws Error if the sizes or types differ.
[[nodiscard]] StereoMetrics compare_views(const cv::Mat& view, const cv::Mat& reference,
                                          const StereoReference& known = {});

// Vertical offset between two eyes' pictures, which tires the viewer: 0 for a synthesised pair.
struct VerticalDisparity {
  double median_px = 0.0;         // of the blocks; > 0: the right picture stands lower
  double mean_absolute_px = 0.0;  // mean of the blocks' absolute values
  int num_blocks = 0;             // textured blocks that have a counterpart
};

// Matches textured blocks of the left picture in the right one (normalised cross-correlation, up to
// `reach_px` columns to either side and 4 rows up and down, parabola through the best row). Nothing
// where fewer than 8 blocks match.
[[nodiscard]] std::optional<VerticalDisparity> measure_vertical_disparity(const cv::Mat& left,
                                                                          const cv::Mat& right,
                                                                          int reach_px = 64);

}  // namespace vergence::evaluation
