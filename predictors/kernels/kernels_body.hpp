// SPDX-License-Identifier: Apache-2.0
// The kernels for vectors of VERGENCE_LANES floats and tiles of VERGENCE_TILE rows, in the
// namespace VERGENCE_KERNELS. Included once by each kernels_SET.cpp, which is compiled for that
// instruction set: nothing here may use inline functions of other headers, as the linker keeps only
// one of them and that one may not run on an older machine.
#include "predictors/kernels/kernels.hpp"

namespace vergence::predictors::VERGENCE_KERNELS {

constexpr int kLanes = VERGENCE_LANES;
constexpr int kTile = VERGENCE_TILE;
constexpr int kPanel = 2 * kLanes;

using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));
using Bits = int __attribute__((vector_size(kLanes * sizeof(float))));
// As they lie in memory: of any alignment.
using Unaligned = float __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

inline Vector load(const float* from) {
  return *reinterpret_cast<const Unaligned*>(from);
}

inline void store(float* to, Vector values) {
  *reinterpret_cast<Unaligned*>(to) = values;
}

inline Vector all(float value) {
  return value - Vector{};
}

inline Vector larger(Vector a, Vector b) {
  return a > b ? a : b;
}

inline Vector smaller(Vector a, Vector b) {
  return a < b ? a : b;
}

// e^x for x <= 0 within 2 units in the last place; below -87 it stays at e^-87, which keeps the
// slow denormal numbers out. x = n ln 2 + r, |r| <= ln 2 / 2; e^r by its Taylor series.
inline Vector exp_of_negative(Vector x) {
  const Vector magic = all(12582912.0F);  // 1.5 * 2^23: adding it rounds to an integer
  x = larger(x, all(-87.0F));
  const Vector shifted = x * 1.44269504F + magic;
  const Vector n = shifted - magic;
  const Vector r = (x - n * 0.693359375F) + n * 2.12194440e-4F;  // ln 2 in two parts
  Vector y = all(1.0F / 5040.0F);
  y = y * r + 1.0F / 720.0F;
  y = y * r + 1.0F / 120.0F;
  y = y * r + 1.0F / 24.0F;
  y = y * r + 1.0F / 6.0F;
  y = y * r + 0.5F;
  y = y * r + 1.0F;
  y = y * r + 1.0F;
  return reinterpret_cast<Vector>(reinterpret_cast<Bits>(y) +
                                  (reinterpret_cast<Bits>(shifted) << 23));
}

// x (1 + erf(x / sqrt 2)) / 2; erf by Abramowitz and Stegun, "Handbook of Mathematical Functions",
// 7.1.26, within 1.5e-7.
inline Vector gelu(Vector x) {
  const Vector size = larger(x, -x) * 0.707106781F;
  const Vector t = 1.0F / (1.0F + 0.3275911F * size);
  Vector y = all(1.061405429F);
  y = y * t - 1.453152027F;
  y = y * t + 1.421413741F;
  y = y * t - 0.284496736F;
  y = y * t + 0.254829592F;
  const Vector rest = y * t * exp_of_negative(-size * size);  // 1 - erf |x / sqrt 2|
  return 0.5F * (x + larger(x, -x) * (1.0F - rest));
}

inline Vector activated(Vector x, Activation activation) {
  if (activation == Activation::kRelu) return larger(x, Vector{});
  if (activation == Activation::kGelu) return gelu(x);
  return x;
}

