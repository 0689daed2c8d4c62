// SPDX-License-Identifier: Apache-2.0
#include "pipeline/video_stages.hpp"

#include "pipeline/depth_finder.hpp"
#include "pipeline/frame_window.hpp"
#include "pipeline/picture_store.hpp"
#include "stereo/temporal_filter.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include <opencv2/core.hpp>

namespace vergence::pipeline {
namespace {

// Items between two stages, beyond the batch of the depth source. More would only hide a stage
// that is too slow on average, at 6 to 12 MB per 1080p frame.
constexpr std::size_t kQueued = 2;

// Large batches gain nothing from queues of their size.
constexpr std::size_t kMostBatchQueued = 4;

// Frames between two looks at what the parallax asks of the eyes, which takes a pass over it.
constexpr std::int64_t kComfortPeriod = 24;

// A frame on its way through the stages.
struct Item {
  media::VideoFrame frame;
  cv::Mat raw;
  DepthMemory::Numbers carried{};
  stereo::FrameStatistics statistics;
  stereo::FrameDecision decision;
};

// Frames on either side that a frame is made with.
std::int64_t frames_beside(const VideoJobOptions& options, const DepthSource& depth) {
  return options.background_frames +
         (options.filter_depth && depth.maps ? stereo::TemporalFilter::kReach : 0);
}

class Stages {
 public:
  Stages(StagesInput input, const VideoJobOptions& options, const DepthSource& depth,
         FrameSink* sink)
      : input_(std::move(input)),
        options_(options),
        depth_(depth),
        sink_(sink),
        end_read_(end_needed(input_.made.end, options, depth)),
        batch_(static_cast<std::size_t>(depth.batch)),
        time_base_(input_.reader.info().time_base.value()),
        finder_(depth, input_.cache, options.part),
        filter_(options.filter_picture),
        stabilizer_(options.stabilizer),
        decoded_(group_, kQueued + std::min(batch_, kMostBatchQueued)),
        measured_(group_, kQueued + std::min(batch_, kMostBatchQueued)),
        filtered_(group_, kQueued),
        decided_(group_, kQueued),
        packed_(group_, kQueued),
        filter_window_(stereo::TemporalFilter::kReach),
        warp_window_(options.background_frames) {}

  StagesResult run() {
    group_.add("decode", [this] { decode(); });
    group_.add("depth", [this] { find_depth(); });
    if (filters()) group_.add("filter", [this] { filter(); });
    group_.add("steady", [this] { steady(); });
    group_.add("warp", [this] { warp(); });
    group_.add("encode", [this] { encode(); });
    group_.run();
    return {.times = group_.times(), .comfort = comfort_};
  }

  void measure(const FrameMeasured& measured) {
    group_.add("decode", [this] { decode(); });
    group_.add("depth", [this] { find_depth(); });
    if (filters()) group_.add("filter", [this] { filter(); });
    group_.add("measure", [&] { tell_measured(measured); });
    group_.run();
  }

 private:
  // The end of the frames that have to be read: whole groups, and at least one frame behind.
  static std::int64_t end_needed(std::int64_t end_made, const VideoJobOptions& options,
                                 const DepthSource& depth) {
    if (end_made == FrameSpan().end) return end_made;
    const std::int64_t batch = depth.batch;
    return (end_made + frames_beside(options, depth) + batch) / batch * batch;
  }

  [[nodiscard]] bool has_depth() const { return static_cast<bool>(depth_.maps); }

  // The first frame that goes through all stages.
  [[nodiscard]] std::int64_t first_used() const {
    return depth_.memory && input_.first_frame > 0 ? input_.first_frame + depth_.batch
                                                   : input_.first_frame;
  }

  // Of a video that is known to its end.
  [[nodiscard]] bool makes_part() const { return input_.made.end != FrameSpan().end; }

  [[nodiscard]] bool filters() const { return options_.filter_depth && has_depth(); }

