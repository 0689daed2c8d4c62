// SPDX-License-Identifier: Apache-2.0
// The screened Poisson equation on the sphere, solved exactly on the equirectangular grid.
#pragma once

#include <opencv2/core.hpp>

namespace vergence::alignment {

// The function u on the sphere that minimises
//   integral of |grad u - g|^2 + screening (u - base)^2 dS
// where g is given by the forward differences of u it asks for: `gradient_x`(y, x) for u(y, x+1) -
// u(y, x) (x+1 wraps) and `gradient_y`(y, x) for u(y+1, x) - u(y, x) (its last row is not used).
// All maps are CV_32FC1 [height, width], finite, over the whole sphere with rows of equal latitude
// steps; `screening` is in 1/rad^2 and > 0. The solution has no seam at +-180 degrees and natural
// poles. Overwrites the gradients; O(N log N) time, three further maps of memory. Method: finite
// volumes on the latitude-longitude grid, a real DFT along each row (the coefficients depend on the
// row only) and one tridiagonal system per frequency; cf. Swarztrauber, "The direct solution of the
// discrete Poisson equation on the surface of a sphere", J. Comp. Phys. 15, 1974; screened energy
// as in Bhat et al., "GradientShop", ACM TOG 29(2), 2010.
[[nodiscard]] cv::Mat solve_sphere_poisson(const cv::Mat& base, cv::Mat& gradient_x,
                                           cv::Mat& gradient_y, double screening);

}  // namespace vergence::alignment
