// SPDX-License-Identifier: Apache-2.0
// iw3's learned warps with the tensor names of their official checkpoints (nagadomi/nunif, MIT,
// iw3/models/row_flow_v2.py, row_flow_v3.py and mlbw.py). Input [N, 3, h, w]: nearness, strength,
// screen; output [N, C, h, w]: shifts, then the layers' weights before softmax, then the hole's
// logit.
#include "predictors/networks/window_attention.hpp"
#include "predictors/torch_network.hpp"

#include <optional>
#include <string_view>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace vergence::predictors {
namespace {

using at::Tensor;

class RowFlowV2 : public TorchNetwork {
 public:
  explicit RowFlowV2(Parameters& parameters)
      : feature_(parameters, "feature.0", {16, 3, 1, 3}),
        direct_(parameters, "non_overlap", {1, 16, 1, 1}),
        residual_{{parameters, "overlap_residual.0", {16, 16, 1, 9}},
                  {parameters, "overlap_residual.2", {32, 16, 1, 9}},
                  {parameters, "overlap_residual.4", {32, 32, 1, 9}}},
        last_(parameters, "overlap_residual.6", {1, 32, 3, 3}) {
    parameters.skip("delta_scale", {});  // for training
  }

  [[nodiscard]] Tensor forward(const Tensor& batch) const override {
    constexpr std::int64_t kBorder = 28;
    const Tensor wide = replicated(batch, kBorder, kBorder, kBorder, kBorder);
    const Tensor feature = feature_(replicated(wide, 1, 1, 0, 0)).relu_();
    Tensor x = feature;
    for (const PlainConv& conv : residual_) x = conv(replicated(x, 4, 4, 0, 0)).relu_();
    const Tensor shift = direct_(feature) + last_(replicated(x, 1, 1, 1, 1));
    return shift.slice(2, kBorder, kBorder + batch.size(2))
        .slice(3, kBorder, kBorder + batch.size(3));
  }

 private:
  PlainConv feature_, direct_;
  std::vector<PlainConv> residual_;
  PlainConv last_;
};

class RowFlowV3 : public TorchNetwork {
 public:
  explicit RowFlowV3(Parameters& parameters)
      : first_(parameters, "blocks.0", {64, 24, 1, 1}),
        wide_(parameters, "blocks.1.", {.side = 4, .slope = kSlope}),
        narrow_(parameters, "blocks.2.", {.side = 3, .slope = kSlope}),
        last_(parameters, "last_layer.1", {1, 8, 3, 3}) {
    parameters.skip("delta_scale", {});
  }

  [[nodiscard]] Tensor forward(const Tensor& batch) const override {
    constexpr std::int64_t kColumns = 96;  // both windows, of eight columns each
    constexpr std::int64_t kRows = 12;
    const std::int64_t height = batch.size(2);
    const std::int64_t width = batch.size(3);
    const Tensor padded =
        replicated(batch, 0, kColumns - width % kColumns, 0, kRows - height % kRows);
    const Tensor features = unfold_columns(narrow_(wide_(first_(fold_columns(padded)))));
    const Tensor inside = features.slice(2, 0, height).slice(3, 0, width);
    return last_(replicated(inside, 1, 1, 1, 1));
  }

 private:
  static constexpr double kSlope = 0.1;

  PlainConv first_;
  WindowAttentionBlock wide_, narrow_;
  PlainConv last_;
};

struct MlbwShape {
  std::string_view family;
  std::int64_t layers;
  bool small = false;
  bool tells_holes = false;
};

constexpr MlbwShape kMlbws[] = {{"mlbw_l2", 2},
                                {"mlbw_l2s", 2, true},
                                {"mlbw_l4", 4},
                                {"mlbw_l4s", 4, true},
                                {"mask_mlbw_l2", 2, false, true}};

// Multi-layer backward warp.
class Mlbw : public TorchNetwork {
 public:
  Mlbw(Parameters& parameters, const MlbwShape& shape)
      : first_(parameters, "lv1_in.1", {4 * shape.layers, 3, 1, 9}),
        last_(parameters, "lv1_out.1",
              {2 * shape.layers + (shape.tells_holes ? 1 : 0), 4 * shape.layers, 1, 9}) {
    const int count = shape.small ? 2 : 4;
    for (int i = 0; i < count; ++i) {
      const bool shifted = i % 2 == 0;
      blocks_.emplace_back(parameters, fmt::format("lv2.{}.", i),
                           WindowAttentionOptions{.channels = 32 * shape.layers,
                                                  .heads = shape.layers,
                                                  .shift_rows = shifted && !shape.small,
                                                  .shift_columns = shifted});
    }
  }

  [[nodiscard]] Tensor forward(const Tensor& batch) const override {
    constexpr std::int64_t kColumns = 32;  // a window of eight columns each
    constexpr std::int64_t kRows = 4;
    constexpr double kSlope = 0.2;
    const std::int64_t height = batch.size(2);
    const std::int64_t width = batch.size(3);
    const std::int64_t more_columns = kColumns - width % kColumns;
    const std::int64_t more_rows = kRows - height % kRows;
    const std::int64_t left = more_columns / 2;
    const std::int64_t top = more_rows / 2;
    const Tensor padded = replicated(batch, left, more_columns - left, top, more_rows - top);
    const Tensor fine = at::leaky_relu(first_(replicated(padded, 4, 4, 0, 0)), kSlope);
    Tensor x = fold_columns(fine);
    for (const WindowAttentionBlock& block : blocks_) x = block(x);
    x = last_(replicated(unfold_columns(x) + fine, 4, 4, 0, 0));
    return x.slice(2, top, top + height).slice(3, left, left + width);
  }

 private:
  PlainConv first_, last_;
  std::vector<WindowAttentionBlock> blocks_;
};

}  // namespace

std::unique_ptr<TorchNetwork> make_learned_warp(const std::string& family, Parameters& parameters) {
  if (family == "row_flow_v2") return std::make_unique<RowFlowV2>(parameters);
  if (family == "row_flow_v3" || family == "row_flow_v3_sym") {
    return std::make_unique<RowFlowV3>(parameters);
  }
  for (const MlbwShape& shape : kMlbws) {
    if (family == shape.family) return std::make_unique<Mlbw>(parameters, shape);
  }
  return nullptr;
}

}  // namespace vergence::predictors