// One tile of a product: `Rows` rows from `row`, one panel of columns from `column`, or, with one
// half, the first half of it: a last panel is often not more.
template <int Rows, int Halves>
void multiply_tile(const Product& p, int row, int column) {
  const std::size_t stride = p.a_stride;
  const float* a = p.a + static_cast<std::size_t>(row) * stride;
  const auto depth = static_cast<std::size_t>(p.depth);
  const float* b = p.b + static_cast<std::size_t>(column / kPanel) * p.b_stride;
  Vector sums[Rows][Halves] = {};
  for (int segment = 0; segment < p.segments; ++segment, a += p.segment_stride) {
    for (std::size_t k = 0; k < depth; ++k, b += kPanel) {
      const Vector b0 = load(b);
      const Vector b1 = load(b + kLanes * (Halves - 1));
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
        const Vector x = all(a[static_cast<std::size_t>(r) * stride + k]);
        sums[r][0] += x * b0;
        if constexpr (Halves == 2) sums[r][1] += x * b1;
      }
    }
  }
  constexpr int kWidth = Halves * kLanes;
  const int columns = p.columns - column < kWidth ? p.columns - column : kWidth;
  for (int r = 0; r < Rows; ++r) {
    float values[kWidth];
    const auto index = static_cast<std::size_t>(row + r);
    float* c = p.c + index * p.c_stride + column;
    const float* residual =
        p.residual == nullptr ? nullptr : p.residual + index * p.residual_stride + column;
    for (int half = 0; half < Halves; ++half) store(values + half * kLanes, sums[r][half]);
    if (columns == kWidth) {
      for (int half = 0; half < kWidth; half += kLanes) {
        Vector y = load(values + half);
        if (p.bias != nullptr) y += load(p.bias + column + half);
        y = activated(y, p.activation);
        if (residual != nullptr) y += load(residual + half);
        store(c + half, y);
      }
      continue;
    }
    for (int j = 0; j < columns && p.bias != nullptr; ++j) values[j] += p.bias[column + j];
    for (int half = 0; half < kWidth; half += kLanes) {
      store(values + half, activated(load(values + half), p.activation));
    }
    for (int j = 0; j < columns; ++j) c[j] = values[j] + (residual == nullptr ? 0.0F : residual[j]);
  }
}

// Tiles of fewer rows, so that the last ones are not computed for nothing.
template <int Rows>
void multiply_rows(const Product& p, int rows, int row, int column) {
  if (rows == Rows) {
    if (p.columns - column <= kLanes) {
      multiply_tile<Rows, 1>(p, row, column);
    } else {
      multiply_tile<Rows, 2>(p, row, column);
    }
  } else if constexpr (Rows > 1) {
    multiply_rows<Rows - 1>(p, rows, row, column);
  }
}

void multiply(const Product& p) {
  // Tiles of nearly one height: a last one of a row or two would take nearly as long as a full one.
  const int tiles = (p.rows + kTile - 1) / kTile;
  for (int column = 0; column < p.columns; column += kPanel) {
    int row = 0;
    for (int tile = 0; tile < tiles; ++tile) {
      const int rows = (p.rows - row + tiles - tile - 1) / (tiles - tile);
      multiply_rows<kTile>(p, rows, row, column);
      row += rows;
    }
  }
}

// The filters of up to kLanes channels stay in registers along the row.
template <int Kernel>
void filter_lanes(const Filtering& f, std::size_t channel) {
  const std::size_t step = static_cast<std::size_t>(f.stride) * f.channels;
  Vector weights[Kernel * Kernel];
  for (int i = 0; i < Kernel * Kernel; ++i) {
    weights[i] = load(f.weights + static_cast<std::size_t>(i) * f.channels + channel);
  }
  const Vector bias = f.bias == nullptr ? Vector{} : load(f.bias + channel);
  const float* from = f.a + channel;
  float* to = f.c + channel;
  for (int x = 0; x < f.columns; ++x, from += step, to += f.channels) {
    Vector sum = bias;
#pragma GCC unroll 5
    for (int ky = 0; ky < Kernel; ++ky) {
      const float* tap = from + static_cast<std::size_t>(ky) * f.line;
#pragma GCC unroll 5
      for (int kx = 0; kx < Kernel; ++kx, tap += f.channels) {
        sum += weights[ky * Kernel + kx] * load(tap);
      }
    }
    store(to, sum);
  }
}

// The same for one channel.
template <int Kernel>
void filter_channel(const Filtering& f, std::size_t channel) {
  const std::size_t step = static_cast<std::size_t>(f.stride) * f.channels;
  const float* from = f.a + channel;
  for (int x = 0; x < f.columns; ++x, from += step) {
    float sum = f.bias == nullptr ? 0.0F : f.bias[channel];
    for (int ky = 0; ky < Kernel; ++ky) {
      for (int kx = 0; kx < Kernel; ++kx) {
        sum +=
            f.weights[static_cast<std::size_t>(ky * Kernel + kx) * f.channels + channel] *
            from[static_cast<std::size_t>(ky) * f.line + static_cast<std::size_t>(kx) * f.channels];
      }
    }
    f.c[static_cast<std::size_t>(x) * f.channels + channel] = sum;
  }
}

template <int Kernel>
void filter_all(const Filtering& f) {
  std::size_t channel = 0;
  for (; channel + kLanes <= f.channels; channel += kLanes) filter_lanes<Kernel>(f, channel);
  // The last ones once more with some before them, where there are enough.
  if (channel < f.channels && f.channels >= kLanes) {
    filter_lanes<Kernel>(f, f.channels - kLanes);
    return;
  }
  for (; channel < f.channels; ++channel) filter_channel<Kernel>(f, channel);
}

