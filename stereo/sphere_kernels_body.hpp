// SPDX-License-Identifier: Apache-2.0
// The pixel loops of sphere_kernels.hpp in the namespace VERGENCE_KERNELS, written so that
// compilers make vector code of them: no branches, no calls. Included once by each
// sphere_kernels_SET.cpp, which is compiled for that instruction set: nothing here may use inline
// functions of other headers, as the linker keeps only one of them and that one may not run on an
// older machine.
#include "stereo/sphere_kernels.hpp"

#include <cstring>
#ifdef __SSE2__
#include <immintrin.h>
#endif

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

// To 4e-6, which is 0.003 pixels of a panorama of 4096: a polynomial of least maximum error in
// 0..1.
inline float arc_tangent(float y, float x) {
  const float across = magnitude(x);
  const float up = magnitude(y);
  const float t = smaller(across, up) / greater(greater(across, up), 1e-30F);
  const float s = t * t;
  float angle = -0.013720834F;
  angle = angle * s + 0.0580773837F;
  angle = angle * s - 0.121763168F;
  angle = angle * s + 0.195822631F;
  angle = angle * s - 0.333017849F;
  angle = (angle * s + 0.999996092F) * t;
  angle = up > across ? kPiHere / 2.0F - angle : angle;
  angle = x < 0.0F ? kPiHere - angle : angle;
  return y < 0.0F ? -angle : angle;
}

struct SineCosine {
  float sine;
  float cosine;
};

// To 1.5e-6, for angles up to some turns.
inline SineCosine sine_cosine(float angle) {
  const int quarter = nearest(angle * (2.0F / kPiHere));
  // pi/2 in two parts, the first of which has few digits: the product is exact.
  const auto whole = static_cast<float>(quarter);
  const float part = (angle - whole * 1.5703125F) - whole * 4.83826794897e-4F;
  const float s = part * part;  // 0..(pi/4)^2
  const float sine = ((0.00815163557F * s - 0.166624802F) * s + 0.999998569F) * part;
  const float cosine =
      ((-0.00135859085F * s + 0.0416550269F) * s - 0.499998567F) * s + 0.999999972F;
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

void origins(const DisplacementGrid& from, const PointRun& points, int count,
             const OriginAngles& to, std::uint8_t* mixed) {
  alignas(64) int above[kSphereBlock];
  alignas(64) int below[kSphereBlock];
  alignas(64) int offset[kSphereBlock];
  alignas(64) float part_x[kSphereBlock];
  alignas(64) float part_y[kSphereBlock];
  const DisplacementGrid grid = from;
  const PointRun run = points;
  float* const along = to.along;
  float* const across = to.across;
  const auto last_x = static_cast<float>(grid.last_column);
  const auto last_y = static_cast<float>(grid.last_row);
  const int stride = static_cast<int>(grid.stride);
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<float>(i);
    const float x = run.first_column + run.column_slope * at +
                    run.column_step * static_cast<float>(run.columns[i]);
    const float y =
        run.first_row + run.row_slope * at + run.row_step * static_cast<float>(run.rows[i]);
    along[i] = x;
    across[i] = grid.first_row + grid.row_step * y;
    const float in_x = smaller(greater(x, 0.0F), last_x);
    const float in_y = smaller(greater(y, 0.0F), last_y);
    const int left = static_cast<int>(in_x);
    const int top = static_cast<int>(in_y);
    part_x[i] = in_x - static_cast<float>(left);
    part_y[i] = in_y - static_cast<float>(top);
    offset[i] = top * stride + left;
  }
  const std::int16_t* const steps = grid.steps;
  for (int i = 0; i < count; ++i) {
    // Vectors made of single loads are slower than single loads: this keeps compilers from it.
    __asm__ volatile("");
    std::memcpy(above + i, steps + offset[i], sizeof(int));
    std::memcpy(below + i, steps + offset[i] + stride, sizeof(int));
  }
  const int spread_steps = static_cast<int>(grid.greatest_spread / grid.px_per_step);
  const float per_step = grid.px_per_step * grid.column_step;
  for (int i = 0; i < count; ++i) {
    const int a = static_cast<int>(static_cast<unsigned>(above[i]) << 16) >> 16;
    const int b = above[i] >> 16;
    const int c = static_cast<int>(static_cast<unsigned>(below[i]) << 16) >> 16;
    const int d = below[i] >> 16;
    const int least = (a < b ? a : b) < (c < d ? c : d) ? (a < b ? a : b) : (c < d ? c : d);
    const int most = (a > b ? a : b) > (c > d ? c : d) ? (a > b ? a : b) : (c > d ? c : d);
    const float first = static_cast<float>(a) + static_cast<float>(b - a) * part_x[i];
    const float second = static_cast<float>(c) + static_cast<float>(d - c) * part_x[i];
    part_x[i] = (first + (second - first) * part_y[i]) * per_step;
    along[i] = grid.first_column + grid.column_step * along[i] + part_x[i];
    mixed[i] = static_cast<std::uint8_t>((most - least > spread_steps) | (least == kNotPlain));
  }
  float* const lift = to.lift;
  if (lift == nullptr) return;
  for (int i = 0; i < count; ++i) lift[i] = sine_cosine(part_x[i]).cosine;
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
    float* const at = xyz + 3 * std::ptrdiff_t{i};
    at[0] = d.x;
    at[1] = d.y;
    at[2] = d.z;
  }
}

