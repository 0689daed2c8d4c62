// SPDX-License-Identifier: Apache-2.0
#include "core/output_file.hpp"
#include "tests/config/support.hpp"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

namespace vergence::config::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::Not;

TEST(Compose, ShippedDefaults) {
  const Config config = compose_shipped();
  EXPECT_EQ(config.string("device"), "auto");
  EXPECT_EQ(config.integer("views.count"), 20);
  EXPECT_DOUBLE_EQ(config.number("views.fov_deg"), 100.0);
  EXPECT_EQ(config.string("mesh.texture.format"), "jpg");
  EXPECT_EQ(config.choice("predictor"), "nano");
  EXPECT_EQ(config.choice("preset"), "");
}

TEST(Compose, TellsWhatTheUserSet) {
  EXPECT_FALSE(compose_shipped().set_by_user("input.depth_kind"));
  EXPECT_FALSE(compose_shipped().set_by_user("no.such.key"));
  const Config by_argument = compose_shipped({"input.depth_kind=distance"});
  EXPECT_TRUE(by_argument.set_by_user("input.depth_kind")) << "though to the default";
  EXPECT_FALSE(by_argument.set_by_user("input.depth_scale"));
  EXPECT_TRUE(compose_shipped({"+my.key=1"}).set_by_user("my.key"));
  Files files;
  files.write("mine", "defaults = ['config', '_self_']\n[input]\ndepth_scale = 0.001\n");
  EXPECT_TRUE(compose(files.request({}, "mine")).set_by_user("input.depth_scale"));
  // What was printed before and is read again has not been set by anybody.
  files.write("printed", compose_shipped().to_toml());
  EXPECT_FALSE(compose(files.request({}, "printed")).set_by_user("input.depth_scale"));
}

TEST(Compose, EveryShippedOptionOfEveryGroupComposes) {
  for (const auto& group : groups()) {
    for (const auto& option : options(group)) {
      const std::string sign = compose_shipped().choice(group).empty() ? "+" : "";
      std::string argument = sign + group;
      argument += "=" + option;
      EXPECT_EQ(compose_shipped({argument}).choice(group), option) << argument;
    }
  }
}

TEST(Compose, GroupIsChosenBeforeItsKeysWhateverTheOrder) {
  for (const auto& arguments : {std::vector<std::string>{"mesh=quest", "mesh.edges=keep"},
                                std::vector<std::string>{"mesh.edges=keep", "mesh=quest"}}) {
    const Config config = compose_shipped(arguments);
    EXPECT_EQ(config.choice("mesh"), "quest");
    EXPECT_EQ(config.integer("mesh.grid_width"), 512);
    EXPECT_EQ(config.string("mesh.edges"), "keep");
  }
  EXPECT_EQ(compose_shipped({"predictor.path=maps", "predictor=files"}).string("predictor.path"),
            "maps");
}

TEST(Compose, ChoosingTheDefaultChangesNothing) {
  EXPECT_EQ(compose_shipped({"mesh=desktop"}).to_toml(), compose_shipped().to_toml());
}

TEST(Compose, PresetsChangeManyGroups) {
  const Config config = compose_shipped({"+preset=preview", "mesh.grid_width=100"});
  EXPECT_EQ(config.integer("views.count"), 6);
  EXPECT_EQ(config.choice("mesh"), "mobile");
  EXPECT_EQ(config.integer("mesh.grid_width"), 100);
  EXPECT_EQ(config.integer("fusion.width_px"), 1024);
}

TEST(Compose, TypesFollowTheSchemaWhereNothingIsLost) {
  const Config config =
      compose_shipped({"threads=\"10\"", "mesh.grid_width=4.0", "views.fov_deg=90",
                       "mesh.normals=yes", "predictor.name=007"});
  EXPECT_EQ(config.integer("threads"), 10);
  EXPECT_EQ(config.integer("mesh.grid_width"), 4);
  EXPECT_DOUBLE_EQ(config.number("views.fov_deg"), 90.0);
  EXPECT_TRUE(config.boolean("mesh.normals"));
  EXPECT_EQ(config.string("predictor.name"), "007");
}

