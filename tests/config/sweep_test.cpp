// SPDX-License-Identifier: Apache-2.0
// Sweeps: which jobs they make, in which order, and what is refused.
#include "config/sweep.hpp"

#include "tests/config/support.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace vergence::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Jobs = std::vector<std::vector<std::string>>;

Jobs jobs(std::vector<std::string> overrides) {
  ComposeRequest request;
  request.overrides = std::move(overrides);
  return expand_sweeps(request);
}

// The values that one argument gives, behind its '='.
std::vector<std::string> values(const std::string& value) {
  std::vector<std::string> found;
  for (const auto& job : jobs({"a=" + value})) found.push_back(job.at(0).substr(2));
  return found;
}

std::vector<std::string> wrong(std::vector<std::string> overrides) {
  try {
    static_cast<void>(jobs(std::move(overrides)));
  } catch (const ConfigError& error) {
    return error.diagnostics();
  }
  return {};
}

std::string wrong_value(const std::string& value) {
  const auto messages = wrong({"a=" + value});
  return messages.size() == 1 ? messages[0].substr(0, messages[0].find('\n')) : "";
}

TEST(Sweep, FirstKeyChangesSlowest) {
  EXPECT_EQ(jobs({"a=1,2", "x=0", "b=p,q,r"}), (Jobs{{"a=1", "x=0", "b=p"},
                                                     {"a=1", "x=0", "b=q"},
                                                     {"a=1", "x=0", "b=r"},
                                                     {"a=2", "x=0", "b=p"},
                                                     {"a=2", "x=0", "b=q"},
                                                     {"a=2", "x=0", "b=r"}}));
}

TEST(Sweep, NothingSweptIsOneJob) {
  EXPECT_EQ(jobs({}), Jobs{{}});
  EXPECT_EQ(jobs({"a=1", "~b", "c+=[1]"}), (Jobs{{"a=1", "~b", "c+=[1]"}}));
}

TEST(Sweep, LastOfTheSameKeyWinsAtThePlaceOfTheFirst) {
  EXPECT_EQ(jobs({"a=1,2", "b=3", "a=5,6"}), (Jobs{{"a=5", "b=3"}, {"a=6", "b=3"}}));
  EXPECT_EQ(jobs({"a=1,2", "b=3", "a=7"}), (Jobs{{"a=7", "b=3"}}));
  EXPECT_EQ(jobs({"predictor@l=x", "predictor@r=y", "predictor@l=z"}),
            (Jobs{{"predictor@l=z", "predictor@r=y"}}));
  EXPECT_EQ(jobs({"a+=[1]", "a+=[1]"}), (Jobs{{"a+=[1]", "a+=[1]"}})) << "each one appends";
}

TEST(Sweep, ListsTablesAndQuotedTextsAreValues) {
  EXPECT_THAT(values("[1,2],[3]"), ElementsAre("[1,2]", "[3]"));
  EXPECT_THAT(values("{x:1},{x: [a, 'b c']}"), ElementsAre("{x:1}", "{x:[a,'b c']}"));
  EXPECT_THAT(values("\"1,2\""), ElementsAre("\"1,2\"")) << "one value stays as it was written";
  EXPECT_THAT(values("\"1,2\",3"), ElementsAre("'1,2'", "3"));
}

TEST(Sweep, ValuesKeepTheirSpelling) {
  EXPECT_THAT(values("1e3, two words ,null,007"), ElementsAre("1e3", "two words", "null", "007"));
  EXPECT_THAT(values("it\\'s,'a\\\\',b\\,c"), ElementsAre("'it\\'s'", "'a\\\\'", "'b,c'"));
}

TEST(Sweep, Choice) {
  EXPECT_THAT(values("choice(a,b c,[1,2])"), ElementsAre("a", "b c", "[1,2]"));
  EXPECT_THAT(values("choice( 1 )"), ElementsAre("1"));
  EXPECT_THAT(values("choice(list=3,x)"), ElementsAre("list=3", "x"));
  EXPECT_EQ(wrong_value("choice()"), "cannot read 'a=choice()': choice() gives no value");
}

TEST(Sweep, RangesCountInDecimals) {
  EXPECT_THAT(values("range(5)"), ElementsAre("0", "1", "2", "3", "4"));
  EXPECT_THAT(values("range(0,10,3.3)"), ElementsAre("0.0", "3.3", "6.6", "9.9"));
  EXPECT_THAT(values("range(2,8,3)"), ElementsAre("2", "5"));
  EXPECT_THAT(values("range(5,0,-2)"), ElementsAre("5", "3", "1"));
  EXPECT_THAT(values("range(0,0.5,0.1)"), ElementsAre("0.0", "0.1", "0.2", "0.3", "0.4"));
  EXPECT_THAT(values("range(start=1,stop=3)"), ElementsAre("1", "2"));
  EXPECT_THAT(values("range( 1, stop = 2, step = 0.5 )"), ElementsAre("1.0", "1.5"));
  EXPECT_THAT(values("range(-0.2,0.2,0.2)"), ElementsAre("-0.2", "0.0"));
  EXPECT_THAT(values("range(0,3e-3,1e-3)"), ElementsAre("0.0", "0.001", "0.002"));
  EXPECT_EQ(values("range(0,1,0.001)").size(), 1000U);
  EXPECT_EQ(values("range(0,1,0.001)").back(), "0.999");
}

