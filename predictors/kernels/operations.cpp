// SPDX-License-Identifier: Apache-2.0
#include "predictors/kernels/operations.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace vergence::predictors {
namespace {

using Size = std::size_t;

Size size_of(int value) {
  return static_cast<Size>(value);
}

// Memory of the thread that is kept from call to call: `slot` tells uses apart that overlap.
float* scratch(int slot, Size count) {
  constexpr int kSlots = 3;
  thread_local std::array<std::vector<float>, kSlots> memory;
  std::vector<float>& values = memory.at(size_of(slot));
  if (values.size() < count) values.resize(count);
  return values.data();
}

constexpr int kScoresSlot = 0;
constexpr int kWindowSlot = 0;
constexpr int kBlendSlot = 1;
constexpr int kLineSlot = 2;

// body(0) to body(count - 1); by this thread alone where all of it takes less time than it takes
// another thread to wake up. `operations`: multiplications, or values that are written.
void share_out(const Workers& workers, int count, Size operations,
               const std::function<void(int)>& body) {
  constexpr Size kWorthWaking = Size{1} << 21;
  if (operations >= kWorthWaking) {
    workers.run(count, body);
    return;
  }
  for (int i = 0; i < count; ++i) body(i);
}

Size panel_stride(const PackedMatrix& matrix) {
  return size_of(matrix.depth) * size_of(kernels().panel);
}

// How many of `count` items to take at a time: no more than `most`, and so that all threads get
// equally many.
int share(Size count, int most, int threads) {
  const Size rounds =
      (count + size_of(threads) * size_of(most) - 1) / (size_of(threads) * size_of(most));
  const Size tasks = rounds * size_of(threads);
  return static_cast<int>((count + tasks - 1) / tasks);
}

int tasks_of(Size count, int at_a_time) {
  return static_cast<int>((count + size_of(at_a_time) - 1) / size_of(at_a_time));
}

// A product of more depth than this goes in parts, so that the rows of `a` stay in the cache.
constexpr int kMostDepth = 1536;

void multiply_deep(Product product) {
  if (product.segments > 1 || product.depth <= kMostDepth ||
      product.activation != Activation::kNone) {
    kernels().multiply(product);
    return;
  }
  const int whole = product.depth;
  const int parts = (whole + kMostDepth - 1) / kMostDepth;
  for (int part = 0, first = 0; part < parts; ++part) {
    product.depth = (whole - first) / (parts - part);
    kernels().multiply(product);
    first += product.depth;
    product.a += product.depth;
    product.b += size_of(product.depth) * size_of(kernels().panel);
    product.bias = nullptr;
    product.residual = product.c;
    product.residual_stride = product.c_stride;
  }
}

// Rows or columns of a bilinear resampling: value = line[first] + t (line[second] - line[first]).
struct Sample {
  int first = 0, second = 0;
  float t = 0.0F;
};

Sample sample_at(int index, int from, int to, bool align_corners) {
  float position = 0.0F;
  if (align_corners) {
    const float step = to > 1 ? static_cast<float>(from - 1) / static_cast<float>(to - 1) : 0.0F;
    position = step * static_cast<float>(index);
  } else {
    const float step = static_cast<float>(from) / static_cast<float>(to);
    position = std::max(step * (static_cast<float>(index) + 0.5F) - 0.5F, 0.0F);
  }
  const int first = std::min(static_cast<int>(position), from - 1);
  return {.first = first,
          .second = std::min(first + 1, from - 1),
          .t = position - static_cast<float>(first)};
}

std::vector<Sample> samples(int from, int to, bool align_corners) {
  std::vector<Sample> all(size_of(to));
  for (int i = 0; i < to; ++i) all[size_of(i)] = sample_at(i, from, to, align_corners);
  return all;
}

// One row of the resized map.
void resize_row(const Map& map, const Sample& vertical, const std::vector<Sample>& horizontal,
                float* to) {
  const Kernels& fast = kernels();
  const Size channels = size_of(map.channels);
  const Size line = size_of(map.width) * channels;
  float* blended = scratch(kBlendSlot, line);
  fast.blend(map.values + size_of(vertical.first) * line,
             map.values + size_of(vertical.second) * line, vertical.t, line, blended);
  for (const Sample& sample : horizontal) {
    fast.blend(blended + size_of(sample.first) * channels,
               blended + size_of(sample.second) * channels, sample.t, channels, to);
    to += channels;
  }
}

// The rows of a convolution's input, with zeros around them.
class PaddedRows {
 public:
  explicit PaddedRows(const ConvLayer& layer)
      : layer_(layer),
        resized_(layer.resized_height > 0),
        height_(resized_ ? layer.resized_height : layer.input.height),
        width_(resized_ ? layer.resized_width : layer.input.width) {
    if (resized_) horizontal_ = samples(layer.input.width, width_, true);
  }

