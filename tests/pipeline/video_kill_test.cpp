// SPDX-License-Identifier: Apache-2.0
// Video jobs killed at any moment: the result is as if nothing had happened.
#include "core/output_file.hpp"
#include "tests/pipeline/video_clips.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <chrono>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kKilled = 128 + SIGKILL;

class VideoKill : public ::testing::Test {
 protected:
  void SetUp() override {
    write_clip(input_, {.num_frames = 300, .audio = true});
    const auto start = Clock::now();
    ASSERT_EQ(run("whole.mp4", {}).exit_code, 0);
    whole_seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
  }

  ProcessResult run(const std::string& output, std::vector<std::string> words,
                    const ProcessOptions& options = {}) const {
    words.insert(words.begin(), {(binary_dir() / "bin" / "video_job_runner").string(),
                                 input_.string(), (folder_ / output).string()});
    return run_process(words, options);
  }

  ProcessResult run_and_kill_after(double seconds, std::vector<std::string> words) const {
    const auto start = Clock::now();
    return run("out.mp4", std::move(words),
               {.signal_when =
                    [=](const std::string&) {
                      return std::chrono::duration<double>(Clock::now() - start).count() > seconds;
                    },
                .signal_number = SIGKILL});
  }

  void expect_whole() const {
    EXPECT_EQ(frame_hashes(folder_ / "out.mp4"), frame_hashes(folder_ / "whole.mp4"));
    const auto packets = [&](const char* name) {
      return ffmpeg(
          {"-i", (folder_ / name).string(), "-map", "0:a", "-c", "copy", "-f", "framemd5", "-"});
    };
    EXPECT_EQ(packets("out.mp4"), packets("whole.mp4"));
    EXPECT_FALSE(fs::exists(folder_ / ".out.mp4.vergence"));
  }

  TemporaryFolder folder_;
  fs::path input_ = folder_ / "in.mp4";
  double whole_seconds_ = 0.0;
};

TEST_F(VideoKill, TwentyTimesAtRandomMoments) {
  // Slowed down, so that start-up takes less of a run and a second kill finds new frames.
  const std::vector<std::string> slow = {"delay_us=15000"};
  std::mt19937 random(20);
  int num_killed = 0;
  for (int tries = 0; num_killed < 20 && tries < 60; ++tries) {
    std::uniform_real_distribution<double> moment(0.05, 1.6);
    const auto result = run_and_kill_after(moment(random), slow);
    if (result.exit_code == kKilled) {
      ++num_killed;
      // Killed while tidying up: then it must be whole.
      if (fs::exists(folder_ / "out.mp4")) {
        ASSERT_EQ(frame_hashes(folder_ / "out.mp4"), frame_hashes(folder_ / "whole.mp4"));
      }
    } else {
      ASSERT_EQ(result.exit_code, 0) << result.errors;
      expect_whole();  // it had come to its end: from the beginning again
      fs::remove(folder_ / "out.mp4");
    }
  }
  EXPECT_EQ(num_killed, 20);
  const auto last = run("out.mp4", {});
  ASSERT_EQ(last.exit_code, 0) << last.errors;
  expect_whole();
}

TEST_F(VideoKill, InsideSegmentsAndAtTheirEdges) {
  // Segments end behind frames 12, 24, ...
  for (const int frames : {1, 12, 13, 24, 30}) {
    EXPECT_EQ(run("out.mp4", {fmt::format("kill=frames:{}", frames)}).exit_code, kKilled);
  }
  const auto last = run("out.mp4", {});
  ASSERT_EQ(last.exit_code, 0) << last.errors;
  EXPECT_THAT(last.output, ::testing::Not(::testing::HasSubstr(" 0 of them")));
  expect_whole();
}

TEST_F(VideoKill, WhileJoining) {
  EXPECT_EQ(run("out.mp4", {"kill=joining:0"}).exit_code, kKilled);
  for (const int bytes : {1, 20000, 100000}) {
    EXPECT_EQ(run("out.mp4", {fmt::format("kill=joining:{}", bytes)}).exit_code, kKilled);
    EXPECT_FALSE(fs::exists(folder_ / "out.mp4"));
  }
  const auto last = run("out.mp4", {});
  ASSERT_EQ(last.exit_code, 0) << last.errors;
  EXPECT_THAT(last.output, ::testing::HasSubstr("300 of them earlier"));
  expect_whole();
}

// From the moment at which the output has its name until the work folder is gone.
TEST_F(VideoKill, WhileRenamingAndTidyingUp) {
  for (int i = 0; i < 8; ++i) {
    const auto seen = std::make_shared<Clock::time_point>();
    const auto result =
        run("out.mp4", {},
            {.signal_when =
                 [=, this](const std::string&) {
                   return fs::exists(folder_ / "out.mp4") ||
                          fs::exists(folder_ / ".out.mp4.vergence" / "joined_out.mp4");
                 },
             .signal_number = SIGKILL});
    ASSERT_TRUE(result.exit_code == kKilled || result.exit_code == 0) << result.errors;
    const auto last = run("out.mp4", {});
    ASSERT_EQ(last.exit_code, 0) << last.errors;
    expect_whole();
    fs::remove(folder_ / "out.mp4");
  }
}

// Every state that renaming and tidying up can leave behind, made by hand.
TEST_F(VideoKill, AnyRestOfTheWorkFolder) {
  const fs::path work = folder_ / ".out.mp4.vergence";
  const auto half_done = [&] {
    fs::remove(folder_ / "out.mp4");
    fs::remove_all(work);
    EXPECT_EQ(run("out.mp4", {"kill=joining:20000"}).exit_code, kKilled);
  };
  half_done();
  write_file(work / "joined_out.mp4", "half a file");
  ASSERT_EQ(run("out.mp4", {}).exit_code, 0);
  expect_whole();
  half_done();
  fs::copy_file(folder_ / "whole.mp4", folder_ / "out.mp4");  // renamed, but not yet told
  ASSERT_EQ(run("out.mp4", {}).exit_code, 0);
  expect_whole();
  half_done();
  fs::remove(work / "journal");  // all else is without a meaning then
  ASSERT_EQ(run("out.mp4", {}).exit_code, 0);
  expect_whole();
}

TEST_F(VideoKill, TwoProcessesAreRefused) {
  std::string errors;
  const auto first = run("out.mp4", {"delay_us=20000"},
                         {.signal_when =
                              [&](const std::string& said) {
                                if (said.find("stage making") == std::string::npos) return false;
                                errors = run("out.mp4", {}).errors;
                                return true;
                              },
                          .signal_number = SIGKILL});
  EXPECT_EQ(first.exit_code, kKilled);
  EXPECT_THAT(errors, ::testing::HasSubstr("another process is making"));
  ASSERT_EQ(run("out.mp4", {}).exit_code, 0);
  expect_whole();
}

}  // namespace
}  // namespace vergence::test