TEST(Sweep, WrongRanges) {
  for (const auto& [value, reason] : std::vector<std::pair<std::string, std::string>>{
           {"range(0,1,0)", "the step of range() is 0"},
           {"range(0,1,0.0)", "the step of range() is 0"},
           {"range(3,3)", "range() gives no value: stop lies on the wrong side"},
           {"range(3,1)", "range() gives no value: stop lies on the wrong side"},
           {"range()", "range() takes a stop; start,stop; or start,stop,step"},
           {"range(1,2,3,4)", "range() takes a stop; start,stop; or start,stop,step"},
           {"range(1,2,start=1)", "range() takes a stop; start,stop; or start,stop,step"},
           {"range(stop=1,stop=2)", "stop= stands twice"},
           {"range(x)", "range() takes numbers of at most 15 digits, not \"x\""},
           {"range(inf)", "range() takes numbers of at most 15 digits, not inf"},
           {"range(0,1,1e-30)", "range() takes numbers of at most 15 digits, not 1e-30"},
           {"range(1e15)", "range() gives 1000000000000000 values, more than 100000"},
           {"range([1])", "range() takes numbers of at most 15 digits, not [1]"},
           {"range(range(3))", "range() takes no sweep"}}) {
    EXPECT_EQ(wrong_value(value), fmt::format("cannot read 'a={}': {}", value, reason));
  }
}

TEST(Sweep, GlobsPickOptionsOfAGroup) {
  EXPECT_EQ(jobs({"mesh=glob(*)"}),
            (Jobs{{"mesh=dense"}, {"mesh=desktop"}, {"mesh=mobile"}, {"mesh=quest"}}));
  EXPECT_EQ(jobs({"mesh=glob(d*,exclude=desk*)"}), (Jobs{{"mesh=dense"}}));
  EXPECT_EQ(jobs({"mesh=glob([q*,m*])"}), (Jobs{{"mesh=mobile"}, {"mesh=quest"}}));
  EXPECT_EQ(jobs({"+predictor@left=glob(include=n?no)"}), (Jobs{{"+predictor@left=nano"}}));
  EXPECT_THAT(wrong({"mesh=glob(x*)"}),
              ElementsAre("'mesh=glob(x*)': no option of 'mesh' matches\n  options: dense, "
                          "desktop, mobile, quest"));
  EXPECT_THAT(wrong({"threads=glob(*)"}),
              ElementsAre("'threads=glob(*)': glob() picks among the options of a group, and "
                          "'threads' is none\n  for values of a key write choice(...) or "
                          "range(...)"));
  EXPECT_EQ(wrong_value("glob()"),
            "cannot read 'a=glob()': glob() takes a pattern or a list of them, and exclude=");
}

TEST(Sweep, GlobsSeeTheUsersOwnOptions) {
  Files files;
  files.write("mesh/museum", "defaults = ['desktop']\n");
  EXPECT_EQ(expand_sweeps(files.request({"mesh=glob(m*)"})),
            (Jobs{{"mesh=mobile"}, {"mesh=museum"}}));
}

