// SPDX-License-Identifier: Apache-2.0
#include "pipeline/depth_finder.hpp"

#include <string>
#include <utility>

#include <fmt/format.h>

namespace vergence::pipeline {
namespace {

std::string text_of(const std::optional<double>& number) {
  return number ? fmt::format("{}", *number) : "";
}

// What the reader gives, as settings of the depth cache's key.
std::vector<Setting> read_settings(const VideoJobOptions& options) {
  const auto& read = options.read;
  const cv::Rect part = options.part.value_or(cv::Rect());
  return {{"start", text_of(read.start_s)},
          {"end", text_of(read.end_s)},
          {"filter", read.filter},
          {"max_fps", fmt::format("{}", read.max_fps)},
          {"keyframes", fmt::format("{} {}", read.keyframes_only, read.keyframe_interval_s)},
          {"matrix", read.matrix},
          {"range", read.full_range ? fmt::format("{}", *read.full_range) : ""},
          {"part", fmt::format("{} {} {} {}", part.x, part.y, part.width, part.height)}};
}

}  // namespace

std::vector<Setting> depth_key(const std::filesystem::path& input, const VideoJobOptions& options) {
  std::vector<Setting> key = file_fingerprint(input);
  const auto read = read_settings(options);
  key.insert(key.end(), read.begin(), read.end());
  key.insert(key.end(), options.depth_settings.begin(), options.depth_settings.end());
  return key;
}

std::vector<media::VideoFrame> DepthFinder::shown(std::span<const media::VideoFrame> group) const {
  std::vector<media::VideoFrame> frames(group.begin(), group.end());
  for (auto& frame : frames) {
    if (part_) frame.picture = frame.picture(*part_);
  }
  return frames;
}

std::vector<DepthCodes> DepthFinder::find(std::span<const media::VideoFrame> group) {
  if (group.empty()) return {};
  if (source_.cacheable) {
    auto maps = kept(group);
    if (maps.size() == group.size()) {
      pass(group, maps.back().carried);
      return maps;
    }
  }
  const auto raw = source_.maps(shown(group));
  std::vector<DepthCodes> maps;
  for (std::size_t i = 0; i < group.size(); ++i) {
    maps.push_back(depth_codes(raw.at(i)));
    if (source_.memory) maps.back().carried = source_.memory->save();
    if (source_.cacheable) cache_.add(group[i].index, maps.back());
  }
  return maps;
}

void DepthFinder::pass(std::span<const media::VideoFrame> group,
                       const DepthMemory::Numbers& carried) {
  if (source_.memory) source_.memory->pass(shown(group), carried);
}

// Of the first frames of the group, up to one without.
std::vector<DepthCodes> DepthFinder::kept(std::span<const media::VideoFrame> group) {
  std::vector<DepthCodes> maps;
  for (const auto& frame : group) {
    auto found = cache_.find(frame.index);
    if (!found) break;
    maps.push_back(std::move(*found));
  }
  return maps;
}

}  // namespace vergence::pipeline