void directions(const SphereAngles& angles, float* xyz) {
  angles.lift != nullptr ? write_directions<true>(angles, xyz)
                         : write_directions<false>(angles, xyz);
}

// One pixel: bilinear between those at `above` and behind it and those at `below` and behind it.
// `part_x` and `part_y` in 1/32768. Reads and writes eight bytes, of which five do not count.
#ifdef __SSE2__
inline void mix_rgb8(const std::uint8_t* above, const std::uint8_t* below, int part_x, int part_y,
                     std::uint8_t* out) {
  const __m128i zero = _mm_setzero_si128();
  const auto load = [zero](const std::uint8_t* from) {
    return _mm_unpacklo_epi8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)), zero);
  };
  const __m128i first = load(above);
  const __m128i second = load(below);
  // In 1/64 of a level, so that sixteen bits suffice.
  const __m128i down = _mm_mulhi_epi16(_mm_slli_epi16(_mm_sub_epi16(second, first), 7),
                                       _mm_set1_epi16(static_cast<short>(part_y)));
  const __m128i left = _mm_add_epi16(_mm_slli_epi16(first, 6), down);
  const __m128i across = _mm_sub_epi16(_mm_srli_si128(left, 6), left);
  const __m128i right =
      _mm_mulhi_epi16(_mm_add_epi16(across, across), _mm_set1_epi16(static_cast<short>(part_x)));
  const __m128i mixed = _mm_add_epi16(_mm_add_epi16(left, right), _mm_set1_epi16(32));
  const __m128i levels = _mm_srai_epi16(mixed, 6);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packus_epi16(levels, levels));
}
#else
inline void mix_rgb8(const std::uint8_t* above, const std::uint8_t* below, int part_x, int part_y,
                     std::uint8_t* out) {
  for (int c = 0; c < 3; ++c) {
    const int left = above[c] * 32768 + (below[c] - above[c]) * part_y;
    const int right = above[c + 3] * 32768 + (below[c + 3] - above[c + 3]) * part_y;
    const int mixed = (left >> 9) + (((right >> 9) - (left >> 9)) * (part_x >> 3) >> 12);
    out[c] = static_cast<std::uint8_t>((mixed + 32) >> 6);
  }
}
#endif

