// SPDX-License-Identifier: Apache-2.0
// Parts of the work on a long video, for several processes. What each of them finishes is told by a
// part: a journal (segment_journal.hpp) of its own in the job's work folder.
#pragma once

#include "pipeline/segment_journal.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vergence::pipeline {

// Whole segments of a video, [first, end), that one process works on.
struct VideoTask {
  enum class Kind {
    kMeasure,  // depth is found and kept, frames are measured
    kMake,     // all frames are measured: the segments' files are made
  };

  static constexpr std::int64_t kToTheEnd = std::numeric_limits<std::int64_t>::max();

  Kind kind = Kind::kMeasure;
  std::int64_t first = 0;
  std::int64_t end = kToTheEnd;
};

// "measure 0 12", "make 3 7", "measure 12 end", and back; nothing for anything else.
[[nodiscard]] std::string to_string(const VideoTask& task);
[[nodiscard]] std::optional<VideoTask> video_task_from_string(std::string_view text);

// Processes that a long video can be shared between. Each of them runs the same job with
// VideoJobOptions::task.
struct VideoWorkers {
  int count = 1;    // how many work at once
  int threads = 0;  // of each
  // Runs tasks and waits for them; `folder` is for what belongs to that. `ended` is told the place
  // of each that has ended. Returns why tasks failed. Throws Error(kInterrupted). Null: there are
  // no such processes.
  std::function<std::vector<std::string>(const std::filesystem::path& folder,
                                         std::span<const VideoTask> tasks,
                                         const std::function<void(std::size_t place)>& ended)>
      run;
};

// Segments by their first frames.
using SegmentsByFrame = std::map<std::int64_t, JournalSegment>;

// The parts of one job. Settings are those of its journal: others' parts do not count.
class VideoParts {
 public:
  VideoParts(std::filesystem::path folder, std::vector<Setting> settings)
      : folder_(std::move(folder)),
        settings_(std::move(settings)) {}

  // Whether there are any in a folder, of whatever job.
  [[nodiscard]] static bool any(const std::filesystem::path& folder);

  // The journal of a task, begun anew.
  [[nodiscard]] std::unique_ptr<SegmentJournal> begin(const VideoTask& task) const;

  // What tasks have finished. Parts that cannot be read are passed over with a warning.
  [[nodiscard]] SegmentsByFrame finished(VideoTask::Kind kind) const;

 private:
  std::filesystem::path folder_;
  std::vector<Setting> settings_;
};

// The segments from frame 0 on, up to the first gap.
[[nodiscard]] std::vector<JournalSegment> without_gaps(const SegmentsByFrame& segments);

// Cuts the segments that `is_done` is false for into at most `count` tasks or so, of whole runs of
// them. num_segments: of the video; with `open_end` there may be more.
[[nodiscard]] std::vector<VideoTask> cut_tasks(
    VideoTask::Kind kind, std::int64_t num_segments, bool open_end, int count,
    const std::function<bool(std::int64_t segment)>& is_done);

// Whether processes work in a folder: each of them keeps a lock as long as it lives.
class WorkersLock {
 public:
  // Takes a worker's lock. Throws Error where the folder is gone.
  explicit WorkersLock(const std::filesystem::path& folder);
  ~WorkersLock();
  WorkersLock(const WorkersLock&) = delete;
  WorkersLock& operator=(const WorkersLock&) = delete;

  // Returns when no process has a lock, at once where none ever had. Throws Error(kInterrupted).
  static void wait_for_all(const std::filesystem::path& folder);

 private:
  int file_ = -1;
};

}  // namespace vergence::pipeline
