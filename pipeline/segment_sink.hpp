// SPDX-License-Identifier: Apache-2.0
// The end of a video job's pipeline: packed frames become encoded segments, and the journal learns
// of each one that is whole. Not installed.
#pragma once

#include "core/progress.hpp"
#include "pipeline/disk_space.hpp"
#include "pipeline/segment_journal.hpp"
#include "pipeline/video_job.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

namespace vergence::pipeline {

// How a video is cut: the first segment is short, so that it is soon known what time and disk the
// whole will take.
class SegmentCut {
 public:
  SegmentCut(double frame_rate, double segment_s);

  // The number of the segment of a frame.
  [[nodiscard]] std::int64_t segment_of(std::int64_t frame) const;

 private:
  std::int64_t first_ = 1;
  std::int64_t others_ = 1;
};

// A frame on its way out.
struct PackedFrame {
  cv::Mat packed;
  media::VideoFrame source;
  stereo::FrameStatistics statistics;
};

// Where the segments of one job lie and how they are encoded.
struct SegmentTarget {
  std::filesystem::path folder;
  std::filesystem::path output;  // named in messages; its disk takes the joined file
  media::VideoFormat format;     // of one file's frames
  media::EncodeOptions encode;
  EyeFrames eye_frames = EyeFrames::kPacked;
  SegmentCut cut;
  std::int64_t total_frames = 0;  // an estimate; 0 = not known
  double nominal_duration = 1.0;  // of a frame, in the input's time base
  std::uint64_t other_bytes = 0;  // of what is joined with the segments, an estimate
};

// The file of a segment; `eye` is 1 for the right eye's of EyeFrames::kSeparate.
[[nodiscard]] std::filesystem::path segment_path(const std::filesystem::path& folder,
                                                 std::int64_t segment, int eye);

// 2 for EyeFrames::kSeparate, else 1.
[[nodiscard]] int files_per_segment(EyeFrames eye_frames);

// Takes the frames of one run in order. For one thread.
class SegmentSink {
 public:
  // `done`: what earlier runs have finished.
  SegmentSink(const SegmentTarget& target, SegmentJournal& journal, const JobProgress& done,
              Progress& progress);

  void write(PackedFrame frame);

  // The video has ended.
  void finish();

  // Frames and bytes finished, earlier runs included.
  [[nodiscard]] const JobProgress& done() const { return done_; }

 private:
  using Clock = std::chrono::steady_clock;

  void encode(const PackedFrame& frame, std::optional<std::int64_t> next_pts);
  void encode_sequential(const PackedFrame& frame, media::VideoFrame out);
  void open(std::int64_t segment);
  void close(bool last);
  void tell_estimate();

  SegmentTarget target_;
  SegmentJournal& journal_;
  Progress& progress_;
  JobProgress done_;
  Clock::time_point start_ = Clock::now();

  // The frame that was given last: it is encoded when it is known what follows it.
  std::optional<PackedFrame> pending_;

  std::vector<media::SegmentWriter> writers_;  // of the open segment; empty = none is open
  std::int64_t segment_number_ = -1;
  JournalSegment segment_;
  std::uint64_t largest_segment_ = 0;  // bytes

  std::optional<JobEstimate> told_;
  Clock::time_point told_at_;
};

}  // namespace vergence::pipeline
