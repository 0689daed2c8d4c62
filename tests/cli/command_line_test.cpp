// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.hpp"

#include "core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::cli {
namespace {

using testing::ElementsAre;

CommandLine parse(const std::vector<std::string>& arguments) {
  return parse_command_line(arguments);
}

std::string message_of(const std::vector<std::string>& arguments) {
  try {
    parse(arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "accepted";
}

TEST(CommandLine, FindsOverridesAnywhere) {
  const auto line = parse({"views.count=6", "depth", "a.jpg", "+a.b=1", "-o", "out.exr", "++c=2",
                           "b.jpg", "~sky.mask", "predictor=files"});
  EXPECT_EQ(line.command, "depth");
  EXPECT_THAT(line.inputs, ElementsAre("a.jpg", "b.jpg"));
  EXPECT_THAT(line.overrides,
              ElementsAre("views.count=6", "+a.b=1", "++c=2", "~sky.mask", "predictor=files"));
  EXPECT_EQ(line.output, "out.exr");
}

TEST(CommandLine, TakesEverythingBehindTheDashesForInputs) {
  const auto line = parse({"depth", "views.count=6", "--", "a=b.jpg", "--quiet", "~c"});
  EXPECT_THAT(line.inputs, ElementsAre("a=b.jpg", "--quiet", "~c"));
  EXPECT_THAT(line.overrides, ElementsAre("views.count=6"));
  EXPECT_FALSE(line.quiet);
}

TEST(CommandLine, TellsPathsFromOverrides) {
  for (const char* path : {"./a=b.jpg", "/x/a=b", "=a", "", "2024=x.jpg", "my photo=1.jpg"}) {
    EXPECT_FALSE(is_override(path)) << path;
  }
  for (const char* text : {"a=", "a.b=x y", "stereo/fill=near", "predictor@left=nano", "+a=1", "~a",
                           "a+=[1]", "views.list.0=3"}) {
    EXPECT_TRUE(is_override(text)) << text;
  }
}

TEST(CommandLine, FlagsStandForKeys) {
  const auto line = parse({"eval", "--pred", "p.exr", "--gt=g.exr", "--align", "scale", "--sphere",
                           "--cap", "10", "--mask", "it's.png", "--json", "-"});
  EXPECT_EQ(line.prediction, "p.exr");
  EXPECT_EQ(line.ground_truth, "g.exr");
  EXPECT_EQ(line.json, "-");
  EXPECT_THAT(line.overrides, ElementsAre("eval.align=scale", "eval.sphere=true",
                                          R"(eval.mask='it\'s.png')", "eval.cap_m=10"));
}

TEST(CommandLine, TakesCommonFlagsBeforeTheCommand) {
  const auto line = parse({"--config-dir", "depth", "--progress=json", "-q", "mesh", "a.jpg",
                           "--config-dir", "b", "--config-name", "mine"});
  EXPECT_EQ(line.command, "mesh");
  EXPECT_THAT(line.config_dirs, ElementsAre("depth", "b"));
  EXPECT_EQ(line.config_name, "mine");
  EXPECT_EQ(line.progress, ProgressStyle::kJson);
  EXPECT_TRUE(line.quiet);
  EXPECT_THAT(line.inputs, ElementsAre("a.jpg"));
}

TEST(CommandLine, NamesTheNearest) {
  EXPECT_EQ(message_of({"dept", "a.jpg"}), "unknown command 'dept'; did you mean 'depth'?");
  EXPECT_THAT(message_of({"frobnicate"}),
              testing::StartsWith("unknown command 'frobnicate'; the commands are 'depth', "));
  EXPECT_EQ(message_of({"mesh", "a.jpg", "--deph", "x"}),
            "unknown flag '--deph'; did you mean '--depth'?");
  EXPECT_EQ(message_of({"depth", "a.jpg", "--pred=x"}),
            "unknown flag '--pred'; see `vergence --help`");
}

TEST(CommandLine, SaysWhatIsMissingOrTooMuch) {
  EXPECT_EQ(message_of({"depth", "a.jpg", "-o"}), "'--output' needs a value");
  EXPECT_EQ(message_of({"depth"}),
            "'depth' needs an input; usage: vergence depth INPUT... [-o OUT] [key=value...]");
  EXPECT_THAT(message_of({"views", "a.jpg", "b.jpg", "-o", "d"}),
              testing::StartsWith("'views' has no use for 'b.jpg'"));
  EXPECT_THAT(message_of({"config", "a.jpg"}), testing::StartsWith("'config' has no use for"));
  EXPECT_THAT(message_of({"config", "mesh:x=quest"}),
              testing::StartsWith("cannot read 'mesh:x=quest': 'mesh:x' is not a key\n"));
  EXPECT_THAT(message_of({"config", "--", "threads=2"}),
              testing::StartsWith("'config' has no use for"));
  EXPECT_EQ(message_of({"config", "--cfg", "hydra"}),
            "'--cfg' knows nothing of 'hydra'; give --cfg job|all");
  EXPECT_EQ(message_of({"config", "--info", "default"}),
            "'--info' knows nothing of 'default'; did you mean 'defaults'?");
  EXPECT_EQ(message_of({"config", "--progress=fast"}),
            "'--progress=fast' is not a style; choose 'auto', 'plain', 'json' or 'none'");
}

TEST(CommandLine, ModesExcludeEachOther) {
  EXPECT_EQ(message_of({"depth", "--cfg", "job", "--info", "defaults"}),
            "'--cfg' and '--info' exclude each other; ask for one at a time");
  EXPECT_EQ(message_of({"depth", "a.jpg", "-m", "--cfg=job", "--rerun", "x"}),
            "'--cfg', '--multirun' and '--rerun' exclude each other; ask for one at a time");
  EXPECT_EQ(message_of({"config", "--save", "x", "--shell-completion", "install=zsh"}),
            "'--shell-completion' and '--save' exclude each other; ask for one at a time");
  EXPECT_EQ(message_of({"depth", "a.jpg", "-p", "views"}),
            "'--package' is about what --cfg prints; add --cfg job");
  EXPECT_EQ(message_of({"depth", "a.jpg", "--resolve"}),
            "'--resolve' is about what --cfg prints; add --cfg job");
  EXPECT_TRUE(parse({"depth", "--cfg", "job", "-h", "--info", "defaults"}).help)
      << "help is always given";
}

TEST(CommandLine, KnowsTheNamesOfHydrasFlags) {
  const auto line =
      parse({"-cd", "a", "-cd=b", "-cn", "mine", "-cp", "c", "config", "-p", "mesh", "--resolve"});
  EXPECT_THAT(line.config_dirs, ElementsAre("c", "a", "b"));
  EXPECT_EQ(line.config_name, "mine");
  EXPECT_EQ(line.package, "mesh");
  EXPECT_TRUE(line.resolve);
  EXPECT_EQ(line.command, "config");
  EXPECT_EQ(parse({"-sc", "install=bash"}).shell_completion, "install=bash");
  EXPECT_EQ(message_of({"-sc", "install=tcsh"}),
            "'--shell-completion' knows nothing of 'install=tcsh'; did you mean 'install=bash', "
            "'install=zsh' or 'install=fish'?");
}

TEST(CommandLine, SavesPresets) {
  const auto line = parse({"config", "--save", "mine", "--force", "a=1"});
  EXPECT_EQ(line.save_as, "mine");
  EXPECT_EQ(line.force, "true");
  EXPECT_THAT(line.overrides, ElementsAre("a=1"));
  EXPECT_EQ(message_of({"depth", "a.jpg", "--save", "mine"}),
            "unknown flag '--save'; see `vergence --help`");
}

TEST(CommandLine, HelpNeedsNothingElse) {
  EXPECT_TRUE(parse({"depth", "a.jpg", "-h", "mesh=quest"}).help) << "in the middle";
  EXPECT_TRUE(parse({"depth", "--help"}).help);
  EXPECT_TRUE(parse({"-h"}).help);
  EXPECT_TRUE(parse({"--version"}).version);
  EXPECT_TRUE(parse({}).command.empty());
}

TEST(CommandLine, HelpSpeaksOfEveryCommandAndFlag) {
  const auto text = program_help();
  for (const auto& command : commands()) {
    EXPECT_THAT(text, testing::HasSubstr(command.name));
    const auto help = command_help(command);
    for (const auto& flag : command.flags) {
      const std::string names = flag.names;
      EXPECT_THAT(help, testing::HasSubstr(names.substr(names.rfind('-'))));
    }
  }
}

}  // namespace
}  // namespace vergence::cli
