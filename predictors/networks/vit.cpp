// SPDX-License-Identifier: Apache-2.0
#include "predictors/networks/vit.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

Tensor activated(Tensor x, Activation activation) {
  if (activation == Activation::kRelu) return x.relu_();
  if (activation == Activation::kGelu) return at::gelu_(x);
  return x;
}

}  // namespace

Linear::Linear(Parameters& parameters, const std::string& name, std::int64_t in, std::int64_t out)
    : Linear(parameters, parameters.take(name + ".weight", {out, in}),
             parameters.take(name + ".bias", {out})) {}

Linear::Linear(const Parameters& parameters, const Tensor& weight, const Tensor& bias)
    : weight_(weight.to(parameters.options().type)),
      bias_(bias.defined() ? bias.to(parameters.options().type) : bias) {}

Tensor Linear::operator()(const Tensor& x, Activation activation) const {
  return activated(at::linear(x.to(weight_.scalar_type()), weight_, bias_), activation);
}

Tensor Linear::added_to(Tensor residual, const Tensor& x) const {
  return residual.add_((*this)(x));
}

LayerNorm::LayerNorm(Parameters& parameters, const std::string& name, std::int64_t channels,
                     double epsilon)
    : weight_(parameters.take(name + ".weight", {channels}).to(parameters.options().type)),
      bias_(parameters.take(name + ".bias", {channels}).to(parameters.options().type)),
      epsilon_(epsilon) {}

Tensor LayerNorm::operator()(const Tensor& x) const {
  return at::layer_norm(x, {weight_.size(0)}, weight_, bias_, epsilon_);
}

Conv::Conv(Parameters& parameters, const std::string& name, const ConvShape& shape)
    : Conv(parameters,
           parameters.take(name + ".weight", {shape.out, shape.in, shape.kernel, shape.kernel}),
           shape.bias ? parameters.take(name + ".bias", {shape.out}) : Tensor(), shape) {}

Conv::Conv(const Parameters& parameters, const Tensor& weight, const Tensor& bias,
           const ConvShape& shape)
    : weight_(weight.to(parameters.options().type).contiguous(at::MemoryFormat::ChannelsLast)),
      bias_(bias.defined() ? bias.to(parameters.options().type) : bias),
      shape_(shape) {}

Tensor Conv::operator()(const Tensor& x, Activation activation) const {
  return activated(
      at::conv2d(x.to(weight_.scalar_type()), weight_, bias_, shape_.stride, shape_.padding),
      activation);
}

Tensor Conv::added_to(Tensor residual, const Tensor& x) const {
  return residual.add_((*this)(x));
}

PixelExpansion::PixelExpansion(Parameters& parameters, const std::string& name, std::int64_t in,
                               std::int64_t out, std::int64_t factor)
    : weight_(parameters.take(name + ".weight", {in, out, factor, factor})
                  .to(parameters.options().type)),
      bias_(parameters.take(name + ".bias", {out}).to(parameters.options().type)),
      factor_(factor) {}

Tensor PixelExpansion::operator()(const Tensor& x) const {
  return at::conv_transpose2d(x, weight_, bias_, factor_)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

Tensor self_attention(const Tensor& qkv, std::int64_t heads, const Tensor& bias) {
  constexpr std::int64_t kTile = 256;  // queries: their scores stay in the second-level cache
  const std::int64_t batch = qkv.size(0);
  const std::int64_t count = qkv.size(1);
  const std::int64_t channels = qkv.size(2) / 3;
  const std::int64_t depth = channels / heads;
  const double scale = 1.0 / std::sqrt(static_cast<double>(depth));
  const Tensor parts = qkv.view({batch, count, 3, heads, depth}).permute({2, 0, 3, 1, 4});
  const Tensor keys = parts[1].transpose(2, 3);
  Tensor mixed = at::empty({batch, count, heads, depth}, qkv.options());
  for (std::int64_t first = 0; first < count; first += kTile) {
    const std::int64_t rows = std::min(kTile, count - first);
    Tensor scores = (parts[0].narrow(2, first, rows) * scale).matmul(keys);
    if (bias.defined()) scores.add_(bias.narrow(1, first, rows));
    mixed.narrow(1, first, rows).copy_(scores.softmax(-1).matmul(parts[2]).transpose(1, 2));
  }
  return mixed.view({batch, count, channels});
}

Tensor resize_bilinear(const Tensor& x, std::int64_t height, std::int64_t width,
                       bool align_corners) {
  return at::upsample_bilinear2d(x, {height, width}, align_corners);
}

}  // namespace vergence::predictors
