// SPDX-License-Identifier: Apache-2.0
// The fusion half of a dense prediction transformer (Ranftl et al., "Vision Transformers for Dense
// Prediction", 2021), as MiDaS and Depth-Anything have it.
#pragma once

#include "predictors/networks/vit.hpp"

#include <array>
#include <memory>
#include <optional>

namespace vergence::predictors {

// Feature maps of four levels, fine to coarse -> one map, twice as large as the finest.
class FusionPyramid {
 public:
  // Takes PREFIXlayerN_rn and PREFIXrefinenetN, N = 1 to 4 from fine to coarse.
  FusionPyramid(Parameters& parameters, const std::string& prefix,
                const std::array<std::int64_t, 4>& channels, std::int64_t features);

  [[nodiscard]] at::Tensor operator()(const std::array<at::Tensor, 4>& levels) const;

 private:
  // x + conv(relu(conv(relu(x))))
  struct Residual {
    Residual(Parameters& parameters, const std::string& name, std::int64_t features);
    [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;
    Conv first, second;
  };

  struct Level {
    Conv entry;
    std::optional<Residual> lateral;  // the coarsest level has nothing to add to
    Residual refine;
    Conv exit;
  };

  [[nodiscard]] static Level take_level(Parameters& parameters, const std::string& prefix,
                                        std::size_t level, std::int64_t channels,
                                        std::int64_t features);

  std::vector<Level> levels_;
};

}  // namespace vergence::predictors