#ifdef __AVX2__
// Two pixels, the second of which is written behind the first.
inline void mix_two_rgb8(const std::uint8_t* const* at, std::ptrdiff_t stride, const int* part_x,
                         const int* part_y, std::uint8_t* out) {
  const auto load = [at](std::ptrdiff_t offset) {
    const __m128i one = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at[0] + offset));
    const __m128i two = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at[1] + offset));
    return _mm256_cvtepu8_epi16(_mm_unpacklo_epi64(one, two));
  };
  const auto spread = [](const int* parts) {
    return _mm256_set_m128i(_mm_set1_epi16(static_cast<short>(parts[1])),
                            _mm_set1_epi16(static_cast<short>(parts[0])));
  };
  const __m256i first = load(0);
  const __m256i second = load(stride);
  const __m256i down =
      _mm256_mulhi_epi16(_mm256_slli_epi16(_mm256_sub_epi16(second, first), 7), spread(part_y));
  const __m256i left = _mm256_add_epi16(_mm256_slli_epi16(first, 6), down);
  const __m256i across = _mm256_sub_epi16(_mm256_srli_si256(left, 6), left);
  const __m256i right = _mm256_mulhi_epi16(_mm256_add_epi16(across, across), spread(part_x));
  const __m256i mixed = _mm256_add_epi16(_mm256_add_epi16(left, right), _mm256_set1_epi16(32));
  const __m256i levels = _mm256_srai_epi16(mixed, 6);
  const __m256i bytes = _mm256_packus_epi16(levels, levels);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(bytes));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 3), _mm256_extracti128_si256(bytes, 1));
}
#endif

void sample_rgb8(const Rgb8Picture& from, const float* x, const float* y, int count,
                 std::uint8_t* out, std::uint8_t* missed) {
  alignas(64) int offset[kSphereBlock];
  alignas(64) int part_x[kSphereBlock];
  alignas(64) int part_y[kSphereBlock];
  const Rgb8Picture picture = from;
  const int stride = static_cast<int>(picture.stride);
  constexpr float kOne = 32767.0F;
  for (int i = 0; i < count; ++i) {
    const int left = round_down(x[i]);
    const int top = round_down(y[i]);
    part_x[i] = static_cast<int>((x[i] - static_cast<float>(left)) * kOne);
    part_y[i] = static_cast<int>((y[i] - static_cast<float>(top)) * kOne);
    // Eight bytes are read from the left pixel on.
    const bool inside =
        (left >= 0) & (left < picture.width - 2) & (top >= 0) & (top < picture.height - 1);
    missed[i] = static_cast<std::uint8_t>(!inside);
    offset[i] = inside ? top * stride + left * 3 : 0;
  }
  // Rows of the picture are far apart in memory: both are asked for in good time.
  constexpr int kAhead = 32;
  const auto ask_for = [&](int ahead) {
    const std::uint8_t* const at = picture.pixels + offset[ahead < count ? ahead : count - 1];
    __builtin_prefetch(at);
    __builtin_prefetch(at + stride);
  };
  int i = 0;
#ifdef __AVX2__
  for (; i + 1 < count; i += 2) {
    ask_for(i + kAhead);
    const std::uint8_t* const at[2] = {picture.pixels + offset[i], picture.pixels + offset[i + 1]};
    mix_two_rgb8(at, stride, part_x + i, part_y + i, out + std::ptrdiff_t{3} * i);
  }
#endif
  for (; i < count; ++i) {
    ask_for(i + kAhead);
    const std::uint8_t* const at = picture.pixels + offset[i];
    mix_rgb8(at, at + stride, part_x[i], part_y[i], out + std::ptrdiff_t{3} * i);
  }
}

void write_out(const std::uint8_t* from, std::size_t bytes, std::uint8_t* to) {
#ifdef __SSE2__
  if ((reinterpret_cast<std::uintptr_t>(to) & 15U) == 0) {
    for (; bytes >= 16; bytes -= 16, from += 16, to += 16) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(to),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
    _mm_sfence();
  }
#endif
  std::memcpy(to, from, bytes);
}

}  // namespace

extern const SphereKernels kKernels;
const SphereKernels kKernels = {parallax, parallel_shift, displacements, origins,
                                points,   directions,     sample_rgb8,   write_out};

}  // namespace vergence::stereo::VERGENCE_KERNELS
