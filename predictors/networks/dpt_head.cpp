// SPDX-License-Identifier: Apache-2.0
#include "predictors/networks/dpt_head.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {

using at::Tensor;

FusionPyramid::Residual::Residual(Parameters& parameters, const std::string& name,
                                  std::int64_t features, bool is_classic)
    : first(parameters, name + ".conv1", {.in = features, .out = features}),
      second(parameters, name + ".conv2", {.in = features, .out = features}),
      classic(is_classic) {}

Tensor FusionPyramid::Residual::operator()(const Tensor& x) const {
  const Tensor inner = first.of_rectified(x, Activation::kRelu);
  return second.added_to(classic ? x.relu() : x, inner);
}

FusionPyramid::FusionPyramid(Parameters& parameters, const std::string& prefix,
                             const FusionShape& shape) {
  for (std::size_t i = 0; i < shape.channels.size(); ++i) {
    levels_.push_back(take_level(parameters, prefix, i, shape));
  }
}

FusionPyramid::FusionPyramid(Parameters& parameters, const std::string& prefix,
                             const std::array<std::int64_t, 4>& channels, std::int64_t features)
    : FusionPyramid(parameters, prefix,
                    {.channels = channels, .features = {features, features, features, features}}) {}

FusionPyramid::Level FusionPyramid::take_level(Parameters& parameters, const std::string& prefix,
                                               std::size_t level, const FusionShape& shape) {
  const std::string fusion = fmt::format("{}refinenet{}.", prefix, level + 1);
  const std::int64_t features = shape.features[level];
  std::optional<Residual> lateral;
  if (level < 3) {
    lateral.emplace(parameters, fusion + "resConfUnit1", features, shape.classic);
  } else {
    for (const char* conv : {"conv1", "conv2"}) {
      const std::string name = fmt::format("{}resConfUnit1.{}", fusion, conv);
      parameters.skip(name + ".weight", {features, features, 3, 3});
      parameters.skip(name + ".bias", {features});
    }
  }
  std::optional<Conv> exit;
  if (!shape.classic) {
    const std::int64_t out = shape.features[level == 0 ? 0 : level - 1];
    exit.emplace(parameters, fusion + "out_conv",
                 ConvShape{.in = features, .out = out, .kernel = 1, .padding = 0});
  }
  return {.entry = {parameters,
                    fmt::format("{}layer{}_rn", prefix, level + 1),
                    {.in = shape.channels[level], .out = features, .bias = false}},
          .lateral = std::move(lateral),
          .refine = {parameters, fusion + "resConfUnit2", features, shape.classic},
          .exit = std::move(exit)};
}

Tensor FusionPyramid::operator()(const std::array<Tensor, 4>& levels) const {
  const Tensor map = finest(levels);
  return resize_bilinear(map, 2 * map.size(2), 2 * map.size(3), /*align_corners=*/true);
}

Tensor FusionPyramid::finest(const std::array<Tensor, 4>& levels) const {
  std::array<Tensor, 4> entries;
  for (std::size_t i = 0; i < levels.size(); ++i) entries[i] = levels_[i].entry(levels[i]);
  Tensor path;
  for (std::size_t i = levels.size(); i-- > 0;) {
    const Level& level = levels_[i];
    path = level.lateral ? (*level.lateral)(entries[i]).add_(path) : entries[i];
    // The 1x1 convolution before the resampling gives the same as after it, on a quarter of the
    // pixels: the weights of a resampled pixel add up to one.
    path = level.refine(path);
    if (level.exit) path = (*level.exit)(path);
    if (i == 0) break;
    path = resize_bilinear(path, entries[i - 1].size(2), entries[i - 1].size(3),
                           /*align_corners=*/true);
  }
  return path;
}

}  // namespace vergence::predictors
