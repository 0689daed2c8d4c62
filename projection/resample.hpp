// SPDX-License-Identifier: Apache-2.0
// Pictures resampled between the sphere and tangent views, antialiased. All functions take 8-bit,
// 16-bit and float matrices of 1 to 4 channels and return the same type.
#pragma once

#include "core/angle.hpp"
#include "projection/sphere_window.hpp"
#include "projection/tangent_view.hpp"

#include <memory>

#include <opencv2/core.hpp>

namespace vergence::projection {

struct RenderedView {
  cv::Mat picture;  // pixels outside the window repeat its border
  cv::Mat valid;    // CV_8UC1, 255 where the window has data
};

// A panorama prepared for being looked at in many directions (a pyramid of halved copies, one third
// more memory than the picture).
class PanoramaSampler {
 public:
  // `picture` has window.width x window.height pixels; it is not copied.
  PanoramaSampler(const cv::Mat& picture, const SphereWindow& window);
  ~PanoramaSampler();
  PanoramaSampler(PanoramaSampler&&) noexcept;
  PanoramaSampler& operator=(PanoramaSampler&&) noexcept;

  // The picture of `view`: trilinear in the pyramid where the view is coarser than the panorama
  // (footprint cos^1.5(alpha) / focal_px, the geometric mean of the gnomonic axes), bilinear
  // otherwise.
  [[nodiscard]] RenderedView render(const TangentView& view) const;

  // The panorama turned: the pixel of `target` in direction d shows the sampler's direction
  // source_from_target * d. Use it to level a tilted picture, or with the identity to resize or
  // crop.
  [[nodiscard]] RenderedView reproject(const SphereWindow& target,
                                       const Eigen::Matrix3d& source_from_target) const;

 private:
  struct Pyramid;
  std::unique_ptr<Pyramid> pyramid_;
};

// A full panorama of width x width/2 from two equidistant fisheye circles side by side (left =
// back lens, right = front lens towards -Z), each inscribed in its half of the picture and
// `lens_fov` wide; the lenses are cross-faded where both see.
[[nodiscard]] cv::Mat equirectangular_from_dual_fisheye(const cv::Mat& picture, Radians lens_fov,
                                                        int width);

}  // namespace vergence::projection
