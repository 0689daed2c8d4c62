// SPDX-License-Identifier: Apache-2.0
// The block of iw3's learned warps (nagadomi/nunif, iw3/models/row_flow_v3.py and mlbw.py):
// attention inside small windows, and two convolutions.
#pragma once

#include "predictors/torch_network.hpp"

#include <cstdint>
#include <string>

#include <ATen/ATen.h>

namespace vergence::predictors {

// `x` with `left`, `right`, `top` and `bottom` columns and rows more, copies of the outermost ones.
[[nodiscard]] at::Tensor replicated(const at::Tensor& x, std::int64_t left, std::int64_t right,
                                    std::int64_t top, std::int64_t bottom);

// [N, C, H, W] <-> [N, C * 8, H, W / 8]: eight pixels of a row become channels.
[[nodiscard]] at::Tensor fold_columns(const at::Tensor& x);
[[nodiscard]] at::Tensor unfold_columns(const at::Tensor& x);

// A convolution without padding.
struct PlainConv {
  at::Tensor weight, bias;

  PlainConv(Parameters& parameters, const std::string& name, const Parameters::Shape& shape)
      : weight(parameters.take(name + ".weight", shape)),
        bias(parameters.take(name + ".bias", {shape.front()})) {}

  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const {
    return at::conv2d(x, weight, bias);
  }
};

struct WindowAttentionOptions {
  std::int64_t channels = 64;
  std::int64_t heads = 2;
  std::int64_t side = 4;       // of a window, pixels
  bool shift_rows = false;     // windows moved by half a window, with zeros around the picture
  bool shift_columns = false;  //
  double slope = 1.0;          // of the last activation for values below 0; 1 = none
};

// x + attention(x), then that + convolutions(that).
class WindowAttentionBlock {
 public:
  // Takes the tensors under `prefix` by their official names; the score's bias also as the table
  // [side^2, side^2] that the official network works out of them, `bias.table`.
  WindowAttentionBlock(Parameters& parameters, const std::string& prefix,
                       const WindowAttentionOptions& options);

  // [N, C, H, W] with sides that are multiples of the window's.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

 private:
  [[nodiscard]] at::Tensor attention(const at::Tensor& x) const;

  WindowAttentionOptions options_;
  at::Tensor qkv_weight_, qkv_bias_, out_weight_, out_bias_;
  at::Tensor score_bias_;  // [side^2, side^2]
  PlainConv expand_, mix_;
};

}  // namespace vergence::predictors
