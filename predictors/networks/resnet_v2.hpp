// SPDX-License-Identifier: Apache-2.0
// The convolutional part of the hybrid vision transformer (Dosovitskiy et al., "An Image is Worth
// 16x16 Words", 2021): ResNet-50 of three stages with standardised weights (Qiao et al., "Weight
// Standardization", 2019), group norms, and TensorFlow's padding.
#pragma once

#include "predictors/networks/folded_conv.hpp"

#include <array>
#include <optional>
#include <vector>

namespace vergence::predictors {

class HybridResNet {
 public:
  // Takes its parameters under PREFIX and the names of the official code.
  HybridResNet(Parameters& parameters, const std::string& prefix);

  // picture [N, 3, H, W] -> 256, 512 and 1024 channels at 1/4, 1/8 and 1/16 of its size.
  [[nodiscard]] std::array<at::Tensor, 3> operator()(const at::Tensor& picture) const;

 private:
  // In float, also behind convolutions in a lower precision.
  struct GroupNorm {
    GroupNorm(Parameters& parameters, const std::string& name, std::int64_t channels);
    [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;
    at::Tensor weight, bias;
  };

  // A convolution and the norm behind it.
  struct NormedConv {
    NormedConv(Parameters& parameters, const std::string& conv, const std::string& norm,
               const ConvShape& shape);
    [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;
    std::int64_t kernel, stride;
    Conv conv;
    GroupNorm norm;
  };

  struct Bottleneck {
    NormedConv reduce, filter, expand;
    std::optional<NormedConv> shortcut;
    [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;
  };

  [[nodiscard]] static Bottleneck take_block(Parameters& parameters, const std::string& name,
                                             std::int64_t in, std::int64_t out,
                                             std::int64_t stride);

  NormedConv stem_;
  std::array<std::vector<Bottleneck>, 3> stages_;
};

}  // namespace vergence::predictors
