// SPDX-License-Identifier: Apache-2.0
// The warp engine: how a picture looks from an eye beside the camera, given the parallax of each of
// its pixels. Flat pictures, panoramas and both kinds of VR180 use it alike, because it only knows
// scanlines along which parallax moves pixels.
//
// Along a row, nearer pixels move further in the eye's direction. Neighbouring pixels whose
// parallax differs little are one surface, drawn as linear segments; a greater step is a rim where
// the surface tears (the far side comes into sight: a disocclusion) or folds (the near side hides
// the far one). Segments are drawn in the order that lets the nearer one win without comparing
// depths (McMillan, "An Image-Based Approach to Three-Dimensional Computer Graphics", 1997, 3.3).
// Disocclusions are filled from the far side of the tear they come from, and along the columns with
// what the same surface shows above and below (fill_pass.hpp).
#pragma once

#include "core/eye.hpp"

#include <memory>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// What a target pixel shows.
enum class Visibility : unsigned char {
  kVisible = 0,      // one surface of the source
  kRim = 1,          // a near surface that covers a part of the pixel, and what is behind it
  kDisoccluded = 2,  // nothing that the source saw: filled from the surface behind
  kOutside = 3,      // beyond the source's left or right border: its border pixel
};

enum class Interpolation {
  kBilinear,  // 2 taps
  kBicubic,   // 4 taps, Keys with a = -0.5
  kLanczos,   // 6 taps, Lanczos of 3 lobes
};

struct ScanlineOptions {
  // Columns 0 and W-1 are neighbours, as in a full panorama; nothing is outside then.
  bool wrap = false;

  // A surface tears where the parallax of neighbouring pixels differs by more than this, pixels.
  float tear_px = 1.5F;

  // At rims, pixels of the far side that have taken colour from the near side move with it (see
  // scanline_warp.cpp). Off: the parallax is taken as it is.
  bool refine_rims = true;

  // Standard deviation of the Gaussian that evens the rows of a fill, pixels, before structures are
  // continued in it from above and below; 0 = each row is filled by itself.
  float fill_smoothing_px = 3.0F;

  Interpolation interpolation = Interpolation::kBilinear;
};

// Where each target pixel comes from, at the target's size. The colour of the target pixel (x, y)
// is weight * source(source_x, y) + (1 - weight) * source(other_x, y); columns count from 0 at the
// first pixel's centre. Other geometry can be composed with it (chain the coordinates, then sample
// the original picture once).
struct WarpMap {
  cv::Mat source_x;    // CV_32FC1, 0 <= source_x <= W - 1 (< W where rows wrap)
  cv::Mat other_x;     // CV_32FC1, the same; equal to source_x where weight = 1
  cv::Mat weight;      // CV_32FC1, 0..1; below 1 at rims and where a fill is seen from two sides
  cv::Mat visibility;  // CV_8UC1, Visibility
};

// Target columns [first, last) of row y that the source did not see (Visibility::kDisoccluded).
// The surface behind, from which they are filled, has this parallax where the gap begins.
struct Disocclusion {
  int y;
  int first;
  int last;
  float parallax_px;
};

// Warps pictures of one size after another without allocating for each. Not for several threads at
// once (it uses all threads itself, core/parallel.hpp).
class ScanlineWarp {
 public:
  explicit ScanlineWarp(const ScanlineOptions& options = {});
  ~ScanlineWarp();
  ScanlineWarp(ScanlineWarp&&) noexcept;
  ScanlineWarp& operator=(ScanlineWarp&&) noexcept;

  // Takes the picture and its parallax in, once for all eyes. Keeps a reference to the picture's
  // pixels; they must not change until the last view is made.
  // `picture`: [height, width], CV_8U, CV_16U (10 bits too) or CV_32F, 1, 3 or 4 channels.
  // `parallax_px`: CV_32FC1 of the same size: how far a pixel moves in each eye's picture, pixels,
  // larger = nearer; 0 = on the screen. Values beyond half the width are cut, NaN counts as 0.
  // Throws std::invalid_argument for other types or unequal sizes.
  void set_source(const cv::Mat& picture, const cv::Mat& parallax_px);

  // The view of one eye, of the source's size and type. `view` is allocated only if its size or
  // type is another; it must not be the source. `disocclusions`, if given, becomes the list of what
  // had to be filled, from top to bottom, for those who know better what is there. Throws
  // std::logic_error before set_source.
  void render(Eye eye, cv::Mat& view, std::vector<Disocclusion>* disocclusions = nullptr);

  // Where the pixels of that view come from. Fills are those of the rows here; see smooth_fills().
  void map(Eye eye, WarpMap& map);

 private:
  struct Workspace;
  std::unique_ptr<Workspace> workspace_;
};

// Evens the disoccluded pixels of a view that was sampled through `map` along the columns, as
// render() does: Gaussian of `sigma_px`, over the pixels above and below that are disoccluded too,
// without a gap. `view` as ScanlineWarp takes pictures. Throws std::invalid_argument if the sizes
// differ.
void smooth_fills(const cv::Mat& visibility, float sigma_px, cv::Mat& view);

}  // namespace vergence::stereo
