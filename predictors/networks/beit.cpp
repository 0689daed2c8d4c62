// SPDX-License-Identifier: Apache-2.0
// BEiT-Large (Bao et al., "BEiT: BERT Pre-Training of Image Transformers", 2022) as the encoder of
// MiDaS v3.1 (Birkl et al., "MiDaS v3.1", 2023): every block has a table of attention biases by
// relative position, which is resampled for inputs of another size than the training's.
#include "predictors/networks/midas.hpp"
#include "predictors/networks/vision_transformer.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using at::Tensor;
using Scale = Reassemble::Scale;

const std::string kModel = "pretrained.model.";
constexpr TransformerShape kLarge = {.channels = 1024, .blocks = 24, .heads = 16};
constexpr std::int64_t kClasses = 1000;
constexpr std::int64_t kPatch = 16;  // px
// The last entries of a table: from the class token, to it, and from it to itself.
constexpr std::int64_t kClassEntries = 3;

// The keys have no bias: one that is the same for all keys changes no softmax.
Linear take_qkv(Parameters& parameters, const std::string& name, std::int64_t channels) {
  const Tensor weight = parameters.take(name + "qkv.weight", {3 * channels, channels});
  const Tensor query_bias = parameters.take(name + "q_bias", {channels});
  const Tensor value_bias = parameters.take(name + "v_bias", {channels});
  return {parameters, weight, at::cat({query_bias, at::zeros_like(query_bias), value_bias})};
}

TransformerBlock take_block(Parameters& parameters, const std::string& name,
                            std::int64_t channels) {
  const std::int64_t hidden = 4 * channels;
  return {.norm1 = {parameters, name + "norm1", channels},
          .norm2 = {parameters, name + "norm2", channels},
          .qkv = take_qkv(parameters, name + "attn.", channels),
          .projection =
              scaled_linear(parameters, name + "attn.proj", name + "gamma_1", channels, channels),
          .in = {parameters, name + "mlp.fc1", channels, hidden},
          .out = scaled_linear(parameters, name + "mlp.fc2", name + "gamma_2", hidden, channels)};
}

// For every pair (query, key) of tokens the table's entry: [T * T], T = 1 + rows * columns.
Tensor table_entries(std::int64_t rows, std::int64_t columns) {
  const std::int64_t width = 2 * columns - 1;
  const std::int64_t first_class_entry = (2 * rows - 1) * width;
  const std::int64_t count = 1 + rows * columns;
  const Tensor row = at::arange(rows).repeat_interleave(columns);
  const Tensor column = at::arange(columns).repeat(rows);
  const Tensor apart =
      (row.unsqueeze(1) - row + rows - 1) * width + (column.unsqueeze(1) - column + columns - 1);
  Tensor entries = at::empty({count, count}, at::kLong);
  entries.narrow(0, 1, count - 1).narrow(1, 1, count - 1).copy_(apart);
  entries.select(0, 0).fill_(first_class_entry);
  entries.select(1, 0).fill_(first_class_entry + 1);
  entries.select(0, 0).select(0, 0).fill_(first_class_entry + 2);
  return entries.flatten();
}

