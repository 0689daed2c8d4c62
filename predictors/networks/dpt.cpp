// SPDX-License-Identifier: Apache-2.0
// The encoders of DPT-Large and DPT-Hybrid (Ranftl et al., "Vision Transformers for Dense
// Prediction", 2021).
#include "predictors/networks/midas.hpp"
#include "predictors/networks/resnet_v2.hpp"
#include "predictors/networks/vision_transformer.hpp"

#include <ATen/ATen.h>

namespace vergence::predictors {
namespace {

using at::Tensor;
using Scale = Reassemble::Scale;

const std::string kModel = "pretrained.model.";
constexpr std::int64_t kClasses = 1000;
constexpr std::int64_t kPatch = 16;  // px

// The files hold what the classifier had behind the last tapped block.
void skip_classifier(Parameters& parameters, std::int64_t channels) {
  parameters.skip(kModel + "norm.weight", {channels});
  parameters.skip(kModel + "norm.bias", {channels});
  parameters.skip(kModel + "head.weight", {kClasses, channels});
  parameters.skip(kModel + "head.bias", {kClasses});
}

class VitLarge : public LevelEncoder {
 public:
  explicit VitLarge(Parameters& parameters)
      : patches_(parameters, kModel + "patch_embed.proj",
                 {.in = 3, .out = kChannels, .kernel = kPatch, .stride = kPatch, .padding = 0}),
        transformer_(parameters, kModel, {.channels = kChannels, .blocks = 24, .heads = 16}),
        reassemble_{{{parameters, 1, kChannels, 256, Scale::kTimes4},
                     {parameters, 2, kChannels, 512, Scale::kTimes2},
                     {parameters, 3, kChannels, 1024, Scale::kSame},
                     {parameters, 4, kChannels, 1024, Scale::kHalf}}} {
    skip_classifier(parameters, kChannels);
  }

  [[nodiscard]] std::array<Tensor, 4> levels(const Tensor& picture) const override {
    const Tensor patches = patches_(picture);
    const std::vector<Tensor> tokens = transformer_(patches, {5, 11, 17, 23});
    std::array<Tensor, 4> result;
    for (std::size_t i = 0; i < result.size(); ++i) {
      result[i] = reassemble_[i](tokens[i], patches.size(2), patches.size(3));
    }
    return result;
  }

 private:
  static constexpr std::int64_t kChannels = 1024;

  Conv patches_;
  VisionTransformer transformer_;
  std::array<Reassemble, 4> reassemble_;
};

class VitHybrid : public LevelEncoder {
 public:
  explicit VitHybrid(Parameters& parameters)
      : resnet_(parameters, kModel + "patch_embed.backbone."),
        patches_(parameters, kModel + "patch_embed.proj",
                 {.in = 1024, .out = kChannels, .kernel = 1, .padding = 0}),
        transformer_(parameters, kModel, {.channels = kChannels, .blocks = 12, .heads = 12}),
        third_(parameters, 3, kChannels, kChannels, Scale::kSame),
        fourth_(parameters, 4, kChannels, kChannels, Scale::kHalf) {
    skip_classifier(parameters, kChannels);
  }

  [[nodiscard]] std::array<Tensor, 4> levels(const Tensor& picture) const override {
    const std::array<Tensor, 3> stages = resnet_(picture);
    const Tensor patches = patches_(stages[2]);
    const std::int64_t rows = patches.size(2);
    const std::int64_t columns = patches.size(3);
    const std::vector<Tensor> tokens = transformer_(patches, {8, 11});
    return {stages[0], stages[1], third_(tokens[0], rows, columns),
            fourth_(tokens[1], rows, columns)};
  }

 private:
  static constexpr std::int64_t kChannels = 768;

  HybridResNet resnet_;
  Conv patches_;
  VisionTransformer transformer_;
  Reassemble third_, fourth_;
};

}  // namespace

std::unique_ptr<LevelEncoder> make_vit_large(Parameters& parameters) {
  return std::make_unique<VitLarge>(parameters);
}

std::unique_ptr<LevelEncoder> make_vit_hybrid(Parameters& parameters) {
  return std::make_unique<VitHybrid>(parameters);
}

}  // namespace vergence::predictors
