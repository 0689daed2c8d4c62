// SPDX-License-Identifier: Apache-2.0
// A long video made by several processes of the real program is the one that a single process
// makes, whoever is killed on the way.
#include "tests/cli/program.hpp"
#include "tests/pipeline/video_clips.hpp"
#include "tests/support/sphere_clip.hpp"

#include <csignal>
#include <fstream>
#include <iterator>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

// The process whose arguments hold "--worker" and a path in the folder.
std::optional<pid_t> worker_in(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream stream(entry.path() / "cmdline", std::ios::binary);
    const std::string arguments{std::istreambuf_iterator<char>(stream), {}};
    const bool ours = arguments.find(folder.string()) != std::string::npos;
    if (ours && arguments.find("--worker") != std::string::npos) return std::stoi(name);
  }
  return std::nullopt;
}

class SplitVideo : public ProgramTest {
 protected:
  using Arguments = std::vector<std::string>;

  // Larger ones take a while, so that there is time to kill.
  std::string network_size_ = "predictor.size_px=64";
  const Arguments shared_ = {"launcher=local", "launcher.workers=2"};

  // 60 frames in nine segments.
  void write_input() const { write_clip(folder_ / "in.mp4", {.num_frames = 60, .audio = true}); }

  ProcessResult make(const std::string& command, const std::string& output, const Arguments& more,
                     ProcessOptions options = {}) const {
    options.environment.emplace("XDG_CACHE_HOME", (folder_ / "cache").string());
    Arguments arguments{command,
                        "in.mp4",
                        "-o",
                        output,
                        "--progress",
                        "plain",
                        network_size_,
                        "video.preset=ultrafast",
                        "video.segment_s=0.25",
                        "video.depth_cache=false",
                        "threads=1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return vergence(arguments, options);
  }

  [[nodiscard]] fs::path work_folder() const { return folder_ / ".out.mkv.vergence"; }

  // Whether a part of this kind has finished a segment.
  [[nodiscard]] bool has_part(const std::string& kind) const {
    std::error_code error;
    for (fs::directory_iterator it(work_folder(), error), end; !error && it != end;
         it.increment(error)) {
      const auto name = it->path().filename().string();
      std::error_code gone;
      const auto bytes = fs::file_size(it->path(), gone);
      // A record of a frame takes some hundred bytes.
      if (name.starts_with(kind) && name.ends_with(".part") && !gone && bytes > 6000) return true;
    }
    return false;
  }

  // The sound's packets.
  [[nodiscard]] std::string sound_of(const std::string& name) const {
    return ffprobe({"-select_streams", "a", "-show_entries", "packet=pts,size,data_hash",
                    "-show_data_hash", "md5", "-of", "csv=p=0", (folder_ / name).string()});
  }

  void expect_whole() const {
    EXPECT_EQ(frame_hashes(folder_ / "out.mkv"), frame_hashes(folder_ / "whole.mkv"));
    EXPECT_FALSE(fs::exists(work_folder()));
  }
};

TEST_F(SplitVideo, EqualsThatOfOneProcess) {
  write_input();
  // Frames that look at others on either side.
  const Arguments windows = {"temporal.background=true", "temporal.background_frames=3"};
  const auto whole = make("sbs", "whole.mkv", windows);
  ASSERT_EQ(whole.exit_code, 0) << whole.errors;
  Arguments more = windows;
  more.insert(more.end(), shared_.begin(), shared_.end());
  const auto split = make("sbs", "out.mkv", more);
  ASSERT_EQ(split.exit_code, 0) << split.errors;
  EXPECT_THAT(split.errors, HasSubstr("measuring frames"));
  EXPECT_EQ(split.output, "out.mkv\n");
  expect_whole();
  EXPECT_THAT(sound_of("out.mkv"), HasSubstr("MD5"));
  EXPECT_EQ(sound_of("out.mkv"), sound_of("whole.mkv"));
}

TEST_F(SplitVideo, OfTheSphereEqualsThatOfOneProcess) {
  write_sphere_clip(folder_ / "in.mp4", usual_sphere_clip(60, {256, 128}), VERGENCE_FFMPEG);
  const Arguments small = {"views.count=6", "views.size_px=64", "vr.eye_px=128"};
  const auto whole = make("vr180", "whole.mkv", small);
  ASSERT_EQ(whole.exit_code, 0) << whole.errors;
  Arguments more = small;
  more.insert(more.end(), shared_.begin(), shared_.end());
  const auto split = make("vr180", "out.mkv", more);
  ASSERT_EQ(split.exit_code, 0) << split.errors;
  EXPECT_THAT(split.errors, HasSubstr("measuring frames"));
  expect_whole();
}

TEST_F(SplitVideo, AKilledWorkersTaskIsTriedAgain) {
  network_size_ = "predictor.size_px=384";
  write_input();
  ASSERT_EQ(make("sbs", "whole.mkv", {}).exit_code, 0);
  for (const std::string kind : {"measure", "make"}) {
    bool killed = false;
    const auto split = make("sbs", "out.mkv", shared_, {.signal_when = [&](const std::string&) {
                              if (killed || !has_part(kind)) return false;
                              const auto worker = worker_in(folder_ / "");
                              killed = worker && ::kill(*worker, SIGKILL) == 0;
                              return false;
                            }});
    ASSERT_EQ(split.exit_code, 0) << split.errors;
    EXPECT_TRUE(killed) << kind;
    EXPECT_THAT(split.errors, HasSubstr("tried again")) << kind;
    expect_whole();
  }
}

TEST_F(SplitVideo, GoesOnAfterTheLeaderWasKilled) {
  network_size_ = "predictor.size_px=384";
  write_input();
  ASSERT_EQ(make("sbs", "whole.mkv", {}).exit_code, 0);
  for (const std::string kind : {"measure", "make"}) {
    const auto killed = make("sbs", "out.mkv", shared_,
                             {.signal_when = [&](const std::string&) { return has_part(kind); },
                              .signal_number = SIGKILL});
    ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << killed.errors;
  }
  const auto last = make("sbs", "out.mkv", shared_);
  ASSERT_EQ(last.exit_code, 0) << last.errors;
  EXPECT_THAT(last.errors, Not(HasSubstr("measuring frames")));
  expect_whole();
}

TEST_F(SplitVideo, ShortOnesAndThoseOfOtherLaunchersAreMadeByOneProcess) {
  write_input();
  for (const Arguments& more :
       {Arguments{"launcher=local", "launcher.split_videos=false"},
        Arguments{"launcher=local", "launcher.workers=2", "video.segment_s=10"}, Arguments{}}) {
    const auto made = make("sbs", "out.mkv", more);
    ASSERT_EQ(made.exit_code, 0) << made.errors;
    EXPECT_THAT(made.errors, Not(HasSubstr("measuring frames")));
  }
}

TEST_F(SplitVideo, CtrlCLeavesWhatIsFinished) {
  network_size_ = "predictor.size_px=384";
  write_input();
  const auto stopped =
      make("sbs", "out.mkv", shared_,
           {.signal_when = [&](const std::string&) { return has_part("measure"); }});
  EXPECT_EQ(stopped.exit_code, 130);
  EXPECT_THAT(last_line(stopped.errors), HasSubstr("run the same command again to go on"));
  ASSERT_EQ(make("sbs", "whole.mkv", {}).exit_code, 0);
  ASSERT_EQ(make("sbs", "out.mkv", shared_).exit_code, 0);
  expect_whole();
}

}  // namespace
}  // namespace vergence::test
