// SPDX-License-Identifier: Apache-2.0
#include "pipeline/segment_journal.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "tests/support/paths.hpp"

#include <chrono>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vergence::pipeline {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::vector<Setting> kSettings = {{"stereo.divergence", "2"}, {"video.codec", "libx264"}};

JournalSegment segment_of(std::int64_t first_frame, int num_frames, bool last = false) {
  JournalSegment segment{.first_frame = first_frame,
                         .last = last,
                         .last_picture_checksum = 0xabcdU + static_cast<unsigned>(first_frame),
                         .file_bytes = {1234U + static_cast<unsigned>(first_frame)}};
  for (int i = 0; i < num_frames; ++i) {
    JournalFrame frame;
    frame.pts = 40 * (first_frame + i);
    frame.statistics.time_s = 0.04 * static_cast<double>(first_frame + i);
    frame.statistics.luma[3] = 0.5F;
    frame.statistics.median = static_cast<float>(i);
    segment.frames.push_back(frame);
  }
  return segment;
}

class SegmentJournalTest : public ::testing::Test {
 protected:
  void write_two_segments() const {
    SegmentJournal journal(path_, kSettings);
    journal.append(segment_of(0, 5));
    journal.append(segment_of(5, 3, /*last=*/true));
  }

  static std::string message_of(const fs::path& path) {
    try {
      const SegmentJournal journal(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  test::TemporaryFolder folder_;
  fs::path path_ = folder_ / "journal";
};

TEST_F(SegmentJournalTest, GivesBackWhatWasWritten) {
  write_two_segments();
  const SegmentJournal journal(path_);
  EXPECT_EQ(journal.settings(), kSettings);
  ASSERT_EQ(journal.segments().size(), 2U);
  const auto& second = journal.segments()[1];
  EXPECT_EQ(second.first_frame, 5);
  EXPECT_TRUE(second.last);
  EXPECT_EQ(second.last_picture_checksum, 0xabcdU + 5U);
  EXPECT_EQ(second.file_bytes, (std::vector<std::uint64_t>{1239}));
  ASSERT_EQ(second.frames.size(), 3U);
  EXPECT_EQ(second.frames[2].pts, 280);
  EXPECT_EQ(second.frames[2].statistics.median, 2.0F);
  EXPECT_EQ(second.frames[2].statistics.luma[3], 0.5F);
  EXPECT_FALSE(journal.finished());
}

TEST_F(SegmentJournalTest, KnowsThatTheOutputsAreInPlace) {
  write_two_segments();
  {
    SegmentJournal journal(path_);
    journal.append_finished(std::vector<std::uint64_t>{77, 88});
  }
  const SegmentJournal journal(path_);
  ASSERT_TRUE(journal.finished());
  EXPECT_EQ(*journal.finished(), (std::vector<std::uint64_t>{77, 88}));
}

// Wherever a write was torn, all earlier segments are there, and the journal can be continued.
TEST_F(SegmentJournalTest, CutsATornTailWhereverItIs) {
  { const SegmentJournal journal(path_, kSettings); }
  const auto header = fs::file_size(path_);
  write_two_segments();
  const std::string whole = read_file(path_);
  const fs::path copy = folder_ / "copy";
  std::size_t most = 0;
  for (std::size_t size = header; size < whole.size(); size += 61) {
    write_file(copy, whole.substr(0, size));
    {
      SegmentJournal journal(copy);
      most = std::max(most, journal.segments().size());
      ASSERT_LT(journal.segments().size(), 2U) << size;
      journal.append(segment_of(100, 2));
    }
    const SegmentJournal again(copy);
    ASSERT_EQ(again.segments().back().first_frame, 100) << size;
  }
  EXPECT_EQ(most, 1U);
}

TEST_F(SegmentJournalTest, KeepsWhatStandsBeforeADamage) {
  write_two_segments();
  std::string bytes = read_file(path_);
  const std::string whole = bytes;
  bytes[bytes.size() - 2000] ^= 0x10;  // in the second segment's frames, which take 1.6 kB
  bytes += whole.substr(whole.size() - 500);
  write_file(path_, bytes);
  const SegmentJournal journal(path_);
  EXPECT_LE(journal.segments().size(), 1U);
  EXPECT_LT(fs::file_size(path_), whole.size());
}

TEST_F(SegmentJournalTest, AnyFlippedByteIsNoticed) {
  write_two_segments();
  const std::string whole = read_file(path_);
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = whole;
    const auto place = std::uniform_int_distribution<std::size_t>(0, bytes.size() - 1)(random);
    bytes[place] = static_cast<char>(bytes[place] ^ (1 << (i % 8)));
    write_file(path_, bytes);
    try {
      const SegmentJournal journal(path_);
      EXPECT_LT(journal.segments().size(), 2U) << place;
      EXPECT_EQ(journal.settings(), kSettings);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("video.resume=fresh"));
    }
  }
}

TEST_F(SegmentJournalTest, RefusesWhatIsNoJournal) {
  write_file(path_, "");
  EXPECT_THAT(message_of(path_), HasSubstr("damaged"));
  write_file(path_, std::string(5000, 'x'));
  EXPECT_THAT(message_of(path_), HasSubstr("video.resume=fresh"));
  write_file(path_, "vergence journal 2\n");
  EXPECT_THAT(message_of(path_), HasSubstr("damaged header"));
  EXPECT_THAT(message_of(folder_ / "missing"), HasSubstr("missing"));
}

TEST_F(SegmentJournalTest, ForgetsSegmentsWhoseFilesAreLost) {
  write_two_segments();
  {
    SegmentJournal journal(path_);
    journal.truncate(1);
    journal.append(segment_of(5, 4));
  }
  const SegmentJournal journal(path_);
  ASSERT_EQ(journal.segments().size(), 2U);
  EXPECT_EQ(journal.segments()[1].frames.size(), 4U);
}

TEST(DescribeDifferences, NamesKeysAndBothValues) {
  const std::vector<Setting> before = {{"a", "1"}, {"b", "2"}, {"c", "3"}};
  EXPECT_EQ(describe_differences(before, before), "");
  EXPECT_EQ(describe_differences(before, std::vector<Setting>{{"a", "1"}, {"b", "5"}, {"d", "4"}}),
            "b was '2' and is '5', c was '3' and is not set, d was not set and is '4'");
  std::vector<Setting> many;
  many.reserve(8);
  for (int i = 0; i < 8; ++i) many.emplace_back(std::to_string(i), "x");
  EXPECT_THAT(describe_differences({}, many), HasSubstr("and 3 more"));
}

TEST(FileFingerprint, ChangesWithSizeTimeAndContent) {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "film.mkv";
  write_file(path, std::string(3 << 20, 'a'));
  const auto time = fs::last_write_time(path);
  const auto before = file_fingerprint(path);
  EXPECT_EQ(file_fingerprint(path), before);
  write_file(path, std::string((3 << 20) - 1, 'a') + "b");
  fs::last_write_time(path, time);
  EXPECT_THAT(describe_differences(before, file_fingerprint(path)),
              HasSubstr("checksum of the input was"));
  write_file(path, std::string(3 << 20, 'a'));
  fs::last_write_time(path, time + std::chrono::seconds(1));
  EXPECT_THAT(describe_differences(before, file_fingerprint(path)), HasSubstr("time of change"));
  write_file(path, "");
  EXPECT_THAT(describe_differences(before, file_fingerprint(path)), HasSubstr("size of the input"));
  EXPECT_THROW((void)file_fingerprint(folder / "missing"), Error);
  EXPECT_THROW((void)file_fingerprint(folder.path()), Error);
}

TEST(PictureChecksum, SeesPixelsAndShape) {
  cv::Mat picture(6, 8, CV_8UC3, cv::Scalar(1, 2, 3));
  const auto before = picture_checksum(picture);
  EXPECT_EQ(picture_checksum(picture.clone()), before);
  EXPECT_NE(picture_checksum(picture.reshape(3, 8)), before);
  picture.at<cv::Vec3b>(5, 7)[2] = 9;
  EXPECT_NE(picture_checksum(picture), before);
}

TEST(WorkFolder, IsForOneProcessAtATime) {
  const test::TemporaryFolder folder;
  const fs::path path = folder / ".film.vergence";
  {
    const WorkFolder first(path, "film.mkv");
    try {
      const WorkFolder second(path, "film.mkv");
      ADD_FAILURE() << "two at once";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("another process is making 'film.mkv'"));
    }
  }
  EXPECT_NO_THROW(WorkFolder(path, "film.mkv"));
}

TEST(WorkFolder, IsFreeAgainWhenItsProcessWasKilled) {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "work";
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const WorkFolder held(path, "film.mkv");
    (void)!::write(ready[1], "x", 1);
    while (true) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THROW(WorkFolder(path, "film.mkv"), Error);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(WorkFolder(path, "film.mkv"));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(WorkFolder, ClearsAndRemovesWhatIsInIt) {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "work";
  WorkFolder work(path, "film.mkv");
  write_file(path / "journal", "j");
  write_file(path / "segment", "s");
  work.clear("journal");
  EXPECT_TRUE(fs::exists(path / "journal"));
  EXPECT_FALSE(fs::exists(path / "segment"));
  work.remove("journal");
  EXPECT_FALSE(fs::exists(path));
}

TEST(WorkFolder, SaysWhyItCannotBeMade) {
  const test::TemporaryFolder folder;
  write_file(folder / "file", "x");
  EXPECT_THROW(WorkFolder(folder / "file", "film.mkv"), Error);
  EXPECT_THROW(WorkFolder(folder / "no" / "such", "film.mkv"), Error);
}

}  // namespace
}  // namespace vergence::pipeline
