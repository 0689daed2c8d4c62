// SPDX-License-Identifier: Apache-2.0
#include "pipeline/disk_space.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "tests/support/paths.hpp"

#include <limits>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

using ::testing::HasSubstr;

TEST(DiskSpace, TellsWhatIsFree) {
  const test::TemporaryFolder folder;
  EXPECT_GT(free_bytes(folder.path()), 0U);
  EXPECT_LT(free_bytes(folder.path()), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(free_bytes(folder / "missing"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_TRUE(on_one_disk(folder.path(), folder.path()));
  EXPECT_FALSE(on_one_disk(folder.path(), "/proc"));
}

TEST(DiskSpace, ComplainsWithNumbers) {
  const test::TemporaryFolder folder;
  EXPECT_NO_THROW(check_space(folder.path(), 1, "film.mkv"));
  try {
    check_space(folder.path(), std::uint64_t{1} << 62U, "film.mkv");
    FAIL() << "so much is never free";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'film.mkv' needs about 4612 PB more"));
    EXPECT_THAT(error.what(), HasSubstr("run the same command again"));
  }
}

TEST(DiskSpace, NumbersAreShort) {
  EXPECT_EQ(bytes_text(512), "512 bytes");
  EXPECT_EQ(bytes_text(3400), "3.4 kB");
  EXPECT_EQ(bytes_text(999600), "1.0 MB");
  EXPECT_EQ(bytes_text(12'345'678'901), "12 GB");
  EXPECT_EQ(rough_duration_text(44.6), "45 s");
  EXPECT_EQ(rough_duration_text(719.0), "12 min");
  EXPECT_EQ(rough_duration_text(12000.0), "3 h 20 min");
}

TEST(JobEstimate, GoesOnAsItBegan) {
  const JobProgress progress{.num_frames = 100,
                             .total_frames = 1000,
                             .segment_bytes = 2'000'000,
                             .other_bytes = 500'000,
                             .frames_this_call = 50,
                             .seconds_this_call = 10.0};
  const auto estimate = estimate_job(progress);
  EXPECT_DOUBLE_EQ(estimate.seconds_left, 180.0);
  EXPECT_EQ(estimate.segments_ahead, 18'000'000U);
  EXPECT_EQ(estimate.output_bytes, 20'500'000U);
  EXPECT_EQ(describe(estimate, progress, 100'000'000),
            "about 3 min to go; output about 20 MB, 40 MB of disk while it is made (100 MB free)");
}

TEST(JobEstimate, BeginsWithAGuess) {
  set_thread_count(2);
  JobOutlook outlook = {.num_frames = 172'800,  // two hours
                        .input_megapixels = 2.07,
                        .output_megapixels = 4.15,
                        .frame_rate = 24.0,
                        .codec = "libx264",
                        .preset = "veryfast",
                        .depth_seconds = 0.012,
                        .other_bytes = 1'000'000};
  const auto film = guess_job(outlook);
  // As measured (bench/README.md): about three hours.
  EXPECT_GT(film.seconds_left, 1.5 * 3600.0);
  EXPECT_LT(film.seconds_left, 6.0 * 3600.0);
  EXPECT_EQ(film.output_bytes, film.segments_ahead + 1'000'000);
  outlook.depth_seconds = 1.0;
  EXPECT_NEAR(guess_job(outlook).seconds_left - film.seconds_left, 0.988 * 7200.0 * 24.0, 1.0);
  outlook.bitrate_kbps = 8000;
  EXPECT_EQ(guess_job(outlook).segments_ahead, 7'200'000'000U);
  outlook.codec = "ffv1";
  outlook.bitrate_kbps = 0;
  EXPECT_GT(guess_job(outlook).output_bytes, 50 * film.output_bytes);
}

TEST(JobEstimate, SaysWhatItKnowsOfAPipe) {
  const JobProgress progress{.num_frames = 100, .segment_bytes = 2'000'000};
  EXPECT_EQ(estimate_job(progress).segments_ahead, 0U);
  EXPECT_THAT(describe(estimate_job(progress), progress, 5'000'000),
              HasSubstr("100 frames so far"));
  EXPECT_THROW((void)estimate_job({}), std::invalid_argument);
}

TEST(JobEstimate, IsToldAgainWhenItHasChanged) {
  const JobEstimate told{.seconds_left = 1000.0, .output_bytes = 1000};
  EXPECT_FALSE(differs_much(told, 300.0, {.seconds_left = 700.0, .output_bytes = 1100}));
  EXPECT_TRUE(differs_much(told, 300.0, {.seconds_left = 1000.0, .output_bytes = 1000}));
  EXPECT_TRUE(differs_much(told, 0.0, {.seconds_left = 1000.0, .output_bytes = 1500}));
}

}  // namespace
}  // namespace vergence::pipeline
