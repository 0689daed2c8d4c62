// SPDX-License-Identifier: Apache-2.0
// One row of the warp engine (scanline_warp.hpp), on plain arrays.
#pragma once

#include "stereo/scanline_warp.hpp"

#include <span>
#include <vector>

namespace vergence::stereo {

// A target pixel that is a blend of two places of the source.
struct BlendedPixel {
  int x;          // target column
  float other_x;  // second source column
  float weight;   // share of the first source column
};

// Target columns [first, last) without a gap that the source did not see.
struct FilledRun {
  int first;
  int last;
  Visibility visibility;
};

// Where the pixels of one target row come from, and the memory to find that out.
struct ScanlineRow {
  std::vector<float> source_x;        // [width]
  std::vector<BlendedPixel> blended;  // rims and fills with two sides, any order
  std::vector<FilledRun> filled;      // any order

  // Makes room for rows of this width, so that trace() allocates nothing.
  void reserve(int width, bool wrap);

  // Finds the sources of the target row. `parallax`: finite, none beyond `reach`, which is at most
  // half the width.
  void trace(std::span<const float> parallax, float reach, Eye eye, const ScanlineOptions& options);

 private:
  // A gap of the target, [first, last) of `drawn_`, behind the source pixel before `far_source`.
  struct Tear {
    int first;
    int last;
    int far_source;
  };

  // A target pixel that the surface beginning at source pixel `source` covers in part.
  struct PartialCover {
    int target;
    int source;
    float behind;  // what was drawn there before
    float cover;
  };

  void load(std::span<const float> parallax, Eye eye, bool wrap);
  void draw(float tear_px);
  void begin_surface(int source, float tear_px);
  void end_surface(int source);
  void fill_tears();
  void read_out(Eye eye, bool wrap);
  void read_gaps(Eye eye, bool wrap);
  void blend_gap(int first, int last, Eye eye, bool wrap);
  void add_blend(int target, float other, float weight, Eye eye, bool wrap);
  // Index into drawn_ where a source pixel's centre falls.
  [[nodiscard]] float target_of(int source) const;
  [[nodiscard]] float source_column(float source, Eye eye, bool wrap) const;

  // All of these are mirrored for the left eye, so that nearer pixels always move to the left. The
  // source row continues by `margin_` on both sides where rows wrap, the target by `pad_` more.
  std::vector<float> shift_;  // of each source pixel
  // Source position of each target pixel; kNothing, or a fill from source p as -2 - p.
  std::vector<float> drawn_;
  std::vector<Tear> tears_;
  std::vector<PartialCover> partial_;
  int width_ = 0;
  int margin_ = 0;
  int pad_ = 0;
};

}  // namespace vergence::stereo
