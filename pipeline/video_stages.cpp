// SPDX-License-Identifier: Apache-2.0
#include "pipeline/video_stages.hpp"

#include "stereo/temporal_filter.hpp"

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
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

// Frames of a window on their way: those of the last `reach` frames and of the next ones, of which
// one after the other becomes the current one.
template <class Frame>
class Window {
 public:
  explicit Window(std::int64_t reach) : reach_(reach) {}

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

// A frame on its way through the stages.
struct Item {
  media::VideoFrame frame;
  cv::Mat raw;
  stereo::FrameStatistics statistics;
  stereo::FrameDecision decision;
};

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

class Stages {
 public:
  Stages(StagesInput input, const VideoJobOptions& options, const DepthSource& depth,
         FrameSink& sink)
      : input_(std::move(input)),
        options_(options),
        depth_(depth),
        sink_(sink),
        first_made_(static_cast<std::int64_t>(input_.known.size())),
        batch_(static_cast<std::size_t>(depth.batch)),
        time_base_(input_.reader.info().time_base.value()),
        finder_(depth, input_.cache, options.part),
        stabilizer_(options.stabilizer),
        maker_(options.frame),
        decoded_(group_, kQueued + batch_),
        measured_(group_, kQueued + batch_),
        filtered_(group_, kQueued),
        decided_(group_, kQueued),
        packed_(group_, kQueued),
        filter_window_(stereo::TemporalFilter::kReach),
        warp_window_(options.background_frames) {
    if (options_.part) maker_.crop_to(*options_.part);
  }

  StagesResult run() {
    group_.add("decode", [this] { decode(); });
    group_.add("depth", [this] { find_depth(); });
    if (options_.filter_depth) group_.add("filter", [this] { filter(); });
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
    std::vector<media::VideoFrame> frames;
    frames.reserve(group.size());
    for (const auto& item : group) frames.push_back(item.frame);
    const auto maps = finder_.find(frames);
    for (std::size_t i = 0; i < group.size(); ++i) {
      // Kept or new, a map is what its codes say: an interrupted run must go on with the same.
      group[i].raw = raw_from_codes(maps[i]);
      measured_.push(std::move(group[i]));
    }
    group.clear();
  }

  void filter() {
    while (auto item = measured_.pop()) {
      stereo::FilterFrame frame{.index = item->frame.index,
                                .guide = stereo::filter_guide(shown(item->frame), item->raw.size()),
                                .raw = item->raw};
      filter_window_.push({std::move(*item), std::move(frame)});
      while (filter_window_.ready(false)) filter_one();
    }
    while (filter_window_.ready(true)) filter_one();
    filtered_.close();
  }

  void filter_one() {
    std::vector<stereo::FilterFrame> frames;
    for (const auto& each : filter_window_.frames()) {
      frames.push_back(each.second);
    }
    Item item = std::move(filter_window_.current_frame().first);
    item.raw = filter_.filter(frames, filter_window_.current());
    filter_window_.advance();
    filtered_.push(std::move(item));
  }

  void steady() {
    auto& items = options_.filter_depth ? filtered_ : measured_;
    for (const auto& frame : input_.known) decide(stabilizer_.push(frame.statistics));
    while (auto item = items.pop()) {
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
      warp_window_.push(std::move(*item));
      while (warp_window_.ready(false)) warp_one();
    }
    while (warp_window_.ready(true)) warp_one();
    packed_.close();
  }

  void warp_one() {
    const Item& item = warp_window_.current_frame();
    if (item.frame.index >= first_made_) {
      PackedFrame packed{
          .packed = used_frames_.take(), .source = item.frame, .statistics = item.statistics};
      make(item, packed.packed);
      if (item.frame.index % kComfortPeriod == 0) note_comfort(maker_.comfort());
      packed_.push(std::move(packed));
    }
    warp_window_.advance();
  }

  void make(const Item& item, cv::Mat& packed) {
    if (depth_.pair_disparity) {
      maker_.make_from_disparity(item.frame.picture, item.raw, packed);
      return;
    }
    // Frames of the same shot.
    const auto& frames = warp_window_.frames();
    std::size_t first = warp_window_.current();
    std::size_t last = first;
    while (first > 0 && !frames[first].decision.first_of_shot) --first;
    while (last + 1 < frames.size() && !frames[last + 1].decision.first_of_shot) ++last;
    std::vector<StereoMoment> moments;
    for (std::size_t i = first; i <= last; ++i) {
      moments.push_back({.index = frames[i].frame.index,
                         .picture = frames[i].frame.picture,
                         .raw = frames[i].raw,
                         .decision = frames[i].decision});
    }
    maker_.make(moments, warp_window_.current() - first, packed);
  }

  void note_comfort(const stereo::ComfortReport& now) {
    comfort_.nearest = Radians(std::max(comfort_.nearest.value(), now.nearest.value()));
    comfort_.farthest = Radians(std::min(comfort_.farthest.value(), now.farthest.value()));
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
  FrameSink& sink_;
  std::int64_t first_made_;
  std::size_t batch_;
  double time_base_;

  // Of the stage "depth".
  DepthFinder finder_;

  // Of the stage "filter".
  stereo::TemporalFilter filter_;

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
  StageQueue<Item> filtered_;
  StageQueue<Item> decided_;
  StageQueue<PackedFrame> packed_;
  Window<std::pair<Item, stereo::FilterFrame>> filter_window_;
  Window<Item> warp_window_;
};

}  // namespace

std::vector<Setting> depth_key(const std::filesystem::path& input, const VideoJobOptions& options) {
  std::vector<Setting> key = file_fingerprint(input);
  const auto read = read_settings(options);
  key.insert(key.end(), read.begin(), read.end());
  key.insert(key.end(), options.depth_settings.begin(), options.depth_settings.end());
  return key;
}

std::vector<DepthCodes> DepthFinder::find(std::span<const media::VideoFrame> group) {
  if (group.empty()) return {};
  if (source_.cacheable) {
    auto maps = kept(group);
    if (maps.size() == group.size()) return maps;
  }
  std::vector<media::VideoFrame> frames(group.begin(), group.end());
  for (auto& frame : frames) {
    if (part_) frame.picture = frame.picture(*part_);
  }
  const auto raw = source_.maps(frames);
  std::vector<DepthCodes> maps;
  for (std::size_t i = 0; i < group.size(); ++i) {
    maps.push_back(depth_codes(raw.at(i)));
    if (source_.cacheable) cache_.add(group[i].index, maps.back());
  }
  return maps;
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

std::int64_t first_frame_needed(std::int64_t first_made, const VideoJobOptions& options,
                                const DepthSource& depth) {
  const std::int64_t reach =
      options.background_frames + (options.filter_depth ? stereo::TemporalFilter::kReach : 0);
  return std::max<std::int64_t>(0, first_made - reach) / depth.batch * depth.batch;
}

StagesResult run_stages(StagesInput input, const VideoJobOptions& options, const DepthSource& depth,
                        FrameSink& sink) {
  return Stages(std::move(input), options, depth, sink).run();
}

}  // namespace vergence::pipeline
