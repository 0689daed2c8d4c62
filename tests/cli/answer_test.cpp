// SPDX-License-Identifier: Apache-2.0
// What is printed in place of a job.
#include "cli/answer.hpp"

#include "config/config.hpp"
#include "core/error.hpp"
#include "tests/support/paths.hpp"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::cli {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class Answer : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* before = std::getenv("XDG_CONFIG_HOME");
    before_ = before == nullptr ? "" : before;
    ASSERT_EQ(::setenv("XDG_CONFIG_HOME", home_.path().c_str(), 1), 0);
  }

  void TearDown() override {
    ASSERT_EQ(before_.empty() ? ::unsetenv("XDG_CONFIG_HOME")
                              : ::setenv("XDG_CONFIG_HOME", before_.c_str(), 1),
              0);
  }

  static std::string to(const std::vector<std::string>& arguments) {
    return answer(parse_command_line(arguments)).value_or("a job");
  }

  vergence::test::TemporaryFolder home_;
  std::string before_;
};

TEST_F(Answer, IsNoneForAJob) {
  EXPECT_EQ(to({"depth", "a.jpg", "mesh=quest"}), "a job");
  EXPECT_EQ(to({"depth", "a.jpg", "-m", "threads=1,2"}), "a job");
}

TEST_F(Answer, ShowsTheConfigurationAsWrittenOrResolved) {
  const std::vector<std::string> arguments = {
      "depth", "a.jpg", "views.size_px=${threads}", "--cfg", "job", "-p", "views"};
  EXPECT_EQ(to(arguments), "count = 20\nfov_deg = 100.0\nsize_px = \"${threads}\"\n");
  auto resolved = arguments;
  resolved.emplace_back("--resolve");
  EXPECT_EQ(to(resolved), "count = 20\nfov_deg = 100.0\nsize_px = 0\n");
  EXPECT_EQ(to({"config", "-p", "views.count", "views=icosahedron_6"}), "6\n");
}

TEST_F(Answer, KnowsTheInput) {
  EXPECT_EQ(to({"depth", "/x/pano.jpg", "+n=${vergence.input.stem}", "--cfg=job", "--resolve", "-p",
                "n"}),
            "pano\n");
  EXPECT_EQ(to({"mesh", "a.jpg", "+n=${vergence.job.name}", "--cfg=job", "--resolve", "-p", "n"}),
            "mesh\n");
}

TEST_F(Answer, TheTimeIsWhenTheProgramBegan) {
  const std::vector<std::string> arguments = {"config", "+t=${now:%s}", "--resolve", "-p", "t"};
  auto line = parse_command_line(arguments);
  line.began -= 1000;
  EXPECT_EQ(answer(line), std::to_string(line.began) + "\n");
}

TEST_F(Answer, AllTellsWhatItIsMadeOf) {
  const auto text = to({"config", "--cfg", "all", "mesh=quest"});
  EXPECT_THAT(text, AllOf(StartsWith("# searched:\n# configs  (inside the program)\n\n# files:\n"),
                          ContainsRegex("# configs/mesh/quest.toml +mesh +config\n"),
                          HasSubstr("# arguments:\n# mesh=quest\n\ndevice = \"auto\"\n")));
}

TEST_F(Answer, Information) {
  EXPECT_THAT(to({"config", "--info", "defaults-tree", "mesh=quest"}),
              AllOf(StartsWith("config\n  input: default\n"), HasSubstr("\n  mesh: quest\n")));
  EXPECT_THAT(to({"config", "--info", "defaults"}),
              ContainsRegex("\nconfigs/views/icosahedron_20.toml +views +config\n"));
  EXPECT_THAT(to({"config", "--info", "origin", "threads=3"}),
              ContainsRegex("\nthreads = 3 +# argument 'threads=3'\n"));
  EXPECT_EQ(to({"config", "--info", "searchpath", "-cd", home_.path().string()}),
            home_.path().string() + "  (--config-dir)\nconfigs  (inside the program)\n");
  const auto all = to({"depth", "--info", "all"});
  const auto some = to({"depth", "--info", "config"});
  for (const char* part : {"# searched:\n", "# files:\n", "\ndevice = \"auto\"\n"}) {
    EXPECT_THAT(all, HasSubstr(part));
    EXPECT_THAT(some, HasSubstr(part));
  }
  EXPECT_THAT(all, AllOf(HasSubstr("# who names whom:\n# config\n"), HasSubstr("set:\n# ")));
  EXPECT_THAT(some, Not(HasSubstr("who names whom")));
}

TEST_F(Answer, TellsTheOriginOfOneTableOnly) {
  EXPECT_THAT(to({"depth", "--info=origin", "-p", "scale.factor", "scale.factor=2"}),
              testing::MatchesRegex("scale.factor = 2.0 +# argument 'scale.factor=2'\n"));
  EXPECT_THAT(to({"depth", "--info=origin", "-p", "views"}),
              AllOf(StartsWith("views.count = 20 "), Not(HasSubstr("view.yaw_deg"))));
}

TEST_F(Answer, ListsTheJobsOfASweep) {
  EXPECT_EQ(to({"config", "-m", "mesh=glob(d*)", "device=cpu", "threads=1,2"}),
            "0: mesh=dense device=cpu threads=1\n1: mesh=dense device=cpu threads=2\n"
            "2: mesh=desktop device=cpu threads=1\n3: mesh=desktop device=cpu threads=2\n");
}

TEST_F(Answer, TellsTheMistakesOfAllJobsOfASweep) {
  try {
    to({"config", "-m", "mesh=quest,nothing", "threads=1,many"});
    FAIL() << "jobs that cannot be made were listed";
  } catch (const config::ConfigError& error) {
    EXPECT_THAT(error.diagnostics(),
                UnorderedElementsAre(HasSubstr("unknown option 'nothing'"),
                                     HasSubstr("'threads=many': expected an integer")));
  }
}

TEST_F(Answer, SavesAPreset) {
  const auto file = to({"config", "--save", "mine", "mesh=quest", "threads=3"});
  EXPECT_EQ(file, (home_.path() / "vergence/preset/mine.toml").string());
  EXPECT_EQ(to({"config", "preset=mine", "-p", "threads"}), "3\n");
  EXPECT_THROW(to({"config", "--save", "mine", "threads=4"}), Error);
  EXPECT_EQ(to({"config", "--save", "mine", "--force", "threads=4"}), file);
  EXPECT_EQ(to({"config", "preset=mine", "-p", "threads"}), "4\n");
  EXPECT_THAT(to({"config", "--info=searchpath"}), HasSubstr("/vergence  (your own)\n"));
}

TEST_F(Answer, HelpNamesTheKeysThatMatter) {
  const auto help = to({"mesh", "--help"});
  EXPECT_THAT(help, AllOf(HasSubstr("usage: vergence mesh "), HasSubstr("\nkeys:\ndevice"),
                          ContainsRegex("\nmesh.edges +keep[|]cut +\"cut\" +what happens")));
  EXPECT_THAT(help, Not(HasSubstr("\nstereo.")));
}

TEST_F(Answer, ScriptsOfShells) {
  EXPECT_EQ(to({"completion", "bash"}), to({"--shell-completion", "install=bash"}));
  EXPECT_THAT(to({"completion", "zsh"}), StartsWith("#compdef vergence\n"));
  EXPECT_THROW(to({"completion", "tcsh"}), Error);
}

}  // namespace
}  // namespace vergence::cli
