// SPDX-License-Identifier: Apache-2.0
// Pictures that are filled again and again. Not installed.
#pragma once

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// Pictures to be filled again once nobody else holds them: fresh memory of that size costs the
// system more than half a millisecond per megabyte.
class PictureStore {
 public:
  // One that is free, or an empty one.
  cv::Mat take() {
    const std::scoped_lock lock(mutex_);
    const auto free = std::find_if(pictures_.begin(), pictures_.end(), [](const cv::Mat& picture) {
      return picture.u != nullptr && picture.u->refcount == 1;
    });
    if (free == pictures_.end()) return {};
    cv::Mat picture = std::move(*free);
    pictures_.erase(free);
    return picture;
  }

  void give_back(cv::Mat picture) {
    const std::scoped_lock lock(mutex_);
    pictures_.push_back(std::move(picture));
  }

 private:
  std::mutex mutex_;
  std::vector<cv::Mat> pictures_;
};

}  // namespace vergence::pipeline
