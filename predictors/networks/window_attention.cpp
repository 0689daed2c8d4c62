// SPDX-License-Identifier: Apache-2.0
#include "predictors/networks/window_attention.hpp"

#include <array>
#include <cmath>
#include <vector>

namespace vergence::predictors {
namespace {

using at::Tensor;

constexpr std::int64_t kFold = 8;

// Row and column distance of each pair of a window's pixels, by the window's reach: [n, n, 2].
Tensor distances(std::int64_t side) {
  const std::int64_t count = side * side;
  Tensor result = at::empty({count, count, 2}, at::kFloat);
  auto values = result.accessor<float, 3>();
  const auto reach = static_cast<float>(side - 1);
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t j = 0; j < count; ++j) {
      values[i][j][0] = static_cast<float>(i / side - j / side) / reach;
      values[i][j][1] = static_cast<float>(i % side - j % side) / reach;
    }
  }
  return result;
}

Tensor take_score_bias(Parameters& parameters, const std::string& prefix, std::int64_t side) {
  const std::int64_t count = side * side;
  if (parameters.has(prefix + "table")) return parameters.take(prefix + "table", {count, count});
  const std::int64_t hidden = 2 * side;
  const std::int64_t spread = 2 * side - 1;
  parameters.skip(prefix + "index", {count * count});
  parameters.skip(prefix + "delta", {spread * spread, 2});
  const Tensor in = parameters.take(prefix + "to_bias.0.weight", {hidden, 2});
  const Tensor in_bias = parameters.take(prefix + "to_bias.0.bias", {hidden});
  const Tensor out = parameters.take(prefix + "to_bias.2.weight", {1, hidden});
  const Tensor out_bias = parameters.take(prefix + "to_bias.2.bias", {1});
  const Tensor where = distances(side).to(in.device());
  return at::linear(at::gelu(at::linear(where, in, in_bias)), out, out_bias).squeeze(-1);
}

}  // namespace

Tensor replicated(const Tensor& x, std::int64_t left, std::int64_t right, std::int64_t top,
                  std::int64_t bottom) {
  return at::replication_pad2d(x, std::array<std::int64_t, 4>{left, right, top, bottom});
}

Tensor fold_columns(const Tensor& x) {
  const std::int64_t width = x.size(3) / kFold;
  return x.reshape({x.size(0), x.size(1), x.size(2), width, kFold})
      .permute({0, 1, 4, 2, 3})
      .reshape({x.size(0), x.size(1) * kFold, x.size(2), width});
}

Tensor unfold_columns(const Tensor& x) {
  return x.reshape({x.size(0), x.size(1) / kFold, kFold, x.size(2), x.size(3)})
      .permute({0, 1, 3, 4, 2})
      .reshape({x.size(0), x.size(1) / kFold, x.size(2), x.size(3) * kFold});
}

WindowAttentionBlock::WindowAttentionBlock(Parameters& parameters, const std::string& prefix,
                                           const WindowAttentionOptions& options)
    : options_(options),
      expand_(parameters, prefix + "conv_mlp.0", {options.channels, options.channels, 1, 1}),
      mix_(parameters, prefix + "conv_mlp.3", {options.channels, options.channels, 3, 3}) {
  const std::int64_t channels = options.channels;
  const std::string mha = prefix + "mha.mha.";
  qkv_weight_ = parameters.take(mha + "qkv_proj.weight", {3 * channels, channels});
  qkv_bias_ = parameters.take(mha + "qkv_proj.bias", {3 * channels});
  out_weight_ = parameters.take(mha + "head_proj.weight", {channels, channels});
  out_bias_ = parameters.take(mha + "head_proj.bias", {channels});
  score_bias_ = take_score_bias(parameters, prefix + "bias.", options.side);
}

Tensor WindowAttentionBlock::operator()(const Tensor& x) const {
  const Tensor attended = x + attention(x);
  const Tensor mixed = mix_(replicated(at::gelu(expand_(attended)), 1, 1, 1, 1));
  return attended + (options_.slope == 1.0 ? mixed : at::leaky_relu(mixed, options_.slope));
}

Tensor WindowAttentionBlock::attention(const Tensor& x) const {
  const std::int64_t side = options_.side;
  const std::int64_t rows = options_.shift_rows ? side / 2 : 0;
  const std::int64_t columns = options_.shift_columns ? side / 2 : 0;
  const Tensor padded =
      rows + columns > 0
          ? at::constant_pad_nd(x, std::array<std::int64_t, 4>{columns, columns, rows, rows})
          : x;
  const std::int64_t batch = padded.size(0);
  const std::int64_t channels = padded.size(1);
  const std::int64_t down = padded.size(2) / side;
  const std::int64_t across = padded.size(3) / side;
  // [windows, pixels, C]
  const Tensor windows = padded.reshape({batch, channels, down, side, across, side})
                             .permute({0, 2, 4, 3, 5, 1})
                             .reshape({batch * down * across, side * side, channels});
  const Tensor qkv =
      at::linear(windows, qkv_weight_, qkv_bias_)
          .view({windows.size(0), side * side, 3, options_.heads, channels / options_.heads})
          .permute({2, 0, 3, 1, 4});
  const double scale = 1.0 / std::sqrt(static_cast<double>(channels / options_.heads));
  const Tensor scores = at::matmul(qkv[0] * scale, qkv[1].transpose(-2, -1)) + score_bias_;
  const Tensor mixed = at::matmul(at::softmax(scores, -1), qkv[2])
                           .transpose(1, 2)
                           .reshape({windows.size(0), side * side, channels});
  const Tensor result = at::linear(mixed, out_weight_, out_bias_)
                            .view({batch, down, across, side, side, channels})
                            .permute({0, 5, 1, 3, 2, 4})
                            .reshape({batch, channels, down * side, across * side});
  return result.slice(2, rows, rows + x.size(2)).slice(3, columns, columns + x.size(3));
}

}  // namespace vergence::predictors