TEST(Compose, MandatoryValuesWaitUntilTheyAreRead) {
  const Config config = compose_shipped({"predictor=torchscript", "predictor.path=net.pt"});
  EXPECT_EQ(config.string("predictor.path"), "net.pt");
  EXPECT_FALSE(config.contains("predictor.card"));
  EXPECT_THAT(config.keys(), Contains("predictor.card"));
  try {
    static_cast<void>(config.string("predictor.card"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_STREQ(error.what(),
                 "'predictor.card' has no value; set it with 'predictor.card=VALUE' (model card of "
                 "a network of your own)");
  }
}

TEST(Compose, ReadingWhatIsNotThereOrOfAnotherTypeIsAnError) {
  const Config config = compose_shipped();
  EXPECT_THROW(static_cast<void>(config.string("nothing")), Error);
  EXPECT_THROW(static_cast<void>(config.integer("device")), Error);
  EXPECT_THROW(static_cast<void>(config.strings("device")), Error);
  EXPECT_THROW(static_cast<void>(config.number("mesh")), Error);
}

TEST(Compose, ReadsLists) {
  const Config config = compose_text("\"+n\" = [1, 2.5]\n\"+s\" = [\"a\"]");
  EXPECT_THAT(config.numbers("n"), ElementsAre(1.0, 2.5));
  EXPECT_THAT(config.strings("s"), ElementsAre("a"));
  EXPECT_THROW(static_cast<void>(config.strings("n")), Error);
}

TEST(Compose, PathsMayBeginAtHome) {
  const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  ASSERT_EQ(::setenv("HOME", "/home/someone", 1), 0);
  EXPECT_EQ(compose_shipped({"input.depth=~/a.exr"}).string("input.depth"), "/home/someone/a.exr");
  EXPECT_EQ(compose_shipped({"predictor.name=~/a"}).string("predictor.name"), "~/a");
  ASSERT_EQ(::setenv("HOME", home.c_str(), 1), 0);
}

TEST(Compose, UserFilesComeBeforeShippedOnesAndMayExtendThem) {
  Files files;
  files.write("mesh/huge", "defaults = [\"dense\", \"_self_\"]\ngrid_width = 5000\n")
      .write("views/icosahedron_20", "count = 12\nfov_deg = 80\nsize_px = 5\n");
  const Config config = compose(files.request({"mesh=huge"}));
  EXPECT_EQ(config.integer("mesh.grid_width"), 5000);
  EXPECT_EQ(config.string("mesh.sky"), "keep");
  EXPECT_EQ(config.integer("views.size_px"), 5);
}

TEST(Compose, PersonalFolderIsSearchedLast) {
  const std::string before = std::getenv("XDG_CONFIG_HOME");
  vergence::test::TemporaryFolder folder;
  std::filesystem::create_directories(folder / "vergence/preset");
  write_file(folder / "vergence/preset/mine.toml", "_package_ = \"_global_\"\nthreads = 7\n");
  ASSERT_EQ(::setenv("XDG_CONFIG_HOME", folder.path().c_str(), 1), 0);
  EXPECT_EQ(compose_shipped({"+preset=mine"}).integer("threads"), 7);
  Files files;
  files.write("preset/mine", "_package_ = \"_global_\"\nthreads = 8\n");
  EXPECT_EQ(compose(files.request({"+preset=mine"})).integer("threads"), 8);
  ASSERT_EQ(::setenv("XDG_CONFIG_HOME", before.c_str(), 1), 0);
}

TEST(Compose, OriginsNameFilesWithLinesAndArguments) {
  const std::string table =
      compose_shipped({"views.count=12", "mesh=quest", "+predictor@left=files"}).origin_table();
  EXPECT_THAT(table, ::testing::ContainsRegex("views.count = 12 +# argument 'views.count=12'\n"));
  EXPECT_THAT(
      table, ::testing::ContainsRegex("mesh.grid_width = 512 +# configs/mesh/quest.toml:[0-9]+\n"));
  EXPECT_THAT(table,
              ::testing::ContainsRegex("mesh.edges = .* # configs/mesh/desktop.toml:[0-9]+\n"));
  EXPECT_THAT(table, ::testing::ContainsRegex("left.name = .files. +# configs/predictor/files"));
}

TEST(Compose, PrintedConfigurationComposesToTheSame) {
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"predictor=torchscript", "mesh=quest"},
      {"+predictor@left=files", "left.kind=distance"},
      {"+my.list=[1,'a\"b',{k:[{v:1.5}]}]", "+my.text='\\${x} \\\\${device}'", "+a.$x=inf"},
      {"+copy=${mesh.texture}", "+size=${mesh.grid_width}px", "+my.line=\"a\tb\""},
      {"~mesh", "~sky.mask", "+when=${now:%F}"}};
  for (const auto& overrides : cases) {
    const Config config = compose_shipped(overrides);
    EXPECT_EQ(compose_text(config.to_toml()).to_toml(), config.to_toml());
    EXPECT_EQ(values_of(compose_text(config.to_toml(false))), values_of(config));
  }
}

TEST(Compose, TomlDatesAreText) {
  EXPECT_EQ(compose_text("\"+day\" = 2026-01-02").string("day"), "2026-01-02");
}

TEST(Compose, DescribesKeysForHelp) {
  const std::vector<std::string> prefixes = {"views", "predictor.card"};
  EXPECT_THAT(describe_keys(prefixes),
              ::testing::MatchesRegex(
                  "views.count +20.12.6 +20 +[a-z].*\n"
                  "views.fov_deg +number 60[.][.]140 deg +100[.]0 +[a-z].*\n"
                  "views.size_px +int 0[.][.]4096 px +0 +[a-z].*\n"
                  "predictor.card +path +[(]predictor=torchscript[)]  model card .*\n"));
}

TEST(Compose, ListsGroupsAndOptions) {
  EXPECT_THAT(groups(), Contains("mesh"));
  EXPECT_THAT(options("predictor"),
              IsSupersetOf({"files", "nano", "midas_v21_small", "torchscript"}));
  EXPECT_THAT(options(""), Not(Contains("schema")));
}

}  // namespace
}  // namespace vergence::config::test
