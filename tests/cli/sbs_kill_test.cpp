// SPDX-License-Identifier: Apache-2.0
// The real program, killed and interrupted while it makes a 3D video.
#include "tests/cli/program.hpp"
#include "tests/pipeline/video_clips.hpp"

#include <chrono>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

class SbsKill : public ProgramTest {
 protected:
  void SetUp() override {
    write_clip(folder_ / "in.mp4", {.num_frames = 96, .audio = true});
    ASSERT_EQ(make("whole.mkv").exit_code, 0);
  }

  ProcessResult make(const std::string& output, ProcessOptions options = {}) const {
    options.environment.emplace("XDG_CACHE_HOME", (folder_ / "cache").string());
    return vergence({"sbs", "in.mp4", "-o", output, "--progress", "plain", "predictor.size_px=64",
                     "video.preset=ultrafast", "video.segment_s=0.25", "video.depth_cache=false"},
                    options);
  }

  void expect_whole() const {
    EXPECT_EQ(frame_hashes(folder_ / "out.mkv"), frame_hashes(folder_ / "whole.mkv"));
    EXPECT_FALSE(fs::exists(folder_ / ".out.mkv.vergence"));
  }
};

TEST_F(SbsKill, GoesOnAfterBeingKilled) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> moment(0.1, 1.5);
  for (int i = 0; i < 6; ++i) {
    const auto start = Clock::now();
    const double seconds = moment(random);
    const auto result =
        make("out.mkv", {.signal_when =
                             [=](const std::string&) {
                               return std::chrono::duration<double>(Clock::now() - start).count() >
                                      seconds;
                             },
                         .signal_number = SIGKILL});
    ASSERT_TRUE(result.exit_code == 128 + SIGKILL || result.exit_code == 0) << result.errors;
    if (result.exit_code == 0) fs::remove(folder_ / "out.mkv");
  }
  const auto last = make("out.mkv");
  ASSERT_EQ(last.exit_code, 0) << last.errors;
  expect_whole();
}

TEST_F(SbsKill, CtrlCEndsWith130AndSaysHowToGoOn) {
  const auto result = make(
      "out.mkv", {.signal_when = [this](const std::string&) {
        return fs::exists(folder_ / ".out.mkv.vergence" / ("000001" + media::segment_extension()));
      }});
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_THAT(last_line(result.errors), HasSubstr("run the same command again to go on"));
  EXPECT_FALSE(fs::exists(folder_ / "out.mkv"));
  const auto last = make("out.mkv");
  ASSERT_EQ(last.exit_code, 0) << last.errors;
  EXPECT_THAT(last.errors, HasSubstr("goes on after"));
  expect_whole();
}

}  // namespace
}  // namespace vergence::test
