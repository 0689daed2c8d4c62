// SPDX-License-Identifier: Apache-2.0
// Whole layers on plain floats, shared out over threads. Matrices are row-major; maps are
// [height][width][channels]. Results do not depend on the number of threads.
#pragma once

#include "predictors/kernels/kernels.hpp"

#include <functional>
#include <vector>

namespace vergence::predictors {

// Who does the work: run(count, body) calls body(0) to body(count - 1), at most `threads` at a
// time.
struct Workers {
  int threads = 1;
  std::function<void(int count, const std::function<void(int index)>& body)> run;
};

// The right-hand side of products and convolutions, packed for kernels().
struct PackedMatrix {
  const float* values = nullptr;  // packed_size(depth, columns)
  int depth = 0;
  int columns = 0;
};

// Packs `rows` [shape.columns][shape.depth]: a layer's weights as checkpoints have them.
void pack_weights(const float* rows, const PackedMatrix& shape, float* packed,
                  const Workers& workers);

struct LinearLayer {
  const float* input = nullptr;  // [rows][weights.depth]
  std::size_t rows = 0;
  PackedMatrix weights = {};
  const float* bias = nullptr;                // or none
  const float* residual = nullptr;            // [rows][weights.columns], or none; may be `output`
  Activation activation = Activation::kNone;  // before the residual is added
  float* output = nullptr;                    // [rows][weights.columns]
};

void run(const LinearLayer& layer, const Workers& workers);

struct Map {
  const float* values = nullptr;
  int height = 0;
  int width = 0;
  int channels = 0;
};

// Convolution of a map with zeros around it, after the steps that often stand before one.
struct ConvLayer {
  Map input = {};
  bool rectify = false;    // max(x, 0) of the input
  int resized_height = 0;  // above 0: the input is resized first, bilinear with aligned corners
  int resized_width = 0;
  int kernel = 3;
  int stride = 1;
  int padding = 1;
  PackedMatrix weights = {};  // depth: [kernel][kernel][channels]
  const float* bias = nullptr;
  const float* residual = nullptr;  // like `output`, or none; may be `output`
  Activation activation = Activation::kNone;
  // A 1x1 convolution to one channel behind it, which then is the output; there is no residual.
  const float* last_weights = nullptr;  // [weights.columns]
  float last_bias = 0.0F;
  float* output = nullptr;  // [output_height()][output_width()][weights.columns, or 1]

  [[nodiscard]] int output_height() const;
  [[nodiscard]] int output_width() const;
};

void run(const ConvLayer& layer, const Workers& workers);

// Convolution with a filter of its own for every channel; zeros around the map.
struct DepthwiseLayer {
  Map input = {};
  int kernel = 3;  // or 5
  int stride = 1;
  int padding = 1;
  const float* weights = nullptr;  // [kernel][kernel][channels]
  const float* bias = nullptr;     // [channels], or none
  float* output = nullptr;         // [output_height()][output_width()][channels]

  [[nodiscard]] int output_height() const;
  [[nodiscard]] int output_width() const;
};

void run(const DepthwiseLayer& layer, const Workers& workers);

// Transposed convolution whose stride is its kernel's side.
struct ExpansionLayer {
  Map input = {};
  int factor = 2;
  std::vector<PackedMatrix> weights = {};  // factor * factor matrices, row by row of the square
  const float* bias = nullptr;
  float* output = nullptr;  // [factor * height][factor * width][weights[0].columns]
};

void run(const ExpansionLayer& layer, const Workers& workers);

// softmax(scale * q k^T + bias) v for every head, tile by tile of the queries: only a tile's scores
// exist at a time.
struct AttentionLayer {
  const float* qkv = nullptr;  // [count][3][heads][size]
  std::size_t count = 0;
  int heads = 0;
  int size = 0;                 // of a head
  const float* bias = nullptr;  // [heads][count][count], or none
  float* workspace = nullptr;   // workspace_size()
  float* output = nullptr;      // [count][heads][size]

  [[nodiscard]] std::size_t workspace_size() const;
};

void run(const AttentionLayer& layer, const Workers& workers);

struct ResizeLayer {
  Map input = {};
  int height = 0;
  int width = 0;
  bool align_corners = true;
  float* output = nullptr;  // [height][width][channels]
};

// Bilinear.
void run(const ResizeLayer& layer, const Workers& workers);

struct NormLayer {
  const float* input = nullptr;  // [rows][channels]
  std::size_t rows = 0;
  std::size_t channels = 0;
  const float* weight = nullptr;
  const float* bias = nullptr;
  float epsilon = 1e-6F;
  float* output = nullptr;
};

void run(const NormLayer& layer, const Workers& workers);

}  // namespace vergence::predictors
