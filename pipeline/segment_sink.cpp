// SPDX-License-Identifier: Apache-2.0
#include "pipeline/segment_sink.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

constexpr double kFirstSegmentSeconds = 2.0;
constexpr double kUsualFrameRate = 25.0;  // where the file does not tell

// Beside a segment, the disk must always have room for the journal and what others write.
constexpr std::uint64_t kReserveBytes = 16'000'000;

constexpr double kTellPeriodSeconds = 20.0;  // between corrections of the estimate

// Estimates may be wrong by so much; only beyond that a job is stopped for what it will need.
constexpr double kCertainShare = 0.7;

}  // namespace

SegmentCut::SegmentCut(double frame_rate, double segment_s) {
  const double rate = frame_rate > 0.0 ? frame_rate : kUsualFrameRate;
  const auto frames = [rate](double seconds) {
    return std::max<std::int64_t>(1, std::llround(seconds * rate));
  };
  first_ = frames(std::min(segment_s, kFirstSegmentSeconds));
  others_ = frames(segment_s);
}

std::int64_t SegmentCut::segment_of(std::int64_t frame) const {
  return frame < first_ ? 0 : 1 + (frame - first_) / others_;
}

std::int64_t SegmentCut::first_frame_of(std::int64_t segment) const {
  return segment == 0 ? 0 : first_ + (segment - 1) * others_;
}

fs::path segment_path(const fs::path& folder, std::int64_t segment, int eye) {
  return folder /
         fmt::format("{:06}{}{}", segment, eye == 0 ? "" : "_right", media::segment_extension());
}

int num_files(EyeFrames eye_frames) {
  return eye_frames == EyeFrames::kSeparate ? 2 : 1;
}

// ---- Any sink

void FrameSink::write(PackedFrame frame) {
  if (pending_) put(*pending_, frame.source.pts);
  pending_ = std::move(frame);
}

void FrameSink::finish(std::optional<std::int64_t> next_pts) {
  if (pending_) put(*pending_, next_pts);
  pending_.reset();
}

void FrameSink::put(const PackedFrame& frame, std::optional<std::int64_t> next_pts) {
  begin_frame(frame);
  media::VideoFrame out;
  out.pts = frame.source.pts;
  out.duration = next_pts ? *next_pts - frame.source.pts : frame.source.duration;
  const cv::Mat& packed = frame.packed;
  if (format_.eye_frames == EyeFrames::kPacked) {
    out.picture = packed;
    encode(0, out);
  } else {
    const bool in_turns = format_.eye_frames == EyeFrames::kSequential;
    if (in_turns) {
      // The output's time base is half of the input's.
      out.pts *= 2;
      out.duration = std::max<std::int64_t>(
          1, out.duration > 0 ? out.duration : std::llround(format_.nominal_duration));
    }
    out.picture = packed.colRange(0, packed.cols / 2);
    encode(0, out);
    if (in_turns) out.pts += out.duration;
    out.picture = packed.colRange(packed.cols / 2, packed.cols);
    encode(in_turns ? 0 : 1, out);
  }
  end_frame(frame, /*last=*/!next_pts);
}

// ---- Segments

SegmentSink::SegmentSink(const SinkFormat& format, const SegmentTarget& target,
                         SegmentJournal& journal, const JobProgress& done, Progress& progress)
    : FrameSink(format),
      target_(target),
      journal_(journal),
      progress_(progress),
      done_(done) {}

void SegmentSink::begin_frame(const PackedFrame& frame) {
  if (!writers_.empty()) return;
  segment_number_ = target_.cut.segment_of(frame.source.index);
  segment_ = {.first_frame = frame.source.index};
  for (int eye = 0; eye < num_files(format().eye_frames); ++eye) {
    writers_.emplace_back(segment_path(target_.folder, segment_number_, eye), format().format,
                          format().encode);
  }
}

void SegmentSink::encode(int file, const media::VideoFrame& frame) {
  writers_[static_cast<std::size_t>(file)].write(frame);
}

