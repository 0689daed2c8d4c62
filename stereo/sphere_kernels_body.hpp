// SPDX-License-Identifier: Apache-2.0
// The pixel loops of sphere_kernels.hpp in the namespace VERGENCE_KERNELS, written so that
// compilers make vector code of them: no branches, no calls. Included once by each
// sphere_kernels_SET.cpp, which is compiled for that instruction set: nothing here may use inline
// functions of other headers, as the linker keeps only one of them and that one may not run on an
// older machine.
#include "stereo/sphere_kernels.hpp"

#include <cstring>

namespace vergence::stereo::VERGENCE_KERNELS {
namespace {

constexpr float kPiHere = 3.14159265358979F;

inline float magnitude(float value) {
  return value < 0.0F ? -value : value;
}

inline float smaller(float a, float b) {
  return a < b ? a : b;
}

inline float greater(float a, float b) {
  return a > b ? a : b;
}

inline int round_down(float value) {
  const int whole = static_cast<int>(value);
  return whole - static_cast<int>(static_cast<float>(whole) > value);
}

inline int nearest(float value) {
  return static_cast<int>(value + (value < 0.0F ? -0.5F : 0.5F));
}

// To 2e-7: a polynomial of least maximum error in 0..1.
inline float arc_tangent(float y, float x) {
  const float across = magnitude(x);
  const float up = magnitude(y);
  const float t = smaller(across, up) / greater(greater(across, up), 1e-30F);
  const float s = t * t;
  float angle = -0.00478044572F;
  angle = angle * s + 0.0245570908F;
  angle = angle * s - 0.0599046693F;
  angle = angle * s + 0.0994275594F;
  angle = angle * s - 0.140294186F;
  angle = angle * s + 0.19971375F;
  angle = angle * s - 0.333320935F;
  angle = (angle * s + 0.999999911F) * t;
  angle = up > across ? kPiHere / 2.0F - angle : angle;
  angle = x < 0.0F ? kPiHere - angle : angle;
  return y < 0.0F ? -angle : angle;
}

struct SineCosine {
  float sine;
  float cosine;
};

// To 1e-7, for angles up to some turns.
inline SineCosine sine_cosine(float angle) {
  const int quarter = nearest(angle * (2.0F / kPiHere));
  // pi/2 in two parts, the first of which has few digits: the product is exact.
  const auto whole = static_cast<float>(quarter);
  const float part = (angle - whole * 1.5703125F) - whole * 4.83826794897e-4F;
  const float s = part * part;  // 0..(pi/4)^2
  const float sine =
      (((-0.00019504022F * s + 0.00833203688F) * s - 0.166666507F) * s + 0.999999997F) * part;
  const float cosine =
      (((2.43799292e-05F * s - 0.00138866192F) * s + 0.0416666167F) * s - 0.499999996F) * s + 1.0F;
  const bool odd = (quarter & 1) != 0;
  const float first = odd ? cosine : sine;
  const float second = odd ? sine : cosine;
  return {(quarter & 2) != 0 ? -first : first, ((quarter + 1) & 2) != 0 ? -second : second};
}

inline float square_root(float value) {
  return __builtin_sqrtf(value);
}

// From here on values come softly up to a limit, as a share of it.
constexpr float kSoftFrom = 0.8F;
constexpr float kSoftRest = 1.0F - kSoftFrom;

// An arc sine is taken of this at most.
constexpr float kGreatestSine = 0.95F;

inline int bits_of(float value) {
  int bits = 0;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float float_of(int bits) {
  float value = 0.0F;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

void parallax(const float* distance, const float* gain, int count, const ParallaxScale& scale,
              float* parallax_px, DistanceSummary& summary) {
  const float per_limit = scale.radius / scale.limit;
  const float limit = scale.limit;
  // Positive numbers have the order of their bits, and integers can be compared in any order.
  int nearest_bits = bits_of(summary.nearest);
  int odd = 0;
  for (int i = 0; i < count; ++i) {
    const bool known = distance[i] > 0.0F;
    odd |= static_cast<int>(!known);
    const float share = known ? per_limit / distance[i] : 0.0F;
    const float above = (share - kSoftFrom) * (1.0F / kSoftRest);
    const float soft = kSoftFrom + kSoftRest - kSoftRest / (1.0F + greater(above, 0.0F));
    parallax_px[i] = (share > kSoftFrom ? soft : share) * limit * gain[i];
    const int bits = known ? bits_of(distance[i]) : nearest_bits;
    nearest_bits = bits < nearest_bits ? bits : nearest_bits;
  }
  const float px = scale.px_per_radian;
  if (scale.arc_sine) {
    for (int i = 0; i < count; ++i) {
      const float sine = smaller(parallax_px[i], kGreatestSine);
      parallax_px[i] = arc_tangent(sine, square_root(1.0F - sine * sine)) * px;
    }
  } else {
    for (int i = 0; i < count; ++i) parallax_px[i] *= px;
  }
  int greatest_bits = bits_of(summary.greatest_px);
  for (int i = 0; i < count; ++i) {
    const int bits = bits_of(parallax_px[i]);
    greatest_bits = bits > greatest_bits ? bits : greatest_bits;
  }
  summary.nearest = float_of(nearest_bits);
  summary.greatest_px = float_of(greatest_bits);
  summary.odd = summary.odd || odd != 0;
}

void parallel_shift(const float* parallax_px, const float* slope, int count, float side,
                    const ShiftScale& scale, float* shift_px) {
  const float px_per_radian = scale.px_per_radian;
  const float per_px = 1.0F / px_per_radian;
  const float greatest = scale.greatest_px;
  for (int i = 0; i < count; ++i) {
    const float p = parallax_px[i] * per_px;
    const float shift = arc_tangent(p, 1.0F - side * p * slope[i]) * px_per_radian;
    shift_px[i] = smaller(shift, greatest);
  }
}

void displacements(const float* source_x, int count, float turn, float steps_per_px,
                   std::int16_t* steps) {
  const float half = turn > 0.0F ? 0.5F * turn : 1e30F;
  for (int i = 0; i < count; ++i) {
    float moved = source_x[i] - static_cast<float>(i);
    moved = moved > half ? moved - turn : moved;
    moved = moved < -half ? moved + turn : moved;
    steps[i] = static_cast<std::int16_t>(nearest(moved * steps_per_px));
  }
}

void displacement_at(const DisplacementGrid& grid, const float* points, int count, float* column,
                     float* row, float* displacement, std::uint8_t* mixed) {
  alignas(32) int above[kSphereBlock];
  alignas(32) int below[kSphereBlock];
  alignas(32) int offset[kSphereBlock];
  alignas(32) float part_x[kSphereBlock];
  alignas(32) float part_y[kSphereBlock];
  const int last_x = grid.last_column;
  const int last_y = grid.last_row;
  const int stride = static_cast<int>(grid.stride);
  for (int i = 0; i < count; ++i) {
    const float x = points[2 * i];
    const float y = points[2 * i + 1];
    column[i] = x;
    row[i] = y;
    const float whole_x = static_cast<float>(last_x);
    const float whole_y = static_cast<float>(last_y);
    // Not a number (nothing is shown there) becomes 0.
    const float in_x = smaller(greater(x, 0.0F), whole_x);
    const float in_y = smaller(greater(y, 0.0F), whole_y);
    const int left = static_cast<int>(in_x);
    const int top = static_cast<int>(in_y);
    part_x[i] = in_x - static_cast<float>(left);
    part_y[i] = in_y - static_cast<float>(top);
    offset[i] = top * stride + left;
  }
  const std::int16_t* const steps = grid.steps;
  for (int i = 0; i < count; ++i) {
    std::memcpy(above + i, steps + offset[i], sizeof(int));
    std::memcpy(below + i, steps + offset[i] + stride, sizeof(int));
  }
  const float px_per_step = grid.px_per_step;
  const int spread_steps = static_cast<int>(grid.greatest_spread / px_per_step);
  for (int i = 0; i < count; ++i) {
    const int a = static_cast<int>(static_cast<unsigned>(above[i]) << 16) >> 16;
    const int b = above[i] >> 16;
    const int c = static_cast<int>(static_cast<unsigned>(below[i]) << 16) >> 16;
    const int d = below[i] >> 16;
    const int least = (a < b ? a : b) < (c < d ? c : d) ? (a < b ? a : b) : (c < d ? c : d);
    const int most = (a > b ? a : b) > (c > d ? c : d) ? (a > b ? a : b) : (c > d ? c : d);
    const float first = static_cast<float>(a) + static_cast<float>(b - a) * part_x[i];
    const float second = static_cast<float>(c) + static_cast<float>(d - c) * part_x[i];
    displacement[i] = (first + (second - first) * part_y[i]) * px_per_step;
    mixed[i] = static_cast<std::uint8_t>((most - least > spread_steps) | (least == kNotPlain));
  }
}

struct Direction {
  float x;
  float y;
  float z;
};

template <bool kLifted>
inline Direction direction_of(const SphereAngles& angles, const float* m, int i) {
  const SineCosine latitude = sine_cosine(angles.latitude[i]);
  const SineCosine longitude = sine_cosine(angles.longitude[i]);
  const float x = latitude.cosine * longitude.sine;
  const float y = kLifted ? latitude.sine * angles.lift[i] : latitude.sine;
  const float z = -latitude.cosine * longitude.cosine;
  return {m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z,
          m[6] * x + m[7] * y + m[8] * z};
}

template <bool kLifted>
inline void points_of(const SphereAngles& angles, const LongitudeLatitudeGrid& to, float* x,
                      float* y) {
  float m[9];
  std::memcpy(m, angles.rotation, sizeof m);
  const LongitudeLatitudeGrid grid = to;
  for (int i = 0; i < angles.count; ++i) {
    const Direction d = direction_of<kLifted>(angles, m, i);
    const float longitude = arc_tangent(d.x, -d.z);
    const float latitude = arc_tangent(d.y, square_root(d.x * d.x + d.z * d.z));
    const float column = longitude * grid.per_radian_x + grid.first_x;
    x[i] = column < grid.lowest_x ? column + grid.turn_px : column;
    y[i] = latitude * grid.per_radian_y + grid.first_y;
  }
}

void points(const SphereAngles& angles, const LongitudeLatitudeGrid& grid, float* x, float* y) {
  angles.lift != nullptr ? points_of<true>(angles, grid, x, y)
                         : points_of<false>(angles, grid, x, y);
}

template <bool kLifted>
inline void write_directions(const SphereAngles& angles, float* xyz) {
  float m[9];
  std::memcpy(m, angles.rotation, sizeof m);
  for (int i = 0; i < angles.count; ++i) {
    const Direction d = direction_of<kLifted>(angles, m, i);
    xyz[3 * i] = d.x;
    xyz[3 * i + 1] = d.y;
    xyz[3 * i + 2] = d.z;
  }
}

void directions(const SphereAngles& angles, float* xyz) {
  angles.lift != nullptr ? write_directions<true>(angles, xyz)
                         : write_directions<false>(angles, xyz);
}

using EightBytes = std::uint8_t __attribute__((vector_size(8)));
using EightInts = int __attribute__((vector_size(32)));
using EightFloats = float __attribute__((vector_size(32)));

inline EightFloats load_eight(const std::uint8_t* from) {
  EightBytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return __builtin_convertvector(__builtin_convertvector(bytes, EightInts), EightFloats);
}

void sample_rgb8(const Rgb8Picture& from, const float* x, const float* y, int count,
                 std::uint8_t* out, std::uint8_t* missed) {
  alignas(32) int offset[kSphereBlock];
  alignas(32) float part_x[kSphereBlock];
  alignas(32) float part_y[kSphereBlock];
  const Rgb8Picture picture = from;
  const int stride = static_cast<int>(picture.stride);
  for (int i = 0; i < count; ++i) {
    const int left = round_down(x[i]);
    const int top = round_down(y[i]);
    part_x[i] = x[i] - static_cast<float>(left);
    part_y[i] = y[i] - static_cast<float>(top);
    // Eight bytes are read from the left pixel on.
    const bool inside =
        (left >= 0) & (left < picture.width - 2) & (top >= 0) & (top < picture.height - 1);
    missed[i] = static_cast<std::uint8_t>(!inside);
    offset[i] = inside ? top * stride + left * 3 : 0;
  }
  for (int i = 0; i < count; ++i) {
    const std::uint8_t* const at = picture.pixels + offset[i];
    const EightFloats above = load_eight(at);
    const EightFloats below = load_eight(at + stride);
    const EightFloats left = above + (below - above) * part_y[i];
    const EightFloats right = __builtin_shufflevector(left, left, 3, 4, 5, 3, 4, 5, 3, 4);
    const EightFloats mixed = left + (right - left) * part_x[i] + 0.5F;
    const EightBytes bytes =
        __builtin_convertvector(__builtin_convertvector(mixed, EightInts), EightBytes);
    std::memcpy(out + 3 * i, &bytes, sizeof bytes);
  }
}

}  // namespace

extern const SphereKernels kKernels;
const SphereKernels kKernels = {parallax, parallel_shift, displacements, displacement_at,
                                points,   directions,     sample_rgb8};

}  // namespace vergence::stereo::VERGENCE_KERNELS
