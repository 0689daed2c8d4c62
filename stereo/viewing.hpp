// SPDX-License-Identifier: Apache-2.0
// Parallax for a viewer before a screen: what stands where in the room, and how much of that eyes
// bear.
//
// A point seen at distance z by eyes that stand e apart, at distance d before the screen, lies on
// the screen at places (x_right - x_left) = e (1 - d / z) apart (similar triangles; e.g. Woods,
// Docherty, Koch, "Image distortions in stereoscopic video systems", SPIE 1915, 1993, eq. 1-4). At
// e the eyes look in parallel, beyond it they diverge. The eyes converge by
// 2 atan((e - (x_right - x_left)) / (2 d)) while they stay focused on the screen, for which they
// would converge by 2 atan(e / (2 d)). The difference of both is what tires: up to about 1 degree
// is comfortable (Lambooij et al., "Visual discomfort and visual fatigue of stereoscopic displays",
// J. Imaging Sci. Technol. 53(3), 2009).
//
// Parallax is that of parallax.hpp: pixels that one eye's picture moves by, nearer than the screen
// is positive.
#pragma once

#include "core/angle.hpp"
#include "stereo/parallax.hpp"

#include <opencv2/core.hpp>

namespace vergence::stereo {

// Who looks at what. All lengths are metres and positive.
struct Viewing {
  double ipd_m = 0.063;                                 // between the eyes
  double screen_width_m = 1.0;                          // of the picture on the screen
  double viewing_distance_m = 2.0;                      // from the eyes to the screen
  int picture_width_px = 1920;                          // of one eye's picture, > 0
  SyntheticView synthetic_view = SyntheticView::kBoth;  // one alone moves twice as far
};

// All functions throw std::invalid_argument where `viewing` holds a length that is not positive and
// finite.

// ---- Metric strength

// Parallax of things at these distances (CV_32FC1, planar depth in metres; infinity = as far as can
// be, NaN and <= 0 = on the screen) where `screen_distance_m` of the scene stands on the screen:
// e (1 - screen_distance / z) apart. With screen_distance = viewing_distance everything stands as
// far from the viewer as it stood from the camera. CV_32FC1, pixels.
[[nodiscard]] cv::Mat parallax_from_distance(const cv::Mat& distance_m, double screen_distance_m,
                                             const Viewing& viewing);

// The same from nearness that is linear in 1 / z with 0 at infinity: z = screen distance where the
// nearness is `convergence`, so e (1 - nearness / convergence) apart. Nearness 0 is seen with
// parallel eyes, the most that is right for any viewer. `convergence` > 0.
[[nodiscard]] cv::Mat parallax_from_relative(const cv::Mat& nearness, float convergence,
                                             const Viewing& viewing);

// ---- Comfort

// How much more (> 0: nearer than the screen) or less the eyes converge for this parallax than for
// the screen.
[[nodiscard]] Radians vergence_difference(double parallax_px, const Viewing& viewing);

// The parallax for such a difference; infinite where no parallax is enough.
[[nodiscard]] double parallax_for_vergence(Radians difference, const Viewing& viewing);

// The parallax at which the eyes look in parallel, < 0.
[[nodiscard]] double parallel_parallax_px(const Viewing& viewing);

// What a frame asks of the eyes.
struct ComfortReport {
  Radians nearest;               // difference of the nearest pixel, > 0 before the screen
  Radians farthest;              // of the farthest one, < 0 behind the screen
  double share_beyond = 0.0;     // of the pixels: beyond the limit, either way, 0..1
  double share_diverging = 0.0;  // of the pixels: farther than parallel eyes see, 0..1
};

// `parallax_px`: CV_32FC1; pixels that are not finite do not count. `limit` > 0.
[[nodiscard]] ComfortReport comfort_report(const cv::Mat& parallax_px, Radians limit,
                                           const Viewing& viewing);

// Compresses parallax so that no pixel goes beyond the limit, nor beyond parallel eyes: up to 0.6
// of either bound nothing changes, beyond that a parallax p becomes k + (b - k) (1 - exp(-(p - k) /
// (b - k))) with the bound b and its knee k = 0.6 b. Smooth, and what is nearer stays nearer.
void cap_comfort(Radians limit, const Viewing& viewing, cv::Mat& parallax_px);

}  // namespace vergence::stereo
