// SPDX-License-Identifier: Apache-2.0
// The grammar of arguments, through the public interface: what a value becomes.
#include "tests/config/support.hpp"

#include <gmock/gmock.h>

namespace vergence::config::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// The line that the printed configuration has for key "x" after `+x=VALUE`.
std::string printed(const std::string& value) {
  const std::string toml = compose_text("", {"+x=" + value}).to_toml();
  return toml.substr(0, toml.find_last_not_of('\n') + 1);
}

struct ValueCase {
  std::string argument;
  std::string toml;
};

class ValueGrammar : public ::testing::TestWithParam<ValueCase> {};

TEST_P(ValueGrammar, GivesTheValue) {
  EXPECT_EQ(printed(GetParam().argument), "\"+x\" = " + GetParam().toml);
}

INSTANTIATE_TEST_SUITE_P(
    Scalars, ValueGrammar,
    ::testing::Values(ValueCase{"12", "12"}, ValueCase{"-3", "-3"}, ValueCase{"+3", "3"},
                      ValueCase{"1_000", "1000"}, ValueCase{"0", "0"}, ValueCase{"007", "\"007\""},
                      ValueCase{"1__0", "\"1__0\""},
                      ValueCase{"99999999999999999999", "\"99999999999999999999\""},
                      ValueCase{"1e-3", "0.001"}, ValueCase{"1.", "1.0"}, ValueCase{".5", "0.5"},
                      ValueCase{"1.0", "1.0"}, ValueCase{"inf", "inf"}, ValueCase{"-INF", "-inf"},
                      ValueCase{"NaN", "nan"}, ValueCase{"true", "true"},
                      ValueCase{"FALSE", "false"}, ValueCase{"'true'", "\"true\""},
                      ValueCase{"", "\"\""}, ValueCase{"''", "\"\""}));

INSTANTIATE_TEST_SUITE_P(
    Texts, ValueGrammar,
    ::testing::Values(ValueCase{"hello world", "\"hello world\""},
                      ValueCase{"  trimmed  ", "\"trimmed\""}, ValueCase{"a=b", "\"a=b\""},
                      ValueCase{"http://x.org/?a=b&c", "\"http://x.org/?a=b&c\""},
                      ValueCase{"2026-01-01", "\"2026-01-01\""},
                      ValueCase{"C:\\pano\\x", "\"C:\\\\pano\\\\x\""},
                      ValueCase{"a\\,b", "\"a,b\""}, ValueCase{"A\\[B\\]", "\"A[B]\""},
                      ValueCase{"\\ lead", "\" lead\""}, ValueCase{"\"1,2\"", "\"1,2\""},
                      ValueCase{"'it\\'s'", "\"it's\""}, ValueCase{"\"a\\\\\"", "\"a\\\\\""},
                      ValueCase{"'a\\b'", "\"a\\\\b\""}, ValueCase{"\xC3\xBC", "\"\xC3\xBC\""},
                      ValueCase{"\"tab\there\"", "\"tab\\there\""}));

INSTANTIATE_TEST_SUITE_P(
    Nested, ValueGrammar,
    ::testing::Values(ValueCase{"[1,2]", "[1, 2]"},
                      ValueCase{"[ a , 'b,c' , [1.5] ]", "[\"a\", \"b,c\", [1.5]]"},
                      ValueCase{"[]", "[]"},
                      ValueCase{"[{k:v,n:1},{}]", "[{ k = \"v\", n = 1 }, {}]"},
                      ValueCase{"[{k = \"v\"}]", "[{ k = \"v\" }]"},
                      ValueCase{"[{u:http://x}]", "[{ u = \"http://x\" }]"}));

INSTANTIATE_TEST_SUITE_P(Casts, ValueGrammar,
                         ::testing::Values(ValueCase{"int(2.9)", "2"}, ValueCase{"int('7')", "7"},
                                           ValueCase{"float(3)", "3.0"},
                                           ValueCase{"str(1e3)", "\"1e3\""},
                                           ValueCase{"bool(0)", "false"},
                                           ValueCase{"int([1.5, 2.5])", "[1, 2]"}));

TEST(Override, TablesBecomeKeys) {
  const Config config = compose_text("", {"+a={b:{c:1},d:[2]}"});
  EXPECT_THAT(config.keys(), ElementsAre("a.b.c", "a.d"));
  EXPECT_EQ(config.integer("a.b.c"), 1);
}

