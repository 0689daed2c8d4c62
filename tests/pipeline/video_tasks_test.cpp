// SPDX-License-Identifier: Apache-2.0
#include "pipeline/video_tasks.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "tests/support/paths.hpp"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> texts(const std::vector<VideoTask>& tasks) {
  std::vector<std::string> result;
  result.reserve(tasks.size());
  for (const auto& task : tasks) result.push_back(to_string(task));
  return result;
}

std::vector<std::string> cut(std::int64_t num_segments, bool open_end, int count,
                             const std::set<std::int64_t>& done) {
  return texts(cut_tasks(VideoTask::Kind::kMeasure, num_segments, open_end, count,
                         [&](std::int64_t segment) { return done.contains(segment); }));
}

JournalSegment segment_at(std::int64_t first_frame, std::size_t num_frames, bool last = false) {
  JournalSegment segment{.first_frame = first_frame, .last = last};
  segment.frames.resize(num_frames);
  return segment;
}

SegmentsByFrame by_frame(const std::vector<JournalSegment>& segments) {
  SegmentsByFrame result;
  for (const auto& segment : segments) result.emplace(segment.first_frame, segment);
  return result;
}

TEST(VideoTask, SurvivesItsText) {
  for (const std::string text : {"measure 0 12", "make 3 7", "measure 12 end"}) {
    const auto task = video_task_from_string(text);
    ASSERT_TRUE(task) << text;
    EXPECT_EQ(to_string(*task), text);
  }
}

TEST(VideoTask, IsNothingElse) {
  for (const std::string text :
       {"", "make", "make 3", "make 7 3", "make 3 3", "make -1 3", "make 3 7 9", "make 3 7x",
        "mend 3 7", "make  3 7", "make end end", "make 99999999999999999999 end"}) {
    EXPECT_FALSE(video_task_from_string(text)) << text;
  }
}

TEST(CutTasks, SharesWhatIsMissingEvenly) {
  EXPECT_THAT(cut(9, false, 2, {}), ElementsAre("measure 0 5", "measure 5 9"));
  EXPECT_THAT(cut(9, false, 20, {0, 1, 2, 3, 4, 5, 6}), ElementsAre("measure 7 8", "measure 8 9"));
}

TEST(CutTasks, LeavesOutWhatIsDone) {
  EXPECT_THAT(cut(6, false, 1, {0, 3}), ElementsAre("measure 1 3", "measure 4 6"));
  EXPECT_THAT(cut(3, false, 2, {0, 1, 2}), IsEmpty());
}

TEST(CutTasks, TheLastOneLooksForMoreWhereTheEndIsNotKnown) {
  EXPECT_THAT(cut(4, true, 2, {}), ElementsAre("measure 0 2", "measure 2 end"));
  EXPECT_THAT(cut(4, true, 2, {3}), ElementsAre("measure 0 2", "measure 2 3", "measure 4 end"));
  EXPECT_THAT(cut(4, true, 2, {0, 1, 2, 3}), ElementsAre("measure 4 end"));
}

TEST(WithoutGaps, EndsBeforeTheFirstOneAndBehindTheLastSegment) {
  const auto gap = by_frame({segment_at(0, 2), segment_at(2, 5), segment_at(12, 5, true)});
  EXPECT_EQ(without_gaps(gap).size(), 2U);
  const auto whole = by_frame({segment_at(0, 2), segment_at(2, 5, true), segment_at(7, 5)});
  ASSERT_EQ(without_gaps(whole).size(), 2U);
  EXPECT_TRUE(without_gaps(whole).back().last);
  EXPECT_THAT(without_gaps(by_frame({segment_at(2, 5)})), IsEmpty());
}

TEST(VideoParts, CountsThoseOfTheSameJobAlone) {
  const test::TemporaryFolder folder;
  const VideoParts ours(folder.path(), {{"strength", "1"}});
  const VideoParts others(folder.path(), {{"strength", "2"}});
  EXPECT_FALSE(VideoParts::any(folder.path()));
  const auto task = video_task_from_string("make 1 3");
  ours.begin(*task)->append(segment_at(2, 5));
  others.begin(*video_task_from_string("make 2 3"))->append(segment_at(7, 5));
  ours.begin(*video_task_from_string("measure 0 1"))->append(segment_at(0, 2));
  write_file(folder.path() / "make_000009.part", "no journal");
  EXPECT_TRUE(VideoParts::any(folder.path()));
  const auto made = ours.finished(VideoTask::Kind::kMake);
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made.at(2).frames.size(), 5U);
  // Begun anew, a task has finished nothing.
  static_cast<void>(ours.begin(*task));
  EXPECT_THAT(ours.finished(VideoTask::Kind::kMake), IsEmpty());
}

}  // namespace
}  // namespace vergence::pipeline
