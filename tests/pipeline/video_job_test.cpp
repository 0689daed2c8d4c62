// SPDX-License-Identifier: Apache-2.0
#include "pipeline/video_job.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/output_file.hpp"
#include "media/video_reader.hpp"
#include "tests/pipeline/video_clips.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opencv2/core.hpp>

namespace vergence::pipeline {
namespace {

namespace fs = std::filesystem;
using test::frame_hashes;
using test::small_job_options;
using test::write_clip;
using ::testing::HasSubstr;

// Stops the work at a step of a stage: as Ctrl-C does, or as a defect would.
class StoppingProgress final : public Progress {
 public:
  StoppingProgress(std::string stage, std::int64_t steps, bool interrupt)
      : stage_(std::move(stage)),
        steps_(steps),
        interrupt_(interrupt) {}

  void begin(std::string_view stage, std::string_view, std::int64_t) override {
    here_ = stage.find(stage_) != std::string_view::npos;
    done_ = 0;
    if (here_ && steps_ == 0) stop();
  }

  void advance(std::int64_t steps) override {
    done_ += steps;
    if (here_ && done_ >= steps_) stop();
  }

  void end() override {}

 private:
  void stop() const {
    if (!interrupt_) throw std::runtime_error("stopped by the test");
    request_interrupt();
  }

  std::string stage_;
  std::int64_t steps_;
  bool interrupt_;
  bool here_ = false;
  std::int64_t done_ = 0;
};

class VideoJobTest : public ::testing::Test {
 protected:
  void TearDown() override { clear_interrupt(); }

  VideoJobResult run(const std::string& output, const VideoJobOptions& options) const {
    return run_video_job(input_, folder_ / output, options, test::depth_from_luma(), no_progress());
  }

  // Ends a run after `frames` frames, as a defect would.
  void run_partly(const std::string& output, const VideoJobOptions& options,
                  std::int64_t frames) const {
    StoppingProgress progress("frames", frames, /*interrupt=*/false);
    EXPECT_THROW(
        (void)run_video_job(input_, folder_ / output, options, test::depth_from_luma(), progress),
        std::runtime_error);
  }

