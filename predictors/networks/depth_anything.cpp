// SPDX-License-Identifier: Apache-2.0
// Depth-Anything V1 and V2 (Yang et al., "Depth Anything", 2024, and "Depth Anything V2", 2024):
// DINOv2 and a DPT head. The versions have the same tensors and differ in which blocks the head
// looks at; the metric networks end in a sigmoid.
#include "predictors/networks/dinov2.hpp"
#include "predictors/networks/dpt_head.hpp"

#include <regex>
#include <span>

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

struct HeadShape {
  std::array<std::int64_t, 4> channels;  // of the four levels, fine to coarse
  std::int64_t features;
};

struct Member {
  std::string size;                  // of the encoder: "vits"
  std::array<std::int64_t, 4> taps;  // blocks
  bool metric;                       // sigmoid: 0 to 1 of the card's max_depth
};

HeadShape head_shape(const std::string& size) {
  if (size == "vits") return {.channels = {48, 96, 192, 384}, .features = 64};
  if (size == "vitb") return {.channels = {96, 192, 384, 768}, .features = 128};
  if (size == "vitl") return {.channels = {256, 512, 1024, 1024}, .features = 256};
  return {.channels = {1536, 1536, 1536, 1536}, .features = 384};
}

constexpr std::int64_t kHeadChannels = 32;  // before the last convolution

class DepthAnything : public TorchNetwork {
 public:
  DepthAnything(Parameters& parameters, const Member& member)
      : DepthAnything(parameters, member, *dinov2_shape(member.size), head_shape(member.size)) {}

  [[nodiscard]] Tensor forward(const Tensor& batch) const override {
    const std::int64_t height = batch.size(2);
    const std::int64_t width = batch.size(3);
    const std::vector<Tensor> features = encoder_.features(batch, member_.taps);
    const Tensor fused =
        pyramid_.finest({expand4_(project_[0](features[0])), expand2_(project_[1](features[1])),
                         project_[2](features[2]), shrink_(project_[3](features[3]))});
    const Tensor half = conv1_.of_resized(fused, 2 * fused.size(2), 2 * fused.size(3));
    Tensor depth = conv2_.of_resized(half, height, width, Activation::kRelu, &conv3_);
    return member_.metric ? depth.to(at::kFloat).sigmoid_() : depth.relu_();
  }

 private:
  DepthAnything(Parameters& parameters, const Member& member, const DinoV2Shape& encoder,
                const HeadShape& head)
      : member_(member),
        encoder_(parameters, "pretrained.", encoder),
        expand4_(parameters, kHead + "resize_layers.0", head.channels[0], head.channels[0], 4),
        expand2_(parameters, kHead + "resize_layers.1", head.channels[1], head.channels[1], 2),
        shrink_(parameters, kHead + "resize_layers.3",
                {.in = head.channels[3], .out = head.channels[3], .stride = 2}),
        pyramid_(parameters, kHead + "scratch.", head.channels, head.features),
        conv1_(parameters, kHead + "scratch.output_conv1",
               {.in = head.features, .out = head.features / 2}),
        conv2_(parameters, kHead + "scratch.output_conv2.0",
               {.in = head.features / 2, .out = kHeadChannels}),
        conv3_(parameters, kHead + "scratch.output_conv2.2",
               {.in = kHeadChannels, .out = 1, .kernel = 1, .padding = 0}) {
    for (std::size_t i = 0; i < head.channels.size(); ++i) {
      project_.emplace_back(
          parameters, fmt::format("{}projects.{}", kHead, i),
          ConvShape{.in = encoder.channels, .out = head.channels[i], .kernel = 1, .padding = 0});
    }
  }

  inline static const std::string kHead = "depth_head.";

  Member member_;
  DinoV2 encoder_;
  std::vector<Conv> project_;
  PixelExpansion expand4_, expand2_;
  Conv shrink_;
  FusionPyramid pyramid_;
  Conv conv1_, conv2_, conv3_;
};

std::optional<Member> member_of(const std::string& family) {
  for (const std::string version :
       {"depth_anything_v2_metric_", "depth_anything_v2_", "depth_anything_v1_"}) {
    if (!family.starts_with(version)) continue;
    Member member = {.size = family.substr(version.size()),
                     .taps = {},
                     .metric = version == "depth_anything_v2_metric_"};
    const auto encoder = dinov2_shape(member.size);
    const bool giant = member.size == "vitg";
    if (!encoder || (giant && version != "depth_anything_v2_")) return std::nullopt;
    const std::int64_t last = encoder->blocks - 1;
    if (version == "depth_anything_v1_") {
      member.taps = {last - 3, last - 2, last - 1, last};
    } else if (member.size == "vitl") {
      member.taps = {4, 11, 17, 23};
    } else {
      const std::int64_t step = encoder->blocks / 4;
      member.taps = {step - 1, 2 * step - 1, 3 * step - 1, last};
    }
    return member;
  }
  return std::nullopt;
}

