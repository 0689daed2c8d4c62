// SPDX-License-Identifier: Apache-2.0
// The vision transformer of the DPT networks (Dosovitskiy et al., "An Image is Worth 16x16 Words",
// 2021), and the block that it shares with BEiT.
#pragma once

#include "predictors/networks/vit.hpp"

#include <array>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace vergence::predictors {

struct TransformerShape {
  std::int64_t channels, blocks, heads;
};

struct TransformerBlock {
  LayerNorm norm1, norm2;
  Linear qkv, projection, in, out;

  // x [N, T, C], whose memory is taken; bias [heads, T, T] or undefined.
  [[nodiscard]] at::Tensor operator()(at::Tensor x, std::int64_t heads,
                                      const at::Tensor& bias = {}) const;
};

// What depends on the input's size in patches and not on the picture, kept for the next picture.
// A video has one size and a folder of photos a few: with more of them, all is worked out anew.
class PerSize {
 public:
  // Called from several threads. `make` gives what is not there yet.
  template <class Make>
  std::vector<at::Tensor> get(std::int64_t rows, std::int64_t columns, const Make& make) {
    constexpr std::size_t kMostSizes = 8;
    const std::lock_guard lock(mutex_);
    const auto found = values_.find({rows, columns});
    if (found != values_.end()) return found->second;
    if (values_.size() == kMostSizes) values_.clear();
    return values_[{rows, columns}] = make();
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<at::Tensor>> values_;
};

class VisionTransformer {
 public:
  // Takes cls_token, pos_embed and blocks.N under PREFIX and the names of the official code.
  VisionTransformer(Parameters& parameters, const std::string& prefix,
                    const TransformerShape& shape);

  // patches [N, C, rows, columns] -> the tokens [N, 1 + rows * columns, C], class token first,
  // after each of the `taps` (block numbers from 0, in order).
  [[nodiscard]] std::vector<at::Tensor> operator()(const at::Tensor& patches,
                                                   const std::vector<std::int64_t>& taps) const;

 private:
  [[nodiscard]] at::Tensor positions(std::int64_t rows, std::int64_t columns) const;

  TransformerShape shape_;
  at::Tensor class_token_;         // [1, 1, C]
  at::Tensor position_embedding_;  // [1, 1 + 24 * 24, C]
  std::vector<TransformerBlock> blocks_;
  mutable PerSize positions_;
};

// patches [N, C, rows, columns] behind the class token [1, 1, C] -> [N, 1 + rows * columns, C], as
// floats whatever the patches are.
[[nodiscard]] at::Tensor tokens_of(const at::Tensor& patches, const at::Tensor& class_token);

}  // namespace vergence::predictors
