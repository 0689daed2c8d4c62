// SPDX-License-Identifier: Apache-2.0
// Completion: what the program answers, and what real shells make of it.
#include "cli/completion.hpp"

#include "cli/command_line.hpp"
#include "core/error.hpp"
#include "core/output_file.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <cstdlib>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::StartsWith;

namespace fs = std::filesystem;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The texts of the answer, without descriptions.
std::vector<std::string> answers(const std::string& line) {
  auto lines = lines_of(completions(std::vector<std::string>{"fish", line}));
  for (auto& text : lines) text = text.substr(0, text.find('\t'));
  return lines;
}

TEST(Completion, Commands) {
  EXPECT_THAT(answers("vergence me"), ElementsAre("mesh"));
  EXPECT_THAT(answers("vergence "), IsSupersetOf({"depth", "config", "models"}));
  EXPECT_THAT(answers("vergence views.count=6 con"), ElementsAre("config"));
  EXPECT_THAT(answers("vergence"), IsEmpty()) << "the program's own name";
  EXPECT_THAT(answers("vergence mesh=q"), ElementsAre("mesh=quest"));
}

TEST(Completion, FlagsOfTheCommand) {
  EXPECT_THAT(answers("vergence eval --al"), ElementsAre("--align"));
  EXPECT_THAT(answers("vergence depth --al"), IsEmpty());
  EXPECT_THAT(answers("vergence depth --c"),
              ElementsAre("--config-name", "--cfg", "--config-path", "--config-dir"));
  EXPECT_THAT(answers("vergence -"), IsSupersetOf({"-h", "--help", "-m", "--multirun", "-cd"}));
}

TEST(Completion, ValuesOfFlags) {
  EXPECT_THAT(answers("vergence --cfg "), ElementsAre("job", "all"));
  EXPECT_THAT(answers("vergence --info=def"),
              ElementsAre("--info=defaults", "--info=defaults-tree"));
  EXPECT_THAT(answers("vergence eval --align m"), ElementsAre("median"));
  EXPECT_THAT(answers("vergence config -p mesh.edges"), ElementsAre("mesh.edges"));
  EXPECT_THAT(answers("vergence completion "), ElementsAre("bash", "zsh", "fish"));
}

TEST(Completion, Models) {
  EXPECT_THAT(answers("vergence models ver"), Contains("verify"));
  EXPECT_THAT(answers("vergence models info midas_v21_s"), ElementsAre("midas_v21_small"));
  EXPECT_THAT(answers("vergence models info ens"), Not(Contains("ensemble")));
}

TEST(Completion, SurvivesWhatPeopleType) {
  for (const char* line :
       {"", " ", "vergence '", "vergence \"a b", "vergence a=[", "vergence ~", "vergence +",
        "vergence -", "vergence --", "vergence --cfg", "vergence \\",
        "vergence \xFF=", "vergence =", "vergence -- a", "vergence depth /nowhere/x",
        "vergence depth ~/", "vergence x@=", "vergence +@"}) {
    EXPECT_NO_THROW(static_cast<void>(answers(line))) << line;
  }
  EXPECT_NO_THROW(static_cast<void>(completions(std::vector<std::string>{})));
}