  [[nodiscard]] Size stride() const {
    return size_of(width_ + 2 * layer_.padding) * size_of(layer_.input.channels);
  }

  // Row `y`, which may lie in the padding.
  void write(int y, float* to) const {
    if (y < 0 || y >= height_) {
      std::fill_n(to, stride(), 0.0F);
      return;
    }
    const Size line = size_of(width_) * size_of(layer_.input.channels);
    const Size border = size_of(layer_.padding) * size_of(layer_.input.channels);
    float* inside = to + border;
    std::fill_n(to, border, 0.0F);
    std::fill_n(inside + line, border, 0.0F);
    if (resized_) {
      resize_row(layer_.input, sample_at(y, layer_.input.height, height_, true), horizontal_,
                 inside);
      if (layer_.rectify) kernels().rectify(inside, line, inside);
      return;
    }
    const float* from = layer_.input.values + size_of(y) * line;
    if (layer_.rectify) {
      kernels().rectify(from, line, inside);
    } else {
      std::copy_n(from, line, inside);
    }
  }

 private:
  const ConvLayer& layer_;
  bool resized_;
  int height_, width_;
  std::vector<Sample> horizontal_;
};

// Line `y` of the output, from the rows of its window.
void convolve_line(const ConvLayer& layer, const float* window, Size line, int y) {
  const int width = layer.output_width();
  const Size channels = size_of(layer.weights.columns);
  const Size values = size_of(width) * channels;
  const bool ends_in_one = layer.last_weights != nullptr;
  float* to = ends_in_one ? scratch(kLineSlot, values) : layer.output + size_of(y) * values;
  kernels().multiply(
      {.a = window,
       .a_stride = size_of(layer.stride) * size_of(layer.input.channels),
       .segments = layer.kernel,
       .segment_stride = line,
       .depth = layer.kernel * layer.input.channels,
       .b = layer.weights.values,
       .b_stride = panel_stride(layer.weights),
       .rows = width,
       .columns = layer.weights.columns,
       .bias = layer.bias,
       .residual = layer.residual == nullptr ? nullptr : layer.residual + size_of(y) * values,
       .residual_stride = channels,
       .activation = layer.activation,
       .c = to,
       .c_stride = channels});
  if (!ends_in_one) return;
  float* output = layer.output + size_of(y) * size_of(width);
  for (int x = 0; x < width; ++x, to += channels) {
    output[x] = layer.last_bias + kernels().dot(to, layer.last_weights, channels);
  }
}

}  // namespace

void pack_weights(const float* rows, const PackedMatrix& shape, float* packed,
                  const Workers& workers) {
  const int panel = kernels().panel;
  workers.run(tasks_of(size_of(shape.columns), panel), [&](int task) {
    const int first = task * panel;
    const Size depth = size_of(shape.depth);
    pack_rows(rows + size_of(first) * depth, depth, shape.depth,
              std::min(panel, shape.columns - first), packed + size_of(first) * depth);
  });
}

void run(const LinearLayer& layer, const Workers& workers) {
  const int depth = layer.weights.depth;
  const int columns = layer.weights.columns;
  const int tile = kernels().tile;
  const int most = depth > 1024 ? 4 * tile : 8 * tile;
  const int at_a_time = share(layer.rows, most, workers.threads);
  const Size operations = layer.rows * size_of(depth) * size_of(columns);
  share_out(workers, tasks_of(layer.rows, at_a_time), operations, [&](int task) {
    const Size first = size_of(task) * size_of(at_a_time);
    const Size out = first * size_of(columns);
    multiply_deep({.a = layer.input + first * size_of(depth),
                   .a_stride = size_of(depth),
                   .depth = depth,
                   .b = layer.weights.values,
                   .b_stride = panel_stride(layer.weights),
                   .rows = static_cast<int>(std::min(size_of(at_a_time), layer.rows - first)),
                   .columns = columns,
                   .bias = layer.bias,
                   .residual = layer.residual == nullptr ? nullptr : layer.residual + out,
                   .residual_stride = size_of(columns),
                   .activation = layer.activation,
                   .c = layer.output + out,
                   .c_stride = size_of(columns)});
  });
}

int ConvLayer::output_height() const {
  const int height = resized_height > 0 ? resized_height : input.height;
  return (height + 2 * padding - kernel) / stride + 1;
}

int ConvLayer::output_width() const {
  const int width = resized_height > 0 ? resized_width : input.width;
  return (width + 2 * padding - kernel) / stride + 1;
}

