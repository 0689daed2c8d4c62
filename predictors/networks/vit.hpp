// SPDX-License-Identifier: Apache-2.0
// Layers that vision transformers and their convolutional heads are made of. They hold their
// weights in the form that is fastest on the network's device, and compute in its precision
// (ComputeOptions::type): on a CPU in float they run our own kernels, elsewhere LibTorch's. In a
// lower precision, only products and convolutions are: norms, sums of residuals, softmax and, on a
// CPU, resizing stay in float.
// Tokens are [N, T, C], row-major; feature maps are [N, C, H, W] in channels_last memory.
#pragma once

#include "predictors/kernels/operations.hpp"
#include "predictors/torch_network.hpp"

#include <ATen/core/Tensor.h>

namespace vergence::predictors {

// y = x W^T + b over the last side.
class Linear {
 public:
  // NAME.weight [out, in] and NAME.bias [out].
  Linear(Parameters& parameters, const std::string& name, std::int64_t in, std::int64_t out);

  // weight [out, in], bias [out] or an undefined tensor; any type. `parameters` says where and in
  // which precision to compute.
  Linear(const Parameters& parameters, const at::Tensor& weight, const at::Tensor& bias);

  [[nodiscard]] at::Tensor operator()(const at::Tensor& x,
                                      Activation activation = Activation::kNone) const;

  // residual + this(x); takes the residual's memory.
  [[nodiscard]] at::Tensor added_to(const at::Tensor& residual, const at::Tensor& x) const;

 private:
  void run_packed(const at::Tensor& x, const at::Tensor& residual, Activation activation,
                  const at::Tensor& output) const;

  std::int64_t in_, out_;
  at::Tensor weight_;  // or
  at::Tensor packed_;  // for our kernels
  at::Tensor bias_;
};

// A linear layer, NAME, and the layer scale behind it, GAMMA [out]: gamma (W x + b).
[[nodiscard]] Linear scaled_linear(Parameters& parameters, const std::string& name,
                                   const std::string& gamma, std::int64_t in, std::int64_t out);

// Over the last side; gives floats.
class LayerNorm {
 public:
  // NAME.weight [channels] and NAME.bias [channels].
  LayerNorm(Parameters& parameters, const std::string& name, std::int64_t channels,
            double epsilon = 1e-6);

  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor weight_, bias_;
  double epsilon_;
};

struct ConvShape {
  std::int64_t in, out;
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
  std::int64_t padding = 1;
  bool bias = true;
};

// 2D convolution; one group, zero padding.
class Conv {
 public:
  // NAME.weight [out, in, kernel, kernel] and, with a bias, NAME.bias [out].
  Conv(Parameters& parameters, const std::string& name, const ConvShape& shape);

  // The same from tensors, for weights that were changed on the way (a folded norm).
  Conv(const Parameters& parameters, const at::Tensor& weight, const at::Tensor& bias,
       const ConvShape& shape);

  [[nodiscard]] at::Tensor operator()(const at::Tensor& x,
                                      Activation activation = Activation::kNone) const;

  // The same with max(x, 0) instead of x.
  [[nodiscard]] at::Tensor of_rectified(const at::Tensor& x,
                                        Activation activation = Activation::kNone) const;

  // The same with x resized to height x width (bilinear, align_corners = true) first; `last` is a
  // 1x1 convolution to one channel that follows at once, for want of memory for what is between.
  [[nodiscard]] at::Tensor of_resized(const at::Tensor& x, std::int64_t height, std::int64_t width,
                                      Activation activation = Activation::kNone,
                                      const Conv* last = nullptr) const;

  // residual + this(x); takes the residual's memory.
  [[nodiscard]] at::Tensor added_to(const at::Tensor& residual, const at::Tensor& x) const;

 private:
  [[nodiscard]] at::Tensor run_packed(const at::Tensor& x, ConvLayer steps,
                                      at::Tensor output = {}) const;

  ConvShape shape_;
  at::Tensor weight_;  // or
  at::Tensor packed_;  // for our kernels
  at::Tensor bias_;
  at::Tensor to_one_;  // the weights of a 1x1 convolution to one channel, unpacked
};

// A 3x3 or 5x5 filter of its own for every channel; zero padding.
class DepthwiseConv {
 public:
  // weight [channels, 1, kernel, kernel], bias [channels] or an undefined tensor.
  DepthwiseConv(const Parameters& parameters, const at::Tensor& weight, const at::Tensor& bias,
                std::int64_t stride, std::int64_t padding);

  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

 private:
  std::int64_t stride_, padding_;
  at::Tensor weight_;   // or
  at::Tensor filters_;  // for our kernels: [kernel][kernel][channels]
  at::Tensor bias_;
};

// Transposed convolution whose stride is its kernel's side: every pixel becomes a square of pixels.
class PixelExpansion {
 public:
  // NAME.weight [in, out, factor, factor] and NAME.bias [out].
  PixelExpansion(Parameters& parameters, const std::string& name, std::int64_t in, std::int64_t out,
                 std::int64_t factor);

  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

 private:
  std::int64_t in_, out_, factor_;
  at::Tensor weight_;  // or
  at::Tensor packed_;  // for our kernels: [factor * factor][packed]
  at::Tensor bias_;
};

// softmax(q k^T / sqrt(d) + bias) v of every head. qkv [N, T, 3 C], a token's query, key and value
// one after the other, each head after head; bias [heads, T, T] or undefined. Gives [N, T, C].
// Goes tile by tile over the queries (the result is that of the whole matrix, which would not fit
// into the caches).
[[nodiscard]] at::Tensor self_attention(const at::Tensor& qkv, std::int64_t heads,
                                        const at::Tensor& bias = {});

// Bilinear resampling of feature maps to height x width.
[[nodiscard]] at::Tensor resize_bilinear(const at::Tensor& x, std::int64_t height,
                                         std::int64_t width, bool align_corners);

}  // namespace vergence::predictors
