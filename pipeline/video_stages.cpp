// SPDX-License-Identifier: Apache-2.0
#include "pipeline/video_stages.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <opencv2/core.hpp>

namespace vergence::pipeline {
namespace {

// Items between two stages, beyond the batch of the depth source. More would only hide a stage
// that is too slow on average, at 6 to 12 MB per 1080p frame.
constexpr std::size_t kQueued = 2;

// Frames between two looks at what the parallax asks of the eyes, which takes a pass over it.
constexpr std::int64_t kComfortPeriod = 24;

// Pictures that are no longer needed, to be filled again: fresh memory of that size costs the
// system more than half a millisecond per megabyte.
class PictureStore {
 public:
  cv::Mat take() {
    const std::scoped_lock lock(mutex_);
    if (pictures_.empty()) return {};
    cv::Mat picture = std::move(pictures_.back());
    pictures_.pop_back();
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

// A frame on its way through the stages.
struct Item {
  media::VideoFrame frame;
  cv::Mat raw;
  stereo::FrameStatistics statistics;
  stereo::FrameDecision decision;
};

class Stages {
 public:
  Stages(StagesInput input, const VideoJobOptions& options, const DepthSource& depth,
         SegmentSink& sink)
      : input_(std::move(input)),
        options_(options),
        depth_(depth),
        sink_(sink),
        first_made_(static_cast<std::int64_t>(input_.known.size())),
        batch_(static_cast<std::size_t>(depth.batch)),
        time_base_(input_.reader.info().time_base.value()),
        stabilizer_(options.stabilizer),
        maker_(options.frame),
        decoded_(group_, kQueued + batch_),
        measured_(group_, kQueued + batch_),
        decided_(group_, kQueued),
        packed_(group_, kQueued) {
    if (options_.part) maker_.crop_to(*options_.part);
  }

  StagesResult run() {
    group_.add("decode", [this] { decode(); });
    group_.add("depth", [this] { find_depth(); });
    group_.add("steady", [this] { steady(); });
    group_.add("warp", [this] { warp(); });
    group_.add("encode", [this] { encode(); });
    group_.run();
    return {.times = group_.times(), .comfort = comfort_};
  }

 private:
  void decode() {
    media::VideoFrame frame;
    frame.picture = used_pictures_.take();
    while (input_.reader.read(frame)) {
      decoded_.push(std::move(frame));
      frame = {};
      frame.picture = used_pictures_.take();
    }
    decoded_.close();
  }

  [[nodiscard]] cv::Mat shown(const media::VideoFrame& frame) const {
    return options_.part ? frame.picture(*options_.part) : frame.picture;
  }

  void find_depth() {
    std::vector<Item> group;
    while (auto frame = decoded_.pop()) {
      const bool complete = (frame->index + 1) % depth_.batch == 0;
      group.push_back({.frame = std::move(*frame), .raw = {}, .statistics = {}, .decision = {}});
      if (complete) measure(group);
    }
    measure(group);
    input_.cache.flush();
    measured_.close();
  }

  // Finds the depth of a group of frames and passes them on.
  void measure(std::vector<Item>& group) {
    std::vector<DepthCodes> maps;
    if (depth_.cacheable) maps = kept_maps(group);
    if (maps.size() < group.size()) maps = new_maps(group);
    for (std::size_t i = 0; i < group.size(); ++i) {
      // Kept or new, a map is what its codes say: an interrupted run must go on with the same.
      group[i].raw = raw_from_codes(maps[i]);
      measured_.push(std::move(group[i]));
    }
    group.clear();
  }

  // Of the first frames of the group, up to one without.
  std::vector<DepthCodes> kept_maps(std::span<const Item> group) {
    std::vector<DepthCodes> maps;
    for (const auto& item : group) {
      auto kept = input_.cache.find(item.frame.index);
      if (!kept) break;
      maps.push_back(std::move(*kept));
    }
    return maps;
  }

  std::vector<DepthCodes> new_maps(std::span<const Item> group) {
    std::vector<media::VideoFrame> frames;
    for (const auto& item : group) {
      frames.push_back(item.frame);
      frames.back().picture = shown(item.frame);
    }
    const auto raw = depth_.maps(frames);
    std::vector<DepthCodes> maps;
    for (std::size_t i = 0; i < group.size(); ++i) {
      maps.push_back(depth_codes(raw.at(i)));
      if (depth_.cacheable) input_.cache.add(group[i].frame.index, maps.back());
    }
    return maps;
  }

  void steady() {
    for (const auto& frame : input_.known) decide(stabilizer_.push(frame.statistics));
    while (auto item = measured_.pop()) {
      const std::int64_t index = item->frame.index;
      if (index < first_made_) {
        item->statistics = input_.known[static_cast<std::size_t>(index)].statistics;
        waiting_.push_back(std::move(*item));
      } else {
        item->statistics = stereo::frame_statistics(
            shown(item->frame), item->raw, static_cast<double>(item->frame.pts) * time_base_);
        waiting_.push_back(std::move(*item));
        decide(stabilizer_.push(waiting_.back().statistics));
      }
      pass_decided();
    }
    decide(stabilizer_.flush());
    pass_decided();
    decided_.close();
  }

  // Those of frames that are not read this time are not needed.
  void decide(const std::vector<stereo::FrameDecision>& decisions) {
    for (const auto& decision : decisions) {
      if (decision.frame >= input_.first_frame) decisions_.push_back(decision);
    }
  }

  void pass_decided() {
    while (!waiting_.empty() && !decisions_.empty()) {
      Item item = std::move(waiting_.front());
      waiting_.pop_front();
      item.decision = decisions_.front();
      decisions_.pop_front();
      decided_.push(std::move(item));
    }
  }

  void warp() {
    while (auto item = decided_.pop()) {
      if (item->frame.index < first_made_) continue;
      PackedFrame packed{
          .packed = used_frames_.take(), .source = item->frame, .statistics = item->statistics};
      if (depth_.pair_disparity) {
        maker_.make_from_disparity(item->frame.picture, item->raw, packed.packed);
      } else {
        maker_.make(item->frame.picture, item->raw, item->decision, packed.packed);
      }
      if (item->frame.index % kComfortPeriod == 0) note_comfort(maker_.comfort());
      packed_.push(std::move(packed));
    }
    packed_.close();
  }

  void note_comfort(const stereo::ComfortReport& now) {
    comfort_.nearest = std::max(comfort_.nearest, now.nearest);
    comfort_.farthest = std::min(comfort_.farthest, now.farthest);
    comfort_.share_beyond = std::max(comfort_.share_beyond, now.share_beyond);
    comfort_.share_diverging = std::max(comfort_.share_diverging, now.share_diverging);
  }

  void encode() {
    cv::Mat packed_before;
    cv::Mat picture_before;
    while (auto packed = packed_.pop()) {
      cv::Mat packed_now = packed->packed;
      cv::Mat picture_now = packed->source.picture;
      sink_.write(std::move(*packed));
      // The sink holds this frame back; the one before it is done.
      if (!packed_before.empty()) used_frames_.give_back(std::move(packed_before));
      if (!picture_before.empty()) used_pictures_.give_back(std::move(picture_before));
      packed_before = std::move(packed_now);
      picture_before = std::move(picture_now);
    }
    sink_.finish();
  }

  StagesInput input_;
  const VideoJobOptions& options_;
  const DepthSource& depth_;
  SegmentSink& sink_;
  std::int64_t first_made_;
  std::size_t batch_;
  double time_base_;

  // Of the stage "steady".
  stereo::DepthStabilizer stabilizer_;
  std::deque<Item> waiting_;                     // for their decisions
  std::deque<stereo::FrameDecision> decisions_;  // of waiting_ and of frames to come

  // Of the stage "warp".
  StereoFrameMaker maker_;
  stereo::ComfortReport comfort_;

  PictureStore used_pictures_;
  PictureStore used_frames_;
  StageGroup group_;
  StageQueue<media::VideoFrame> decoded_;
  StageQueue<Item> measured_;
  StageQueue<Item> decided_;
  StageQueue<PackedFrame> packed_;
};

}  // namespace

StagesResult run_stages(StagesInput input, const VideoJobOptions& options, const DepthSource& depth,
                        SegmentSink& sink) {
  return Stages(std::move(input), options, depth, sink).run();
}

}  // namespace vergence::pipeline
