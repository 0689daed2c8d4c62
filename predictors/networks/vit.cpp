// SPDX-License-Identifier: Apache-2.0
#include "predictors/networks/vit.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast;

// Whether our kernels do the work: they know floats in this machine's memory.
bool on_kernels(const ComputeOptions& options) {
  return options.device == "cpu" && options.type == at::kFloat;
}

Tensor typed(const Tensor& x, at::ScalarType type) {
  return x.defined() ? x.to(type) : x;
}

const float* values_or_none(const Tensor& x) {
  return x.defined() ? x.data_ptr<float>() : nullptr;
}

int count_of(std::int64_t value) {
  return static_cast<int>(value);
}

// LibTorch's threads, each taking the next piece of work when it is done with one: a thread that
// another program keeps from running then holds up one piece, not an equal share.
Workers workers() {
  const int threads = at::get_num_threads();
  return {.threads = threads, .run = [threads](int count, const std::function<void(int)>& body) {
            std::atomic<int> next{0};
            at::parallel_for(0, std::min(threads, count), 1, [&](std::int64_t, std::int64_t) {
              for (int i = next++; i < count; i = next++) body(i);
            });
          }};
}

// matrix [columns, depth], as layers store their weights.
Tensor packed(const Tensor& matrix) {
  const Tensor rows = matrix.contiguous();
  const int depth = count_of(rows.size(1));
  const int columns = count_of(rows.size(0));
  Tensor result = at::empty({static_cast<std::int64_t>(packed_size(depth, columns))},
                            at::TensorOptions().dtype(at::kFloat));
  pack_weights(rows.data_ptr<float>(), {.depth = depth, .columns = columns},
               result.data_ptr<float>(), workers());
  return result;
}

Tensor activated(Tensor x, Activation activation) {
  if (activation == Activation::kRelu) return x.relu_();
  if (activation == Activation::kGelu) return at::gelu_(x);
  return x;
}

// The picture `index` of x [N, C, H, W] in channels_last memory.
Map map_of(const Tensor& x, std::int64_t index) {
  return {.values = x.data_ptr<float>() + index * x.stride(0),
          .height = count_of(x.size(2)),
          .width = count_of(x.size(3)),
          .channels = count_of(x.size(1))};
}

Tensor empty_maps(const Tensor& like, std::int64_t channels, std::int64_t height,
                  std::int64_t width) {
  return at::empty({like.size(0), channels, height, width}, like.options(), kChannelsLast);
}

// In channels_last memory, where every picture lies as [H][W][C] without gaps.
Tensor channels_last(const Tensor& x) {
  const Tensor rows = x.permute({0, 2, 3, 1}).contiguous();
  return rows.permute({0, 3, 1, 2});
}

}  // namespace

Linear::Linear(Parameters& parameters, const std::string& name, std::int64_t in, std::int64_t out)
    : Linear(parameters, parameters.take(name + ".weight", {out, in}),
             parameters.take(name + ".bias", {out})) {}

Linear::Linear(const Parameters& parameters, const Tensor& weight, const Tensor& bias)
    : in_(weight.size(1)),
      out_(weight.size(0)),
      bias_(typed(bias, parameters.options().type)) {
  if (on_kernels(parameters.options())) {
    packed_ = packed(weight.to(at::kFloat));
  } else {
    weight_ = weight.to(parameters.options().type);
  }
}

void Linear::run_packed(const Tensor& x, const Tensor& residual, Activation activation,
                        const Tensor& output) const {
  run(LinearLayer{.input = x.data_ptr<float>(),
                  .rows = static_cast<std::size_t>(x.numel() / in_),
                  .weights = {.values = packed_.data_ptr<float>(),
                              .depth = count_of(in_),
                              .columns = count_of(out_)},
                  .bias = values_or_none(bias_),
                  .residual = values_or_none(residual),
                  .activation = activation,
                  .output = output.data_ptr<float>()},
      workers());
}

Tensor Linear::operator()(const Tensor& x, Activation activation) const {
  if (!packed_.defined()) {
    return activated(at::linear(x.to(weight_.scalar_type()), weight_, bias_), activation);
  }
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes.back() = out_;
  Tensor output = at::empty(sizes, x.options());
  run_packed(x.contiguous(), {}, activation, output);
  return output;
}

Tensor Linear::added_to(const Tensor& residual, const Tensor& x) const {
  if (!packed_.defined()) return residual.add_((*this)(x));
  const Tensor output = residual.contiguous();
  run_packed(x.contiguous(), output, Activation::kNone, output);
  return output;
}

Linear scaled_linear(Parameters& parameters, const std::string& name, const std::string& gamma,
                     std::int64_t in, std::int64_t out) {
  const Tensor scale = parameters.take(gamma, {out});
  const Tensor weight = parameters.take(name + ".weight", {out, in});
  return {parameters, weight * scale.unsqueeze(1), parameters.take(name + ".bias", {out}) * scale};
}