  std::string message(const std::string& output, const VideoJobOptions& options) const {
    try {
      (void)run(output, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      found.push_back(entry.path().filename().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  test::TemporaryFolder folder_;
  fs::path input_ = folder_ / "in.mp4";
};

TEST_F(VideoJobTest, MakesAVideoOfBothEyesAndLeavesNothingElse) {
  write_clip(input_, {.num_frames = 40});
  const auto result = run("out.mp4", small_job_options());
  EXPECT_EQ(result.num_frames, 40);
  EXPECT_EQ(result.resumed_frames, 0);
  EXPECT_EQ(result.outputs, (std::vector<fs::path>{folder_ / "out.mp4"}));
  EXPECT_EQ(result.bytes, fs::file_size(folder_ / "out.mp4"));
  EXPECT_EQ(result.stages.size(), 5U);
  EXPECT_EQ(names(), (std::vector<std::string>{"in.mp4", "out.mp4"}));
  const media::VideoReader reader(folder_ / "out.mp4");
  EXPECT_EQ(reader.info().size, cv::Size(192, 54));
  EXPECT_EQ(reader.info().frame_count, 40);
}

// With no parallax both eyes are the input: times, order and pictures are kept.
TEST_F(VideoJobTest, KeepsEveryFrameAndItsTime) {
  input_ = folder_ / "in.mkv";
  write_clip(input_,
             {.num_frames = 50, .rate = "30000/1001", .codec = "ffv1", .pixel_format = "yuv444p"});
  auto options = small_job_options(0.0F);
  options.encode = {};
  options.encode.codec = "ffv1";
  (void)run("out.mkv", options);
  media::VideoReader before(input_);
  media::VideoReader after(folder_ / "out.mkv");
  media::VideoFrame one;
  media::VideoFrame two;
  int count = 0;
  while (before.read(one)) {
    ASSERT_TRUE(after.read(two));
    EXPECT_NEAR(static_cast<double>(one.pts) * before.info().time_base.value(),
                static_cast<double>(two.pts) * after.info().time_base.value(), 0.0011);
    for (const int begin : {0, 96}) {
      ASSERT_LE(cv::norm(one.picture, two.picture.colRange(begin, begin + 96), cv::NORM_INF), 3.0)
          << "frame " << count;
    }
    ++count;
  }
  EXPECT_FALSE(after.read(two));
  EXPECT_EQ(count, 50);
}

TEST_F(VideoJobTest, WorksOnOneFrame) {
  write_clip(input_, {.num_frames = 1});
  EXPECT_EQ(run("out.mp4", small_job_options()).num_frames, 1);
  EXPECT_EQ(media::VideoReader(folder_ / "out.mp4").info().size, cv::Size(192, 54));
}

TEST_F(VideoJobTest, GoesOnWhereItStoppedWithTheSameResult) {
  write_clip(input_, {.num_frames = 75});
  auto options = small_job_options();
  (void)run("whole.mp4", options);
  for (const int stop : {13, 14, 40, 61, 75}) {
    run_partly("out.mp4", options, stop);
    EXPECT_FALSE(fs::exists(folder_ / "out.mp4"));
    EXPECT_TRUE(fs::exists(folder_ / ".out.mp4.vergence"));
    const auto result = run("out.mp4", options);
    EXPECT_EQ(result.num_frames, 75);
    EXPECT_GE(result.resumed_frames, stop - 13);
    EXPECT_EQ(frame_hashes(folder_ / "out.mp4"), frame_hashes(folder_ / "whole.mp4")) << stop;
    EXPECT_FALSE(fs::exists(folder_ / ".out.mp4.vergence"));
    fs::remove(folder_ / "out.mp4");
  }
}

TEST_F(VideoJobTest, GoesOnWithTheSameNeighboursOfFrames) {
  write_clip(input_, {.num_frames = 75});
  auto options = small_job_options();
  options.filter_depth = true;
  options.background_frames = 5;
  options.stabilizer.convergence_mode = stereo::ConvergenceMode::kAuto;
  (void)run("whole.mp4", options);
  for (const int stop : {14, 40, 62}) {
    run_partly("out.mp4", options, stop);
    EXPECT_GE(run("out.mp4", options).resumed_frames, stop - 13);
    EXPECT_EQ(frame_hashes(folder_ / "out.mp4"), frame_hashes(folder_ / "whole.mp4")) << stop;
    fs::remove(folder_ / "out.mp4");
  }
  (void)run("plain.mp4", small_job_options());
  EXPECT_NE(frame_hashes(folder_ / "plain.mp4"), frame_hashes(folder_ / "whole.mp4"));
}

TEST_F(VideoJobTest, AJobStoppedWhileJoiningMakesNoFrameAgain) {
  write_clip(input_, {.num_frames = 30});
  const auto options = small_job_options();
  (void)run("whole.mp4", options);
  StoppingProgress progress("joining", 0, /*interrupt=*/false);
  EXPECT_THROW(
      (void)run_video_job(input_, folder_ / "out.mp4", options, test::depth_from_luma(), progress),
      std::runtime_error);
  EXPECT_FALSE(fs::exists(folder_ / "out.mp4"));
  auto depth = test::depth_from_luma();
  depth.maps = [](auto) -> std::vector<cv::Mat> { throw std::logic_error("no frame is made"); };
  const auto result = run_video_job(input_, folder_ / "out.mp4", options, depth, no_progress());
  EXPECT_EQ(result.resumed_frames, 30);
  EXPECT_EQ(frame_hashes(folder_ / "out.mp4"), frame_hashes(folder_ / "whole.mp4"));
}

TEST_F(VideoJobTest, OtherSettingsAndInputsAreRefusedByName) {
  write_clip(input_, {.num_frames = 40});
  run_partly("out.mp4", small_job_options(2.0F), 30);
  EXPECT_THAT(message("out.mp4", small_job_options(3.0F)),
              HasSubstr("stereo.divergence was '2' and is '3'"));
  EXPECT_THAT(message("out.mp4", small_job_options(3.0F)), HasSubstr("video.resume=fresh"));
  write_clip(input_, {.num_frames = 41});
  EXPECT_THAT(message("out.mp4", small_job_options(2.0F)), HasSubstr("checksum of the input"));
  EXPECT_TRUE(fs::exists(folder_ / ".out.mp4.vergence" / "journal"));
  auto fresh = small_job_options(3.0F);
  fresh.resume = ResumeMode::kFresh;
  EXPECT_EQ(run("out.mp4", fresh).num_frames, 41);
  EXPECT_FALSE(fs::exists(folder_ / ".out.mp4.vergence"));
}

TEST_F(VideoJobTest, OnlyGoesOn) {
  write_clip(input_, {.num_frames = 40});
  auto options = small_job_options();
  options.resume = ResumeMode::kOnly;
  EXPECT_THAT(message("out.mp4", options), HasSubstr("nothing of"));
  EXPECT_EQ(names(), (std::vector<std::string>{"in.mp4"}));
  run_partly("out.mp4", small_job_options(), 30);
  EXPECT_GT(run("out.mp4", options).resumed_frames, 0);
}

TEST_F(VideoJobTest, LostAndShortenedSegmentsAreMadeAgain) {
  write_clip(input_, {.num_frames = 60});
  const auto options = small_job_options();
  (void)run("whole.mp4", options);
  for (const bool remove : {true, false}) {
    run_partly("out.mp4", options, 55);
    const auto segment = folder_ / ".out.mp4.vergence" / ("000001" + media::segment_extension());
    ASSERT_TRUE(fs::exists(segment));
    if (remove) fs::remove(segment);
    if (!remove) fs::resize_file(segment, fs::file_size(segment) / 2);
    EXPECT_EQ(run("out.mp4", options).resumed_frames, 12);
    EXPECT_EQ(frame_hashes(folder_ / "out.mp4"), frame_hashes(folder_ / "whole.mp4"));
  }
}

TEST_F(VideoJobTest, ADamagedJournalIsToldAndKept) {
  write_clip(input_, {.num_frames = 40});
  run_partly("out.mp4", small_job_options(), 30);
  const auto journal = folder_ / ".out.mp4.vergence" / "journal";
  write_file(journal, "not a journal at all");
  EXPECT_THAT(message("out.mp4", small_job_options()), HasSubstr("damaged"));
  EXPECT_TRUE(fs::exists(folder_ / ".out.mp4.vergence" / ("000000" + media::segment_extension())));
}

TEST_F(VideoJobTest, TidiesUpAfterAJobThatHadFinished) {
  write_clip(input_, {.num_frames = 30});
  const auto options = small_job_options();
  StoppingProgress progress("joining", 0, /*interrupt=*/false);
  EXPECT_THROW(
      (void)run_video_job(input_, folder_ / "out.mp4", options, test::depth_from_luma(), progress),
      std::runtime_error);
  // As after a crash between the renaming and the removal of the work folder.
  (void)run("other.mp4", options);
  fs::rename(folder_ / "other.mp4", folder_ / "out.mp4");
  {
    SegmentJournal journal(folder_ / ".out.mp4.vergence" / "journal");
    journal.append_finished(std::vector<std::uint64_t>{fs::file_size(folder_ / "out.mp4")});
  }
  const auto time = fs::last_write_time(folder_ / "out.mp4");
  EXPECT_EQ(run("out.mp4", options).num_frames, 30);
  EXPECT_EQ(fs::last_write_time(folder_ / "out.mp4"), time);
  EXPECT_EQ(names(), (std::vector<std::string>{"in.mp4", "out.mp4"}));
}

TEST_F(VideoJobTest, CtrlCSaysHowToGoOn) {
  write_clip(input_, {.num_frames = 60});
  const auto options = small_job_options();
  StoppingProgress late("frames", 40, /*interrupt=*/true);
  try {
    (void)run_video_job(input_, folder_ / "out.mp4", options, test::depth_from_luma(), late);
    FAIL() << "it was not interrupted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
    EXPECT_THAT(error.what(), HasSubstr("frames of '" + (folder_ / "out.mp4").string() + "'"));
    EXPECT_THAT(error.what(), HasSubstr("run the same command again to go on"));
  }
  clear_interrupt();
  EXPECT_GT(run("out.mp4", options).resumed_frames, 0);
}

TEST_F(VideoJobTest, CtrlCBeforeTheFirstSegmentLeavesNothing) {
  write_clip(input_, {.num_frames = 60});
  StoppingProgress early("frames", 3, /*interrupt=*/true);
  EXPECT_THROW((void)run_video_job(input_, folder_ / "out.mp4", small_job_options(),
                                   test::depth_from_luma(), early),
               Error);
  EXPECT_EQ(names(), (std::vector<std::string>{"in.mp4"}));
}

TEST_F(VideoJobTest, TwoJobsOnOneOutputAreRefused) {
  write_clip(input_, {.num_frames = 30});
  const WorkFolder held(folder_ / ".out.mp4.vergence", folder_ / "out.mp4");
  EXPECT_THAT(message("out.mp4", small_job_options()), HasSubstr("another process is making"));
}

TEST_F(VideoJobTest, AnotherStrengthNeedsNoNewPrediction) {
  write_clip(input_, {.num_frames = 40});
  auto options = small_job_options(2.0F);
  options.cache.folder = folder_ / "cache";
  std::atomic<int> num_predicted{0};
  auto depth = test::depth_from_luma();
  const auto maps = depth.maps;
  depth.maps = [&](auto frames) {
    num_predicted += static_cast<int>(frames.size());
    return maps(frames);
  };
  (void)run_video_job(input_, folder_ / "a.mp4", options, depth, no_progress());
  EXPECT_EQ(num_predicted, 40);
  auto stronger = small_job_options(4.0F);
  stronger.cache.folder = options.cache.folder;
  (void)run_video_job(input_, folder_ / "b.mp4", stronger, depth, no_progress());
  EXPECT_EQ(num_predicted, 40);
  (void)run("c.mp4", small_job_options(4.0F));
  EXPECT_EQ(frame_hashes(folder_ / "b.mp4"), frame_hashes(folder_ / "c.mp4"));
  EXPECT_NE(frame_hashes(folder_ / "b.mp4"), frame_hashes(folder_ / "a.mp4"));
  stronger.depth_settings = {{"predictor", "another"}};
  (void)run_video_job(input_, folder_ / "d.mp4", stronger, depth, no_progress());
  EXPECT_EQ(num_predicted, 80);
}

TEST_F(VideoJobTest, EyesGoIntoTwoFiles) {
  write_clip(input_, {.num_frames = 30});
  auto options = small_job_options();
  (void)run("both.mkv", options);
  options.eye_frames = EyeFrames::kSeparate;
  options.second_output = folder_ / "right.mkv";
  run_partly("left.mkv", options, 20);
  const auto result = run("left.mkv", options);
  EXPECT_EQ(result.outputs.size(), 2U);
  EXPECT_GT(result.resumed_frames, 0);
  media::VideoReader both(folder_ / "both.mkv");
  media::VideoReader left(folder_ / "left.mkv");
  media::VideoReader right(folder_ / "right.mkv");
  media::VideoFrame packed;
  media::VideoFrame one;
  media::VideoFrame other;
  int count = 0;
  while (both.read(packed)) {
    ASSERT_TRUE(left.read(one));
    ASSERT_TRUE(right.read(other));
    EXPECT_LT(cv::norm(packed.picture.colRange(0, 96), one.picture, cv::NORM_L1) / (96 * 54 * 3),
              4.0);
    EXPECT_LT(
        cv::norm(packed.picture.colRange(96, 192), other.picture, cv::NORM_L1) / (96 * 54 * 3),
        4.0);
    ++count;
  }
  EXPECT_EQ(count, 30);
}

TEST_F(VideoJobTest, EyesTakeTurns) {
  write_clip(input_, {.num_frames = 30});
  auto options = small_job_options();
  options.eye_frames = EyeFrames::kSequential;
  options.stereo = media::StereoTag::kFrameSequential;
  (void)run("turns.mkv", options);
  media::VideoReader reader(folder_ / "turns.mkv");
  media::VideoFrame frame;
  double before = -1.0;
  int count = 0;
  while (reader.read(frame)) {
    const double time = static_cast<double>(frame.pts) * reader.info().time_base.value();
    if (count > 0) {
      EXPECT_NEAR(time - before, 1.0 / 48.0, 0.0011);
    }
    before = time;
    ++count;
  }
  EXPECT_EQ(count, 60);
  EXPECT_EQ(reader.info().size, cv::Size(96, 54));
}

TEST_F(VideoJobTest, WorksInAnotherFolderToo) {
  write_clip(input_, {.num_frames = 40});
  auto options = small_job_options();
  options.work_dir = folder_ / "work" / "here";
  run_partly("out.mp4", options, 30);
  EXPECT_FALSE(fs::exists(folder_ / ".out.mp4.vergence"));
  EXPECT_GT(run("out.mp4", options).resumed_frames, 0);
  EXPECT_TRUE(fs::is_empty(options.work_dir));
}

TEST_F(VideoJobTest, KeepsBitDepthAndOddSizes) {
  input_ = folder_ / "in.mkv";
  write_clip(input_, {.num_frames = 20,
                      .codec = "ffv1",
                      .pixel_format = "yuv444p10le",
                      .extra = {"-vf", "scale=95:53"}});
  auto options = small_job_options();
  options.encode = {};
  options.encode.codec = "ffv1";
  (void)run("out.mkv", options);
  const auto info = media::VideoReader(folder_ / "out.mkv").info();
  EXPECT_EQ(info.bit_depth, 10);
  EXPECT_EQ(info.size, cv::Size(190, 53));
}

TEST_F(VideoJobTest, BadInputsAndPlacesLeaveNothing) {
  const auto options = small_job_options();
  EXPECT_NE(message("out.mp4", options), "");  // no input
  write_file(input_, "this is no video");
  EXPECT_THAT(message("out.mp4", options), HasSubstr("in.mp4"));
  write_clip(input_, {.num_frames = 5});
  EXPECT_THAT(message("missing/out.mp4", options), HasSubstr("no folder"));
  EXPECT_THAT(message("in.mp4", options), HasSubstr("both input and output"));
  auto unknown = options;
  unknown.encode.codec = "libnothing";
  EXPECT_THAT(message("out.mp4", unknown), HasSubstr("libnothing"));
  auto later = options;
  later.read.start_s = 100.0;
  EXPECT_NE(message("out.mp4", later), "");
  EXPECT_EQ(names(), (std::vector<std::string>{"in.mp4"}));
}

TEST_F(VideoJobTest, AFailingSourceOfDepthKeepsWhatIsDone) {
  write_clip(input_, {.num_frames = 60});
  auto depth = test::depth_from_luma();
  const auto maps = depth.maps;
  depth.maps = [&](std::span<const media::VideoFrame> frames) {
    if (frames.front().index >= 40) throw Error("the depth of frame 40 is missing");
    return maps(frames);
  };
  try {
    (void)run_video_job(input_, folder_ / "out.mp4", small_job_options(), depth, no_progress());
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("frame 40"));
  }
  EXPECT_FALSE(fs::exists(folder_ / "out.mp4"));
  EXPECT_GT(run("out.mp4", small_job_options()).resumed_frames, 0);
}

TEST(ResumeMode, KnowsItsWords) {
  EXPECT_EQ(resume_mode_from_string("auto"), ResumeMode::kAuto);
  EXPECT_EQ(resume_mode_from_string("fresh"), ResumeMode::kFresh);
  EXPECT_EQ(resume_mode_from_string("only"), ResumeMode::kOnly);
  EXPECT_FALSE(resume_mode_from_string("maybe"));
}

}  // namespace
}  // namespace vergence::pipeline
