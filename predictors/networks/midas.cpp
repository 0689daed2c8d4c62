// SPDX-License-Identifier: Apache-2.0
// The MiDaS networks: an encoder, a fusion of its four levels, a head that gives disparity.
#include "predictors/networks/midas.hpp"

#include "predictors/networks/dpt_head.hpp"

#include <algorithm>

#include <ATen/ATen.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

struct Member {
  std::string_view family;
  std::unique_ptr<LevelEncoder> (*encoder)(Parameters&);
  FusionShape fusion;
  bool head_aligns_corners;
};

constexpr std::array<std::int64_t, 4> kDptFeatures = {256, 256, 256, 256};
constexpr FusionShape kLargeFusion = {.channels = {256, 512, 1024, 1024}, .features = kDptFeatures};
constexpr FusionShape kHybridFusion = {.channels = {256, 512, 768, 768}, .features = kDptFeatures};

constexpr std::array<Member, 6> kMembers = {{
    {"midas_v21_small",
     make_efficientnet_lite3,
     {.channels = {32, 48, 136, 384}, .features = {64, 128, 256, 512}},
     false},
    {"midas_v21_large",
     make_resnext101,
     {.channels = {256, 512, 1024, 2048}, .features = kDptFeatures, .classic = true},
     false},
    {"dpt_large", make_vit_large, kLargeFusion, true},
    {"dpt_hybrid", make_vit_hybrid, kHybridFusion, true},
    {"midas_v31_beit_large_512", make_beit_large_512, kLargeFusion, true},
    {"midas_v31_beit_large_384", make_beit_large_384, kLargeFusion, true},
}};

class Midas : public TorchNetwork {
 public:
  Midas(Parameters& parameters, const Member& member)
      : encoder_(member.encoder(parameters)),
        pyramid_(parameters, "scratch.", member.fusion),
        head_(parameters, member.fusion.features[0], member.head_aligns_corners) {}

  [[nodiscard]] Tensor forward(const Tensor& batch) const override {
    return head_(
        pyramid_.finest(encoder_->levels(batch.contiguous(at::MemoryFormat::ChannelsLast))));
  }

 private:
  std::unique_ptr<LevelEncoder> encoder_;
  FusionPyramid pyramid_;
  DisparityHead head_;
};

}  // namespace

std::unique_ptr<TorchNetwork> make_midas(const std::string& family, Parameters& parameters) {
  const auto member = std::find_if(kMembers.begin(), kMembers.end(),
                                   [&](const Member& row) { return row.family == family; });
  if (member == kMembers.end()) return nullptr;
  return std::make_unique<Midas>(parameters, *member);
}

}  // namespace vergence::predictors
