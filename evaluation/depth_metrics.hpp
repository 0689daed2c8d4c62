// SPDX-License-Identifier: Apache-2.0
// How far a depth map is from the ground truth, after an alignment of one's choice.
#pragma once

#include "core/depth.hpp"
#include "evaluation/seam_step.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

#include <opencv2/core.hpp>

namespace vergence::evaluation {

// What may be fitted before the comparison. p is the prediction, g the ground truth.
enum class DepthAlign {
  kNone,       // nothing
  kMedian,     // distance times median(g) / median(p)
  kScale,      // inverse distance times s, by least squares of s/p - 1/g
  kDisparity,  // inverse distance s/p + t, by least squares of s/p + t - 1/g
  kDepth,      // distance s p + t, by least squares of s p + t - g
};

// "none", "median", "scale", "disparity" or "depth", and back.
[[nodiscard]] std::string_view to_string(DepthAlign align);
[[nodiscard]] std::optional<DepthAlign> depth_align_from_string(std::string_view word);

// Weighted means over the compared pixels; p = aligned and clipped prediction, g = ground truth,
// e = ln p - ln g. Note that some published code uses log10 in RMSElog and SILog; this does not.
struct DepthMetrics {
  double abs_rel = 0.0;   // mean |p - g| / g
  double sq_rel = 0.0;    // mean (p - g)^2 / g, m
  double mae = 0.0;       // mean |p - g|, m
  double rmse = 0.0;      // sqrt mean (p - g)^2, m
  double rmse_log = 0.0;  // sqrt mean e^2, natural logarithm
  double log10 = 0.0;     // mean |log10 p - log10 g|
  double silog = 0.0;     // 100 sqrt(mean e^2 - (mean e)^2)
  double d1 = 0.0;        // share of pixels with max(p/g, g/p) < 1.25
  double d2 = 0.0;        // ... < 1.25^2
  double d3 = 0.0;        // ... < 1.25^3

  std::int64_t num_pixels = 0;  // pixels compared
  double total_weight = 0.0;    // sum of their weights; num_pixels where every weight is 1
  double coverage = 0.0;        // total_weight / weight of all pixels with usable ground truth

  double scale = 1.0;  // the fit behind these numbers, in the quantity that DepthAlign names
  double shift = 0.0;
};

struct DepthEvalOptions {
  DepthAlign align = DepthAlign::kNone;

  // Both maps are full equirectangular panoramas: metrics weighted by the cosine of the latitude
  // and the seam step are given too, and resizing wraps round at +-180 degrees.
  bool sphere = false;

  double cap_m = 0.0;  // ground truth beyond this distance is ignored, m; 0 = no cap
  cv::Mat mask = {};   // CV_8U of the ground truth's size, 0 = ignore the pixel; empty = use all
};

struct DepthEvaluation {
  DepthAlign align = DepthAlign::kNone;
  DepthMetrics plain;                     // every pixel counts the same
  std::optional<DepthMetrics> spherical;  // weighted by cos(latitude); only with options.sphere
  std::optional<SeamStep> seam;           // of the prediction; only with options.sphere
};

// Compares a prediction with the ground truth.
//
// Ground truth: `distance`, `planar_depth` or `inverse_distance`. A pixel is usable when its
// distance is finite, > 0, < 1e9 (larger values stand for sky), not beyond the cap and not masked
// out.
//
// Prediction: `distance`, `inverse_distance` and `planar_depth` (the last against planar ground
// truth only, the others against ray distances only) with every alignment; `disparity`,
// `log_disparity` and `disparity_px` with kScale and kDisparity, `planar_depth_affine` with kDepth.
// A pixel is missing when it is not finite, and for distances and inverse distances also when it is
// not > 0 or not below 1e9 m. Missing pixels take no part in the fit nor in the metrics; `coverage`
// tells how many there were, so that leaving out the difficult ones does not go unseen. A
// prediction of another size is first resized to the ground truth's, the angles lining up edge to
// edge, bilinearly in inverse distance (planar_depth_affine: as it is); of the four neighbours the
// missing ones are left out, and the result is missing where the nearest one is.
//
// The fit uses the pixels and weights of the metrics it belongs to, so `plain` and `spherical` have
// one each. A prediction without variation gets s = 0 and t = the mean of the target. The aligned
// prediction is clipped to 0.5 to 2 times the range of usable ground truth; an aligned inverse
// distance of 0 or less is farther than everything and thus becomes the upper bound.
//
// The seam step is that of the prediction in its own size and without alignment, except for
// disparities, which have no distance before the (spherical) fit.
//
// Throws Error when kinds, alignment or the mask's size do not fit together, or no pixel is left.
[[nodiscard]] DepthEvaluation evaluate_depth(const AnyDepth& prediction,
                                             const AnyDepth& ground_truth,
                                             const DepthEvalOptions& options);

}  // namespace vergence::evaluation
