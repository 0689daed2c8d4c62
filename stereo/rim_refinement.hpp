// SPDX-License-Identifier: Apache-2.0
// Rims of the parallax, moved to where the picture has them; not installed.
#pragma once

#include <opencv2/core.hpp>

namespace vergence::stereo {

// The picture's pixels at a rim are mixtures of near and far, and the parallax is seldom exact to
// the pixel. A far pixel beside a near one is given the near parallax, unless its colour stands on
// the far side of its far neighbours as seen from the near ones: left where it is, it would stay
// behind as a ghost of the near surface, and colour the fill. `refined` (CV_32FC1) may not be
// `parallax_px`; `wrap` as in ScanlineOptions.
void refine_rims(const cv::Mat& picture, const cv::Mat& parallax_px, bool wrap, cv::Mat& refined);

}  // namespace vergence::stereo
