// SPDX-License-Identifier: Apache-2.0
// The depth of a video's frames, from its source or from what an earlier run has kept. Not
// installed.
#pragma once

#include "pipeline/depth_cache.hpp"
#include "pipeline/video_job.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace vergence::pipeline {

// All that the raw depth of a video depends on.
[[nodiscard]] std::vector<Setting> depth_key(const std::filesystem::path& input,
                                             const VideoJobOptions& options);

// The depth of frames, kept from an earlier run or new.
class DepthFinder {
 public:
  // `part`: VideoJobOptions::part. Source and cache must outlive it.
  DepthFinder(const DepthSource& source, DepthCache& cache, const std::optional<cv::Rect>& part)
      : source_(source),
        cache_(cache),
        part_(part) {}

  // Of one group (DepthSource::batch).
  [[nodiscard]] std::vector<DepthCodes> find(std::span<const media::VideoFrame> group);

  // The group before the first one to be found, with what its maps carried.
  void pass(std::span<const media::VideoFrame> group, const DepthMemory::Numbers& carried);

 private:
  [[nodiscard]] std::vector<media::VideoFrame> shown(
      std::span<const media::VideoFrame> group) const;
  [[nodiscard]] std::vector<DepthCodes> kept(std::span<const media::VideoFrame> group);

  const DepthSource& source_;
  DepthCache& cache_;
  std::optional<cv::Rect> part_;
};

}  // namespace vergence::pipeline
