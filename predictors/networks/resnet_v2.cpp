// SPDX-License-Identifier: Apache-2.0
#include "predictors/networks/resnet_v2.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

constexpr std::int64_t kStemChannels = 64;
constexpr std::int64_t kGroups = 32;
constexpr double kNormEpsilon = 1e-5;
constexpr double kWeightEpsilon = 1e-8;
constexpr std::array<int, 3> kBlocks = {3, 4, 9};

// Every filter with mean 0 and variance 1.
Tensor standardised(const Tensor& weight) {
  const Tensor filters = weight.flatten(1);
  const Tensor centred = filters - filters.mean(1, /*keepdim=*/true);
  const Tensor variance = centred.square().mean(1, /*keepdim=*/true);
  return (centred / (variance + kWeightEpsilon).sqrt()).view_as(weight);
}

}  // namespace

HybridResNet::GroupNorm::GroupNorm(Parameters& parameters, const std::string& name,
                                   std::int64_t channels)
    : weight(parameters.take(name + ".weight", {channels})),
      bias(parameters.take(name + ".bias", {channels})) {}

Tensor HybridResNet::GroupNorm::operator()(const Tensor& x) const {
  return at::group_norm(x.to(at::kFloat), kGroups, weight, bias, kNormEpsilon);
}

HybridResNet::NormedConv::NormedConv(Parameters& parameters, const std::string& conv_name,
                                     const std::string& norm_name, const ConvShape& shape)
    : kernel(shape.kernel),
      stride(shape.stride),
      conv(parameters,
           standardised(parameters.take(conv_name + ".weight",
                                        {shape.out, shape.in, shape.kernel, shape.kernel})),
           {}, shape),
      norm(parameters, norm_name, shape.out) {}

Tensor HybridResNet::NormedConv::operator()(const Tensor& x) const {
  return norm(conv(stride == 1 ? x : pad_same(x, kernel, stride)));
}

Tensor HybridResNet::Bottleneck::operator()(const Tensor& x) const {
  const Tensor filtered = filter(reduce(x).relu_()).relu_();
  return expand(filtered).add_(shortcut ? (*shortcut)(x) : x).relu_();
}

HybridResNet::Bottleneck HybridResNet::take_block(Parameters& parameters, const std::string& name,
                                                  std::int64_t in, std::int64_t out,
                                                  std::int64_t stride) {
  const std::int64_t inside = out / 4;
  std::optional<NormedConv> shortcut;
  if (in != out) {
    shortcut.emplace(parameters, name + "downsample.conv", name + "downsample.norm",
                     ConvShape{.in = in, .out = out, .kernel = 1, .stride = stride, .padding = 0});
  }
  return {
      .reduce = {parameters,
                 name + "conv1",
                 name + "norm1",
                 {.in = in, .out = inside, .kernel = 1, .padding = 0}},
      .filter = {parameters,
                 name + "conv2",
                 name + "norm2",
                 {.in = inside, .out = inside, .stride = stride, .padding = stride == 1 ? 1 : 0}},
      .expand = {parameters,
                 name + "conv3",
                 name + "norm3",
                 {.in = inside, .out = out, .kernel = 1, .padding = 0}},
      .shortcut = std::move(shortcut)};
}

HybridResNet::HybridResNet(Parameters& parameters, const std::string& prefix)
    : stem_(parameters, prefix + "stem.conv", prefix + "stem.norm",
            {.in = 3, .out = kStemChannels, .kernel = 7, .stride = 2, .padding = 0}) {
  std::int64_t in = kStemChannels;
  std::int64_t out = 4 * kStemChannels;
  for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
    for (int i = 0; i < kBlocks[stage]; ++i) {
      const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      const std::string name = fmt::format("{}stages.{}.blocks.{}.", prefix, stage, i);
      stages_[stage].push_back(take_block(parameters, name, in, out, stride));
      in = out;
    }
    out *= 2;
  }
}

std::array<Tensor, 3> HybridResNet::operator()(const Tensor& picture) const {
  // Behind a ReLU, zeros around the picture do not change a maximum.
  Tensor x = at::max_pool2d(pad_same(stem_(picture).relu_(), 3, 2), 3, 2);
  std::array<Tensor, 3> result;
  for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
    for (const Bottleneck& block : stages_[stage]) x = block(x);
    result[stage] = x;
  }
  return result;
}

}  // namespace vergence::predictors
