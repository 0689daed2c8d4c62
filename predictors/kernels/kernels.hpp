// SPDX-License-Identifier: Apache-2.0
// The arithmetic that takes most of a network's time, on plain floats and one thread: callers share
// the work out. One source (kernels_body.hpp) is compiled for several instruction sets; the best
// one that the machine has is chosen when the program runs.
#pragma once

#include <cstddef>
#include <span>

namespace vergence::predictors {

enum class Activation { kNone, kRelu, kGelu };  // GELU with the error function

// c = activation(a b + bias) + residual, row by row. A row of `a` may consist of several stretches,
// which is how a convolution reads the rows of its window.
struct Product {
  const float* a = nullptr;
  std::size_t a_stride = 0;  // floats from one row of `a` to the next
  int segments = 1;
  std::size_t segment_stride = 0;  // floats from one stretch of a row to the next
  int depth = 0;                   // floats of a stretch
  const float* b = nullptr;        // packed: panels of [segments * depth][panel]
  std::size_t b_stride = 0;        // floats from one panel to the next
  int rows = 0;
  int columns = 0;
  const float* bias = nullptr;      // [columns], or none
  const float* residual = nullptr;  // rows as those of `c`, or none; may be `c`
  std::size_t residual_stride = 0;
  Activation activation = Activation::kNone;
  float* c = nullptr;
  std::size_t c_stride = 0;
};

// One row of a convolution in which every channel has a filter of its own:
// c[x][channel] = bias[channel] + sum of weights[ky][kx][channel] * a[ky][x * stride +
// kx][channel].
struct Filtering {
  const float* a = nullptr;
  std::size_t line = 0;  // floats from one row of the window to the next
  int kernel = 3;        // 3 or 5
  int stride = 1;
  std::size_t channels = 0;
  const float* weights = nullptr;  // [kernel][kernel][channels]
  const float* bias = nullptr;     // [channels], or none
  int columns = 0;
  float* c = nullptr;  // [columns][channels]
};

struct Kernels {
  const char* name;  // of the instruction set
  int panel;         // columns that are packed and computed together
  int tile;          // rows that are computed together

  void (*multiply)(const Product& product);
  void (*filter)(const Filtering& filtering);

  // In place: exp(scale * (x - maximum)) of `count` values; gives the sum.
  float (*exponentials)(float* x, std::size_t count, float scale);

  // y = (x - mean) / sqrt(variance + epsilon) * weight + bias over `count` values.
  void (*normalise)(const float* x, std::size_t count, const float* weight, const float* bias,
                    float epsilon, float* y);

  // y = a + t (b - a).
  void (*blend)(const float* a, const float* b, float t, std::size_t count, float* y);

  // Sum of a[i] * b[i].
  float (*dot)(const float* a, const float* b, std::size_t count);

  // Packs rows of [count][depth], as Product wants them: the columns of one panel. Missing ones
  // are 0.
  void (*pack_panel)(const float* rows, std::size_t stride, int count, int depth, float* packed);

  // y = max(x, 0).
  void (*rectify)(const float* x, std::size_t count, float* y);
};

// All that this machine can run, the fastest first.
[[nodiscard]] std::span<const Kernels* const> runnable_kernels();

// The fastest.
[[nodiscard]] const Kernels& kernels();

// Floats of a packed matrix of depth x columns.
[[nodiscard]] std::size_t packed_size(int depth, int columns);

// Packs the matrix whose columns are the rows of `rows`: value (k, j) is at rows[j * stride + k].
void pack_rows(const float* rows, std::size_t stride, int depth, int columns, float* packed);

// Packs a matrix as it is: value (k, j) is at values[k * stride + j].
void pack_matrix(const float* values, std::size_t stride, int depth, int columns, float* packed);

}  // namespace vergence::predictors