  void decode() {
    media::VideoFrame frame;
    frame.picture = used_pictures_.take();
    while (input_.reader.read(frame) && frame.index < end_read_) {
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
      group.emplace_back().frame = std::move(*frame);
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
    const std::int64_t last = frames.empty() ? -1 : frames.back().index;
    if (last >= 0 && last < first_used()) {
      finder_.pass(frames, input_.known[static_cast<std::size_t>(last)].statistics.carried);
      group.clear();
      return;
    }
    const auto maps = has_depth() ? finder_.find(frames) : std::vector<DepthCodes>();
    for (std::size_t i = 0; i < group.size(); ++i) {
      // Kept or new, a map is what its codes say: an interrupted run must go on with the same.
      if (has_depth()) {
        group[i].raw = raw_from_codes(maps[i]);
        group[i].carried = maps[i].carried;
      }
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
    if (has_depth()) {
      steady_depth();
    } else {
      pass_undecided();
    }
    decided_.close();
  }

  void tell_measured(const FrameMeasured& measured) {
    auto& items = filters() ? filtered_ : measured_;
    while (auto item = items.pop()) {
      if (item->frame.index >= input_.made.first) measured(item->frame, statistics_of(*item));
    }
  }

  [[nodiscard]] stereo::FrameStatistics statistics_of(const Item& item) const {
    const double time_s = static_cast<double>(item.frame.pts) * time_base_;
    if (!has_depth()) return {.time_s = time_s};
    auto statistics = stereo::frame_statistics(shown(item.frame), item.raw, time_s);
    statistics.carried = item.carried;
    return statistics;
  }

  // Without depth there is nothing to decide.
  void pass_undecided() {
    while (auto item = measured_.pop()) {
      item->statistics = statistics_of(*item);
      item->decision.frame = item->frame.index;
      item->decision.first_of_shot = item->frame.index == 0;
      decided_.push(std::move(*item));
    }
  }

  void steady_depth() {
    auto& items = filters() ? filtered_ : measured_;
    for (const auto& frame : input_.known) decide(stabilizer_.push(frame.statistics));
    if (makes_part()) decide(stabilizer_.flush());
    while (auto item = items.pop()) {
      const auto index = static_cast<std::size_t>(item->frame.index);
      if (index < input_.known.size()) {
        item->statistics = input_.known[index].statistics;
        waiting_.push_back(std::move(*item));
      } else {
        item->statistics = statistics_of(*item);
        waiting_.push_back(std::move(*item));
        decide(stabilizer_.push(waiting_.back().statistics));
      }
      pass_decided();
    }
    decide(stabilizer_.flush());
    pass_decided();
  }

  // Those of frames that are not read this time are not needed.
  void decide(const std::vector<stereo::FrameDecision>& decisions) {
    for (const auto& decision : decisions) {
      if (decision.frame >= first_used()) decisions_.push_back(decision);
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
    if (item.frame.index >= input_.made.first && item.frame.index < input_.made.end) {
      PackedFrame packed{
          .packed = used_frames_.take(), .source = item.frame, .statistics = item.statistics};
      make_current(packed.packed);
      if (item.frame.index % kComfortPeriod == 0) note_comfort(input_.maker.comfort());
      packed_.push(std::move(packed));
    }
    warp_window_.advance();
  }

  // With the frames of the same shot.
  void make_current(cv::Mat& packed) {
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
    input_.maker.make(moments, warp_window_.current() - first, packed);
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
      sink_->write(std::move(*packed));
      // The sink holds this frame back; the one before it is done.
      if (!packed_before.empty()) used_frames_.give_back(std::move(packed_before));
      if (!picture_before.empty()) used_pictures_.give_back(std::move(picture_before));
      packed_before = std::move(packed_now);
      picture_before = std::move(picture_now);
    }
    // What follows a part is another's.
    const auto end = static_cast<std::size_t>(input_.made.end);
    if (makes_part() && end < input_.known.size()) {
      sink_->finish(input_.known[end].pts);
    } else {
      sink_->finish(std::nullopt);
    }
  }

  StagesInput input_;
  const VideoJobOptions& options_;
  const DepthSource& depth_;
  FrameSink* sink_;  // null: frames are measured only
  std::int64_t end_read_;
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
  stereo::ComfortReport comfort_;

  PictureStore used_pictures_;
  PictureStore used_frames_;
  StageGroup group_;
  StageQueue<media::VideoFrame> decoded_;
  StageQueue<Item> measured_;
  StageQueue<Item> filtered_;
  StageQueue<Item> decided_;
  StageQueue<PackedFrame> packed_;
  FrameWindow<std::pair<Item, stereo::FilterFrame>> filter_window_;
  FrameWindow<Item> warp_window_;
};

}  // namespace

std::int64_t first_frame_needed(std::int64_t first_made, const VideoJobOptions& options,
                                const DepthSource& depth) {
  const std::int64_t first =
      std::max<std::int64_t>(0, first_made - frames_beside(options, depth)) / depth.batch;
  return std::max<std::int64_t>(0, depth.memory ? first - 1 : first) * depth.batch;
}

StagesResult run_stages(StagesInput input, const VideoJobOptions& options, const DepthSource& depth,
                        FrameSink& sink) {
  return Stages(std::move(input), options, depth, &sink).run();
}

void measure_frames(StagesInput input, const VideoJobOptions& options, const DepthSource& depth,
                    const FrameMeasured& measured) {
  Stages(std::move(input), options, depth, nullptr).measure(measured);
}

}  // namespace vergence::pipeline
