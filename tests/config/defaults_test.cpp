// SPDX-License-Identifier: Apache-2.0
// Defaults lists: order, packages, overriding, optional and missing files.
#include "tests/config/support.hpp"

#include <gmock/gmock.h>

namespace vergence::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class DefaultsList : public ::testing::Test {
 protected:
  DefaultsList() {
    files_.write("db/small", "\"+size\" = 1\n\"+name\" = \"small\"\n")
        .write("db/large", "\"+size\" = 9\n\"+name\" = \"large\"\n")
        .write("web/plain", "\"+port\" = 80\n");
  }

  [[nodiscard]] Config composed(std::string_view text, std::vector<std::string> overrides = {}) {
    files_.write("main", text);
    return compose(files_.request(std::move(overrides), "main"));
  }

  [[nodiscard]] std::vector<std::string> wrong(std::string_view text,
                                               std::vector<std::string> overrides = {}) {
    files_.write("main", text);
    return mistakes_in(files_.request(std::move(overrides), "main"));
  }

  Files files_;
};

TEST_F(DefaultsList, LastOneWinsAndSelfComesLastWhenAbsent) {
  EXPECT_EQ(composed("defaults = [{ db = 'small' }]\n[db]\n'+size' = 5").integer("db.size"), 5);
  EXPECT_EQ(
      composed("defaults = ['_self_', { db = 'small' }]\n[db]\n'+size' = 5").integer("db.size"), 1);
}

TEST_F(DefaultsList, AGroupCanBeMountedElsewhere) {
  const Config config = composed("defaults = [{ db = 'small' }, { 'db@backup' = 'large' }]");
  EXPECT_EQ(config.integer("db.size"), 1);
  EXPECT_EQ(config.integer("backup.size"), 9);
  EXPECT_EQ(config.choice("db@backup"), "large");
  EXPECT_EQ(composed("defaults = [{ 'db@backup' = 'large' }]", {"db@backup=small"})
                .integer("backup.size"),
            1);
  EXPECT_THAT(wrong("defaults = [{ 'db@backup' = 'large' }]", {"db=small"}),
              ElementsAre("override 'db=small': the group 'db' is not in the defaults list\n  did "
                          "you mean 'db@backup'?"));
}

TEST_F(DefaultsList, MountedGroupsKeepTheirTypes) {
  EXPECT_THAT(mistakes({"+predictor@left=files", "left.kind=distanc"}),
              ElementsAre(HasSubstr("'left.kind=distanc': expected one of 'disparity'")));
}

TEST_F(DefaultsList, FilesNameGroupsRelativeToTheirOwnOrFromTheTop) {
  files_.write("web/full", "defaults = [{ cache = 'on' }, { '/db' = 'small' }, 'plain']\n")
      .write("web/cache/on", "\"+ttl\" = 3\n");
  const Config config = composed("defaults = [{ web = 'full' }]");
  EXPECT_EQ(config.integer("web.cache.ttl"), 3);
  EXPECT_EQ(config.integer("web.db.size"), 1);
  EXPECT_EQ(config.integer("web.port"), 80);
  EXPECT_EQ(config.choice("web/cache"), "on");
}

TEST_F(DefaultsList, PresetsOverrideChoicesMadeEarlierAndTheCommandLineOverridesThem) {
  files_.write("preset/fast",
               "_package_ = '_global_'\ndefaults = [{ 'override /db' = 'large' }]\n"
               "[web]\n'+port' = 1\n");
  const char* main = "defaults = [{ db = 'small' }, { web = 'plain' }]";
  const Config config = composed(main, {"+preset=fast"});
  EXPECT_EQ(config.string("db.name"), "large");
  EXPECT_EQ(config.integer("web.port"), 1);
  EXPECT_EQ(composed(main, {"+preset=fast", "db=small"}).string("db.name"), "small");
}