void filter(const Filtering& f) {
  if (f.kernel == 3) {
    filter_all<3>(f);
  } else {
    filter_all<5>(f);
  }
}

inline float sum_of(Vector x) {
  float sum = 0.0F;
  for (int i = 0; i < kLanes; ++i) sum += x[i];
  return sum;
}

float exponentials(float* x, std::size_t count, float scale) {
  std::size_t i = 0;
  float maximum = x[0];
  if (count >= kLanes) {
    Vector most = load(x);
    for (i = kLanes; i + kLanes <= count; i += kLanes) most = larger(most, load(x + i));
    for (int lane = 0; lane < kLanes; ++lane) {
      if (most[lane] > maximum) maximum = most[lane];
    }
  }
  for (; i < count; ++i) {
    if (x[i] > maximum) maximum = x[i];
  }
  Vector sums = {};
  for (i = 0; i + kLanes <= count; i += kLanes) {
    const Vector y = exp_of_negative((load(x + i) - maximum) * scale);
    store(x + i, y);
    sums += y;
  }
  float sum = sum_of(sums);
  for (; i < count; ++i) {
    x[i] = exp_of_negative(all((x[i] - maximum) * scale))[0];
    sum += x[i];
  }
  return sum;
}

void normalise(const float* x, std::size_t count, const float* weight, const float* bias,
               float epsilon, float* y) {
  const std::size_t whole = count - count % kLanes;
  const auto n = static_cast<float>(count);
  Vector sums = {};
  float rest = 0.0F;
  for (std::size_t i = 0; i < whole; i += kLanes) sums += load(x + i);
  for (std::size_t i = whole; i < count; ++i) rest += x[i];
  const float mean = (sum_of(sums) + rest) / n;
  sums = Vector{};
  rest = 0.0F;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    const Vector d = load(x + i) - mean;
    sums += d * d;
  }
  for (std::size_t i = whole; i < count; ++i) rest += (x[i] - mean) * (x[i] - mean);
  const float scale = 1.0F / __builtin_sqrtf((sum_of(sums) + rest) / n + epsilon);
  for (std::size_t i = 0; i < whole; i += kLanes) {
    store(y + i, (load(x + i) - mean) * scale * load(weight + i) + load(bias + i));
  }
  for (std::size_t i = whole; i < count; ++i) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

void blend(const float* a, const float* b, float t, std::size_t count, float* y) {
  const std::size_t whole = count - count % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    const Vector from = load(a + i);
    store(y + i, from + t * (load(b + i) - from));
  }
  for (std::size_t i = whole; i < count; ++i) y[i] = a[i] + t * (b[i] - a[i]);
}

float dot(const float* a, const float* b, std::size_t count) {
  const std::size_t whole = count - count % kLanes;
  Vector sums = {};
  for (std::size_t i = 0; i < whole; i += kLanes) sums += load(a + i) * load(b + i);
  float sum = sum_of(sums);
  for (std::size_t i = whole; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

// Block by block: a block's cache lines, of what is read and of what is written, fit into the
// first-level cache.
void pack_panel(const float* rows, std::size_t stride, int count, int depth, float* packed) {
  constexpr int kBlock = 16;
  for (int first = 0; first < depth; first += kBlock) {
    const int last = first + kBlock < depth ? first + kBlock : depth;
    for (int j = 0; j < kPanel; ++j) {
      const float* row = rows + static_cast<std::size_t>(j) * stride;
      for (int k = first; k < last; ++k) {
        packed[static_cast<std::size_t>(k) * kPanel + static_cast<std::size_t>(j)] =
            j < count ? row[k] : 0.0F;
      }
    }
  }
}

void rectify(const float* x, std::size_t count, float* y) {
  const std::size_t whole = count - count % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) store(y + i, larger(load(x + i), Vector{}));
  for (std::size_t i = whole; i < count; ++i) y[i] = x[i] > 0.0F ? x[i] : 0.0F;
}

extern const Kernels kKernels;
const Kernels kKernels = {VERGENCE_KERNELS_NAME,
                          kPanel,
                          kTile,
                          multiply,
                          filter,
                          exponentials,
                          normalise,
                          blend,
                          dot,
                          pack_panel,
                          rectify};

}  // namespace vergence::predictors::VERGENCE_KERNELS
