// SPDX-License-Identifier: Apache-2.0
#include "cli/timed_progress.hpp"

#include <algorithm>

namespace vergence::cli {

void TimedProgress::begin(std::string_view stage, std::string_view unit, std::int64_t total) {
  note(std::string(stage));
  shown_.begin(stage, unit, total);
}

void TimedProgress::end() {
  note("");
  shown_.end();
}

std::vector<std::pair<std::string, double>> TimedProgress::seconds() {
  note("");
  return seconds_;
}

void TimedProgress::note(const std::string& stage) {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (!stage_.empty()) {
    auto found = std::find_if(seconds_.begin(), seconds_.end(),
                              [&](const auto& known) { return known.first == stage_; });
    if (found == seconds_.end()) found = seconds_.insert(found, {stage_, 0.0});
    found->second += std::chrono::duration<double>(now - began_).count();
  }
  stage_ = stage;
  began_ = now;
}

}  // namespace vergence::cli
