// SPDX-License-Identifier: Apache-2.0
// DINOv2 (Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", 2023; with
// registers: Darcet et al., "Vision Transformers Need Registers", 2023): the encoder of
// Depth-Anything and of other depth networks.
#pragma once

#include "predictors/networks/vit.hpp"

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace vergence::predictors {

struct DinoV2Shape {
  std::int64_t channels, blocks, heads;
  std::int64_t registers = 0;
  bool swiglu = false;  // the giant's feed-forward layer
};

// The published sizes: "vits", "vitb", "vitl", "vitg". Nothing for another word.
[[nodiscard]] std::optional<DinoV2Shape> dinov2_shape(const std::string& size);

class DinoV2 {
 public:
  static constexpr std::int64_t kPatch = 14;  // px

  // Takes its parameters under PREFIX and the names of the official code.
  DinoV2(Parameters& parameters, const std::string& prefix, const DinoV2Shape& shape);

  // picture [N, 3, 14 h, 14 w] -> what stands after each of the `taps` (block numbers from 0, in
  // order), after the final norm: patch tokens [N, C, h, w] in channels_last memory.
  [[nodiscard]] std::vector<at::Tensor> features(const at::Tensor& picture,
                                                 const std::array<std::int64_t, 4>& taps) const;

  [[nodiscard]] const DinoV2Shape& shape() const { return shape_; }

 private:
  struct Block {
    LayerNorm norm1, norm2;
    Linear qkv, projection;  // the layer scales are part of projection and out
    Linear in, out;
  };

  [[nodiscard]] Block take_block(Parameters& parameters, const std::string& name) const;
  [[nodiscard]] at::Tensor tokens(const at::Tensor& picture) const;
  [[nodiscard]] at::Tensor positions(std::int64_t rows, std::int64_t columns) const;
  [[nodiscard]] at::Tensor through(const Block& block, at::Tensor x) const;

  DinoV2Shape shape_;
  at::Tensor class_token_, register_tokens_;
  at::Tensor position_embedding_;  // [1, 1 + 37 * 37, C]
  Linear patches_;
  std::vector<Block> blocks_;
  LayerNorm norm_;

  // Position embeddings by size of the input in patches: the resampling takes longer than a block.
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::int64_t, std::int64_t>, at::Tensor> positions_;
};

}  // namespace vergence::predictors