TEST(Completion, KnowsOnlyItsShells) {
  try {
    static_cast<void>(completion_script("tcsh"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_STREQ(error.what(),
                 "there is no completion for 'tcsh'; there is one for 'bash', 'zsh' and 'fish'");
  }
}

// Real shells in a folder with a few files.
class Shell : public ::testing::Test {
 protected:
  Shell() {
    write_file(folder_ / "my photo.jpg", "");
    write_file(folder_ / "pano.jpg", "");
    fs::create_directory(folder_ / "night shots");
    fs::create_directories(folder_ / "configs/mesh");
    write_file(folder_ / "configs/mesh/museum.toml", "grid_width = 5\n");
  }

  [[nodiscard]] std::string run(const std::vector<std::string>& command) const {
    const char* path = std::getenv("PATH");
    const std::string bin = (vergence::test::binary_dir() / "bin").string();
    const auto result = vergence::test::run_process(
        command, {.working_folder = folder_.path(),
                  .environment = {{"PATH", bin + ":" + (path == nullptr ? "/bin" : path)},
                                  {"HOME", folder_.path().string()},
                                  {"XDG_CONFIG_HOME", (folder_ / "none").string()}}});
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return result.output;
  }

  [[nodiscard]] std::vector<std::string> bash(const std::string& line) const {
    const std::string script =
        "eval \"$(vergence completion bash)\"; COMP_LINE=$1 COMP_POINT=${#1}; "
        "_vergence vergence; printf '%s\\n' \"${COMPREPLY[@]}\"";
    return lines_of(run({"/bin/bash", "--norc", "-c", script, "bash", line}));
  }

  // What stands on the command line of a zsh after a tab.
  [[nodiscard]] std::string zsh(const std::string& line) const {
    const auto script = vergence::test::source_dir() / "tests/cli/complete.zsh";
    const auto lines = lines_of(run({"/usr/bin/zsh", "-f", script.string(), line}));
    return lines.empty() ? "" : lines.front();
  }

  [[nodiscard]] std::vector<std::string> fish(const std::string& line) const {
    return lines_of(run({"/usr/bin/fish", "--no-config", "-c",
                         "vergence completion fish | source; complete -C $argv[1]", line}));
  }

  vergence::test::TemporaryFolder folder_;
};

TEST_F(Shell, BashGetsWhatComesBehindItsWordBreaks) {
  EXPECT_THAT(bash("vergence mesh=q"), ElementsAre("quest"));
  EXPECT_THAT(bash("vergence conf"), ElementsAre("config"));
  EXPECT_THAT(bash("vergence depth mesh.texture.fo"), ElementsAre("mesh.texture.format="));
  EXPECT_THAT(bash("vergence depth mesh.texture.format="), ElementsAre("jpg", "png"));
  EXPECT_THAT(bash("vergence depth my"), ElementsAre("my\\ photo.jpg"));
  EXPECT_THAT(bash("vergence depth \"my"), ElementsAre("my photo.jpg"));
  EXPECT_THAT(bash("vergence depth input.depth=n"), ElementsAre("night\\ shots/"));
  EXPECT_THAT(bash("vergence depth input.depth=\"my"), ElementsAre("my photo.jpg"));
  EXPECT_THAT(bash("vergence depth 'input.depth=my"), ElementsAre("input.depth=my photo.jpg"));
  EXPECT_THAT(bash("vergence -cd configs mesh=mu"), ElementsAre("museum"));
  EXPECT_THAT(bash("vergence nothing-like-this"), ElementsAre(""));
}

TEST_F(Shell, ZshFinishesTheWord) {
  EXPECT_EQ(zsh("vergence mesh=q"), "vergence mesh=quest ");
  EXPECT_EQ(zsh("vergence mesh.tex"), "vergence mesh.texture.");
  EXPECT_EQ(zsh("vergence depth my"), "vergence depth my\\ photo.jpg ");
  EXPECT_EQ(zsh("vergence config --info sear"), "vergence config --info searchpath ");
  EXPECT_EQ(zsh("vergence depth \"my"), "vergence depth \"my photo.jpg\" ");
  EXPECT_EQ(zsh("vergence depth 'input.depth=my"), "vergence depth 'input.depth=my photo.jpg' ");
}

TEST_F(Shell, FishShowsDescriptions) {
  EXPECT_THAT(fish("vergence mesh=q"), ElementsAre("mesh=quest"));
  EXPECT_THAT(fish("vergence depth my"), ElementsAre("my photo.jpg"));
  EXPECT_THAT(fish("vergence depth thr"), ElementsAre(StartsWith("threads=\tCPU threads")));
  EXPECT_THAT(fish("vergence depth --verb"), ElementsAre("--verbose\tmore about the work"));
}

}  // namespace
}  // namespace vergence::cli
