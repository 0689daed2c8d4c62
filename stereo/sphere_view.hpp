// SPDX-License-Identifier: Apache-2.0
// One eye's view of the sphere, once its parallax is known; not installed.
#pragma once

#include "core/eye.hpp"
#include "stereo/fill_pass.hpp"
#include "stereo/scanline_row.hpp"
#include "stereo/sphere_domain.hpp"
#include "stereo/sphere_parallax.hpp"
#include "stereo/sphere_picture.hpp"

#include <vector>

#include <opencv2/core.hpp>

namespace vergence::stereo {

// Makes views in three steps: trace() finds out for each pixel of the domain how far away in its
// row it comes from; fill() makes the colours of what the source did not see, in the domain;
// paint() takes each pixel of the eye's picture from the source, at the place that its neighbours
// in the domain agree on, or as a blend where they show several surfaces or fills.
class SphereView {
 public:
  SphereView(const EyeTable& table, const SphereStereoOptions& options);

  void trace(const SphereParallax& parallax, Eye eye, int type);
  void fill(const SpherePicture& picture);

  // `view` has the eye's size and the picture's type; `visibility` may be null.
  void paint(const SpherePicture& picture, cv::Mat& view, cv::Mat* visibility) const;

 private:
  class MixedPixels;
  class Painter;

  // Where a pixel of the domain that is no plain part of a surface comes from, in steps.
  struct Origin {
    std::int16_t near;
    std::int16_t far;
    std::int16_t share;  // of what is near, in kWhole
    std::int16_t visibility;
  };

  static constexpr int kWhole = 16384;

  struct Run {
    int first;
    int last;
  };

  void trace_row(int y, const SphereParallax& parallax, Eye eye, ScanlineRow& row,
                 std::vector<float>& shift);
  void store_row(int y, const ScanlineRow& row);
  [[nodiscard]] int far_end(int y, const FilledRun& run, Eye eye) const;
  void mirror_beyond(int y, const FilledRun& run, Eye eye, const std::vector<float>& shift);
  void soften_end(int y, const FilledRun& run, Eye eye, const ScanlineRow& row,
                  const std::vector<float>& shift);
  [[nodiscard]] int column(int x) const;
  void close_row(int y);
  void close_grid();
  void list_needed(int y, std::vector<Run>& runs) const;
  void fill_run(int y, const Run& run, const SpherePicture& picture);
  void sample_domain(int y, const Run& run, bool far, const SpherePicture& picture,
                     void* out) const;
  [[nodiscard]] DisplacementGrid grid() const;

  const EyeTable& table_;
  const SphereDomain& domain_;
  SphereStereoOptions options_;
  DomainRays rays_;
  ScanlineOptions row_options_;
  std::vector<float> slope_;  // of columns, for the right eye
  FillPass fill_pass_;
  std::vector<ScanlineRow> rows_;              // one per task
  std::vector<std::vector<float>> shifts_;     // likewise
  std::vector<std::vector<FilledRun>> holes_;  // of each row of the domain
  float px_per_step_ = 1.0F;
  cv::Mat steps_;    // CV_16SC1, two columns and rows more than the domain
  cv::Mat origins_;  // CV_16SC4 [domain], where steps_ is kNotPlain
  cv::Mat colours_;  // of the picture's type [domain], in and around holes
};

}  // namespace vergence::stereo
