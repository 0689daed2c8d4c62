// SPDX-License-Identifier: Apache-2.0
#include "pipeline/disk_space.hpp"

#include "core/error.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

fs::path or_here(const fs::path& folder) {
  return folder.empty() ? fs::path(".") : folder;
}

// Rounded up: rather too much than too little.
std::uint64_t scaled(std::uint64_t bytes, double factor) {
  return static_cast<std::uint64_t>(std::ceil(static_cast<double>(bytes) * factor));
}

bool far_apart(double one, double two) {
  return std::abs(one - two) > 0.2 * std::max(one, two);
}

}  // namespace

std::uint64_t free_bytes(const fs::path& folder) {
  struct statvfs status {};

  if (::statvfs(or_here(folder).c_str(), &status) != 0) {
    return std::numeric_limits<std::uint64_t>::max();
  }
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

bool on_one_disk(const fs::path& one, const fs::path& two) {
  struct stat of_one {};

  struct stat of_two {};

  return ::stat(or_here(one).c_str(), &of_one) == 0 && ::stat(or_here(two).c_str(), &of_two) == 0 &&
         of_one.st_dev == of_two.st_dev;
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"kB", "MB", "GB", "TB", "PB"};
  if (bytes < 1000) return fmt::format("{} bytes", bytes);
  double number = static_cast<double>(bytes) / 1000.0;
  std::size_t unit = 0;
  while (number >= 999.5 && unit + 1 < kUnits.size()) {
    number /= 1000.0;
    ++unit;
  }
  return number < 9.95 ? fmt::format("{:.1f} {}", number, kUnits[unit])
                       : fmt::format("{:.0f} {}", number, kUnits[unit]);
}

std::string rough_duration_text(double seconds) {
  constexpr double kMinute = 60.0;
  if (seconds < 2.0 * kMinute) return fmt::format("{:.0f} s", seconds);
  const auto minutes = static_cast<std::int64_t>(std::lround(seconds / kMinute));
  if (minutes < 120) return fmt::format("{} min", minutes);
  return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

JobEstimate estimate_job(const JobProgress& progress) {
  if (progress.num_frames <= 0) throw std::invalid_argument("an estimate needs a finished frame");
  JobEstimate estimate;
  const double done = static_cast<double>(progress.num_frames);
  const double total = static_cast<double>(std::max(progress.num_frames, progress.total_frames));
  if (progress.frames_this_call > 0) {
    estimate.seconds_left = (total - done) * progress.seconds_this_call /
                            static_cast<double>(progress.frames_this_call);
  }
  estimate.segments_ahead = scaled(progress.segment_bytes, (total - done) / done);
  estimate.output_bytes = progress.segment_bytes + estimate.segments_ahead + progress.other_bytes;
  // The joined file lies beside the segments until it has its name.
  estimate.join_bytes = estimate.output_bytes;
  return estimate;
}

std::string describe(const JobEstimate& estimate, const JobProgress& progress, std::uint64_t free) {
  const auto during = progress.segment_bytes + estimate.segments_ahead + estimate.join_bytes;
  if (progress.total_frames == 0) {
    return fmt::format("{} frames so far, {} of disk ({} free)", progress.num_frames,
                       bytes_text(during), bytes_text(free));
  }
  return fmt::format("about {} to go; output about {}, {} of disk while it is made ({} free)",
                     rough_duration_text(estimate.seconds_left), bytes_text(estimate.output_bytes),
                     bytes_text(during), bytes_text(free));
}

bool differs_much(const JobEstimate& told, double seconds_since, const JobEstimate& now) {
  return far_apart(told.seconds_left - seconds_since, now.seconds_left) ||
         far_apart(static_cast<double>(told.output_bytes), static_cast<double>(now.output_bytes));
}

void check_space(const fs::path& folder, std::uint64_t needed, const fs::path& output) {
  const auto free = free_bytes(folder);
  if (free >= needed) return;
  throw Error(fmt::format("'{}' needs about {} more on the disk of '{}', which has {} free",
                          output.string(), bytes_text(needed), or_here(folder).string(),
                          bytes_text(free)))
      .hint("free some space and run the same command again: it goes on where it stopped");
}

}  // namespace vergence::pipeline