namespace {

// How a convolution's rows are shared out: whoever makes some of them first puts the rows of their
// window together, with zeros around.
struct RowShares {
  int height = 0;  // rows to make
  int kernel = 0;
  int stride = 0;
  Size operations = 0;  // of all rows
};

// Calls make(y, window) for every row: `window` are the rows that it is made from.
void for_each_row(const PaddedRows& source, int padding, const RowShares& shares,
                  const Workers& workers, const std::function<void(int, const float*)>& make) {
  constexpr Size kWindow = Size{96} * 1024;  // floats: the rows of a task stay in the cache
  const Size line = source.stride();
  const int rows_in_window = static_cast<int>(std::max(kWindow / line, Size{1}));
  const int most = std::max((rows_in_window - shares.kernel) / shares.stride + 1, 1);
  const int at_a_time = share(size_of(shares.height), most, workers.threads);
  share_out(workers, tasks_of(size_of(shares.height), at_a_time), shares.operations, [&](int task) {
    const int first = task * at_a_time;
    const int rows = std::min(at_a_time, shares.height - first);
    const int window = (rows - 1) * shares.stride + shares.kernel;
    float* lines = scratch(kWindowSlot, size_of(window) * line);
    for (int y = 0; y < window; ++y) {
      source.write(first * shares.stride - padding + y, lines + size_of(y) * line);
    }
    for (int y = 0; y < rows; ++y) {
      make(first + y, lines + size_of(y * shares.stride) * line);
    }
  });
}

}  // namespace

namespace {

// Whether a convolution looks at single pixels as they are: then it is one product for all rows,
// which reads the weights less often than one for each.
bool is_product(const ConvLayer& layer) {
  return layer.kernel == 1 && layer.stride == 1 && layer.padding == 0 && !layer.rectify &&
         layer.resized_height == 0 && layer.last_weights == nullptr;
}

}  // namespace

void run(const ConvLayer& layer, const Workers& workers) {
  if (is_product(layer)) {
    run(LinearLayer{.input = layer.input.values,
                    .rows = size_of(layer.input.height) * size_of(layer.input.width),
                    .weights = layer.weights,
                    .bias = layer.bias,
                    .residual = layer.residual,
                    .activation = layer.activation,
                    .output = layer.output},
        workers);
    return;
  }
  const PaddedRows source(layer);
  const int height = layer.output_height();
  const Size operations = size_of(height) * size_of(layer.output_width()) *
                          size_of(layer.weights.depth) * size_of(layer.weights.columns);
  for_each_row(
      source, layer.padding,
      {.height = height, .kernel = layer.kernel, .stride = layer.stride, .operations = operations},
      workers,
      [&](int y, const float* window) { convolve_line(layer, window, source.stride(), y); });
}

int DepthwiseLayer::output_height() const {
  return (input.height + 2 * padding - kernel) / stride + 1;
}

int DepthwiseLayer::output_width() const {
  return (input.width + 2 * padding - kernel) / stride + 1;
}

void run(const DepthwiseLayer& layer, const Workers& workers) {
  const ConvLayer input = {.input = layer.input, .padding = layer.padding};
  const PaddedRows source(input);
  const int height = layer.output_height();
  const int width = layer.output_width();
  const Size channels = size_of(layer.input.channels);
  const Size values = size_of(width) * channels;
  for_each_row(source, layer.padding,
               {.height = height,
                .kernel = layer.kernel,
                .stride = layer.stride,
                .operations = 4 * size_of(height) * values * size_of(layer.kernel)},
               workers, [&](int y, const float* window) {
                 kernels().filter({.a = window,
                                   .line = source.stride(),
                                   .kernel = layer.kernel,
                                   .stride = layer.stride,
                                   .channels = channels,
                                   .weights = layer.weights,
                                   .bias = layer.bias,
                                   .columns = width,
                                   .c = layer.output + size_of(y) * values});
               });
}

void run(const ExpansionLayer& layer, const Workers& workers) {
  const int factor = layer.factor;
  const Map& map = layer.input;
  const Size columns = size_of(layer.weights.front().columns);
  const Size out_line = size_of(factor) * size_of(map.width) * columns;
  workers.run(map.height, [&](int y) {
    for (int part = 0; part < factor * factor; ++part) {
      const PackedMatrix& weights = layer.weights[size_of(part)];
      float* corner = layer.output + size_of(y * factor + part / factor) * out_line +
                      size_of(part % factor) * columns;
      kernels().multiply({.a = map.values + size_of(y) * size_of(map.width) * size_of(map.channels),
                          .a_stride = size_of(map.channels),
                          .depth = map.channels,
                          .b = weights.values,
                          .b_stride = panel_stride(weights),
                          .rows = map.width,
                          .columns = weights.columns,
                          .bias = layer.bias,
                          .c = corner,
                          .c_stride = size_of(factor) * columns});
    }
  });
}

