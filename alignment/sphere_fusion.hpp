// SPDX-License-Identifier: Apache-2.0
// Aligned views become one map over the sphere: the steps behind the alignment that single pictures
// and videos share. Internal to alignment/.
#pragma once

#include "alignment/panorama_depth.hpp"
#include "alignment/row_blend.hpp"

#include <span>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::alignment {

inline constexpr int kLargestWidth = 4096;  // of the fused sphere; wider maps get it interpolated
inline constexpr int kScoutWidth = 1024;    // of the first estimate, in which sky is looked for

// A mask at another size, its border smooth.
[[nodiscard]] cv::Mat mask_at(const cv::Mat& mask, cv::Size size);

struct FusedSphere {
  cv::Mat compressed;  // CV_32FC1, of the views' compressed values; continued where not covered
  cv::Mat covered;     // CV_8UC1
};

// `sky` (CV_8UC1 over the sphere, any size; may be empty): what is there bends nothing else.
[[nodiscard]] FusedSphere fuse_sphere(std::span<const BlendView> views, int width, int height,
                                      const cv::Mat& sky, const FusionOptions& options);

// The part of the whole sphere's map that `window` shows, at the window's size. `interpolation`:
// OpenCV's word.
[[nodiscard]] cv::Mat crop_sphere(const cv::Mat& sphere, const projection::SphereWindow& window,
                                  int interpolation);

// Values of a map over `window` where `usable` (CV_8UC1) is not 0, spread evenly over the sphere's
// area: columns are thinned out with the cosine of the latitude.
[[nodiscard]] std::vector<float> values_even_by_area(const cv::Mat& map, const cv::Mat& usable,
                                                     const projection::SphereWindow& window);

// Puts sky (CV_8UC1, not 0) at the inverse distance `far`. Towards `nearest`, where a skyline blurs
// into the sky, it joins what was fused, so that twigs keep their place.
void push_back_sky(cv::Mat& inverse, const cv::Mat& sky, float nearest, float far);

}  // namespace vergence::alignment