void SegmentSink::end_frame(const PackedFrame& frame, bool last) {
  segment_.frames.push_back({.pts = frame.source.pts, .statistics = frame.statistics});
  progress_.advance();
  if (last || target_.cut.segment_of(frame.source.index + 1) != segment_number_) {
    close(frame, last);
  }
}

void SegmentSink::close(const PackedFrame& frame, bool last) {
  segment_.last = last;
  segment_.last_picture_checksum = picture_checksum(frame.source.picture);
  std::uint64_t bytes = 0;
  for (auto& writer : writers_) writer.finish();
  writers_.clear();
  for (int eye = 0; eye < num_files(format().eye_frames); ++eye) {
    segment_.file_bytes.push_back(
        fs::file_size(segment_path(target_.folder, segment_number_, eye)));
    bytes += segment_.file_bytes.back();
  }
  sync_folder(target_.folder);
  journal_.append(segment_);
  const auto num_frames = static_cast<std::int64_t>(segment_.frames.size());
  done_.num_frames += num_frames;
  done_.segment_bytes += bytes;
  done_.frames_this_call += num_frames;
  done_.seconds_this_call = std::chrono::duration<double>(Clock::now() - start_).count();
  largest_segment_ = std::max(largest_segment_, bytes);
  segment_ = {};
  if (!last) tell_estimate();
}

void SegmentSink::tell_estimate() {
  const JobEstimate now = estimate_job(done_);
  const bool one_disk = on_one_disk(target_.folder, target_.output.parent_path());
  const auto on_work_disk = now.segments_ahead + (one_disk ? now.join_bytes : 0);
  const auto free = free_bytes(target_.folder);
  const double since = told_ ? std::chrono::duration<double>(Clock::now() - told_at_).count() : 0.0;
  if (!told_ || (since >= kTellPeriodSeconds && differs_much(*told_, since, now))) {
    spdlog::info("{}{}", told_ ? "corrected: " : "", describe(now, done_, free));
    if (free < on_work_disk) {
      spdlog::warn("the disk of '{}' may not suffice: about {} more are needed, {} are free",
                   target_.folder.string(), bytes_text(on_work_disk), bytes_text(free));
    }
    told_ = now;
    told_at_ = Clock::now();
  }
  const auto certain =
      static_cast<std::uint64_t>(kCertainShare * static_cast<double>(on_work_disk));
  check_space(target_.folder, std::max(certain, 2 * largest_segment_ + kReserveBytes),
              target_.output);
  if (!one_disk) {
    check_space(target_.output.parent_path(),
                static_cast<std::uint64_t>(kCertainShare * static_cast<double>(now.join_bytes)),
                target_.output);
  }
}

// ---- Measured only

void SegmentMeasurer::add(const media::VideoFrame& frame,
                          const stereo::FrameStatistics& statistics) {
  if (!segment_.frames.empty() &&
      cut_.segment_of(segment_.first_frame) != cut_.segment_of(frame.index)) {
    close(/*last=*/false);
  }
  if (frame.index >= end_frame_) return;
  if (segment_.frames.empty()) segment_.first_frame = frame.index;
  segment_.frames.push_back({.pts = frame.pts, .statistics = statistics});
  last_picture_ = frame.picture;
}

void SegmentMeasurer::finish() {
  if (!segment_.frames.empty()) close(/*last=*/true);
}

void SegmentMeasurer::close(bool last) {
  segment_.last = last;
  segment_.last_picture_checksum = picture_checksum(last_picture_);
  journal_.append(segment_);
  segment_ = {};
}

// ---- A stream

void StreamSink::begin_frame(const PackedFrame&) {}

void StreamSink::encode(int file, const media::VideoFrame& frame) {
  writers_[static_cast<std::size_t>(file)].write(frame);
}

void StreamSink::end_frame(const PackedFrame&, bool last) {
  ++num_frames_;
  progress_.advance();
  if (!last) return;
  for (auto& writer : writers_) writer.finish();
}

}  // namespace vergence::pipeline