class BeitLarge : public LevelEncoder {
 public:
  // `window`: side of the training's pictures in patches.
  BeitLarge(Parameters& parameters, std::int64_t window)
      : window_(window),
        class_token_(parameters.take(kModel + "cls_token", {1, 1, kLarge.channels})),
        patches_(
            parameters, kModel + "patch_embed.proj",
            {.in = 3, .out = kLarge.channels, .kernel = kPatch, .stride = kPatch, .padding = 0}),
        reassemble_{{{parameters, 1, kLarge.channels, 256, Scale::kTimes4},
                     {parameters, 2, kLarge.channels, 512, Scale::kTimes2},
                     {parameters, 3, kLarge.channels, 1024, Scale::kSame},
                     {parameters, 4, kLarge.channels, 1024, Scale::kHalf}}} {
    const std::int64_t tokens = 1 + window * window;
    const std::int64_t entries = (2 * window - 1) * (2 * window - 1) + kClassEntries;
    for (std::int64_t i = 0; i < kLarge.blocks; ++i) {
      const std::string name = fmt::format("{}blocks.{}.", kModel, i);
      blocks_.push_back(take_block(parameters, name, kLarge.channels));
      tables_.push_back(
          parameters.take(name + "attn.relative_position_bias_table", {entries, kLarge.heads}));
      // Follows from the size, so it is worked out for the size at hand.
      parameters.skip(name + "attn.relative_position_index", {tokens, tokens});
    }
    // Of the classifier behind the last block.
    parameters.skip(kModel + "fc_norm.weight", {kLarge.channels});
    parameters.skip(kModel + "fc_norm.bias", {kLarge.channels});
    parameters.skip(kModel + "head.weight", {kClasses, kLarge.channels});
    parameters.skip(kModel + "head.bias", {kClasses});
  }

  [[nodiscard]] std::array<Tensor, 4> levels(const Tensor& picture) const override {
    constexpr std::array<std::size_t, 4> kTaps = {5, 11, 17, 23};
    const Tensor patches = patches_(picture);
    const std::int64_t rows = patches.size(2);
    const std::int64_t columns = patches.size(3);
    const std::vector<Tensor> tables =
        biases_.get(rows, columns, [&] { return resampled_tables(rows, columns); });
    Tensor x = tokens_of(patches, class_token_);
    std::array<Tensor, 4> result;
    for (std::size_t i = 0, level = 0; i < blocks_.size(); ++i) {
      x = blocks_[i](x, kLarge.heads, bias(tables[i], tables.back()));
      if (i == kTaps[level]) {
        result[level] = reassemble_[level](x, rows, columns);
        ++level;
      }
    }
    return result;
  }

 private:
  // The table [heads, entries] of every block for this size, then which entry belongs to which pair
  // of tokens. The biases of all pairs of all blocks would take as much memory as the weights.
  [[nodiscard]] std::vector<Tensor> resampled_tables(std::int64_t rows,
                                                     std::int64_t columns) const {
    const std::int64_t side = 2 * window_ - 1;
    std::vector<Tensor> result;
    for (const Tensor& table : tables_) {
      const Tensor by_head = table.t().contiguous();
      const Tensor places =
          by_head.narrow(1, 0, side * side).reshape({1, kLarge.heads, side, side});
      const Tensor sized = at::upsample_bilinear2d(places, {2 * rows - 1, 2 * columns - 1},
                                                   /*align_corners=*/false);
      result.push_back(at::cat(
          {sized.view({kLarge.heads, -1}), by_head.narrow(1, side * side, kClassEntries)}, 1));
    }
    result.push_back(table_entries(rows, columns).to(class_token_.device()));
    return result;
  }

  // [heads, T, T]
  [[nodiscard]] static Tensor bias(const Tensor& table, const Tensor& entries) {
    const auto count = static_cast<std::int64_t>(std::lround(std::sqrt(entries.numel())));
    return table.index_select(1, entries).view({table.size(0), count, count});
  }

  std::int64_t window_;
  Tensor class_token_;
  Conv patches_;
  std::vector<TransformerBlock> blocks_;
  std::vector<Tensor> tables_;  // [entries, heads]
  std::array<Reassemble, 4> reassemble_;
  mutable PerSize biases_;
};

}  // namespace

std::unique_ptr<LevelEncoder> make_beit_large_512(Parameters& parameters) {
  return std::make_unique<BeitLarge>(parameters, 512 / kPatch);
}

std::unique_ptr<LevelEncoder> make_beit_large_384(Parameters& parameters) {
  return std::make_unique<BeitLarge>(parameters, 384 / kPatch);
}

}  // namespace vergence::predictors
