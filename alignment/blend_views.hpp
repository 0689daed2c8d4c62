// SPDX-License-Identifier: Apache-2.0
// From fitted views to what is blended: compressed inverse distance. Internal to alignment/.
#pragma once

#include "alignment/global_fit.hpp"
#include "alignment/row_blend.hpp"

#include <vector>

#include <opencv2/core.hpp>

namespace vergence::alignment {

// How inverse distances are compressed for blending, and back: u = asinh(q / knee), logarithmic
// where things are near, so that errors count by their ratio, and linear where they are far, so
// that noise around infinity averages out. `median` is the median inverse distance, > 0.
class Compression {
 public:
  explicit Compression(double median);

  [[nodiscard]] float compress(float q) const;

  // The exact opposite; not above 0 where u is not.
  [[nodiscard]] float restore(float u) const;

  // Always positive: below a floor the value falls off exponentially, smoothly joined.
  [[nodiscard]] float expand(float u) const;

  // expand() for a whole map, in place.
  void expand(cv::Mat& compressed) const;

  // Standard deviation of an inverse distance q, up to a factor, whose u has the same everywhere.
  [[nodiscard]] double spread_at(double q) const;

 private:
  float knee_;
  float floor_;
};

// The median of inverse distance that belongs to the fit's median, which is one of distances in the
// forward domain.
[[nodiscard]] double median_inverse(const PreparedViews& prepared, const GlobalFit& fit);

// Each view's map with its fit and its grid (fit_grids(); none = no correction) applied. Views
// without any valid pixel are left out.
[[nodiscard]] std::vector<BlendView> blend_views(const PreparedViews& prepared,
                                                 const std::vector<ViewFit>& fits,
                                                 const std::vector<cv::Mat>& grids,
                                                 const Compression& compression);

}  // namespace vergence::alignment
