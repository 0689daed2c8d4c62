// SPDX-License-Identifier: Apache-2.0
// Networks and their maps, kept between jobs: a sweep over settings that do not reach the network
// runs it once.
#pragma once

#include "config/config.hpp"
#include "core/predictor.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace vergence::pipeline {

// Maps are found again by what a network was shown: the pixels of the picture and its focal length,
// which stand for input, view and size at once. Used by one job at a time.
class PredictorPool {
 public:
  // What is kept of maps, in bytes; those used longest ago go first.
  static constexpr std::size_t kUsualBytes = std::size_t{1} << 30U;

  // How many networks stay loaded, which may take gigabytes each; more where one job uses more.
  static constexpr std::size_t kMaxNetworks = 3;

  explicit PredictorPool(std::size_t max_bytes = kUsualBytes);
  PredictorPool(const PredictorPool&) = delete;
  PredictorPool& operator=(const PredictorPool&) = delete;
  ~PredictorPool();

  // As make_predictors(); networks of equal settings (with the device and the number of threads)
  // are the same ones, alone or in an ensemble; what is returned must not outlive the pool. Folders
  // of maps made elsewhere are read anew each time.
  [[nodiscard]] std::vector<std::unique_ptr<DepthPredictor>> predictors(
      const config::Config& config);

  // Pictures that networks were run on, and those that needed no run.
  struct Counts {
    std::int64_t predicted = 0;
    std::int64_t reused = 0;
  };

  [[nodiscard]] Counts counts() const;

 private:
  class Maps;
  struct Loaded;
  std::unique_ptr<Maps> maps_;
  std::vector<Loaded> loaded_;
};

}  // namespace vergence::pipeline
