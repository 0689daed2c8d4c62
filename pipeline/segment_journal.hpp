// SPDX-License-Identifier: Apache-2.0
// What a long job has finished, told so that it survives a crash: a folder of its own for one
// process at a time, and in it a journal that only grows.
#pragma once

#include "stereo/depth_stabilizer.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vergence::pipeline {

// A line of what a result depends on: a configuration key, or a fact, and its value as text.
using Setting = std::pair<std::string, std::string>;

// What is kept of a frame of a finished segment.
struct JournalFrame {
  std::int64_t pts = 0;  // in the input's time base
  stereo::FrameStatistics statistics;
};

// A segment whose files are whole and on the disk.
struct JournalSegment {
  std::int64_t first_frame = 0;
  bool last = false;                           // the video ends with it
  std::uint32_t last_picture_checksum = 0;     // picture_checksum() of its last decoded picture
  std::vector<std::uint64_t> file_bytes = {};  // of its files (one, or one per eye)
  std::vector<JournalFrame> frames = {};
};

// The journal of one job: a header with its settings, then one record per segment, then one that
// says that the outputs are in place. Every record has a checksum (CRC-32) and is synced to the
// disk before append() returns.
class SegmentJournal {
 public:
  // Begins a journal; replaces what is there. Throws Error when it cannot be written.
  SegmentJournal(const std::filesystem::path& path, std::vector<Setting> settings);

  // Reads a journal and goes on with it. What follows the last whole record is cut off: silently
  // where a write was torn (the bad record is the last one), with a warning where more follows.
  // Throws Error when the file cannot be read or written, is no journal, is of another version, or
  // has a damaged header.
  explicit SegmentJournal(const std::filesystem::path& path);

  ~SegmentJournal();
  SegmentJournal(const SegmentJournal&) = delete;
  SegmentJournal& operator=(const SegmentJournal&) = delete;

  [[nodiscard]] const std::vector<Setting>& settings() const { return settings_; }

  // The segments read from the file, in order and without gaps; those appended later are not kept.
  [[nodiscard]] const std::vector<JournalSegment>& segments() const { return segments_; }

  // Sizes of the outputs where they were already in place.
  [[nodiscard]] const std::optional<std::vector<std::uint64_t>>& finished() const {
    return finished_;
  }

  // Forgets the segments from number `count` on, in the file too.
  void truncate(std::size_t count);

  // Adds a record. Throws Error (full disk); the file is then as before.
  void append(const JournalSegment& segment);
  void append_finished(std::span<const std::uint64_t> output_bytes);

 private:
  void read();
  void write_record(std::uint32_t type, const std::string& payload);

  std::filesystem::path path_;
  int file_ = -1;
  std::vector<Setting> settings_;
  std::vector<JournalSegment> segments_;
  std::vector<std::int64_t> segment_ends_;  // offsets in the file, one more than segments_
  std::optional<std::vector<std::uint64_t>> finished_;
};

// The settings that differ, as "KEY was A and is B"; empty where all are equal. At most five are
// spelled out.
[[nodiscard]] std::string describe_differences(std::span<const Setting> before,
                                               std::span<const Setting> now);

// CRC-32 of a picture's size, type and pixels.
[[nodiscard]] std::uint32_t picture_checksum(const cv::Mat& picture);

// Size, time of change, and a checksum of the first and last MiB of a file: tells one input from
// another without reading all of it. Throws Error when the file cannot be read.
// `what` names it in the settings ("size of the input").
[[nodiscard]] std::vector<Setting> file_fingerprint(const std::filesystem::path& path,
                                                    const std::string& what = "the input");

// A folder for the parts of a result that are being made, locked against other processes as long
// as the object lives.
class WorkFolder {
 public:
  // Makes the folder where it is missing. Throws Error when it cannot be made, or when another
  // process works in it; `output` is named in messages.
  WorkFolder(const std::filesystem::path& path, const std::filesystem::path& output);
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // Removes everything in it but the lock and `keep` (a name).
  void clear(const std::filesystem::path& keep = {});

  // Removes it and all that is in it, `last` (a name) after everything else.
  void remove(const std::filesystem::path& last);

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

// Makes the names in a folder outlive a power cut.
void sync_folder(const std::filesystem::path& folder);

}  // namespace vergence::pipeline