TEST(Override, ListValuesReplaceAndTablesMerge) {
  const Config config =
      compose_text("\"+l\" = [1, 2]\n[\"+t\"]\na = 1\nb = 2\n", {"l=[3]", "t={b:5}"});
  EXPECT_THAT(config.numbers("l"), ElementsAre(3));
  EXPECT_EQ(config.integer("t.a"), 1);
  EXPECT_EQ(config.integer("t.b"), 5);
}

TEST(Override, ReachesIntoListsByIndex) {
  const Config config =
      compose_text("\"+l\" = [{ v = 1 }, { v = 2 }]", {"l.1.v=7", "l[0].v=6", "l+=[{v:8}]"});
  EXPECT_EQ(config.integer("l.0.v"), 6);
  EXPECT_EQ(config.integer("l.1.v"), 7);
  EXPECT_EQ(config.integer("l.2.v"), 8);
  EXPECT_THAT(mistakes_in_text("\"+l\" = [1]", {"l.1=3"}),
              ElementsAre("'l.1=3': the list 'l' has 1 element, counted from 0, and no '1'\n  to "
                          "put more at its end write 'l+=[VALUE]'"));
}

TEST(Override, AddsOnlyWhatIsNew) {
  EXPECT_EQ(compose_text("", {"+a.b.c=1"}).integer("a.b.c"), 1);
  EXPECT_THAT(
      mistakes({"+threads=1"}),
      ElementsAre("'+threads=1': the key 'threads' exists already (" + shipped_origin("threads") +
                  ")\n  to change it write "
                  "'threads=1', to set it in any case '++threads=1'"));
  EXPECT_EQ(compose_shipped({"++threads=1"}).integer("threads"), 1);
  EXPECT_EQ(compose_shipped({"++my.threads=1"}).integer("my.threads"), 1);
  EXPECT_THAT(mistakes({"+threads.b=1"}),
              ElementsAre("'+threads.b=1': 'threads' is 0 and has no 'b'"));
}

TEST(Override, Deletes) {
  EXPECT_FALSE(compose_shipped({"~sky.mask"}).contains("sky.mask"));
  EXPECT_FALSE(compose_shipped({"~views.fov_deg=100"}).contains("views.fov_deg"));
  EXPECT_THAT(mistakes({"~views.count=3"}), ElementsAre("'~views.count=3': 'views.count' is 20"));
  EXPECT_THAT(mistakes({"~a"}), ElementsAre("unknown key 'a' in override '~a'"));
  EXPECT_THAT(compose_text("\"+l\" = [1, 2, 3]", {"~l.1"}).numbers("l"), ElementsAre(1, 3));
}

TEST(Override, NullTakesAKeyAwayUnlessItIsNeeded) {
  EXPECT_FALSE(compose_text("\"+a\" = 1", {"a=null"}).contains("a"));
  EXPECT_THAT(mistakes({"views.count=null"}),
              ElementsAre("'views.count=null': expected one of 20, 12, 6, got null\n  to remove "
                          "the key write '~views.count'"));
}

TEST(Override, LaterOnesWin) {
  EXPECT_EQ(compose_shipped({"threads=1", "threads=2"}).integer("threads"), 2);
}

TEST(Override, SpellingIsKeptWhereTheKeyHoldsText) {
  EXPECT_EQ(compose_shipped({"predictor.name=1e3"}).string("predictor.name"), "1e3");
  EXPECT_EQ(compose_shipped({"predictor.name=null_island"}).string("predictor.name"),
            "null_island");
}

TEST(Override, SweepsAreToldApartAndRefused) {
  EXPECT_THAT(mistakes({"threads=1,2"}),
              ElementsAre("'threads=1,2' gives several values, and a job takes one\n  for a job "
                          "with each add --multirun, for a list write 'threads=[1,2]', for a text "
                          "with a comma 'threads=\"1,2\"'"));
  EXPECT_THAT(
      mistakes({"threads=range(3)", "mesh=glob(*)", "threads=[1],[2]", "mesh=quest,mobile"}),
      ElementsAre("'threads=range(3)' gives several values, which takes --multirun",
                  "'mesh=glob(*)' gives several values, which takes --multirun",
                  HasSubstr("'threads=[1],[2]' gives several values"),
                  HasSubstr("'mesh=quest,mobile' gives several values")));
}