LayerNorm::LayerNorm(Parameters& parameters, const std::string& name, std::int64_t channels,
                     double epsilon)
    : weight_(parameters.take(name + ".weight", {channels})),
      bias_(parameters.take(name + ".bias", {channels})),
      epsilon_(epsilon) {}

Tensor LayerNorm::operator()(const Tensor& x) const {
  const Tensor input = x.to(at::kFloat).contiguous();
  if (!input.is_cpu()) {
    return at::layer_norm(input, {weight_.size(0)}, weight_, bias_, epsilon_);
  }
  Tensor output = at::empty_like(input);
  run(NormLayer{.input = input.data_ptr<float>(),
                .rows = static_cast<std::size_t>(x.numel() / weight_.size(0)),
                .channels = static_cast<std::size_t>(weight_.size(0)),
                .weight = weight_.data_ptr<float>(),
                .bias = bias_.data_ptr<float>(),
                .epsilon = static_cast<float>(epsilon_),
                .output = output.data_ptr<float>()},
      workers());
  return output;
}

Conv::Conv(Parameters& parameters, const std::string& name, const ConvShape& shape)
    : Conv(parameters,
           parameters.take(name + ".weight", {shape.out, shape.in, shape.kernel, shape.kernel}),
           shape.bias ? parameters.take(name + ".bias", {shape.out}) : Tensor(), shape) {}

Conv::Conv(const Parameters& parameters, const Tensor& weight, const Tensor& bias,
           const ConvShape& shape)
    : shape_(shape),
      bias_(typed(bias, parameters.options().type)) {
  if (on_kernels(parameters.options())) {
    packed_ = packed(weight.to(at::kFloat).permute({0, 2, 3, 1}).reshape({shape.out, -1}));
    if (shape.out == 1 && shape.kernel == 1 && shape.bias) to_one_ = weight.flatten().clone();
  } else {
    weight_ = weight.to(parameters.options().type).contiguous(kChannelsLast);
  }
}

Tensor Conv::run_packed(const Tensor& x, ConvLayer steps, Tensor output) const {
  const Tensor input = channels_last(x);
  steps.kernel = count_of(shape_.kernel);
  steps.stride = count_of(shape_.stride);
  steps.padding = count_of(shape_.padding);
  steps.weights = {.values = packed_.data_ptr<float>(),
                   .depth = count_of(shape_.kernel * shape_.kernel * shape_.in),
                   .columns = count_of(shape_.out)};
  steps.bias = values_or_none(bias_);
  steps.input = map_of(input, 0);
  const bool adds = output.defined();
  if (!adds) {
    const std::int64_t channels = steps.last_weights == nullptr ? shape_.out : 1;
    output = empty_maps(input, channels, steps.output_height(), steps.output_width());
  }
  for (std::int64_t n = 0; n < input.size(0); ++n) {
    steps.input = map_of(input, n);
    steps.output = output.data_ptr<float>() + n * output.stride(0);
    steps.residual = adds ? steps.output : nullptr;
    run(steps, workers());
  }
  return output;
}

Tensor Conv::operator()(const Tensor& x, Activation activation) const {
  if (packed_.defined()) return run_packed(x, {.activation = activation});
  return activated(
      at::conv2d(x.to(weight_.scalar_type()), weight_, bias_, shape_.stride, shape_.padding),
      activation);
}

Tensor Conv::of_rectified(const Tensor& x, Activation activation) const {
  if (packed_.defined()) return run_packed(x, {.rectify = true, .activation = activation});
  return (*this)(x.relu(), activation);
}

Tensor Conv::of_resized(const Tensor& x, std::int64_t height, std::int64_t width,
                        Activation activation, const Conv* last) const {
  if (!packed_.defined()) {
    const Tensor resized = resize_bilinear(x, height, width, /*align_corners=*/true);
    const Tensor y = (*this)(resized, activation);
    return last == nullptr ? y : (*last)(y);
  }
  ConvLayer steps = {.resized_height = count_of(height),
                     .resized_width = count_of(width),
                     .activation = activation};
  if (last != nullptr) {
    steps.last_weights = last->to_one_.data_ptr<float>();
    steps.last_bias = last->bias_.data_ptr<float>()[0];
  }
  return run_packed(x, steps);
}

Tensor Conv::added_to(const Tensor& residual, const Tensor& x) const {
  if (packed_.defined()) return run_packed(x, {}, channels_last(residual));
  return residual.add_((*this)(x));
}

DepthwiseConv::DepthwiseConv(const Parameters& parameters, const Tensor& weight, const Tensor& bias,
                             std::int64_t stride, std::int64_t padding)
    : stride_(stride),
      padding_(padding),
      bias_(typed(bias, parameters.options().type)) {
  if (on_kernels(parameters.options())) {
    filters_ = weight.to(at::kFloat).squeeze(1).permute({1, 2, 0}).contiguous();
  } else {
    weight_ = weight.to(parameters.options().type).contiguous(kChannelsLast);
  }
}

