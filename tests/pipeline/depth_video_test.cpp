// SPDX-License-Identifier: Apache-2.0
#include "pipeline/depth_video.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "tests/pipeline/video_clips.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

namespace fs = std::filesystem;

class DepthVideoTest : public ::testing::Test {
 protected:
  void SetUp() override { test::write_clip(input_, {.num_frames = 21}); }

  void export_it(const DepthSource& depth) const {
    export_depth_video(input_, video_, test::small_job_options(), depth, no_progress());
  }

  test::TemporaryFolder folder_;
  fs::path input_ = folder_ / "in.mp4";
  fs::path video_ = folder_ / "depth.mkv";
};

TEST_F(DepthVideoTest, GivesBackWhatAJobUses) {
  const auto depth = test::depth_from_luma();
  export_it(depth);
  media::VideoReader frames(input_);
  DepthVideoReader maps(video_, 1.0, /*use_ranges=*/true);
  EXPECT_TRUE(maps.has_ranges());
  media::VideoFrame frame;
  while (frames.read(frame)) {
    const cv::Mat expected = raw_from_codes(depth_codes(depth.maps(std::span(&frame, 1)).at(0)));
    ASSERT_TRUE(test::maps_near(maps.map_of(frame.index), expected, {.max = 1e-4, .mean = 1e-5}))
        << frame.index;
  }
  EXPECT_TRUE(test::maps_near(maps.map_of(3), DepthVideoReader(video_, 1.0, true).map_of(3),
                              {.max = 0.0, .mean = 0.0}));
  EXPECT_THROW((void)maps.map_of(21), Error);
  EXPECT_EQ(test::ffprobe(
                {"-show_entries", "stream=codec_name,pix_fmt", "-of", "csv=p=0", video_.string()}),
            "ffv1,gray16le\n");
}

TEST_F(DepthVideoTest, IsMadeOnceOnly) {
  export_it(test::depth_from_luma());
  auto depth = test::depth_from_luma();
  depth.maps = [](auto) -> std::vector<cv::Mat> { throw Error("made again"); };
  EXPECT_NO_THROW(export_it(depth));
  test::write_clip(input_, {.num_frames = 22});
  EXPECT_THROW(export_it(depth), Error);
}

TEST_F(DepthVideoTest, LeavesNothingWhereItFails) {
  auto depth = test::depth_from_luma();
  depth.maps = [](auto) -> std::vector<cv::Mat> { throw Error("no depth"); };
  EXPECT_THROW(export_it(depth), Error);
  EXPECT_FALSE(fs::exists(video_));
  EXPECT_THROW(export_depth_video(input_, folder_ / "depth.mp4", test::small_job_options(), depth,
                                  no_progress()),
               Error);
}

TEST_F(DepthVideoTest, RefusesRangesThatAreNone) {
  export_it(test::depth_from_luma());
  const auto ranges = depth_ranges_path(video_);
  for (const char* text :
       {"", "frame,min\n", "frame,min,max\n", "frame,min,max\n0,1\n", "frame,min,max\n0,2,1\n",
        "frame,min,max\n1,0,1\n", "frame,min,max\n0,nan,1\n", "frame,min,max\n0,0,1,5\n",
        "frame,min,max\n0,0,x\n"}) {
    write_file(ranges, text);
    EXPECT_THROW(DepthVideoReader(video_, 1.0, true), Error) << text;
  }
  write_file(ranges, "frame,min,max\r\n0,0,1\r\n");
  DepthVideoReader shortened(video_, 1.0, true);
  EXPECT_NO_THROW((void)shortened.map_of(0));
  EXPECT_THROW((void)shortened.map_of(1), Error);
}

TEST_F(DepthVideoTest, AnyGreyVideoIsDepthToo) {
  DepthVideoReader maps(input_, 1.0 / 255.0, /*use_ranges=*/true);
  EXPECT_FALSE(maps.has_ranges());
  EXPECT_EQ(maps.map_of(0).type(), CV_32FC1);
  EXPECT_EQ(maps.map_of(0).size(), cv::Size(96, 54));
}

}  // namespace
}  // namespace vergence::pipeline
