// SPDX-License-Identifier: Apache-2.0
// Rims of the parallax, moved to where the picture has them; not installed.
#pragma once

#include <functional>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// Where the parallax has rims, and which far pixels there are left where they are: those whose
// colour, on the line from the far mean (0) to the near mean (1), is below `beyond` plus `spread`
// standard deviations of their far neighbours.
struct RimLimits {
  float step_px = 0.6F;  // of the parallax within 3 x 3 pixels
  float beyond = -0.1F;
  float spread = 0.5F;
};

// The picture's pixels at a rim are mixtures of near and far, and the parallax is seldom exact to
// the pixel. A far pixel beside a near one is given the near parallax, unless its colour stands on
// the far side of its far neighbours as seen from the near ones: left where it is, it would stay
// behind as a ghost of the near surface, and colour the fill. `refined` (CV_32FC1) may not be
// `parallax_px`; `wrap` as in ScanlineOptions.
void refine_rims(const cv::Mat& picture, const cv::Mat& parallax_px, bool wrap, cv::Mat& refined);

// Gives the pixels of an area, row by row without gaps. The area may reach one pixel beyond the
// picture on all sides. Called by several threads at once.
using FetchPixels = std::function<void(const cv::Rect& area, void* pixels)>;

// Some rows of a map: `parallax_px` has those of the whole from `offset` on, of which `rows` are
// meant; the others are their neighbours, where the whole has such.
struct ParallaxBand {
  const cv::Mat& parallax_px;
  cv::Range rows;
  int offset;
  RimLimits limits{};
};

// The same for a band of a picture of this type, whose pixels are made where they are needed, to
// the same rows of the whole, `refined`. By one thread.
void refine_rims(int picture_type, const FetchPixels& fetch, const ParallaxBand& band, bool wrap,
                 cv::Mat& refined);

}  // namespace vergence::stereo