Tensor DepthwiseConv::operator()(const Tensor& x) const {
  if (!filters_.defined()) {
    return at::conv2d(x.to(weight_.scalar_type()), weight_, bias_, stride_, padding_,
                      /*dilation=*/1, /*groups=*/weight_.size(0));
  }
  const Tensor input = channels_last(x);
  DepthwiseLayer layer = {.input = map_of(input, 0),
                          .kernel = count_of(filters_.size(0)),
                          .stride = count_of(stride_),
                          .padding = count_of(padding_),
                          .weights = filters_.data_ptr<float>(),
                          .bias = values_or_none(bias_)};
  Tensor output = empty_maps(input, x.size(1), layer.output_height(), layer.output_width());
  for (std::int64_t n = 0; n < input.size(0); ++n) {
    layer.input = map_of(input, n);
    layer.output = output.data_ptr<float>() + n * output.stride(0);
    run(layer, workers());
  }
  return output;
}

PixelExpansion::PixelExpansion(Parameters& parameters, const std::string& name, std::int64_t in,
                               std::int64_t out, std::int64_t factor)
    : in_(in),
      out_(out),
      factor_(factor),
      bias_(parameters.take(name + ".bias", {out})) {
  const Tensor weight = parameters.take(name + ".weight", {in, out, factor, factor});
  // LibTorch 1.13 with oneDNN 2.6 gives wrong numbers for these layers in bfloat16 on a CPU.
  if (parameters.options().device != "cpu") {
    weight_ = weight.to(parameters.options().type);
    bias_ = bias_.to(parameters.options().type);
    return;
  }
  std::vector<Tensor> parts;
  for (std::int64_t part = 0; part < factor * factor; ++part) {
    parts.push_back(packed(weight.select(3, part % factor).select(2, part / factor).t()));
  }
  packed_ = at::stack(parts);
}

Tensor PixelExpansion::operator()(const Tensor& x) const {
  if (!packed_.defined()) {
    return at::conv_transpose2d(x, weight_, bias_, factor_).contiguous(kChannelsLast);
  }
  const Tensor input = channels_last(x.to(at::kFloat));
  Tensor output = empty_maps(input, out_, factor_ * input.size(2), factor_ * input.size(3));
  ExpansionLayer layer = {.factor = count_of(factor_), .bias = bias_.data_ptr<float>()};
  for (std::int64_t part = 0; part < factor_ * factor_; ++part) {
    layer.weights.push_back({.values = packed_.data_ptr<float>() + part * packed_.stride(0),
                             .depth = count_of(in_),
                             .columns = count_of(out_)});
  }
  for (std::int64_t n = 0; n < input.size(0); ++n) {
    layer.input = map_of(input, n);
    layer.output = output.data_ptr<float>() + n * output.stride(0);
    run(layer, workers());
  }
  return output;
}

namespace {

// With LibTorch's products, on any device.
Tensor tiled_attention(const Tensor& qkv, std::int64_t heads, const Tensor& bias) {
  constexpr std::int64_t kTile = 256;  // queries
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

}  // namespace

Tensor self_attention(const Tensor& qkv, std::int64_t heads, const Tensor& bias) {
  if (!qkv.is_cpu()) return tiled_attention(qkv, heads, bias);
  const std::int64_t count = qkv.size(1);
  const std::int64_t channels = qkv.size(2) / 3;
  const Tensor input = qkv.to(at::kFloat).contiguous();
  const Tensor all_bias = bias.defined() ? bias.to(at::kFloat).contiguous() : bias;
  Tensor output = at::empty({qkv.size(0), count, channels}, input.options());
  AttentionLayer layer = {.count = static_cast<std::size_t>(count),
                          .heads = count_of(heads),
                          .size = count_of(channels / heads),
                          .bias = values_or_none(all_bias)};
  const Tensor workspace =
      at::empty({static_cast<std::int64_t>(layer.workspace_size())}, input.options());
  layer.workspace = workspace.data_ptr<float>();
  for (std::int64_t n = 0; n < qkv.size(0); ++n) {
    layer.qkv = input.data_ptr<float>() + n * input.stride(0);
    layer.output = output.data_ptr<float>() + n * output.stride(0);
    run(layer, workers());
  }
  return output;
}

Tensor resize_bilinear(const Tensor& x, std::int64_t height, std::int64_t width,
                       bool align_corners) {
  if (!x.is_cpu()) return at::upsample_bilinear2d(x, {height, width}, align_corners);
  const Tensor input = channels_last(x.to(at::kFloat));
  Tensor output = empty_maps(input, x.size(1), height, width);
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    run(ResizeLayer{.input = map_of(input, n),
                    .height = count_of(height),
                    .width = count_of(width),
                    .align_corners = align_corners,
                    .output = output.data_ptr<float>() + n * output.stride(0)},
        workers());
  }
  return output;
}

}  // namespace vergence::predictors
