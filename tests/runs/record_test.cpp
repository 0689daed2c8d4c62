// SPDX-License-Identifier: Apache-2.0
#include "runs/record.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "tests/runs/sample_record.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::test {
namespace {

using runs::Record;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class RecordFiles : public testing::Test {
 protected:
  std::string reason_of(const std::string& run_toml) {
    runs::write_record(folder_.path(), sample_record());
    write_file(folder_ / "run.toml", run_toml);
    try {
      static_cast<void>(runs::read_record(folder_.path()));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
};

TEST_F(RecordFiles, ComeBackAsTheyWere) {
  const auto written = sample_record();
  runs::write_record(folder_ / ".vergence", written);
  const auto read = runs::read_record(folder_ / ".vergence");
  EXPECT_EQ(read.number, written.number);
  EXPECT_EQ(read.command_line, written.command_line);
  EXPECT_EQ(read.arguments, written.arguments);
  EXPECT_EQ(read.overrides, written.overrides);
  EXPECT_EQ(read.swept, written.swept);
  EXPECT_EQ(read.ground_truths, written.ground_truths);
  EXPECT_EQ(read.working_folder, written.working_folder);
  EXPECT_EQ(read.config, written.config);
  EXPECT_EQ(read.status, written.status);
  EXPECT_EQ(read.exit_code, written.exit_code);
  EXPECT_EQ(read.message, written.message);
  EXPECT_EQ(read.version, written.version);
  EXPECT_EQ(read.host, written.host);
  EXPECT_EQ(read.device, written.device);
  EXPECT_EQ(read.threads, written.threads);
  EXPECT_EQ(read.seeds, written.seeds);
  EXPECT_EQ(read.started, written.started);
  EXPECT_EQ(read.seconds, written.seconds);
  EXPECT_EQ(read.stage_seconds, written.stage_seconds);
  EXPECT_EQ(read.views_predicted, written.views_predicted);
  EXPECT_EQ(read.views_reused, written.views_reused);
  ASSERT_EQ(read.inputs.size(), 2U);
  EXPECT_EQ(read.inputs[1].path, "own.exr");
  EXPECT_EQ(read.inputs[1].key, "input.depth");
  EXPECT_EQ(read.inputs[1].bytes, 99U);
  EXPECT_EQ(read.inputs[1].sha256, written.inputs[1].sha256);
  ASSERT_EQ(read.outputs.size(), 1U);
  EXPECT_EQ(read.outputs[0].path, "a b_depth.exr");
  EXPECT_EQ(read.previews, written.previews);
  ASSERT_EQ(read.metrics.size(), 2U);
  EXPECT_EQ(read.metrics[0].input, "a b.png");
  EXPECT_EQ(read.metrics[0].values, written.metrics[0].values);
}

TEST_F(RecordFiles, NameWhatIsWrongWithThem) {
  runs::write_record(folder_.path(), sample_record());
  const auto good = read_file(folder_ / "run.toml");
  EXPECT_THAT(reason_of("status = ["), HasSubstr("run.toml' is damaged"));
  EXPECT_THAT(reason_of(""), HasSubstr("'status' is missing"));
  auto other = good;
  other.replace(other.find("\"failed\""), 8, "\"bored\"");
  EXPECT_THAT(reason_of(other), HasSubstr("'bored'"));
  other = good;
  other.replace(other.find("exit_code = 1"), 13, "exit_code = \"1\"");
  EXPECT_THAT(reason_of(other), HasSubstr("'exit_code' is of another type"));
  EXPECT_THAT(reason_of(std::string("\0\xff\xfe", 3)), HasSubstr("damaged"));
  EXPECT_THAT(reason_of(good), testing::IsEmpty());
}

TEST_F(RecordFiles, AreDamagedWhereverTheyAreCutOff) {
  runs::write_record(folder_.path(), sample_record());
  const auto good = read_file(folder_ / "run.toml");
  for (std::size_t size = 0; size + 40 < good.size(); size += 97) {
    EXPECT_THAT(reason_of(good.substr(0, size)), HasSubstr("damaged")) << size;
  }
}

TEST_F(RecordFiles, AreFoundFromTheJobsFolderAndFromTheirOwn) {
  runs::write_record(folder_ / ".vergence", sample_record());
  EXPECT_EQ(runs::record_folder(folder_.path()), folder_ / ".vergence");
  EXPECT_EQ(runs::record_folder(folder_ / ".vergence"), folder_ / ".vergence");
  EXPECT_THROW(static_cast<void>(runs::record_folder(folder_ / "none")), Error);
}

TEST(Record, MeansAreOverTheInputsThatHaveTheMetric) {
  EXPECT_THAT(runs::mean_metrics(sample_record()),
              ElementsAre(Pair("abs_rel", 0.25), Pair("d1", 0.75)));
}

TEST(Record, SettingsAreFlat) {
  EXPECT_THAT(runs::settings_of(sample_record()),
              ElementsAre(Pair("threads", "2"), Pair("views.fov_deg", "85.0")));
}

TEST(Record, OverridesSplitAtTheFirstEquals) {
  EXPECT_THAT(runs::split_override("++a.b=c=d"), Pair("a.b", "c=d"));
  EXPECT_THAT(runs::split_override("~a"), Pair("a", ""));
}

}  // namespace
}  // namespace vergence::test
