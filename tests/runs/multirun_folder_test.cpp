// SPDX-License-Identifier: Apache-2.0
#include "runs/launcher.hpp"
#include "runs/multirun.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "tests/runs/sample_record.hpp"
#include "tests/support/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(MultirunFolder, IsANewOneEachTime) {
  const TemporaryFolder folder;
  EXPECT_EQ(runs::make_new_folder(folder / "a/b"), folder / "a/b");
  EXPECT_EQ(runs::make_new_folder(folder / "a/b"), folder / "a/b_2");
  EXPECT_EQ(runs::make_new_folder(folder / "a/b/"), folder / "a/b_3");
}

TEST(MultirunFolder, ThatCannotBeMadeIsNamed) {
  const TemporaryFolder folder;
  write_file(folder / "file", "");
  try {
    static_cast<void>(runs::make_new_folder(folder / "file/a"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("file"));
    EXPECT_THAT(error.what(), HasSubstr("run.sweep.dir"));
  }
}

TEST(MultirunFolder, RemembersItsJobs) {
  const TemporaryFolder folder;
  runs::Multirun multirun{.folder = folder.path(),
                          .command_line = {"vergence", "depth", "a.png"},
                          .overrides = {"a=1,2"},
                          .working_folder = "/somewhere",
                          .started = "2026-11-21T15:04:05Z",
                          .launcher = "slurm",
                          .job_folders = {"0", "1"},
                          .slurm_jobs = {"17"},
                          .submitted_again = {1}};
  runs::write_multirun(multirun);
  const auto read = runs::read_multirun(folder.path());
  EXPECT_EQ(read.command_line, multirun.command_line);
  EXPECT_EQ(read.overrides, multirun.overrides);
  EXPECT_EQ(read.launcher, "slurm");
  EXPECT_EQ(read.job_folders, multirun.job_folders);
  EXPECT_EQ(read.slurm_jobs, multirun.slurm_jobs);
  EXPECT_EQ(read.submitted_again, multirun.submitted_again);
  // A job whose record is gone is told of, not forgotten.
  runs::write_record(folder / "1/.vergence", sample_record(1));
  const auto records = runs::read_jobs(read);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].status, runs::Status::kFailed);
  EXPECT_THAT(records[0].message, HasSubstr("run.toml"));
  EXPECT_EQ(records[1].number, 1);
}

TEST(MultirunFolder, DoesNotLeadOutOfItself) {
  const TemporaryFolder folder;
  for (const char* job : {"../other", "/etc", "a/../../b"}) {
    runs::write_multirun({.folder = folder.path(),
                          .command_line = {},
                          .overrides = {},
                          .working_folder = "/",
                          .started = "",
                          .launcher = "serial",
                          .job_folders = {job},
                          .slurm_jobs = {},
                          .submitted_again = {}});
    EXPECT_THROW(static_cast<void>(runs::read_multirun(folder.path())), Error) << job;
  }
}

TEST(SweptOverrides, AreThoseThatDiffer) {
  const auto swept = runs::swept_overrides({{"a=1", "b=2", "c=5"}, {"a=1", "b=3", "c=5"}});
  EXPECT_THAT(swept, ElementsAre(ElementsAre("b=2"), ElementsAre("b=3")));
}

TEST(SweptOverrides, AreNoneOfOneJob) {
  EXPECT_THAT(runs::swept_overrides({{"a=1"}}), ElementsAre(ElementsAre()));
}

TEST(Share, OfTheCoresIsSuchThatWorkersDoNotFight) {
  const auto local = runs::share_of_cores({.name = "local", .workers = 64}, 3);
  EXPECT_EQ(local.workers, 3);
  EXPECT_GE(local.threads, 1);
  EXPECT_EQ(runs::share_of_cores({.name = "serial"}, 3).workers, 1);
  EXPECT_EQ(runs::share_of_cores({.name = "slurm", .cpus = 5}, 3).threads, 5);
}

}  // namespace
}  // namespace vergence::test