namespace {

// Of one head: keys, then values, packed.
Size head_workspace(const AttentionLayer& layer) {
  const int count = static_cast<int>(layer.count);
  return packed_size(layer.size, count) + packed_size(count, layer.size);
}

void attend(const AttentionLayer& layer, int head, Size first, int rows) {
  const Kernels& fast = kernels();
  const int count = static_cast<int>(layer.count);
  const Size size = size_of(layer.size);
  const Size channels = size_of(layer.heads) * size;
  const float* keys = layer.workspace + size_of(head) * head_workspace(layer);
  const float* values = keys + packed_size(layer.size, count);
  const Size line = packed_size(1, count);
  const float scale = 1.0F / std::sqrt(static_cast<float>(layer.size));
  float* scores = scratch(kScoresSlot, size_of(rows) * line);
  fast.multiply({.a = layer.qkv + first * 3 * channels + size_of(head) * size,
                 .a_stride = 3 * channels,
                 .depth = layer.size,
                 .b = keys,
                 .b_stride = size * size_of(fast.panel),
                 .rows = rows,
                 .columns = static_cast<int>(line),
                 .c = scores,
                 .c_stride = line});
  std::array<float, 64> sums{};
  for (int row = 0; row < rows; ++row) {
    float* line_scores = scores + size_of(row) * line;
    float line_scale = scale;
    if (layer.bias != nullptr) {
      const float* bias =
          layer.bias + (size_of(head) * layer.count + first + size_of(row)) * layer.count;
      for (Size i = 0; i < layer.count; ++i) line_scores[i] = line_scores[i] * scale + bias[i];
      line_scale = 1.0F;
    }
    sums.at(size_of(row)) = fast.exponentials(line_scores, layer.count, line_scale);
  }
  float* output = layer.output + first * channels + size_of(head) * size;
  fast.multiply({.a = scores,
                 .a_stride = line,
                 .depth = count,
                 .b = values,
                 .b_stride = layer.count * size_of(fast.panel),
                 .rows = rows,
                 .columns = layer.size,
                 .c = output,
                 .c_stride = channels});
  for (int row = 0; row < rows; ++row) {
    const float share_of = 1.0F / sums.at(size_of(row));
    float* to = output + size_of(row) * channels;
    for (Size i = 0; i < size; ++i) to[i] *= share_of;
  }
}

}  // namespace

Size AttentionLayer::workspace_size() const {
  return size_of(heads) * head_workspace(*this);
}

void run(const AttentionLayer& layer, const Workers& workers) {
  const int count = static_cast<int>(layer.count);
  const Size size = size_of(layer.size);
  const Size channels = size_of(layer.heads) * size;
  workers.run(layer.heads, [&](int head) {
    const float* keys = layer.qkv + channels + size_of(head) * size;
    float* packed = layer.workspace + size_of(head) * head_workspace(layer);
    pack_rows(keys, 3 * channels, layer.size, count, packed);
    pack_matrix(keys + channels, 3 * channels, count, layer.size,
                packed + packed_size(layer.size, count));
  });
  const int at_a_time = 2 * kernels().tile;
  const int tiles = tasks_of(layer.count, at_a_time);
  workers.run(layer.heads * tiles, [&](int task) {
    const Size first = size_of(task % tiles) * size_of(at_a_time);
    attend(layer, task / tiles, first,
           static_cast<int>(std::min(size_of(at_a_time), layer.count - first)));
  });
}

void run(const ResizeLayer& layer, const Workers& workers) {
  const std::vector<Sample> horizontal =
      samples(layer.input.width, layer.width, layer.align_corners);
  const Size line = size_of(layer.width) * size_of(layer.input.channels);
  const int at_a_time = share(size_of(layer.height), 16, workers.threads);
  const Size operations = 4 * size_of(layer.height) * line;
  share_out(workers, tasks_of(size_of(layer.height), at_a_time), operations, [&](int task) {
    const int last = std::min((task + 1) * at_a_time, layer.height);
    for (int y = task * at_a_time; y < last; ++y) {
      resize_row(layer.input, sample_at(y, layer.input.height, layer.height, layer.align_corners),
                 horizontal, layer.output + size_of(y) * line);
    }
  });
}

void run(const NormLayer& layer, const Workers& workers) {
  const int at_a_time = share(layer.rows, 128, workers.threads);
  const Size operations = 8 * layer.rows * layer.channels;
  share_out(workers, tasks_of(layer.rows, at_a_time), operations, [&](int task) {
    const Size last = std::min((size_of(task) + 1) * size_of(at_a_time), layer.rows);
    for (Size row = size_of(task) * size_of(at_a_time); row < last; ++row) {
      kernels().normalise(layer.input + row * layer.channels, layer.channels, layer.weight,
                          layer.bias, layer.epsilon, layer.output + row * layer.channels);
    }
  });
}

}  // namespace vergence::predictors
