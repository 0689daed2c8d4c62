// SPDX-License-Identifier: Apache-2.0
// The end of a video job's pipeline: packed frames become encoded segments, or one stream. Not
// installed.
#pragma once

#include "core/progress.hpp"
#include "pipeline/disk_space.hpp"
#include "pipeline/segment_journal.hpp"
#include "pipeline/video_job.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

namespace vergence::pipeline {

// How a video is cut: the first segment is short, so that it is soon known what time and disk the
// whole will take.
class SegmentCut {
 public:
  SegmentCut(double frame_rate, double segment_s);

  // The number of the segment of a frame.
  [[nodiscard]] std::int64_t segment_of(std::int64_t frame) const;

  // The first frame of a segment.
  [[nodiscard]] std::int64_t first_frame_of(std::int64_t segment) const;

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

// What the frames of a job become.
struct SinkFormat {
  media::VideoFormat format;  // of one file's frames
  media::EncodeOptions encode;
  EyeFrames eye_frames = EyeFrames::kPacked;
  double nominal_duration = 1.0;  // of a frame, in the input's time base
};

// 2 for EyeFrames::kSeparate, else 1.
[[nodiscard]] int num_files(EyeFrames eye_frames);

// Takes the packed frames of a run in order, one thread's. A frame is encoded when it is known what
// follows it.
class FrameSink {
 public:
  explicit FrameSink(const SinkFormat& format) : format_(format) {}

  FrameSink(const FrameSink&) = delete;
  FrameSink& operator=(const FrameSink&) = delete;
  virtual ~FrameSink() = default;

  void write(PackedFrame frame);

  // The video has ended, or goes on with a frame of this time in another's hands.
  void finish(std::optional<std::int64_t> next_pts);

 protected:
  [[nodiscard]] const SinkFormat& format() const { return format_; }

 private:
  virtual void begin_frame(const PackedFrame& frame) = 0;
  virtual void encode(int file, const media::VideoFrame& frame) = 0;
  virtual void end_frame(const PackedFrame& frame, bool last) = 0;

  void put(const PackedFrame& frame, std::optional<std::int64_t> next_pts);

  SinkFormat format_;
  std::optional<PackedFrame> pending_;
};

// Where the segments of one job lie and how they are encoded.
struct SegmentTarget {
  std::filesystem::path folder;
  std::filesystem::path output;  // named in messages; its disk takes the joined file
  SegmentCut cut;
};

// The file of a segment; `eye` is 1 for the right eye's of EyeFrames::kSeparate.
[[nodiscard]] std::filesystem::path segment_path(const std::filesystem::path& folder,
                                                 std::int64_t segment, int eye);

// Frames become segments, and the journal learns of each one that is whole.
class SegmentSink final : public FrameSink {
 public:
  // `done`: what earlier runs have finished.
  SegmentSink(const SinkFormat& format, const SegmentTarget& target, SegmentJournal& journal,
              const JobProgress& done, Progress& progress);

  // Frames and bytes finished, earlier runs included.
  [[nodiscard]] const JobProgress& done() const { return done_; }

 private:
  using Clock = std::chrono::steady_clock;

  void begin_frame(const PackedFrame& frame) override;
  void encode(int file, const media::VideoFrame& frame) override;
  void end_frame(const PackedFrame& frame, bool last) override;
  void close(const PackedFrame& frame, bool last);
  void tell_estimate();

  SegmentTarget target_;
  SegmentJournal& journal_;
  Progress& progress_;
  JobProgress done_;
  Clock::time_point start_ = Clock::now();

  std::vector<media::SegmentWriter> writers_;  // of the open segment; empty = none is open
  std::int64_t segment_number_ = -1;
  JournalSegment segment_;
  std::uint64_t largest_segment_ = 0;  // bytes

  std::optional<JobEstimate> told_;
  Clock::time_point told_at_;
};

// Statistics of frames become records of segments without files.
class SegmentMeasurer {
 public:
  SegmentMeasurer(const SegmentCut& cut, std::int64_t end_frame, SegmentJournal& journal)
      : cut_(cut),
        end_frame_(end_frame),
        journal_(journal) {}

  // Frames in order. One from end_frame on tells only that the video goes on.
  void add(const media::VideoFrame& frame, const stereo::FrameStatistics& statistics);

  // No frame follows.
  void finish();

 private:
  void close(bool last);

  SegmentCut cut_;
  std::int64_t end_frame_;
  SegmentJournal& journal_;
  JournalSegment segment_;  // the open one; without frames = none is open
  cv::Mat last_picture_;
};

// Frames go straight into files or a pipe.
class StreamSink final : public FrameSink {
 public:
  StreamSink(const SinkFormat& format, std::vector<media::VideoWriter> writers, Progress& progress)
      : FrameSink(format),
        writers_(std::move(writers)),
        progress_(progress) {}

  [[nodiscard]] std::int64_t num_frames() const { return num_frames_; }

 private:
  void begin_frame(const PackedFrame& frame) override;
  void encode(int file, const media::VideoFrame& frame) override;
  void end_frame(const PackedFrame& frame, bool last) override;

  std::vector<media::VideoWriter> writers_;
  Progress& progress_;
  std::int64_t num_frames_ = 0;
};

}  // namespace vergence::pipeline
