// SPDX-License-Identifier: Apache-2.0
// ResNeXt-101 32x8d (Xie et al., "Aggregated Residual Transformations for Deep Neural Networks",
// 2017; weights first trained as in Mahajan et al., "Exploring the Limits of Weakly Supervised
// Pretraining", 2018).
#include "predictors/networks/folded_conv.hpp"
#include "predictors/networks/midas.hpp"

#include <optional>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

constexpr double kNormEpsilon = 1e-5;
constexpr std::int64_t kStemChannels = 64;
constexpr std::int64_t kGroups = 32;

struct StageRow {
  const char* name;
  int blocks;
  std::int64_t inside, channels, stride;
};

constexpr std::array<StageRow, 4> kStages = {{
    {"layer1.4", 3, 256, 256, 1},
    {"layer2", 4, 512, 512, 2},
    {"layer3", 23, 1024, 1024, 2},
    {"layer4", 3, 2048, 2048, 2},
}};

Conv folded(Parameters& parameters, const std::string& conv, const std::string& norm,
            const ConvShape& shape) {
  const auto [weight, bias] = take_folded(
      parameters, conv, norm, {shape.out, shape.in, shape.kernel, shape.kernel}, kNormEpsilon);
  return {parameters, weight, bias, shape};
}

struct Bottleneck {
  Conv reduce;
  GroupedConv filter;
  Conv expand;
  std::optional<Conv> shortcut;

  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    const Tensor filtered = filter(reduce(x, Activation::kRelu)).relu_();
    return expand.added_to(shortcut ? (*shortcut)(x) : x, filtered).relu_();
  }
};

Bottleneck take_block(Parameters& parameters, const StageRow& stage, int index, std::int64_t in) {
  const std::string name = fmt::format("pretrained.{}.{}.", stage.name, index);
  const std::int64_t stride = index == 0 ? stage.stride : 1;
  const auto filter = take_folded(parameters, name + "conv2", name + "bn2",
                                  {stage.inside, stage.inside / kGroups, 3, 3}, kNormEpsilon);
  std::optional<Conv> shortcut;
  if (index == 0) {
    shortcut =
        folded(parameters, name + "downsample.0", name + "downsample.1",
               {.in = in, .out = stage.channels, .kernel = 1, .stride = stride, .padding = 0});
  }
  return {.reduce = folded(parameters, name + "conv1", name + "bn1",
                           {.in = in, .out = stage.inside, .kernel = 1, .padding = 0}),
          .filter = {parameters, filter, kGroups, stride, /*padding=*/1},
          .expand = folded(parameters, name + "conv3", name + "bn3",
                           {.in = stage.inside, .out = stage.channels, .kernel = 1, .padding = 0}),
          .shortcut = std::move(shortcut)};
}

class ResNext101 : public LevelEncoder {
 public:
  explicit ResNext101(Parameters& parameters)
      : stem_(folded(parameters, "pretrained.layer1.0", "pretrained.layer1.1",
                     {.in = 3, .out = kStemChannels, .kernel = 7, .stride = 2, .padding = 3})) {
    std::int64_t channels = kStemChannels;
    for (std::size_t level = 0; level < kStages.size(); ++level) {
      for (int index = 0; index < kStages[level].blocks; ++index) {
        levels_[level].push_back(take_block(parameters, kStages[level], index, channels));
        channels = kStages[level].channels;
      }
    }
  }

  [[nodiscard]] std::array<Tensor, 4> levels(const Tensor& picture) const override {
    std::array<Tensor, 4> result;
    Tensor x = at::max_pool2d(stem_(picture, Activation::kRelu), 3, 2, 1);
    for (std::size_t level = 0; level < result.size(); ++level) {
      for (const Bottleneck& block : levels_[level]) x = block(x);
      result[level] = x;
    }
    return result;
  }

 private:
  Conv stem_;
  std::array<std::vector<Bottleneck>, 4> levels_;
};

}  // namespace

std::unique_ptr<LevelEncoder> make_resnext101(Parameters& parameters) {
  return std::make_unique<ResNext101>(parameters);
}

}  // namespace vergence::predictors
