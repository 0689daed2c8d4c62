// SPDX-License-Identifier: Apache-2.0
#include "pipeline/video_tasks.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/output_file.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMeasure = "measure";
constexpr std::string_view kMake = "make";
constexpr std::string_view kEnd = "end";
constexpr std::string_view kPartExtension = ".part";
constexpr std::string_view kWorkersLockName = "workers";

std::string_view word_for(VideoTask::Kind kind) {
  return kind == VideoTask::Kind::kMeasure ? kMeasure : kMake;
}

std::string_view take_word(std::string_view& text) {
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

std::optional<std::int64_t> number_of(std::string_view word) {
  if (word == kEnd) return VideoTask::kToTheEnd;
  std::int64_t number = -1;
  const char* const end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, number);
  if (error != std::errc() || rest != end || number < 0) return std::nullopt;
  return number;
}

int open_lock(const fs::path& folder) {
  const auto path = folder / kWorkersLockName;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file >= 0) return file;
  throw Error(fmt::format("cannot write '{}': {}", path.string(), reason_from_errno(errno)));
}

}  // namespace

std::string to_string(const VideoTask& task) {
  const auto end = task.end == VideoTask::kToTheEnd ? std::string(kEnd) : std::to_string(task.end);
  return fmt::format("{} {} {}", word_for(task.kind), task.first, end);
}

std::optional<VideoTask> video_task_from_string(std::string_view text) {
  const auto kind = take_word(text);
  const auto first = number_of(take_word(text));
  const auto end = number_of(text);
  if ((kind != kMeasure && kind != kMake) || !first || !end || *first >= *end) return std::nullopt;
  return VideoTask{.kind = kind == kMake ? VideoTask::Kind::kMake : VideoTask::Kind::kMeasure,
                   .first = *first,
                   .end = *end};
}

bool VideoParts::any(const fs::path& folder) {
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  return !error && std::any_of(fs::begin(entries), fs::end(entries), [](const auto& entry) {
    return entry.path().extension() == kPartExtension;
  });
}

std::unique_ptr<SegmentJournal> VideoParts::begin(const VideoTask& task) const {
  const auto name = fmt::format("{}_{:06}{}", word_for(task.kind), task.first, kPartExtension);
  return std::make_unique<SegmentJournal>(folder_ / name, settings_);
}

SegmentsByFrame VideoParts::finished(VideoTask::Kind kind) const {
  SegmentsByFrame segments;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const auto& path = entry.path();
    const auto prefix = fmt::format("{}_", word_for(kind));
    if (path.extension() != kPartExtension || !path.filename().string().starts_with(prefix)) {
      continue;
    }
    try {
      const SegmentJournal journal(path);
      if (!describe_differences(journal.settings(), settings_).empty()) continue;
      for (const auto& segment : journal.segments()) segments.emplace(segment.first_frame, segment);
    } catch (const Error& error) {
      spdlog::warn("a part is made again: {}", error.what());
    }
  }
  return segments;
}

std::vector<JournalSegment> without_gaps(const SegmentsByFrame& segments) {
  std::vector<JournalSegment> result;
  std::int64_t next_frame = 0;
  for (const auto& [first_frame, segment] : segments) {
    if (first_frame != next_frame || (!result.empty() && result.back().last)) break;
    next_frame += static_cast<std::int64_t>(segment.frames.size());
    result.push_back(segment);
  }
  return result;
}

std::vector<VideoTask> cut_tasks(VideoTask::Kind kind, std::int64_t num_segments, bool open_end,
                                 int count,
                                 const std::function<bool(std::int64_t segment)>& is_done) {
  std::int64_t missing = 0;
  for (std::int64_t i = 0; i < num_segments; ++i) missing += is_done(i) ? 0 : 1;
  const auto most = std::max<std::int64_t>(1, (missing + count - 1) / std::max(1, count));
  std::vector<VideoTask> tasks;
  for (std::int64_t i = 0; i < num_segments; ++i) {
    if (is_done(i)) continue;
    const bool goes_on =
        !tasks.empty() && tasks.back().end == i && tasks.back().end - tasks.back().first < most;
    if (!goes_on) tasks.push_back({.kind = kind, .first = i, .end = i});
    tasks.back().end = i + 1;
  }
  if (!open_end) return tasks;
  // Lengths are estimates: who is at the end looks for more.
  if (tasks.empty() || tasks.back().end != num_segments) {
    tasks.push_back({.kind = kind, .first = num_segments, .end = num_segments});
  }
  tasks.back().end = VideoTask::kToTheEnd;
  return tasks;
}

WorkersLock::WorkersLock(const fs::path& folder) : file_(open_lock(folder)) {
  while (::flock(file_, LOCK_SH) != 0 && errno == EINTR) throw_if_interrupted();
}

WorkersLock::~WorkersLock() {
  ::close(file_);
}

void WorkersLock::wait_for_all(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder / kWorkersLockName, error)) return;
  const int file = open_lock(folder);
  const auto close = [&] { ::close(file); };
  bool told = false;
  while (::flock(file, LOCK_EX | LOCK_NB) != 0 && (errno == EWOULDBLOCK || errno == EINTR)) {
    if (!told) spdlog::info("waits for processes of an earlier call that still work on it");
    told = true;
    try {
      throw_if_interrupted();
    } catch (...) {
      close();
      throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  close();
}

}  // namespace vergence::pipeline