struct Rename {
  std::string_view official, here;
};

// `name` with the first rule that fits its start.
std::string renamed(std::string_view name, std::span<const Rename> rules) {
  for (const auto& [official, here] : rules) {
    if (name.starts_with(official)) {
      return std::string(here) + std::string(name.substr(official.size()));
    }
  }
  return std::string(name);
}

// The names in the files of Hugging Face's library transformers (DepthAnythingForDepthEstimation).
std::vector<std::string> transformers_names(const std::string& official) {
  static constexpr std::array kOutside = {
      Rename{"pretrained.cls_token", "backbone.embeddings.cls_token"},
      Rename{"pretrained.mask_token", "backbone.embeddings.mask_token"},
      Rename{"pretrained.pos_embed", "backbone.embeddings.position_embeddings"},
      Rename{"pretrained.patch_embed.proj.", "backbone.embeddings.patch_embeddings.projection."},
      Rename{"pretrained.norm.", "backbone.layernorm."},
      Rename{"depth_head.scratch.layer1_rn.", "neck.convs.0."},
      Rename{"depth_head.scratch.layer2_rn.", "neck.convs.1."},
      Rename{"depth_head.scratch.layer3_rn.", "neck.convs.2."},
      Rename{"depth_head.scratch.layer4_rn.", "neck.convs.3."},
      Rename{"depth_head.scratch.output_conv1.", "head.conv1."},
      Rename{"depth_head.scratch.output_conv2.0.", "head.conv2."},
      Rename{"depth_head.scratch.output_conv2.2.", "head.conv3."},
  };
  static constexpr std::array kBlock = {
      Rename{"attn.proj.", "attention.output.dense."}, Rename{"ls1.gamma", "layer_scale1.lambda1"},
      Rename{"ls2.gamma", "layer_scale2.lambda1"},     Rename{"mlp.w12.", "mlp.weights_in."},
      Rename{"mlp.w3.", "mlp.weights_out."},
  };
  static constexpr std::array kFusion = {
      Rename{"out_conv.", "projection."},
      Rename{"resConfUnit1.conv1.", "residual_layer1.convolution1."},
      Rename{"resConfUnit1.conv2.", "residual_layer1.convolution2."},
      Rename{"resConfUnit2.conv1.", "residual_layer2.convolution1."},
      Rename{"resConfUnit2.conv2.", "residual_layer2.convolution2."},
  };
  static const std::regex numbered(
      R"((pretrained\.blocks|depth_head\.projects|depth_head\.resize_layers|depth_head\.scratch\.refinenet)\.?(\d+)\.(.*))");
  std::smatch part;
  if (!std::regex_match(official, part, numbered)) return {renamed(official, kOutside)};
  const std::string list = part[1];
  const int number = std::stoi(part[2]);
  const std::string rest = part[3];
  if (list == "depth_head.projects") {
    return {fmt::format("neck.reassemble_stage.layers.{}.projection.{}", number, rest)};
  }
  if (list == "depth_head.resize_layers") {
    return {fmt::format("neck.reassemble_stage.layers.{}.resize.{}", number, rest)};
  }
  if (list == "depth_head.scratch.refinenet") {  // theirs go from coarse to fine
    return {fmt::format("neck.fusion_stage.layers.{}.{}", 4 - number, renamed(rest, kFusion))};
  }
  const std::string block = fmt::format("backbone.encoder.layer.{}.", number);
  if (!rest.starts_with("attn.qkv.")) return {block + renamed(rest, kBlock)};
  const std::string tensor = rest.substr(std::string_view("attn.qkv.").size());
  return {block + "attention.attention.query." + tensor,
          block + "attention.attention.key." + tensor,
          block + "attention.attention.value." + tensor};
}

// The large Distill-Any-Depth has the official names but for the encoder's.
std::vector<std::string> distill_names(const std::string& official) {
  static constexpr std::array kRules = {Rename{"pretrained.", "backbone."}};
  return {renamed(official, kRules)};
}

}  // namespace

std::unique_ptr<TorchNetwork> make_depth_anything(const std::string& family,
                                                  Parameters& parameters) {
  const auto member = member_of(family);
  if (!member) return nullptr;
  if (parameters.has("backbone.embeddings.cls_token")) {
    parameters.set_naming(transformers_names);
  } else if (parameters.has("backbone.cls_token")) {
    parameters.set_naming(distill_names);
  }
  return std::make_unique<DepthAnything>(parameters, *member);
}

}  // namespace vergence::predictors
