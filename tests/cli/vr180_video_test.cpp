// SPDX-License-Identifier: Apache-2.0
// The real program makes VR180 of a 300-frame 360 clip, as people would, and is killed on the way.
#include "tests/cli/program.hpp"
#include "tests/pipeline/video_clips.hpp"
#include "tests/support/sphere_clip.hpp"

#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Vr180Video : public ProgramTest {
 protected:
  static constexpr int kFrames = 300;

  void SetUp() override {
    write_sphere_clip(folder_ / "in.mp4", usual_sphere_clip(kFrames, {256, 128}), VERGENCE_FFMPEG);
  }

  ProcessResult make(const std::string& output, ProcessOptions options = {}) const {
    options.environment.emplace("XDG_CACHE_HOME", (folder_ / "cache").string());
    options.timeout_seconds = 900.0;
    return vergence(
        {"vr180", "in.mp4", "-o", output, "--progress", "plain", "views.count=6",
         "views.size_px=64", "predictor.size_px=64", "vr.eye_px=256", "video.codec=libx265",
         "video.preset=ultrafast", "video.pixel_format=yuv420p10le", "video.segment_s=1",
         "video.depth_cache=false"},
        options);
  }

  [[nodiscard]] std::string probe(const std::string& stream, const std::string& entries) const {
    return ffprobe({"-select_streams", stream, "-count_packets", "-show_entries",
                    "stream=" + entries, "-of", "csv=p=0", (folder_ / "whole.mp4").string()});
  }
};

TEST_F(Vr180Video, IsTheSameAfterItWasKilled) {
  const auto whole = make("whole.mp4");
  ASSERT_EQ(whole.exit_code, 0) << whole.errors;
  EXPECT_THAT(probe("v:0", "codec_name,width,height,pix_fmt,nb_read_packets"),
              HasSubstr("hevc,512,256,yuv420p10le,300"));
  EXPECT_THAT(probe("a:0", "codec_name,channels"), HasSubstr("aac,2"));

  // Killed once some segments are there, each time later.
  for (const std::size_t segments : {2U, 5U}) {
    const auto killed = make(
        "out.mp4", {.signal_when =
                        [&](const std::string&) {
                          std::error_code error;
                          const fs::directory_iterator work(folder_ / ".out.mp4.vergence", error);
                          return !error && static_cast<std::size_t>(std::distance(
                                               begin(work), end(work))) > segments + 2;
                        },
                    .signal_number = SIGKILL});
    ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << killed.errors;
  }
  const auto last = make("out.mp4");
  ASSERT_EQ(last.exit_code, 0) << last.errors;
  EXPECT_THAT(last.errors, HasSubstr("goes on after"));
  EXPECT_EQ(frame_hashes(folder_ / "out.mp4"), frame_hashes(folder_ / "whole.mp4"));
}

}  // namespace
}  // namespace vergence::test