TEST(Sweep, Sorts) {
  EXPECT_THAT(values("sort(3,1,2)"), ElementsAre("1", "2", "3"));
  EXPECT_THAT(values("sort(choice(c,a,b))"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(values("sort(range(0,3),reverse=true)"), ElementsAre("2", "1", "0"));
  EXPECT_THAT(values("sort(1.5,1,2,reverse=True)"), ElementsAre("2", "1.5", "1"));
  EXPECT_EQ(compose_text("", {"+a=sort([3,1,2])"}).numbers("a"), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(wrong_value("sort(1,b)"),
            "cannot read 'a=sort(1,b)': sort() cannot compare 1 with \"b\"");
  EXPECT_EQ(wrong_value("sort(1,2,reverse=3)"),
            "cannot read 'a=sort(1,2,reverse=3)': reverse= takes true or false");
}

TEST(Sweep, CastsWorkOnSweeps) {
  EXPECT_THAT(values("float(1,2)"), ElementsAre("1.0", "2.0"));
  EXPECT_THAT(values("int(choice(1.5,'7'))"), ElementsAre("1", "7"));
  EXPECT_THAT(values("float(range(0,3))"), ElementsAre("0.0", "1.0", "2.0"));
  EXPECT_THAT(values("str(1,2)"), ElementsAre("'1'", "'2'"));
  EXPECT_THAT(values("json_str([1,a],{b:null})"), ElementsAre("'[1, \"a\"]'", "'{\"b\": null}'"));
  EXPECT_EQ(wrong_value("int(a,b)"), "cannot read 'a=int(a,b)': \"a\" does not turn into int");
  EXPECT_EQ(wrong_value("int()"), "cannot read 'a=int()': int() takes a value");
}

TEST(Sweep, SweepsDoNotNest) {
  EXPECT_EQ(wrong_value("range(3),4"),
            "cannot read 'a=range(3),4': a sweep cannot stand inside another one");
  EXPECT_EQ(wrong_value("4,range(3)"),
            "cannot read 'a=4,range(3)': a sweep cannot stand inside a value");
  EXPECT_EQ(wrong_value("choice(choice(1))"),
            "cannot read 'a=choice(choice(1))': choice() takes no sweep");
}

TEST(Sweep, WhatIsNotOfferedSaysSo) {
  EXPECT_EQ(wrong_value("interval(0,1)"),
            "cannot read 'a=interval(0,1)': interval() is not offered; give the values with "
            "range(start,stop,step) or choice(...)");
  EXPECT_EQ(wrong_value("tag(x,choice(1))"),
            "cannot read 'a=tag(x,choice(1))': tag() is not offered; leave it out");
  EXPECT_EQ(wrong_value("shuffle(1,2)"),
            "cannot read 'a=shuffle(1,2)': shuffle() is not offered; jobs run in the order that is "
            "written");
  EXPECT_EQ(wrong_value("extend_list(1)"),
            "cannot read 'a=extend_list(1)': extend_list() is not offered; to extend a list write "
            "KEY+=[value]");
}

TEST(Sweep, KeysOfTheRunsThemselvesHoldForAllJobs) {
  for (const std::string key : {"run.record", "launcher", "hydra.run.dir", "launcher.workers"}) {
    EXPECT_THAT(
        wrong({key + "=1,2"}),
        ElementsAre(fmt::format("'{0}=1,2': '{0}' tells how runs are made and holds for all "
                                "of them; it cannot be swept",
                                key)));
  }
  EXPECT_TRUE(wrong({"run.record=true", "runner=1,2"}).empty());
  EXPECT_THAT(wrong({"~a=1,2"}),
              ElementsAre("'~a=1,2': a key is removed from all jobs; it cannot be swept"));
}

TEST(Sweep, TellsAllMistakesAtOnce) {
  EXPECT_THAT(
      wrong({"a=range(0,1,0)", "b=[1", "mesh=glob(x)"}),
      ElementsAre(HasSubstr("the step"), HasSubstr("']' is missing"), HasSubstr("no option")));
}

TEST(Sweep, ItsSizeIsBounded) {
  EXPECT_EQ(jobs({"a=range(300)", "b=range(300)"}).size(), 90'000U);
  EXPECT_THAT(wrong({"a=range(400)", "b=range(400)", "c=range(400)", "d=range(99999)"}),
              ElementsAre("the sweep makes more than 100000 jobs\n  sweep over fewer values"));
}

TEST(Sweep, EveryJobComposes) {
  const auto expanded =
      jobs({"views.fov_deg=range(90,101,5)", "mesh=glob(*)", "mesh.grid_width=64,128"});
  ASSERT_EQ(expanded.size(), 24U);
  EXPECT_EQ(compose_shipped(expanded[9]).integer("mesh.grid_width"), 128);
  EXPECT_EQ(compose_shipped(expanded[9]).choice("mesh"), "dense");
  EXPECT_EQ(compose_shipped(expanded[9]).number("views.fov_deg"), 95.0);
}

TEST(Sweep, FilesMaySweepToo) {
  Files files;
  files.write(
      "preset/wide",
      "_package_ = '_global_'\n[run.sweep]\nparams = ['views.fov_deg=90,100', 'mesh=quest']\n");
  EXPECT_EQ(expand_sweeps(files.request({"preset=wide", "threads=1,2"})),
            (Jobs{{"views.fov_deg=90", "mesh=quest", "preset=wide", "threads=1"},
                  {"views.fov_deg=90", "mesh=quest", "preset=wide", "threads=2"},
                  {"views.fov_deg=100", "mesh=quest", "preset=wide", "threads=1"},
                  {"views.fov_deg=100", "mesh=quest", "preset=wide", "threads=2"}}));
  EXPECT_EQ(expand_sweeps(files.request({"preset=wide", "views.fov_deg=95"})),
            (Jobs{{"views.fov_deg=95", "mesh=quest", "preset=wide"}}));
}

TEST(Sweep, GlobNeedsAPattern) {
  EXPECT_THAT(wrong({"mesh=glob([])"}), ElementsAre(HasSubstr("glob() gives no pattern")));
}

TEST(Sweep, MistakesOfFilesNameTheirKey) {
  EXPECT_THAT(wrong({"run.sweep.params=[threads=1,2]"}),
              ElementsAre("in 'run.sweep.params': cannot read '2': expected KEY=VALUE"));
}

TEST(Sweep, IsNoticed) {
  EXPECT_TRUE(has_sweep({"a=1", "b=1,2"}));
  EXPECT_TRUE(has_sweep({"mesh=glob(*)"}));
  EXPECT_FALSE(has_sweep({"a=[1,2]", "b=\"1,2\"", "~c"}));
}

}  // namespace
}  // namespace vergence::config::test
