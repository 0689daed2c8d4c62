// SPDX-License-Identifier: Apache-2.0
// Bytes shown as a stage in kB or MB.
#pragma once

#include "core/progress.hpp"

#include <cstdint>
#include <string>

namespace vergence::predictors {

// A stage of `total` bytes; 0 = not known, then its end is shown only. Counts in MB, or in kB below
// 10 MB, because a bar of bytes is hard to read.
class ByteProgress {
 public:
  ByteProgress(Progress& progress, const std::string& stage, std::int64_t total)
      : progress_(progress),
        unit_(total < 10'000'000 ? 1000 : 1'000'000),
        total_(total) {
    progress_.begin(stage, unit_ == 1000 ? "kB" : "MB", (total_ + unit_ - 1) / unit_);
  }

  void add(std::int64_t bytes) {
    done_ += bytes;
    if (total_ == 0) return;
    const std::int64_t steps = done_ >= total_ ? (total_ + unit_ - 1) / unit_ : done_ / unit_;
    if (steps > shown_) progress_.advance(steps - shown_);
    shown_ = steps;
  }

 private:
  Progress& progress_;
  std::int64_t unit_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  std::int64_t shown_ = 0;
};

}  // namespace vergence::predictors
