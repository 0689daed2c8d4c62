// SPDX-License-Identifier: Apache-2.0
#include "tests/config/support.hpp"

#include <cstdlib>

#include <gmock/gmock.h>

namespace vergence::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(Interpolation, TakesValuesOverWithTheirType) {
  const Config config = compose_text("", {"+n=3", "+m=${n}", "+k=${m}", "+l=[${n},x]"});
  EXPECT_EQ(config.integer("k"), 3);
  EXPECT_EQ(config.integer("l.0"), 3);
}

TEST(Interpolation, JoinsText) {
  EXPECT_EQ(compose_text("", {"+n=3", "+s=a${n}b${n}"}).string("s"), "a3b3");
  EXPECT_THAT(mistakes_in_text("", {"+l=[1]", "+s=a${l}"}),
              ElementsAre(HasSubstr("'${l}' is a list, which cannot be put into a text")));
}

TEST(Interpolation, IsResolvedAfterAllOverrides) {
  EXPECT_EQ(compose_shipped({"mesh.grid_width=${views.size_px}", "views.size_px=99"})
                .integer("mesh.grid_width"),
            99);
}

TEST(Interpolation, FollowsRelativeNestedAndIndexedKeys) {
  const Config config = compose_text(
      "'+k' = 'b'\n'+l' = [5, 6]\n[a]\n'+b' = 1\n'+near' = '${.b}'\n'+up' = '${..k}'\n"
      "'+deep' = '${a.${k}}'\n'+first' = '${l[0]}'\n'+second' = '${l.1}'\n");
  EXPECT_EQ(config.integer("a.near"), 1);
  EXPECT_EQ(config.string("a.up"), "b");
  EXPECT_EQ(config.integer("a.deep"), 1);
  EXPECT_EQ(config.integer("a.first"), 5);
  EXPECT_EQ(config.integer("a.second"), 6);
}

TEST(Interpolation, CopiesTablesAndLists) {
  const Config config = compose_shipped({"+t=${mesh.texture}", "+q=${t.quality}"});
  EXPECT_EQ(config.integer("t.quality"), 90);
  EXPECT_EQ(config.integer("q"), 90);
}

TEST(Interpolation, ReadsTheEnvironment) {
  ASSERT_EQ(::setenv("VERGENCE_TEST_VALUE", "12", 1), 0);
  EXPECT_EQ(compose_shipped({"threads=${env:VERGENCE_TEST_VALUE}"}).integer("threads"), 12);
  EXPECT_EQ(compose_shipped({"threads=${oc.env:VERGENCE_TEST_VALUE,3}"}).integer("threads"), 12);
  ASSERT_EQ(::unsetenv("VERGENCE_TEST_VALUE"), 0);
  EXPECT_EQ(compose_shipped({"threads=${env:VERGENCE_TEST_VALUE,3}"}).integer("threads"), 3);
  EXPECT_THAT(mistakes({"threads=${env:VERGENCE_TEST_VALUE}"}),
              ElementsAre("'threads' (argument 'threads=${env:VERGENCE_TEST_VALUE}'): the "
                          "environment has no variable 'VERGENCE_TEST_VALUE'; write "
                          "'${env:VERGENCE_TEST_VALUE,default}' to do without"));
}

TEST(Interpolation, SelectsWithADefault) {
  EXPECT_EQ(compose_shipped({"threads=${select:nowhere,5}"}).integer("threads"), 5);
  EXPECT_EQ(compose_shipped({"threads=${select:views.count,5}"}).integer("threads"), 20);
  EXPECT_THAT(mistakes({"threads=${select:nowhere}"}), ElementsAre(HasSubstr("no default")));
}

TEST(Interpolation, TellsTheTime) {
  EXPECT_THAT(compose_text("", {"+t=${now:%Y-%m-%d}"}).string("t"),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}"));
  EXPECT_THAT(compose_text("", {"+t=${now:}"}).string("t"), MatchesRegex(".{10}_.{8}"));
  Files files;
  auto request = files.write("only", "").request({"+t=${now:%s}"}, "only");
  request.now = 86'400;
  EXPECT_EQ(compose(request).string("t"), "86400");
}

TEST(Interpolation, CyclesAreShownAsAChainOnce) {
  EXPECT_THAT(mistakes_in_text("", {"+a=${b}", "+b=${c}", "+c=x${a}"}),
              ElementsAre("the interpolations go round in a circle: a -> b -> c -> a\n  give one "
                          "of the keys a value of its own"));
  EXPECT_THAT(mistakes_in_text("", {"+a=${a}"}), ElementsAre(HasSubstr("a -> a")));
  EXPECT_THAT(mistakes_in_text("", {"+t.x=${t}"}), ElementsAre(HasSubstr("t.x -> t.x")));
}

TEST(Interpolation, MissingKeysGetSuggestions) {
  EXPECT_THAT(mistakes({"threads=${views.cout}"}),
              ElementsAre("'threads' (argument 'threads=${views.cout}'): there is no key "
                          "'views.cout'\n  did you mean 'views.count'?"));
  EXPECT_THAT(mistakes({"threads=${....x}"}), ElementsAre(HasSubstr("leads out of")));
  EXPECT_THAT(mistakes({"threads=${job.num:}"}),
              ElementsAre(HasSubstr("there is no '${job.num:}'")));
}

TEST(Interpolation, MandatoryValuesStayMandatory) {
  const Config config = compose_shipped({"predictor=files", "+p=${predictor.path}/x"});
  EXPECT_FALSE(config.contains("p"));
}

TEST(Interpolation, IsEscapedByABackslash) {
  EXPECT_EQ(compose_text("'+a' = '\\${x}'").string("a"), "${x}");
  EXPECT_EQ(compose_text("'+a' = '\\\\${b}'\n'+b' = 1").string("a"), "\\1");
  EXPECT_EQ(compose_text("", {"+a=\\${x}"}).string("a"), "${x}");
  EXPECT_THAT(mistakes_in_text("'+a' = '${b'"), ElementsAre(HasSubstr("never closed")));
}

TEST(Interpolation, ResolvedValuesAreChecked) {
  EXPECT_THAT(mistakes({"threads=${device}"}),
              ElementsAre("'threads=${device}': expected an integer in [0, 1024], got the string "
                          "\"auto\""));
}

TEST(Interpolation, ExplosionsAreRefused) {
  std::string doubling = "'+x0' = 'aaaaaaaaaaaaaaaa'\n";
  std::string chain = "'+y0' = 1\n";
  for (int i = 1; i < 100; ++i) {
    const std::string last = std::to_string(i - 1);
    const std::string current = std::to_string(i);
    doubling.append("'+x").append(current).append("' = '${x").append(last);
    doubling.append("}${x").append(last).append("}'\n");
    chain.append("'+y").append(current).append("' = '${y").append(last).append("}'\n");
  }
  EXPECT_FALSE(mistakes_in_text(doubling).empty());
  EXPECT_FALSE(mistakes_in_text(chain).empty());
}

}  // namespace
}  // namespace vergence::config::test
