// SPDX-License-Identifier: Apache-2.0
// How much time and disk a job will need, and whether the disk has it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace vergence::pipeline {

// Bytes that this user can still write on the disk of `folder`; "" = the current one. The largest
// number where the system does not tell.
[[nodiscard]] std::uint64_t free_bytes(const std::filesystem::path& folder);

// Whether two folders lie on one disk, so that a file can be renamed from one to the other.
[[nodiscard]] bool on_one_disk(const std::filesystem::path& one, const std::filesystem::path& two);

// "512 bytes", "3.4 MB", "12 GB": powers of 1000, as disks are sold.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

// "45 s", "12 min", "3 h 20 min".
[[nodiscard]] std::string rough_duration_text(double seconds);

// How far a job is. Counts are of the whole output, earlier calls included, unless said otherwise.
struct JobProgress {
  std::int64_t num_frames = 0;        // finished
  std::int64_t total_frames = 0;      // 0 = not known
  std::uint64_t segment_bytes = 0;    // of the finished frames
  std::uint64_t other_bytes = 0;      // of what is joined with them: sound, subtitles; an estimate
  std::int64_t frames_this_call = 0;  // finished by this call
  double seconds_this_call = 0.0;
};

// What is still to come, if all goes on as it did.
struct JobEstimate {
  double seconds_left = 0.0;         // 0 = not known
  std::uint64_t output_bytes = 0;    // of the whole output
  std::uint64_t segments_ahead = 0;  // bytes of segments that are not made yet
  std::uint64_t join_bytes = 0;      // that joining needs beside the segments
};

// What is known of a job before it begins.
struct JobOutlook {
  std::int64_t num_frames = 0;     // to be made; 0 = not known
  double input_megapixels = 0.0;   // of a frame
  double output_megapixels = 0.0;  // of a frame, both eyes
  double frame_rate = 0.0;
  std::string codec;
  std::string preset;
  int bitrate_kbps = 0;           // 0 = by quality
  double depth_seconds = 0.0;     // of a frame, by a trial
  std::uint64_t other_bytes = 0;  // as in JobProgress
};

// A first guess, from what codecs usually need per pixel (measured on two cores of a server of
// 2024): right within a factor of two or three.
[[nodiscard]] JobEstimate guess_job(const JobOutlook& outlook);

// Throws std::invalid_argument where no frame is finished.
[[nodiscard]] JobEstimate estimate_job(const JobProgress& progress);

// One line for the user: "about 1 h 45 min to go; output about 3.2 GB, 6.4 GB of disk while it is
// made (120 GB free)". Without time where the number of frames is not known.
[[nodiscard]] std::string describe(const JobEstimate& estimate, const JobProgress& progress,
                                   std::uint64_t free);

// Whether a corrected estimate is worth telling: time or size differ by more than a fifth.
[[nodiscard]] bool differs_much(const JobEstimate& told, double seconds_since,
                                const JobEstimate& now);

// Throws Error where `folder` has less than `needed` bytes free: "'OUTPUT' needs about N more on
// the disk of 'FOLDER', which has M".
void check_space(const std::filesystem::path& folder, std::uint64_t needed,
                 const std::filesystem::path& output);

}  // namespace vergence::pipeline
