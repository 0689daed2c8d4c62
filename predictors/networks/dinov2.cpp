// SPDX-License-Identifier: Apache-2.0
#include "predictors/networks/dinov2.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

constexpr std::int64_t kGrid = 37;  // patches along a side of the pictures of training, 518 px

std::int64_t hidden_channels(const DinoV2Shape& shape) {
  // SwiGLU has two inputs: 2/3 of the size for the same number of parameters, in steps of 8.
  if (shape.swiglu) return (4 * shape.channels * 2 / 3 + 7) / 8 * 8;
  return 4 * shape.channels;
}

}  // namespace

std::optional<DinoV2Shape> dinov2_shape(const std::string& size) {
  if (size == "vits") return DinoV2Shape{.channels = 384, .blocks = 12, .heads = 6};
  if (size == "vitb") return DinoV2Shape{.channels = 768, .blocks = 12, .heads = 12};
  if (size == "vitl") return DinoV2Shape{.channels = 1024, .blocks = 24, .heads = 16};
  if (size == "vitg") {
    return DinoV2Shape{.channels = 1536, .blocks = 40, .heads = 24, .swiglu = true};
  }
  return std::nullopt;
}

DinoV2::DinoV2(Parameters& parameters, const std::string& prefix, const DinoV2Shape& shape)
    : shape_(shape),
      class_token_(parameters.take(prefix + "cls_token", {1, 1, shape.channels})),
      position_embedding_(
          parameters.take(prefix + "pos_embed", {1, 1 + kGrid * kGrid, shape.channels})),
      patches_(
          parameters,
          parameters.take(prefix + "patch_embed.proj.weight", {shape.channels, 3, kPatch, kPatch})
              .reshape({shape.channels, 3 * kPatch * kPatch}),
          parameters.take(prefix + "patch_embed.proj.bias", {shape.channels})),
      norm_(parameters, prefix + "norm", shape.channels) {
  parameters.skip(prefix + "mask_token", {1, shape.channels});  // of the training
  if (shape.registers > 0) {
    register_tokens_ =
        parameters.take(prefix + "register_tokens", {1, shape.registers, shape.channels});
  }
  for (std::int64_t i = 0; i < shape.blocks; ++i) {
    blocks_.push_back(take_block(parameters, fmt::format("{}blocks.{}.", prefix, i)));
  }
}

DinoV2::Block DinoV2::take_block(Parameters& parameters, const std::string& name) const {
  const std::int64_t channels = shape_.channels;
  const std::int64_t hidden = hidden_channels(shape_);
  const std::string in = shape_.swiglu ? "mlp.w12" : "mlp.fc1";
  const std::string out = shape_.swiglu ? "mlp.w3" : "mlp.fc2";
  return {.norm1 = {parameters, name + "norm1", channels},
          .norm2 = {parameters, name + "norm2", channels},
          .qkv = {parameters, name + "attn.qkv", channels, 3 * channels},
          .projection =
              scaled_linear(parameters, name + "attn.proj", name + "ls1.gamma", channels, channels),
          .in = {parameters, name + in, channels, shape_.swiglu ? 2 * hidden : hidden},
          .out = scaled_linear(parameters, name + out, name + "ls2.gamma", hidden, channels)};
}

Tensor DinoV2::positions(std::int64_t rows, std::int64_t columns) const {
  if (rows == kGrid && columns == kGrid) return position_embedding_;
  const std::lock_guard lock(mutex_);
  Tensor& cached = positions_[{rows, columns}];
  if (!cached.defined()) {
    // The official code resamples by these factors rather than to a size.
    const double vertical = (static_cast<double>(rows) + 0.1) / kGrid;
    const double horizontal = (static_cast<double>(columns) + 0.1) / kGrid;
    const Tensor grid = position_embedding_.narrow(1, 1, kGrid * kGrid)
                            .reshape({1, kGrid, kGrid, shape_.channels})
                            .permute({0, 3, 1, 2});
    const Tensor resized = at::upsample_bicubic2d(grid, {rows, columns}, /*align_corners=*/false,
                                                  vertical, horizontal);
    cached = at::cat({position_embedding_.narrow(1, 0, 1),
                      resized.permute({0, 2, 3, 1}).reshape({1, -1, shape_.channels})},
                     1);
  }
  return cached;
}

Tensor DinoV2::tokens(const Tensor& picture) const {
  const std::int64_t batch = picture.size(0);
  const std::int64_t rows = picture.size(2) / kPatch;
  const std::int64_t columns = picture.size(3) / kPatch;
  const Tensor pixels = picture.view({batch, 3, rows, kPatch, columns, kPatch})
                            .permute({0, 2, 4, 1, 3, 5})
                            .reshape({batch, rows * columns, 3 * kPatch * kPatch});
  const Tensor patches = patches_(pixels).to(at::kFloat);
  const Tensor first = class_token_.expand({batch, 1, shape_.channels});
  Tensor x = at::cat({first, patches}, 1).add_(positions(rows, columns));
  if (!register_tokens_.defined()) return x;
  const Tensor registers = register_tokens_.expand({batch, shape_.registers, shape_.channels});
  return at::cat({x.narrow(1, 0, 1), registers, x.narrow(1, 1, rows * columns)}, 1);
}

Tensor DinoV2::through(const Block& block, Tensor x) const {
  x = block.projection.added_to(x, self_attention(block.qkv(block.norm1(x)), shape_.heads));
  if (!shape_.swiglu) {
    return block.out.added_to(x, block.in(block.norm2(x), Activation::kGelu));
  }
  const Tensor both = block.in(block.norm2(x));
  const std::int64_t hidden = both.size(2) / 2;
  const Tensor gated = at::silu(both.narrow(2, 0, hidden)).mul_(both.narrow(2, hidden, hidden));
  return block.out.added_to(x, gated);
}

std::vector<Tensor> DinoV2::features(const Tensor& picture,
                                     const std::array<std::int64_t, 4>& taps) const {
  const std::int64_t rows = picture.size(2) / kPatch;
  const std::int64_t columns = picture.size(3) / kPatch;
  std::vector<Tensor> features;
  Tensor x = tokens(picture);
  for (std::int64_t i = 0; i <= taps.back(); ++i) {
    x = through(blocks_[static_cast<std::size_t>(i)], x);
    if (std::find(taps.begin(), taps.end(), i) == taps.end()) continue;
    features.push_back(norm_(x)
                           .narrow(1, 1 + shape_.registers, rows * columns)
                           .reshape({x.size(0), rows, columns, shape_.channels})
                           .permute({0, 3, 1, 2}));
  }
  return features;
}

}  // namespace vergence::predictors
