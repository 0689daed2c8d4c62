// SPDX-License-Identifier: Apache-2.0
#include "predictors/networks/vision_transformer.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

constexpr std::int64_t kGrid = 24;  // patches along a side of the pictures of training, 384 px

TransformerBlock take_block(Parameters& parameters, const std::string& name,
                            std::int64_t channels) {
  const std::int64_t hidden = 4 * channels;
  return {.norm1 = {parameters, name + "norm1", channels},
          .norm2 = {parameters, name + "norm2", channels},
          .qkv = {parameters, name + "attn.qkv", channels, 3 * channels},
          .projection = {parameters, name + "attn.proj", channels, channels},
          .in = {parameters, name + "mlp.fc1", channels, hidden},
          .out = {parameters, name + "mlp.fc2", hidden, channels}};
}

}  // namespace

Tensor TransformerBlock::operator()(Tensor x, std::int64_t heads, const Tensor& bias) const {
  x = projection.added_to(x, self_attention(qkv(norm1(x)), heads, bias));
  return out.added_to(x, in(norm2(x), Activation::kGelu));
}

Tensor tokens_of(const Tensor& patches, const Tensor& class_token) {
  const Tensor tokens = patches.flatten(2).transpose(1, 2).to(at::kFloat);
  return at::cat({class_token.expand({tokens.size(0), 1, tokens.size(2)}), tokens}, 1);
}

VisionTransformer::VisionTransformer(Parameters& parameters, const std::string& prefix,
                                     const TransformerShape& shape)
    : shape_(shape),
      class_token_(parameters.take(prefix + "cls_token", {1, 1, shape.channels})),
      position_embedding_(
          parameters.take(prefix + "pos_embed", {1, 1 + kGrid * kGrid, shape.channels})) {
  for (std::int64_t i = 0; i < shape.blocks; ++i) {
    const std::string name = fmt::format("{}blocks.{}.", prefix, i);
    blocks_.push_back(take_block(parameters, name, shape.channels));
  }
}

Tensor VisionTransformer::positions(std::int64_t rows, std::int64_t columns) const {
  if (rows == kGrid && columns == kGrid) return position_embedding_;
  const auto resampled = [&] {
    const Tensor grid = position_embedding_.narrow(1, 1, kGrid * kGrid)
                            .reshape({1, kGrid, kGrid, shape_.channels})
                            .permute({0, 3, 1, 2});
    const Tensor sized = at::upsample_bilinear2d(grid, {rows, columns}, /*align_corners=*/false);
    return std::vector<Tensor>{tokens_of(sized, position_embedding_.narrow(1, 0, 1))};
  };
  return positions_.get(rows, columns, resampled).front();
}

std::vector<Tensor> VisionTransformer::operator()(const Tensor& patches,
                                                  const std::vector<std::int64_t>& taps) const {
  Tensor x = tokens_of(patches, class_token_);
  x.add_(positions(patches.size(2), patches.size(3)));
  std::vector<Tensor> tapped;
  for (std::int64_t i = 0; i <= taps.back(); ++i) {
    x = blocks_[static_cast<std::size_t>(i)](x, shape_.heads);
    // A block works in the memory of its input.
    if (std::find(taps.begin(), taps.end(), i) != taps.end()) tapped.push_back(x.clone());
  }
  return tapped;
}

}  // namespace vergence::predictors
