// SPDX-License-Identifier: Apache-2.0
// When pictures are decoded; not installed.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

namespace vergence::media {

// Decoding times from the order in which pictures are decoded: their display times in rising
// order, moved back by as many pictures as the decoder holds back. So they depend neither on the
// encoder nor on where it was started anew.
class DecodingTimes {
 public:
  // `delay`: pictures that are decoded before the first one is shown; `step`: the usual time
  // between two.
  DecodingTimes(int delay, std::int64_t step) : delay_(delay), step_(step) {}

  // The decoding time of the next picture in decoding order, which is shown at `pts`.
  [[nodiscard]] std::int64_t next(std::int64_t pts) {
    if (!begun_) {
      for (int i = 1; i <= delay_; ++i) times_.push(pts - i * step_);
      begun_ = true;
    }
    times_.push(pts);
    const std::int64_t time = times_.top();
    times_.pop();
    return time;
  }

 private:
  int delay_;
  std::int64_t step_;
  bool begun_ = false;
  std::priority_queue<std::int64_t, std::vector<std::int64_t>, std::greater<>> times_;
};

}  // namespace vergence::media
