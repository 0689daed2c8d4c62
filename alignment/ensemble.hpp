// SPDX-License-Identifier: Apache-2.0
// Several networks: which one leads, and what the others add to it. Internal to alignment/.
#pragma once

#include "alignment/blend_views.hpp"

#include <optional>
#include <span>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::alignment {

// How little a network's views agree, in units of what they say: root mean square of the residuals
// around the fused value over the standard deviation of the fused values (sqrt(1/F) of an analysis
// of variance by direction). 0 = perfectly. It is taken of compressed inverse distance and of ranks
// among the fused values (as Spearman's correlation is one of ranks), and the worse of both counts:
// a fit in which a few spots are near and all else has shrunk to nothing passes the first alone,
// one whose far parts run away to infinity the second.
[[nodiscard]] double inconsistency(const PreparedViews& network, const Observations& observations,
                                   const GlobalFit& fit);

// How well the edges of a map coincide with those of the picture around each pixel: the correlation
// of their slopes, raised to 0.1..1. Both CV_32FC1 of one size, best about 256 pixels wide; the
// brightness under a square root.
[[nodiscard]] cv::Mat edge_agreement(const cv::Mat& map, const cv::Mat& brightness);

// The leading network's views, aligned and ready to be blended.
struct Lead {
  std::size_t network = 0;  // which
  std::vector<BlendView> views;
  Compression compression;
};

// What is to be blended in the end, and what the report says of it.
struct Ensemble {
  std::vector<BlendView> views;
  std::vector<NetworkReport> networks;
  std::vector<ViewReport> others;      // views of all networks but the leading one
  std::vector<std::size_t> positions;  // theirs in the caller's list
  std::vector<double> lead_shares;     // per view of the leading network
  double held_out_ratio = 1.0;         // as in AlignmentReport
  std::optional<double> lead_unit;     // inverse distance of the lead for 1 / m, where known
};

// Fits every view of the other networks to what the lead's views say together, weighs all views
// pixel by pixel, and chooses each network's strength.
//
// - Fit: scale and shift (as far as the kind leaves them free) by robust regression of the lead's
//   value on the view's. Regression in this direction draws a map that agrees only in part towards
//   a plane, not the lead towards it. A scale not above 0 refuses the view.
// - Weight: V / (V + S) with S the mean square residual around the pixel and V the same for the
//   lead's own views: an inverse variance, estimated half from the lead. Gradients also by how well
//   the map's edges around the pixel coincide with the picture's.
// - Strength: the largest of 1, 1/2, 1/4 and 1/8 with which the views of the lead, held out one by
//   one, are foretold better from all others than without this network (cross-validation: Stone,
//   JRSS B 36, 1974); 0 where there is none. The test leans to the lead, whose views share its
//   errors: what passes helps. Where all are 0, the views are the lead's as they came.
//
// `sky` (CV_8UC1 over the sphere, may be empty) takes no part in fit and strengths; `brightness`
// (CV_32FC1 over the sphere, may be empty) is the picture.
[[nodiscard]] Ensemble join_networks(std::span<const PreparedViews> networks,
                                     const std::vector<double>& inconsistencies, const Lead& lead,
                                     const cv::Mat& sky, const cv::Mat& brightness);

}  // namespace vergence::alignment
