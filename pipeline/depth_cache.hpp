// SPDX-License-Identifier: Apache-2.0
// Depth maps of earlier runs, so that another strength needs no new prediction.
#pragma once

#include "pipeline/depth_codes.hpp"
#include "pipeline/segment_journal.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vergence::pipeline {

struct DepthCacheOptions {
  std::filesystem::path folder;           // depth_cache_folder() or the user's; empty = no cache
  std::uint64_t max_bytes = 4ULL << 30U;  // of all videos together; the oldest ones go first
};

// $XDG_CACHE_HOME/vergence/depth, by default ~/.cache/vergence/depth; empty where neither is set.
[[nodiscard]] std::filesystem::path depth_cache_folder();

// The maps of one video by one way of making them, in files of kFramesPerFile. It never fails a
// job: what cannot be read is missing, and where nothing can be written it stops with a warning.
class DepthCache {
 public:
  static constexpr std::int64_t kFramesPerFile = 32;

  // `key`: all that the maps depend on. An empty folder makes a cache that keeps nothing.
  DepthCache(const DepthCacheOptions& options, std::span<const Setting> key);

  // The map of a frame, if it is there.
  [[nodiscard]] std::optional<DepthCodes> find(std::int64_t frame);

  // Keeps the map of a frame. Files are written when a frame of the next one comes.
  void add(std::int64_t frame, const DepthCodes& depth);

  // Writes what add() still holds.
  void flush();

 private:
  struct Group {
    std::int64_t number = -1;  // of the file; its first frame is number * kFramesPerFile
    std::vector<std::string> maps = {};
  };

  [[nodiscard]] std::filesystem::path path_of(std::int64_t number) const;
  [[nodiscard]] Group read(std::int64_t number) const;
  void write();
  [[nodiscard]] bool make_room(std::uint64_t bytes);

  DepthCacheOptions options_;
  std::filesystem::path folder_;  // of this video
  Group found_;                   // read last
  Group kept_;                    // to be written
  std::uint64_t total_bytes_ = 0;
  bool writable_ = false;
};

}  // namespace vergence::pipeline
