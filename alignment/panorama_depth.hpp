// SPDX-License-Identifier: Apache-2.0
// Depth maps of tangent views -> one map of the whole sphere: aligned, fused, seamless.
#pragma once

#include "core/angle.hpp"
#include "core/depth.hpp"
#include "core/progress.hpp"
#include "projection/sphere_window.hpp"
#include "projection/tangent_view.hpp"

#include <limits>
#include <span>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::alignment {

// What a network said about one view.
struct ViewDepth {
  projection::TangentView view;  // its width and height need not be those of the map
  AnyDepth depth;                // any kind but disparity_px; covers the view edge to edge
  cv::Mat valid;             // CV_8UC1 of any size, 0 = not seen by the camera; empty = all valid
  std::string network = {};  // who said so: views of one name are of one kind and fitted together
  bool in_metres = true;     // distances, planar depths: in metres, not only up to one scale
};

struct AlignmentOptions {
  // Directions spread evenly over the sphere at which views are compared.
  int num_samples = 20000;
  // Rounds of iteratively reweighted least squares.
  int rounds = 8;
  // How far the scales of relative maps, once normalised, are expected from 1: smaller is steadier
  // with weak networks, larger is freer.
  double scale_deviation = 0.15;
  // Low-frequency correction of each view after the global fit, with grid_size control points along
  // each side, pulled to nothing by grid_ridge (larger = weaker correction).
  bool grid = true;
  int grid_size = 5;
  double grid_ridge = 10.0;
};

struct FusionOptions {
  // Edges from the most central view, by screened Poisson on the sphere; otherwise the value blend
  // alone.
  bool gradients = true;
  // 1/rad^2: over distances above sqrt(1 / screening) radians the value blend decides.
  double screening = 100.0;
};

struct SkyOptions {
  // Look for sky in the picture and the maps.
  bool detect = true;
  // CV_8UC1 of any size over the window, 255 = sky; used as it is instead of looking.
  cv::Mat mask;
  // Sky is put at this multiple of the 99 % quantile of all other distances; nothing is farther.
  double far_factor = 5.0;
};

struct PanoramaDepthOptions {
  AlignmentOptions alignment;
  FusionOptions fusion;
  SkyOptions sky;
  // Median distance given to the result when no network speaks of metres.
  double relative_median_m = 2.0;
};

// One line of the report, for one view.
struct ViewReport {
  std::string name;
  std::string network;
  double scale = 1.0;  // s_i of q_i = cos(alpha) (s_i d_i + t_i), for the map as delivered
  double shift = 0.0;  // t_i
  double residual_before = 0.0;  // median relative disagreement with the other views, scale only
  double residual_after = 0.0;   // the same after the whole alignment
  double share = 0.0;            // this view's share of the fused sphere, by weight
  bool refused = false;          // its map contradicts its neighbours (negative scale): not used
};

// One line of the report, for one network.
struct NetworkReport {
  std::string name;
  bool leads = false;  // all others are fitted to what its views say together
  // Root mean square of its own views' disagreement over that of its own map's variation, both of
  // compressed inverse distance: the network with the smallest leads. NaN when it is alone.
  double inconsistency = std::numeric_limits<double>::quiet_NaN();
  // Factor on the weights of its pixels, halved until held-out views of the leading network are
  // foretold better with it than without; 0 = it never helps and is left out.
  double strength = 1.0;
  double share = 1.0;     // of the fused sphere's pixels, by weight
  int refused_views = 0;  // of its views, those that are not used
};

struct AlignmentReport {
  std::vector<ViewReport> views;
  std::vector<NetworkReport> networks;  // in the order of their first views
  // Mean error with which a view of the leading network is foretold from all other views used, over
  // that from the other views of the leading network alone: below 1 where the others help, 1 where
  // it is used alone.
  double held_out_ratio = 1.0;
  // Medians over the views.
  double residual_before = 0.0;
  double residual_after = 0.0;
  double condition_number = 1.0;  // of the global normal equations
  // The overlaps hardly fix the common shift; what is expected of each view's farthest value
  // decides.
  bool weak_shift = false;
  double sky_share = 0.0;      // of the sphere's area
  double covered_share = 1.0;  // of the window's area
};

struct PanoramaDepth {
  InverseDistance inverse_distance;  // > 0 wherever valid
  RayDistance distance;
  cv::Mat valid;          // CV_8UC1, 255 where some view saw the direction
  cv::Mat sky;            // CV_8UC1, 255 where the distance is that of the sky
  bool relative = false;  // one global scale is free: metres only up to a factor
  AlignmentReport report;
};

// Aligns the views with one another and fuses them over `window`. `picture` is the panorama itself
// (CV_8UC3 RGB over the same part of the sphere, any size), used to find sky and, with several
// networks, to tell good edges from bad ones; it may be empty. All maps of one network must be of
// one kind. Throws Error when there are no usable maps.
//
// Several networks: the one whose views agree best leads; the views of the others are fitted to it
// one by one, weighed pixel by pixel, and used as far as that makes held-out views of the leading
// network easier to foretell. If nothing helps, the result is that of the leading network alone.
// A network in metres fixes the scale for all.
//
// Method: 360MonoDepth's tangent-view alignment (Rey-Area et al., CVPR 2022) with the affine model
// in inverse planar depth, solved linearly; robust weights as in Holland & Welsch 1977 (Cauchy).
[[nodiscard]] PanoramaDepth fuse_views(std::span<const ViewDepth> views,
                                       const projection::SphereWindow& window,
                                       const cv::Mat& picture, const PanoramaDepthOptions& options,
                                       Progress& progress);

// Height of the camera above the floor in the map's own unit: the strongest peak of the
// area-weighted histogram of heights below the camera (straight down within 75 degrees). Throws
// Error if nothing flat is there.
[[nodiscard]] double camera_height(const RayDistance& distance,
                                   const projection::SphereWindow& window);

// Multiplies all distances by `factor` (> 0).
void rescale(PanoramaDepth& depth, double factor);

// Replaces what is within `angle` of straight down (the tripod) by the plane through the ring
// around it.
void patch_nadir(PanoramaDepth& depth, const projection::SphereWindow& window, Radians angle);

}  // namespace vergence::alignment
