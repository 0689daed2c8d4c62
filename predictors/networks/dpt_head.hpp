// SPDX-License-Identifier: Apache-2.0
// The fusion half of a dense prediction transformer (Ranftl et al., "Vision Transformers for Dense
// Prediction", 2021), as MiDaS and Depth-Anything have it.
#pragma once

#include "predictors/networks/vit.hpp"

#include <array>
#include <memory>
#include <optional>

namespace vergence::predictors {

// Channels of each level, fine to coarse.
struct FusionShape {
  std::array<std::int64_t, 4> channels;  // of the given maps
  std::array<std::int64_t, 4> features;  // inside the fusion
  // As in MiDaS v2.1 large: nothing between the refined map and its resampling, and a residual unit
  // adds to relu(x) where the later networks add to x.
  bool classic = false;
};

// Feature maps of four levels, fine to coarse -> one map, twice as large as the finest.
class FusionPyramid {
 public:
  // Takes PREFIXlayerN_rn and PREFIXrefinenetN, N = 1 to 4 from fine to coarse.
  FusionPyramid(Parameters& parameters, const std::string& prefix, const FusionShape& shape);

  // The same number of features at all levels.
  FusionPyramid(Parameters& parameters, const std::string& prefix,
                const std::array<std::int64_t, 4>& channels, std::int64_t features);

  [[nodiscard]] at::Tensor operator()(const std::array<at::Tensor, 4>& levels) const;

  // The same before its sides are doubled, for a convolution that does this on the way.
  [[nodiscard]] at::Tensor finest(const std::array<at::Tensor, 4>& levels) const;

 private:
  // x + conv(relu(conv(relu(x)))), or, classic, with relu(x) for the first x. Takes x's memory.
  struct Residual {
    Residual(Parameters& parameters, const std::string& name, std::int64_t features, bool classic);
    [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;
    Conv first, second;
    bool classic;
  };

  struct Level {
    Conv entry;
    std::optional<Residual> lateral;  // the coarsest level has nothing to add to
    Residual refine;
    std::optional<Conv> exit;
  };

  [[nodiscard]] static Level take_level(Parameters& parameters, const std::string& prefix,
                                        std::size_t level, const FusionShape& shape);

  std::vector<Level> levels_;
};

}  // namespace vergence::predictors
