// SPDX-License-Identifier: Apache-2.0
// Frames with their neighbours on either side. Not installed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace vergence::pipeline {

// Frames of a window on their way: those of the last `reach` frames and of the next ones, of which
// one after the other becomes the current one.
template <class Frame>
class FrameWindow {
 public:
  explicit FrameWindow(std::int64_t reach) : reach_(reach) {}

  void push(Frame frame) { frames_.push_back(std::move(frame)); }

  // Whether the current frame has all that will follow it.
  [[nodiscard]] bool ready(bool at_end) const {
    const auto after = static_cast<std::int64_t>(frames_.size() - current_) - 1;
    return after >= (at_end ? 0 : reach_);
  }

  [[nodiscard]] const std::deque<Frame>& frames() const { return frames_; }

  [[nodiscard]] std::size_t current() const { return current_; }

  Frame& current_frame() { return frames_[current_]; }

  // The next frame becomes the current one; what lies too far behind goes.
  void advance() {
    ++current_;
    if (current_ > static_cast<std::size_t>(reach_)) {
      frames_.pop_front();
      --current_;
    }
  }

 private:
  std::int64_t reach_;
  std::deque<Frame> frames_;
  std::size_t current_ = 0;
};

}  // namespace vergence::pipeline
