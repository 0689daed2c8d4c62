// SPDX-License-Identifier: Apache-2.0
#include "pipeline/disk_space.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <utility>

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

namespace {

// What a codec takes at its usual quality: bits and seconds of a core per million pixels.
struct CodecCost {
  std::string_view prefix;  // of its name
  double megabits = 0.0;
  double seconds = 0.0;
};

constexpr std::array<CodecCost, 8> kCodecCosts = {{
    {"libx265", 0.05, 0.25},
    {"libsvtav1", 0.05, 0.15},
    {"prores", 2.5, 0.03},
    {"ffv1", 9.0, 0.06},
    {"utvideo", 11.0, 0.01},
    {"h264_", 0.1, 0.002},
    {"hevc_", 0.06, 0.002},
    {"", 0.08, 0.045},  // libx264 and the like
}};

// Times of x264's presets as multiples of its usual one; those of others are named alike.
double preset_factor(std::string_view preset) {
  constexpr std::array<std::pair<std::string_view, double>, 9> kFactors = {{{"ultrafast", 0.2},
                                                                            {"superfast", 0.3},
                                                                            {"veryfast", 0.4},
                                                                            {"faster", 0.6},
                                                                            {"fast", 0.8},
                                                                            {"medium", 1.0},
                                                                            {"slow", 1.7},
                                                                            {"slower", 3.5},
                                                                            {"veryslow", 6.0}}};
  const auto* found = std::find_if(kFactors.begin(), kFactors.end(),
                                   [&](const auto& each) { return each.first == preset; });
  return found == kFactors.end() ? 1.0 : found->second;
}

}  // namespace

JobEstimate guess_job(const JobOutlook& outlook) {
  constexpr double kWarpSeconds = 0.02;  // of a core per megapixel of the input, decoding included
  const auto* cost = std::find_if(kCodecCosts.begin(), kCodecCosts.end(), [&](const auto& each) {
    return outlook.codec.starts_with(each.prefix);
  });
  const double encoding = cost->seconds * preset_factor(outlook.preset) * outlook.output_megapixels;
  const double shared = kWarpSeconds * outlook.input_megapixels + encoding;
  const auto frames = static_cast<double>(outlook.num_frames);
  const double bits = outlook.bitrate_kbps > 0 && outlook.frame_rate > 0.0
                          ? 1e3 * outlook.bitrate_kbps / outlook.frame_rate
                          : 1e6 * cost->megabits * outlook.output_megapixels;
  JobEstimate estimate;
  estimate.seconds_left = frames * (outlook.depth_seconds + shared / thread_count());
  estimate.segments_ahead = static_cast<std::uint64_t>(frames * bits / 8.0);
  estimate.output_bytes = estimate.segments_ahead + outlook.other_bytes;
  estimate.join_bytes = estimate.output_bytes;
  return estimate;
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