TEST_F(DefaultsList, AnEmptyPlaceIsFilledWithAndWithoutPlus) {
  const char* main = "defaults = [{ db = '' }]";
  EXPECT_FALSE(composed(main).contains("db.name"));
  EXPECT_EQ(composed(main, {"db=large"}).string("db.name"), "large");
  EXPECT_EQ(composed(main, {"+db=large"}).string("db.name"), "large");
  EXPECT_THAT(wrong("defaults = [{ db = 'small' }]", {"+db=large"}), SizeIs(1));
}

TEST_F(DefaultsList, SeveralOptionsOfOneGroup) {
  const Config config = composed("defaults = [{ db = ['small', 'large'] }]");
  EXPECT_EQ(config.string("db.name"), "large");
  EXPECT_EQ(config.choice("db"), "small,large");
  EXPECT_EQ(composed("defaults = [{ db = 'small' }]", {"db=[large,small]"}).string("db.name"),
            "small");
}

TEST_F(DefaultsList, GroupsAreAddedForcedAndTakenAway) {
  EXPECT_EQ(composed("", {"+db=small"}).integer("db.size"), 1);
  EXPECT_EQ(composed("", {"++db=small"}).integer("db.size"), 1);
  EXPECT_EQ(composed("defaults = [{ db = 'small' }]", {"++db=large"}).integer("db.size"), 9);
  EXPECT_FALSE(composed("defaults = [{ db = 'small' }]", {"~db"}).contains("db"));
  EXPECT_FALSE(composed("defaults = [{ db = 'small' }]", {"~db=small"}).contains("db"));
  EXPECT_EQ(composed("defaults = [{ db = '' }]", {"db=small"}).integer("db.size"), 1);
  EXPECT_THAT(wrong("defaults = [{ db = 'small' }]", {"~db=large"}),
              ElementsAre("override '~db=large': 'db' is 'small'"));
  EXPECT_THAT(wrong("", {"~db"}),
              ElementsAre("override '~db': the group 'db' is not in the defaults list"));
  EXPECT_THAT(wrong("defaults = [{ db = 'small' }]", {"+db=large"}),
              ElementsAre("override '+db=large': the group 'db' is chosen already\n  to change it "
                          "write 'db=large'"));
  EXPECT_THAT(wrong("", {"db=small"}),
              ElementsAre("override 'db=small': the group 'db' is not in the defaults list\n  to "
                          "add it write '+db=small'"));
}

TEST_F(DefaultsList, OptionalFilesMayBeMissing) {
  EXPECT_EQ(composed("defaults = [{ 'optional db' = 'nope' }, 'optional other']").keys().size(),
            0U);
  const auto messages = wrong("defaults = [{ db = 'nope' }, 'other']");
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_THAT(messages[0], HasSubstr("main.toml:1: there is no configuration 'other'"));
  EXPECT_THAT(messages[1], HasSubstr("unknown option 'nope' of group 'db' in "));
  EXPECT_THAT(messages[1], HasSubstr("options: large, small"));
}

TEST_F(DefaultsList, AMandatoryChoiceMustBeMade) {
  EXPECT_THAT(
      wrong("defaults = [{ db = '\?\?\?' }]"),
      ElementsAre("an option of 'db' must be chosen: 'db=OPTION'\n  options: large, small"));
  EXPECT_EQ(composed("defaults = [{ db = '\?\?\?' }]", {"db=large"}).integer("db.size"), 9);
}

TEST_F(DefaultsList, PrimaryFileMayBuildOnTheShippedOne) {
  files_.write("main", "defaults = ['config']\nthreads = 3\n");
  const Config config = compose(files_.request({"mesh=quest"}, "main"));
  EXPECT_EQ(config.integer("threads"), 3);
  EXPECT_EQ(config.choice("mesh"), "quest");
}

TEST_F(DefaultsList, CirclesAndExplosionsAreRefused) {
  files_.write("db/a", "defaults = ['b']").write("db/b", "defaults = ['a']");
  EXPECT_THAT(wrong("defaults = [{ db = 'a' }]"),
              ElementsAre("the defaults lists go round in a circle: main -> db/a -> db/b -> db/a"));
  for (int i = 0; i < 30; ++i) {
    std::string next = "'n";
    next.append(std::to_string(i + 1)).append("'");
    std::string text = "defaults = [";
    text.append(next).append(", ").append(next).append("]");
    files_.write("db/n" + std::to_string(i), text);
  }
  EXPECT_FALSE(wrong("defaults = [{ db = 'n0' }]").empty());
}

