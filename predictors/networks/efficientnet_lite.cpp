// SPDX-License-Identifier: Apache-2.0
// EfficientNet-Lite3 (Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
// Networks", 2019; the Lite variant has ReLU6 and no squeeze-and-excitation), as trained in
// TensorFlow: its padding, and its epsilon of the norms.
#include "predictors/networks/folded_conv.hpp"
#include "predictors/networks/midas.hpp"

#include <optional>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

constexpr double kNormEpsilon = 1e-3;
constexpr std::int64_t kStemChannels = 32;

struct StageRow {
  std::size_t level;  // of the fusion
  const char* name;
  int blocks;
  std::int64_t channels, kernel, stride;
};

constexpr std::int64_t kExpansion = 6;  // of the channels inside a block; none in the first stage

constexpr std::array<StageRow, 7> kStages = {{
    {0, "layer1.3", 1, 24, 3, 1},
    {0, "layer1.4", 3, 32, 3, 2},
    {1, "layer2.0", 3, 48, 5, 2},
    {2, "layer3.0", 5, 96, 3, 2},
    {2, "layer3.1", 5, 136, 5, 1},
    {3, "layer4.0", 6, 232, 5, 2},
    {3, "layer4.1", 1, 384, 3, 1},
}};

Tensor clamped(Tensor x) {
  return x.clamp_(0.0, 6.0);
}

Conv pointwise(Parameters& parameters, const std::string& conv, const std::string& norm,
               std::int64_t in, std::int64_t out) {
  const auto [weight, bias] = take_folded(parameters, conv, norm, {out, in, 1, 1}, kNormEpsilon);
  return {parameters, weight, bias, {.in = in, .out = out, .kernel = 1, .padding = 0}};
}

// One filter per channel.
class Depthwise {
 public:
  Depthwise(Parameters& parameters, const std::string& conv, const std::string& norm,
            std::int64_t channels, const StageRow& stage, std::int64_t stride)
      : Depthwise(parameters,
                  take_folded(parameters, conv, norm, {channels, 1, stage.kernel, stage.kernel},
                              kNormEpsilon),
                  stride) {}

  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    return conv_(stride_ == 1 ? x : pad_same(x, kernel_, stride_));
  }

 private:
  Depthwise(const Parameters& parameters, const WeightAndBias& values, std::int64_t stride)
      : kernel_(values.weight.size(2)),
        stride_(stride),
        conv_(parameters, values.weight, values.bias, stride, stride == 1 ? kernel_ / 2 : 0) {}

  std::int64_t kernel_, stride_;
  DepthwiseConv conv_;
};

// Inverted residual: expand (not in the first stage), filter, project.
struct Block {
  std::optional<Conv> expand;
  Depthwise filter;
  Conv project;
  bool residual;

  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    const Tensor filtered = clamped(filter(expand ? clamped((*expand)(x)) : x));
    return residual ? project.added_to(x, filtered) : project(filtered);
  }
};

Block take_block(Parameters& parameters, const StageRow& stage, int index, std::int64_t in) {
  const std::string name = fmt::format("pretrained.{}.{}.", stage.name, index);
  const std::int64_t stride = index == 0 ? stage.stride : 1;
  const bool residual = stride == 1 && in == stage.channels;
  if (in == kStemChannels && stage.channels < in) {  // the first stage
    return {.expand = std::nullopt,
            .filter = {parameters, name + "conv_dw", name + "bn1", in, stage, stride},
            .project = pointwise(parameters, name + "conv_pw", name + "bn2", in, stage.channels),
            .residual = residual};
  }
  const std::int64_t inside = kExpansion * in;
  return {.expand = pointwise(parameters, name + "conv_pw", name + "bn1", in, inside),
          .filter = {parameters, name + "conv_dw", name + "bn2", inside, stage, stride},
          .project = pointwise(parameters, name + "conv_pwl", name + "bn3", inside, stage.channels),
          .residual = residual};
}

class EfficientNetLite3 : public LevelEncoder {
 public:
  explicit EfficientNetLite3(Parameters& parameters) : stem_(take_stem(parameters)) {
    std::int64_t channels = kStemChannels;
    for (const StageRow& stage : kStages) {
      for (int index = 0; index < stage.blocks; ++index) {
        levels_[stage.level].push_back(take_block(parameters, stage, index, channels));
        channels = stage.channels;
      }
    }
  }

  [[nodiscard]] std::array<Tensor, 4> levels(const Tensor& picture) const override {
    std::array<Tensor, 4> result;
    Tensor x = clamped(stem_(pad_same(picture, 3, 2)));
    for (std::size_t level = 0; level < result.size(); ++level) {
      for (const Block& block : levels_[level]) x = block(x);
      result[level] = x;
    }
    return result;
  }

 private:
  [[nodiscard]] static Conv take_stem(Parameters& parameters) {
    const auto [weight, bias] =
        take_folded(parameters, "pretrained.layer1.0", "pretrained.layer1.1",
                    {kStemChannels, 3, 3, 3}, kNormEpsilon);
    return {parameters, weight, bias, {.in = 3, .out = kStemChannels, .stride = 2, .padding = 0}};
  }

  Conv stem_;
  std::array<std::vector<Block>, 4> levels_;
};

}  // namespace

std::unique_ptr<LevelEncoder> make_efficientnet_lite3(Parameters& parameters) {
  return std::make_unique<EfficientNetLite3>(parameters);
}

}  // namespace vergence::predictors
