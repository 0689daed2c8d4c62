// SPDX-License-Identifier: Apache-2.0
// Many jobs by one command line, their records, and what is done with them.
#include "runs/multirun.hpp"

#include "runs/record.hpp"

#include "core/output_file.hpp"
#include "media/depth_file.hpp"
#include "media/picture.hpp"
#include "tests/cli/program.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace vergence::test {
namespace {

namespace fs = std::filesystem;
using runs::Record;
using runs::Status;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class MultirunTest : public ProgramTest {
 protected:
  void SetUp() override { write_scene("scene.png"); }

  // depth of scene.png into the folder `sweep`.
  static std::vector<std::string> sweep(std::vector<std::string> more,
                                        const std::string& input = "scene.png") {
    std::vector<std::string> arguments{"depth", input, "-m", "run.sweep.dir=sweep"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return quick(arguments);
  }

  [[nodiscard]] Record job(int number, const std::string& sweep = "sweep") const {
    return runs::read_record(folder_ / sweep / std::to_string(number) / ".vergence");
  }

  // A distance map of the size of scene.png.
  void write_truth(const std::string& name, float metres) const {
    media::write_depth(folder_ / name, RayDistance(cv::Mat(64, 128, CV_32FC1, cv::Scalar(metres))),
                       {});
  }
};

TEST_F(MultirunTest, CtrlCEndsTheComposingOfManyJobs) {
  const auto began = std::chrono::steady_clock::now();
  const auto result =
      vergence(sweep({"stereo.divergence=range(0,5,0.001)", "threads=1,2,3,4"}),
               {.timeout_seconds = 20.0,
                .signal_when =
                    [&](const std::string&) {
                      // The program listens by then, and has not composed them all.
                      return std::chrono::steady_clock::now() - began > std::chrono::seconds(2);
                    },
                .signal_number = SIGINT});
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_EQ(result.output + last_line(result.errors), "interrupted");
  EXPECT_THAT(names(), ElementsAre("scene.png"));
}

TEST_F(MultirunTest, RunsAJobForEachCombinationTheFirstKeySlowest) {
  const auto result = vergence(sweep({"alignment.grid=true,false", "views.fov_deg=95,100,105"}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const auto multirun = runs::read_multirun(folder_ / "sweep");
  ASSERT_EQ(multirun.job_folders.size(), 6U);
  EXPECT_THAT(job(0).swept, ElementsAre("alignment.grid=true", "views.fov_deg=95"));
  EXPECT_THAT(job(1).swept, ElementsAre("alignment.grid=true", "views.fov_deg=100"));
  EXPECT_THAT(job(5).swept, ElementsAre("alignment.grid=false", "views.fov_deg=105"));
  for (int i = 0; i < 6; ++i) {
    const auto record = job(i);
    EXPECT_EQ(record.status, Status::kDone);
    ASSERT_FALSE(record.outputs.empty());
    EXPECT_EQ(record.outputs[0].path, "scene_depth.exr");
    EXPECT_TRUE(fs::exists(folder_ / "sweep" / std::to_string(i) / "scene_depth.exr"));
    EXPECT_THAT(record.config, HasSubstr("fov_deg = "));
  }
  EXPECT_THAT(read_file(folder_ / "sweep/summary.csv"),
              StartsWith("job,status,input,alignment.grid,views.fov_deg,seconds"));
  EXPECT_THAT(result.output, HasSubstr("sweep/summary.html\n"));
  EXPECT_THAT(result.output, HasSubstr("sweep/5/scene_depth.exr\n"));
}

TEST_F(MultirunTest, RunsTheNetworkOnceForSettingsThatDoNotReachIt) {
  const auto result = vergence(sweep({"alignment.grid=true,false", "scale.factor=1,2"}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(job(0).views_predicted, 6);
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(job(i).views_predicted, 0) << i;
    EXPECT_EQ(job(i).views_reused, 6) << i;
  }
  // Reused maps give what fresh ones give.
  ASSERT_EQ(vergence(quick({"depth", "scene.png", "-o", "alone.exr", "alignment.grid=false",
                            "scale.factor=2"}))
                .exit_code,
            0);
  EXPECT_EQ(read_file(folder_ / "alone.exr"), read_file(folder_ / "sweep/3/scene_depth.exr"));
}

TEST_F(MultirunTest, RecordsWhatMadeTheFile) {
  ASSERT_EQ(vergence(sweep({"views.fov_deg=95", "threads=1", "run.seed=5"})).exit_code, 0);
  const auto record = job(0);
  EXPECT_EQ(record.command_line.front(), "vergence");
  EXPECT_THAT(record.overrides, testing::Contains("views.fov_deg=95"));
  EXPECT_EQ(record.threads, 1);
  EXPECT_THAT(record.seeds, ElementsAre(testing::Pair("run.seed", 5)));
  ASSERT_EQ(record.inputs.size(), 1U);
  EXPECT_EQ(record.inputs[0].sha256.size(), 64U);
  EXPECT_GT(record.seconds, 0.0);
  EXPECT_FALSE(record.stage_seconds.empty());
  EXPECT_FALSE(record.version.empty());
  EXPECT_EQ(record.previews.size(), 1U);
  // The configuration composes to the same again.
  fs::create_directory(folder_ / "again");
  fs::copy(folder_ / "sweep/0/.vergence/config.toml", folder_ / "again/config.toml");
  const auto again = vergence({"config", "--config-dir", "again"});
  EXPECT_EQ(again.output, record.config);
}

TEST_F(MultirunTest, MeasuresAgainstTheGroundTruthOfEachInput) {
  write_scene("other.png");
  write_truth("scene_truth.npy", 2.0F);
  write_truth("other_truth.npy", 4.0F);
  auto arguments = sweep({"other.png", "scale.factor=1,2",
                          "run.ground_truth='${vergence.input.dir}/"
                          "${vergence.input.stem}_truth.npy'"});
  const auto result = vergence(arguments);
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const auto record = job(1);
  ASSERT_EQ(record.metrics.size(), 2U);
  EXPECT_EQ(record.metrics[0].input, "scene.png");
  EXPECT_EQ(record.metrics[1].input, "other.png");
  EXPECT_EQ(record.metrics[0].values.front().first, "abs_rel");
  EXPECT_THAT(read_file(folder_ / "sweep/summary.csv"), HasSubstr("1,done,mean,2,"));
}

TEST_F(MultirunTest, MissesAGroundTruthBeforeAnythingIsDone) {
  const auto result = vergence(sweep({"scale.factor=1,2", "run.ground_truth=none.exr"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.errors, HasSubstr("the ground truth 'none.exr' of 'scene.png' is missing"));
  EXPECT_FALSE(fs::exists(folder_ / "sweep"));
}

TEST_F(MultirunTest, KeepsInputsOfOneNameApart) {
  for (const char* name : {"room", "yard"}) {
    fs::create_directory(folder_ / name);
    write_scene(std::string(name) + "/pano.png");
    write_truth(std::string(name) + "/truth.npy", 2.0F);
  }
  const auto result = vergence(sweep(
      {"yard/pano.png", "scale.factor=1,2", "run.ground_truth='${vergence.input.dir}/truth.npy'"},
      "room/pano.png"));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(fs::exists(folder_ / "sweep/1/room/pano_depth.exr"));
  EXPECT_TRUE(fs::exists(folder_ / "sweep/1/yard/pano_depth.exr"));
  ASSERT_EQ(job(1).metrics.size(), 2U);
  EXPECT_EQ(job(1).metrics[1].input, "yard/pano.png");
}

TEST_F(MultirunTest, ChecksAllJobsBeforeTheFirstBegins) {
  const auto result = vergence(sweep({"views.fov_deg=95,500", "views.count=6,7"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.errors, HasSubstr("views.fov_deg=500"));
  EXPECT_THAT(result.errors, HasSubstr("views.count=7"));
  EXPECT_FALSE(fs::exists(folder_ / "sweep"));
}

TEST_F(MultirunTest, GoesOnAfterAJobThatFails) {
  write_file(folder_ / "bad.pt", "no weights");
  const auto result = vergence(sweep({"predictor.path=bad.pt,''"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.errors, HasSubstr("error: job 0 (predictor.path=bad.pt) failed: "));
  EXPECT_EQ(last_line(result.errors), "error: 1 of 2 jobs failed");
  EXPECT_EQ(job(0).status, Status::kFailed);
  EXPECT_THAT(job(0).message, HasSubstr("bad.pt"));
  EXPECT_EQ(job(1).status, Status::kDone);
  EXPECT_THAT(read_file(folder_ / "sweep/summary.csv"), HasSubstr("0,failed,"));
}

TEST_F(MultirunTest, StopsAtOnceOnInterrupt) {
  media::write_picture(folder_ / "large.png", scene(4096, 2048));
  auto arguments = sweep({"views.fov_deg=range(95,115)", "--progress", "plain"}, "large.png");
  std::erase(arguments, "predictor.size_px=64");
  const auto result = vergence(arguments, {.signal_when = [](const std::string& errors) {
                                 return errors.find("predicting") != std::string::npos;
                               }});
  EXPECT_EQ(result.exit_code, 130) << result.errors;
  EXPECT_EQ(job(0).status, Status::kInterrupted);
  EXPECT_EQ(job(19).status, Status::kWaiting);
  EXPECT_THAT(read_file(folder_ / "sweep/summary.csv"), HasSubstr("0,interrupted,"));
}

TEST_F(MultirunTest, OfTheSameSecondGetFoldersOfTheirOwn) {
  ASSERT_EQ(vergence(sweep({"scale.factor=1"})).exit_code, 0);
  ASSERT_EQ(vergence(sweep({"scale.factor=2"})).exit_code, 0);
  EXPECT_TRUE(fs::exists(folder_ / "sweep/multirun.toml"));
  EXPECT_TRUE(fs::exists(folder_ / "sweep_2/multirun.toml"));
}

TEST_F(MultirunTest, NamesFoldersAsAsked) {
  const auto result =
      vergence(sweep({"scale.factor=1,2", "run.sweep.subdir='${vergence.job.override_dirname}'"}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(fs::exists(folder_ / "sweep/scale.factor=1/scene_depth.exr"));
  EXPECT_TRUE(fs::exists(folder_ / "sweep/scale.factor=2/.vergence/run.toml"));
}

TEST_F(MultirunTest, TakesANameForTheOutputButNoPlaceOutside) {
  ASSERT_EQ(vergence(sweep({"scale.factor=1,2", "-o", "d.pfm"})).exit_code, 0);
  EXPECT_TRUE(fs::exists(folder_ / "sweep/1/d.pfm"));
  const auto outside = vergence(sweep({"scale.factor=1,2", "-o", "../d.pfm"}));
  EXPECT_NE(outside.exit_code, 0);
  EXPECT_THAT(outside.errors, HasSubstr("'../d.pfm' does not lie in the folder of a job"));
}

TEST_F(MultirunTest, WorksWithOtherCommands) {
  write_truth("a.npy", 2.0F);
  write_truth("b.npy", 3.0F);
  const auto eval = vergence({"eval", "--pred", "a.npy", "--gt", "b.npy", "-m",
                              "run.sweep.dir=evals", "eval.align=none,median"});
  ASSERT_EQ(eval.exit_code, 0) << eval.errors;
  EXPECT_NEAR(runs::mean_metrics(job(0, "evals")).front().second, 1.0 / 3.0, 1e-6);
  EXPECT_NEAR(runs::mean_metrics(job(1, "evals")).front().second, 0.0, 1e-6);
  EXPECT_TRUE(fs::exists(folder_ / "evals/1/metrics.json"));
  const auto mesh =
      vergence(quick({"mesh", "scene.png", "-m", "run.sweep.dir=meshes", "mesh.grid_width=32,64"}));
  ASSERT_EQ(mesh.exit_code, 0) << mesh.errors;
  EXPECT_TRUE(fs::exists(folder_ / "meshes/1/scene.glb"));
  const auto views =
      vergence({"views", "scene.png", "-m", "run.sweep.dir=views", "views.count=6,12"});
  ASSERT_EQ(views.exit_code, 0) << views.errors;
  EXPECT_TRUE(fs::exists(folder_ / "views/1/views/views.json"));
  media::write_picture(folder_ / "flat.png", scene(96, 64));
  const auto sbs = vergence({"sbs", "flat.png", "-m", "run.sweep.dir=eyes", "stereo.divergence=1,2",
                             "predictor.size_px=64"});
  ASSERT_EQ(sbs.exit_code, 0) << sbs.errors;
  EXPECT_EQ(job(1, "eyes").outputs.size(), 1U);
}

TEST_F(MultirunTest, WorksInSeveralProcesses) {
  const auto serial = vergence(sweep({"threads=1", "views.fov_deg=95,100,105"}));
  ASSERT_EQ(serial.exit_code, 0) << serial.errors;
  const auto local = vergence(
      sweep({"views.fov_deg=95,100,105", "launcher=local", "launcher.workers=2", "threads=1"}));
  ASSERT_EQ(local.exit_code, 0) << local.errors;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(job(i).outputs.at(0).sha256, job(i, "sweep_2").outputs.at(0).sha256) << i;
  }
}

TEST_F(MultirunTest, SharesTheCoresBetweenProcesses) {
  const auto local =
      vergence(sweep({"views.fov_deg=95,100", "launcher=local", "launcher.workers=2"}));
  ASSERT_EQ(local.exit_code, 0) << local.errors;
  EXPECT_EQ(job(0).threads, std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN) / 2));
}

TEST_F(MultirunTest, StopsItsProcessesOnInterrupt) {
  media::write_picture(folder_ / "large.png", scene(4096, 2048));
  auto arguments =
      sweep({"views.fov_deg=range(95,115)", "launcher=local", "launcher.workers=2"}, "large.png");
  std::erase(arguments, "predictor.size_px=64");
  const auto records = folder_ / "sweep/1/.vergence/run.toml";
  const auto result = vergence(arguments, {.signal_when = [&](const std::string&) {
                                 return fs::exists(records) &&
                                        read_file(records).find("\"running\"") != std::string::npos;
                               }});
  EXPECT_EQ(result.exit_code, 130) << result.errors;
  EXPECT_EQ(job(1).status, Status::kInterrupted);
  EXPECT_EQ(job(19).status, Status::kWaiting);
}

TEST_F(MultirunTest, TellsOfAFolderThatCannotBeWritten) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be somebody else";
  fs::permissions(folder_.path(), fs::perms::owner_all | fs::perms::others_read |
                                      fs::perms::others_exec | fs::perms::group_read |
                                      fs::perms::group_exec);
  const auto result = vergence(sweep({"scale.factor=1,2"}), {.user_id = 65534});
  EXPECT_EQ(result.exit_code, 1) << result.errors;
  EXPECT_EQ(result.errors,
            "error: cannot make the folder 'sweep': permission denied; give another one with "
            "run.dir or run.sweep.dir\n");
}

TEST_F(MultirunTest, LeavesSingleRunsAlone) {
  ASSERT_EQ(
      vergence(quick({"depth", "scene.png", "-o", "d.exr", "output.preview=false"})).exit_code, 0);
  EXPECT_THAT(names(), ElementsAre("d.exr", "d.exr.toml", "scene.png"));
}

TEST_F(MultirunTest, RecordsASingleRunWhereAsked) {
  const auto result = vergence(quick({"depth", "scene.png", "-o", "d.exr", "run.record=true"}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.output, HasSubstr("d.exr\n"));
  const auto record = runs::read_record(folder_ / ".vergence");
  EXPECT_EQ(record.number, -1);
  EXPECT_EQ(record.outputs.at(0).path, "d.exr");
  // The record of another file stays.
  ASSERT_EQ(vergence(quick({"depth", "scene.png", "-o", "e.exr", "run.record=true"})).exit_code, 0);
  EXPECT_EQ(runs::read_record(folder_ / ".vergence_2").outputs.at(0).path, "e.exr");
  ASSERT_EQ(vergence(quick({"depth", "scene.png", "run.dir=out/here"})).exit_code, 0);
  EXPECT_TRUE(fs::exists(folder_ / "out/here/scene_depth.exr"));
  EXPECT_TRUE(fs::exists(folder_ / "out/here/.vergence/run.toml"));
}

TEST_F(MultirunTest, RepeatsAJobAndTellsWhatDiffers) {
  ASSERT_EQ(vergence(sweep({"views.fov_deg=95,100"})).exit_code, 0);
  const auto same = vergence({"--rerun", "sweep/1"});
  ASSERT_EQ(same.exit_code, 0) << same.errors;
  EXPECT_THAT(same.output, HasSubstr("settings: no difference"));
  EXPECT_THAT(same.output, HasSubstr("results: no difference"));
  EXPECT_TRUE(fs::exists(folder_ / "sweep/1_rerun/scene_depth.exr"));
  // Another input, and another setting.
  media::write_picture(folder_ / "scene.png", scene(160, 80));
  const auto other = vergence({"--rerun", "sweep/1", "scale.factor=2", "run.dir=other"});
  ASSERT_EQ(other.exit_code, 0) << other.errors;
  EXPECT_THAT(other.output, HasSubstr("scale.factor"));
  EXPECT_THAT(other.output, HasSubstr("input scene.png"));
  EXPECT_THAT(other.output, HasSubstr("output scene_depth.exr"));
}

TEST_F(MultirunTest, ComparesRuns) {
  ASSERT_EQ(vergence(sweep({"views.fov_deg=95,100"})).exit_code, 0);
  const auto table = vergence({"compare", "sweep"});
  ASSERT_EQ(table.exit_code, 0) << table.errors;
  EXPECT_THAT(table.output, HasSubstr("views.fov_deg"));
  const auto json = vergence({"compare", "sweep/0", "sweep/1", "--json", "-"});
  const auto found = nlohmann::json::parse(json.output);
  ASSERT_EQ(found["settings"].size(), 1U);
  EXPECT_EQ(found["settings"][0]["key"], "views.fov_deg");
  EXPECT_EQ(vergence({"compare", "sweep/0"}).exit_code, 2);
}

TEST_F(MultirunTest, RefusesFoldersThatAreNone) {
  EXPECT_THAT(vergence({"compare", "nowhere", "."}).errors, HasSubstr("holds no record of a run"));
  EXPECT_THAT(vergence({"--rerun", "."}).errors, HasSubstr("holds no record of a run"));
  EXPECT_THAT(vergence({"collect", "."}).errors, HasSubstr("is not the folder of a multirun"));
  fs::create_directory(folder_ / ".vergence");
  write_file(folder_ / ".vergence/run.toml", "status = 5\n");
  const auto damaged = vergence({"--rerun", "."});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.errors, HasSubstr("run.toml' is damaged"));
}

TEST_F(MultirunTest, IsNothingForCommandsThatMakeNoJobs) {
  const auto result = vergence({"models", "list", "-m"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.errors, HasSubstr("'models' makes no jobs"));
}

TEST_F(MultirunTest, RefusesSweepsOverItsOwnKeys) {
  const auto result = vergence(sweep({"run.seed=1,2"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_FALSE(fs::exists(folder_ / "sweep"));
}

TEST_F(MultirunTest, SaysWhatOfARecordCannotBeRepeated) {
  ASSERT_EQ(vergence(quick({"depth", "scene.png", "run.dir=job", "threads=1"})).exit_code, 0);
  write_file(folder_ / "job/.vergence/config.toml", std::string("device = \"cpu\"\nspeed = 3\n"));
  const auto changed = vergence({"--rerun", "job"});
  EXPECT_EQ(changed.exit_code, 2);
  EXPECT_THAT(changed.errors,
              AllOf(StartsWith("error: the settings in 'job/.vergence', of version "),
                    HasSubstr(", do not work with this program\nerror: ")));
  EXPECT_THAT(changed.errors, HasSubstr("\nerror: unknown key 'speed' ("));
  EXPECT_FALSE(fs::exists(folder_ / "job_rerun"));
}

TEST_F(MultirunTest, SaysThatTheFolderOfARecordedJobIsGone) {
  fs::create_directory(folder_ / "there");
  write_scene("there/scene.png");
  ASSERT_EQ(vergence(quick({"depth", "scene.png", "run.dir=../job"}),
                     {.working_folder = folder_ / "there"})
                .exit_code,
            0);
  fs::remove_all(folder_ / "there");
  const auto result = vergence({"--rerun", "job"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.errors,
            "error: cannot work in the folder '" + (folder_ / "there").string() +
                "', where the job began: no such file or directory; make the folder again; the "
                "names of inputs count from there\n");
  EXPECT_FALSE(fs::exists(folder_ / "job_rerun"));
}

TEST_F(MultirunTest, SaysThatMetricsBelongToARecord) {
  write_truth("truth.exr", 2.0F);
  const auto result = vergence(quick({"depth", "scene.png", "run.ground_truth=truth.exr"}));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.errors, HasSubstr("warning: run.ground_truth is for what is recorded; add "
                                       "run.record=true or run.dir\n"));
}

}  // namespace
}  // namespace vergence::test
