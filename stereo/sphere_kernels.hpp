// SPDX-License-Identifier: Apache-2.0
// The pixel loops of stereo views of the sphere (sphere_stereo.hpp), on plain arrays and one
// thread; not installed. One source (sphere_kernels_body.hpp) is compiled for several instruction
// sets; the best one that the machine has is chosen when the program runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vergence::stereo {

// Callers hand over at most this many pixels at a time.
inline constexpr int kSphereBlock = 256;

// How distances become parallax along the rows of the rectified domain.
struct ParallaxScale {
  float radius;   // half the distance between the eyes
  float limit;    // radius / distance comes softly up to this
  bool arc_sine;  // omnidirectional: the angle whose sine is radius / distance * gain
  float px_per_radian;
};

struct ShiftScale {
  float px_per_radian;
  float greatest_px;
};

// Pixels of an equirectangular picture: column = longitude * per_radian_x + first_x and so on, 0 at
// the first pixel's centre; between lowest_x and lowest_x + turn_px.
struct LongitudeLatitudeGrid {
  float per_radian_x;
  float first_x;
  float lowest_x;
  float turn_px;
  float per_radian_y;
  float first_y;
};

// A latitude and longitude per pixel; `lift` (or null) stretches sin(latitude) before the direction
// is turned by `rotation`, 9 values row by row.
struct SphereAngles {
  const float* latitude;
  const float* longitude;
  const float* lift;
  const float* rotation;
  int count;
};

// A run of points (column, row) of a domain: a line, and how far each point is from it, in steps.
struct PointRun {
  float first_column;
  float column_slope;
  float column_step;
  float first_row;
  float row_slope;
  float row_step;
  const std::int16_t* columns;  // steps
  const std::int16_t* rows;

  [[nodiscard]] float column(int i) const {
    return first_column + column_slope * static_cast<float>(i) +
           column_step * static_cast<float>(columns[i]);
  }

  [[nodiscard]] float row(int i) const {
    return first_row + row_slope * static_cast<float>(i) + row_step * static_cast<float>(rows[i]);
  }
};

// Displacements of a view's domain, in steps, at columns and rows 0 .. last of a grid with at least
// one more of each.
struct DisplacementGrid {
  const std::int16_t* steps;
  std::ptrdiff_t stride;
  float px_per_step;
  int last_column;
  int last_row;
  float greatest_spread;  // pixels: more within four neighbours is no single surface
  float first_column;     // angles: of column 0, from one to the next, and of rows
  float column_step;
  float first_row;
  float row_step;
};

// Where to write angles of origins to; `lift`, the cosine of the displacement, may be null.
struct OriginAngles {
  float* along;
  float* across;
  float* lift;
};

// Marks a place of a DisplacementGrid that is no plain part of a surface.
inline constexpr std::int16_t kNotPlain = -32768;

// A picture of three 8-bit channels.
struct Rgb8Picture {
  const std::uint8_t* pixels;
  std::ptrdiff_t stride;  // bytes
  int width;
  int height;
};

// What distances are like.
struct DistanceSummary {
  float nearest = 1e30F;     // distance
  float greatest_px = 0.0F;  // parallax
  bool odd = false;          // some are no distances: NaN, zero or negative
};

struct SphereKernels {
  // Parallax in pixels of `count` distances; `gain` per pixel. What is no distance has none. Brings
  // `summary` up to date.
  void (*parallax)(const float* distance, const float* gain, int count, const ParallaxScale& scale,
                   float* parallax_px, DistanceSummary& summary);

  // How far pixels move in the picture of a parallel eye: atan2(p, 1 - side * slope * p) for p =
  // parallax / px_per_radian.
  void (*parallel_shift)(const float* parallax_px, const float* slope, int count, float side,
                         const ShiftScale& scale, float* shift_px);

  // Displacements source_x[i] - i, in steps, the shorter way round where `turn` > 0.
  void (*displacements)(const float* source_x, int count, float turn, float steps_per_px,
                        std::int16_t* steps);

  // Where points (column, row) of the grid come from, as angles. mixed[i] = 1 where that needs a
  // closer look.
  void (*origins)(const DisplacementGrid& grid, const PointRun& run, int count,
                  const OriginAngles& to, std::uint8_t* mixed);

  void (*points)(const SphereAngles& angles, const LongitudeLatitudeGrid& grid, float* x, float* y);
  void (*directions)(const SphereAngles& angles, float* xyz);

  // Bilinear; missed[i] = 1 where four neighbours are not inside of the picture: nothing is
  // written to those pixels that counts. Writes up to 5 bytes beyond the last pixel.
  void (*sample_rgb8)(const Rgb8Picture& picture, const float* x, const float* y, int count,
                      std::uint8_t* out, std::uint8_t* missed);

  // Copies bytes to where they are not needed soon, past the cache if that is possible.
  void (*write_out)(const std::uint8_t* from, std::size_t bytes, std::uint8_t* to);
};

// Those that this machine can run, the fastest first.
[[nodiscard]] std::span<const SphereKernels* const> runnable_sphere_kernels();

// The fastest.
[[nodiscard]] const SphereKernels& sphere_kernels();

}  // namespace vergence::stereo