TEST_F(DefaultsList, WrongEntriesNameFileAndLine) {
  for (const char* entry : {"3", "{ db = 3 }", "{ a = 'b', c = 'd' }", "''", "{ '' = 'x' }"}) {
    EXPECT_THAT(wrong(std::string("\ndefaults = [") + entry + "]"),
                ElementsAre(HasSubstr("main.toml:2 has a wrong entry: ")))
        << entry;
  }
  EXPECT_THAT(wrong("defaults = 3"), ElementsAre(HasSubstr("has a wrong entry: 3")));
  EXPECT_THAT(wrong("_package_ = 3"), ElementsAre(HasSubstr("'_package_' in ")));
}

TEST_F(DefaultsList, FilesOutsideTheFolderAreOutOfReach) {
  EXPECT_THAT(wrong("defaults = [{ db = '../../etc/x' }]"),
              ElementsAre(HasSubstr("unknown option")));
  EXPECT_THAT(wrong("defaults = ['/../x']"), ElementsAre(HasSubstr("there is no configuration")));
}

// ---- the networks of an ensemble, each mounted with keys of its own

TEST(ListElements, TakeOptionsOfAGroup) {
  const auto config = compose_shipped({"predictor=ensemble", "predictor.members.1.size_px=256",
                                       "predictor@predictor.members.1=midas_v21_small"});
  EXPECT_EQ(config.package_toml("predictor.members"),
            "[{ name = \"nano\", path = \"\", size_px = 0, flip = false, precision = \"auto\" }, "
            "{ name = \"midas_v21_small\", path = \"\", size_px = 256, flip = false, precision = "
            "\"auto\" }]\n");
  EXPECT_EQ(config.choice("predictor@predictor.members.1"), "midas_v21_small");
  EXPECT_THAT(config.defaults_tree(),
              HasSubstr("\n    predictor@predictor.members.0: nano\n      _self_\n"
                        "    predictor@predictor.members.1: midas_v21_small\n"));
  EXPECT_EQ(values_of(compose_text(config.to_toml())), values_of(config));
}

TEST(ListElements, MayBeNamesAndTablesTogether) {
  const auto config = compose_shipped(
      {"predictor=ensemble", "predictor.members=[nano,{name: tiefenrausch, flip: yes}]"});
  EXPECT_EQ(config.string("predictor.members.0"), "nano");
  EXPECT_TRUE(config.boolean("predictor.members.1.flip"));
}

TEST(ListElements, AreCheckedLikeTheGroup) {
  EXPECT_THAT(mistakes({"predictor=ensemble", "predictor@predictor.members.1=tiefenrausch",
                        "predictor.members.1.size_px=many"}),
              ElementsAre("'predictor.members.1.size_px=many': expected an integer in [0, 4096] "
                          "px, got the string \"many\""));
  EXPECT_THAT(
      mistakes({"predictor=ensemble", "predictor.members=[nano,{name: tiefenrausch, size: 1}]"}),
      ElementsAre(HasSubstr("unknown key 'predictor.members.1.size'")));
  EXPECT_THAT(mistakes({"predictor=ensemble", "predictor.members=[nano,[1]]"}),
              ElementsAre(HasSubstr("expected a list of strings, got the list [1] in it")));
}

TEST(ListElements, AreNumberedWithoutGaps) {
  EXPECT_THAT(mistakes({"predictor=ensemble", "predictor@predictor.members.2=tiefenrausch"}),
              ElementsAre("'predictor.members': elements are numbered from 0, and 1 is missing\n  "
                          "to mount an option there write 'predictor@predictor.members.1=OPTION'"));
}

}  // namespace
}  // namespace vergence::config::test
