// SPDX-License-Identifier: Apache-2.0
// How long each stage of a job took.
#pragma once

#include "core/progress.hpp"

#include <chrono>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace vergence::cli {

// Hands everything on and adds up the seconds of stages of one name.
class TimedProgress final : public Progress {
 public:
  explicit TimedProgress(Progress& shown) : shown_(shown) {}

  void begin(std::string_view stage, std::string_view unit, std::int64_t total) override;

  void advance(std::int64_t steps) override { shown_.advance(steps); }

  void end() override;

  // By stage, in the order of their first appearance; a stage that runs ends here.
  [[nodiscard]] std::vector<std::pair<std::string, double>> seconds();

 private:
  void note(const std::string& stage);

  Progress& shown_;
  std::mutex mutex_;
  std::vector<std::pair<std::string, double>> seconds_;
  std::string stage_;  // that runs; empty = none
  std::chrono::steady_clock::time_point began_;
};

}  // namespace vergence::cli
