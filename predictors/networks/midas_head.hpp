// SPDX-License-Identifier: Apache-2.0
// What the MiDaS networks share around their encoders (Ranftl et al., "Towards Robust Monocular
// Depth Estimation", 2020, and "Vision Transformers for Dense Prediction", 2021).
#pragma once

#include "predictors/networks/vit.hpp"

#include <array>
#include <memory>
#include <optional>

namespace vergence::predictors {

// An encoder as the fusion sees it.
class LevelEncoder {
 public:
  virtual ~LevelEncoder() = default;

  // picture [N, 3, H, W], sides multiples of 32 -> maps at 1/4, 1/8, 1/16 and 1/32 of its size.
  [[nodiscard]] virtual std::array<at::Tensor, 4> levels(const at::Tensor& picture) const = 0;
};

// The fused map -> disparity >= 0 at four times its size.
class DisparityHead {
 public:
  // Takes scratch.output_conv.N; `align_corners` is how the map is enlarged the second time.
  DisparityHead(Parameters& parameters, std::int64_t features, bool align_corners);

  // fused [N, features, h, w], as FusionPyramid::finest() gives it -> [N, 1, 4 h, 4 w].
  [[nodiscard]] at::Tensor operator()(const at::Tensor& fused) const;

 private:
  bool align_corners_;
  Conv first_, second_, last_;
};

// Tokens of a transformer -> one level of the fusion: the class token joins every patch, and the
// patches become a map of the level's channels and size.
class Reassemble {
 public:
  enum class Scale { kTimes4, kTimes2, kSame, kHalf };

  // Takes pretrained.act_postprocessLEVEL, LEVEL = 1 to 4; tokens have `in` channels.
  Reassemble(Parameters& parameters, int level, std::int64_t in, std::int64_t out, Scale scale);

  // tokens [N, 1 + rows * columns, in], the class token first -> [N, out, h, w].
  [[nodiscard]] at::Tensor operator()(const at::Tensor& tokens, std::int64_t rows,
                                      std::int64_t columns) const;

 private:
  Reassemble(Parameters& parameters, const std::string& name, const at::Tensor& readout,
             std::int64_t out, Scale scale);

  // The halves of one layer over (patch, class token).
  Linear patch_, class_token_;
  Conv project_;
  std::optional<PixelExpansion> expand_;
  std::optional<Conv> shrink_;
};

}  // namespace vergence::predictors