struct SyntaxCase {
  std::string argument;
  std::string message;
};

class SyntaxMistake : public ::testing::TestWithParam<SyntaxCase> {};

TEST_P(SyntaxMistake, IsShownWithItsPlaceAndItsRemedy) {
  EXPECT_THAT(mistakes({GetParam().argument}), ElementsAre(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, SyntaxMistake,
    ::testing::Values(
        SyntaxCase{"dir=A[B",
                   "cannot read 'dir=A[B': unexpected '['\n    dir=A[B\n         ^\n  if the value "
                   "is a text, write it in quotes: 'dir=\"A[B\"'"},
        SyntaxCase{"a=it's",
                   "cannot read 'a=it's': unexpected '''\n    a=it's\n        ^\n  if the value is "
                   "a text, write it in quotes: 'a=\"it'\\''s\"'"},
        SyntaxCase{"a=\xC3\xBC(",
                   "cannot read 'a=\xC3\xBC(': unexpected '('\n    a=\xC3\xBC(\n       ^\n  if the "
                   "value is a text, write it in quotes: 'a=\"\xC3\xBC(\"'"},
        SyntaxCase{"a=[1,",
                   "cannot read 'a=[1,': a value is missing at the end\n    a=[1,\n         ^\n  "
                   "if the value is a text, write it in quotes: 'a=\"[1,\"'"},
        SyntaxCase{"a=mix(1)",
                   "cannot read 'a=mix(1)': unexpected '(' (the functions are choice, range, glob, "
                   "sort, int, float, str, bool and json_str)\n    a=mix(1)\n         ^\n  if the "
                   "value is a text, write it in quotes: 'a=\"mix(1)\"'"},
        SyntaxCase{"a=[x,range(0,1,0)]",
                   "cannot read 'a=[x,range(0,1,0)]': the step of range() is 0\n    "
                   "a=[x,range(0,1,0)]\n         ^\n  if the value is a text, write it in quotes: "
                   "'a=\"[x,range(0,1,0)]\"'"},
        SyntaxCase{"threads", "cannot read 'threads': expected KEY=VALUE"},
        SyntaxCase{"", "cannot read '': expected KEY=VALUE"},
        SyntaxCase{"a b=1",
                   "cannot read 'a b=1': 'a b' is not a key\n  a key is names with dots between "
                   "them; a name has letters, digits, '_', '-' or '$'"},
        SyntaxCase{"a=\xFF", "argument 'a=\\xFF' is not UTF-8 text"}));

TEST(Override, LineBreaksAreBlanks) {
  const auto config = compose_shipped({"+l=[1,\n  2\n]\n", "+t={a: 1,\r\n b:\n2}", "+s= a\nb \n"});
  EXPECT_EQ(config.package_toml("l"), "[1, 2]\n");
  EXPECT_EQ(config.integer("t.b"), 2);
  EXPECT_EQ(config.string("s"), "a\nb");
  EXPECT_THAT(mistakes({"a=[1,\n\t("}), ElementsAre(HasSubstr("\n    a=[1,  (\n           ^\n")))
      << "the caret stands below what it means";
}

TEST(Override, LongOnesAreNotRepeatedInFull) {
  const std::string before(5000, 'x');
  const auto told = mistakes({"a=" + before + "[\xC3\xBC" + before});
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_LT(told[0].size(), 500U);
  EXPECT_THAT(told[0], AllOf(HasSubstr("cannot read 'a=xxx"), HasSubstr("xxx[\xC3\xBCxxx"),
                             HasSubstr("\n    " + std::string(83, ' ') + "^\n")));
}

TEST(Override, NestingIsBounded) {
  EXPECT_THAT(mistakes({"+a=" + std::string(100'000, '[')}),
              ElementsAre(HasSubstr("nested too deeply")));
  std::string key = "+a";
  for (int i = 0; i < 100; ++i) key += ".a";
  EXPECT_THAT(mistakes({key + "=1"}), ElementsAre(HasSubstr("is not a key")));
}

}  // namespace
}  // namespace vergence::config::test
