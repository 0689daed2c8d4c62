// SPDX-License-Identifier: Apache-2.0
// Where the sky is: colour, depth and place must agree. Internal to alignment/.
#pragma once

#include "projection/sphere_window.hpp"

#include <opencv2/core.hpp>

namespace vergence::alignment {

struct Sky {
  cv::Mat mask;                  // CV_8UC1 over the whole sphere, 255 = sky
  float nearest_inverse = 0.0F;  // what is nearer than this (a larger inverse distance) is not sky
};

// A picture of `window` on the whole sphere's picture of `size`, and where it has pixels.
struct SpherePicture {
  cv::Mat picture;  // of the picture's type; 0 outside the window
  cv::Mat covered;  // CV_8UC1
};

[[nodiscard]] SpherePicture place_on_sphere(const cv::Mat& picture,
                                            const projection::SphereWindow& window, cv::Size size);

// `inverse` (CV_32FC1 over the whole sphere) is a first estimate of inverse distance, `picture`
// CV_8UC3 RGB over `window`; the mask has the size of `inverse`. Sky is a connected region of
// smooth sky colours, farther than nearly everything else, that reaches high up and lies above the
// horizon for the most part. A ceiling fails by its distance, a far wall by its colour or place.
[[nodiscard]] Sky detect_sky(const cv::Mat& picture, const projection::SphereWindow& window,
                             const cv::Mat& inverse);

// Sky as the user says: `mask` (CV_8UC1, any size, over `window`), 255 = sky; brought to `size`.
[[nodiscard]] Sky sky_from_mask(const cv::Mat& mask, const projection::SphereWindow& window,
                                cv::Size size);

}  // namespace vergence::alignment
