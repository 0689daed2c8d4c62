// SPDX-License-Identifier: Apache-2.0
// The corners of the grammar that users of Hydra know, each with the exact words that they read.
#include "config/sweep.hpp"
#include "tests/config/support.hpp"

#include <cstdlib>

#include <gmock/gmock.h>

namespace vergence::config::test {
namespace {

using ::testing::ElementsAre;

using Arguments = std::vector<std::string>;

std::string file_with(const std::string& key) {
  return shipped_origin(key);
}

TEST(EdgeCase, SeveralValuesNeedMultirun) {
  EXPECT_THAT(
      mistakes({"views.count=6,12"}),
      ElementsAre("'views.count=6,12' gives several values, and a job takes one\n  for a "
                  "job with each add --multirun, for a list write 'views.count=[6,12]', for "
                  "a text with a comma 'views.count=\"6,12\"'"));
  EXPECT_THAT(mistakes({"threads=range(3)"}),
              ElementsAre("'threads=range(3)' gives several values, which takes --multirun"));
}

TEST(EdgeCase, QuotesListsAndTablesAreSingleValues) {
  EXPECT_EQ(compose_text("", {"+a=\"1,2\""}).string("a"), "1,2");
  EXPECT_THAT(compose_text("", {"+a=[1,2]"}).numbers("a"), ElementsAre(1, 2));
  ComposeRequest request;
  request.overrides = {"+a=[1,2],[3]", "+b={x:1},{x:2}"};
  EXPECT_THAT(expand_sweeps(request),
              ElementsAre(Arguments{"+a=[1,2]", "+b={x:1}"}, Arguments{"+a=[1,2]", "+b={x:2}"},
                          Arguments{"+a=[3]", "+b={x:1}"}, Arguments{"+a=[3]", "+b={x:2}"}));
}

TEST(EdgeCase, DeletingNeedsTheKeyAndItsValue) {
  EXPECT_THAT(mistakes({"~nothing"}), ElementsAre("unknown key 'nothing' in override '~nothing'"));
  EXPECT_THAT(mistakes({"~views.count=12"}), ElementsAre("'~views.count=12': 'views.count' is 20"));
  EXPECT_FALSE(compose_shipped({"~views.count=20"}).contains("views.count"));
}

TEST(EdgeCase, AddingBelowAScalarIsRefusedBelowNothingItMakesTables) {
  EXPECT_THAT(mistakes({"+device.name=1"}),
              ElementsAre("'+device.name=1': 'device' is the string \"auto\" and has no 'name'"));
  EXPECT_EQ(compose_shipped({"+a.b.c=1"}).integer("a.b.c"), 1);
}

TEST(EdgeCase, NumbersInKeysAreIndices) {
  const char* views = "'+views_list' = [{ fov_deg = 100.0 }]";
  EXPECT_EQ(compose_text(views, {"views_list.0.fov_deg=90"}).number("views_list.0.fov_deg"), 90.0);
  EXPECT_THAT(mistakes_in_text(views, {"views_list.1.fov_deg=90"}),
              ElementsAre("'views_list.1.fov_deg=90': the list 'views_list' has 1 element, counted "
                          "from 0, and no '1'\n  to put more at its end write "
                          "'views_list+=[VALUE]'"));
  EXPECT_THAT(mistakes_in_text("'+l' = [1, 2]", {"+l.2=3"}),
              ElementsAre("'+l.2=3': the list 'l' has 2 elements, counted from 0, and no '2'\n  to "
                          "put more at its end write 'l+=[VALUE]'"));
}

TEST(EdgeCase, KeysMayHaveDashesAndDollarsButNoBlanks) {
  EXPECT_EQ(compose_text("", {"+a-b.$c=1"}).integer("a-b.$c"), 1);
  EXPECT_THAT(mistakes({"a b=1"}),
              ElementsAre("cannot read 'a b=1': 'a b' is not a key\n  a key is names with dots "
                          "between them; a name has letters, digits, '_', '-' or '$'"));
}

TEST(EdgeCase, BlanksInValuesStayButForOuterOnes) {
  EXPECT_EQ(compose_text("", {"+msg=  hello world "}).string("msg"), "hello world");
}

TEST(EdgeCase, AWrongBracketIsPointedAtWithTheQuotesThatMendIt) {
  EXPECT_THAT(mistakes({"+dir=A[B"}),
              ElementsAre("cannot read '+dir=A[B': unexpected '['\n    +dir=A[B\n          ^\n  if "
                          "the value is a text, write it in quotes: '+dir=\"A[B\"'"));
  EXPECT_EQ(compose_text("", {"+dir=\"A[B\""}).string("dir"), "A[B");
}

TEST(EdgeCase, EqualsSignsInValuesArePlain) {
  EXPECT_EQ(compose_text("", {"+u=https://x.org/?a=b&c=d"}).string("u"), "https://x.org/?a=b&c=d");
  EXPECT_EQ(compose_text("", {"+u=a\\=b"}).string("u"), "a=b");
}

TEST(EdgeCase, ACommaInAPathAsksForQuotes) {
  EXPECT_THAT(
      mistakes({"input.depth=a,b.exr"}),
      ElementsAre("'input.depth=a,b.exr' gives several values, and a job takes one\n  for a "
                  "job with each add --multirun, for a list write 'input.depth=[a,b.exr]', "
                  "for a text with a comma 'input.depth=\"a,b.exr\"'"));
  EXPECT_EQ(compose_shipped({"input.depth=\"a,b.exr\""}).string("input.depth"), "a,b.exr");
}

TEST(EdgeCase, WindowsPathsArePlainText) {
  EXPECT_EQ(compose_text("", {"+p=C:\\photos\\x.jpg"}).string("p"), "C:\\photos\\x.jpg");
  EXPECT_EQ(compose_text("", {"+p=C:\\\\x\\,y"}).string("p"), "C:\\x,y");
}

TEST(EdgeCase, GroupsComeBeforeTheirKeys) {
  for (const auto& arguments : {Arguments{"mesh.grid_width=99", "mesh=quest"},
                                Arguments{"mesh=quest", "mesh.grid_width=99"}}) {
    const Config config = compose_shipped(arguments);
    EXPECT_EQ(config.integer("mesh.grid_width"), 99);
    EXPECT_EQ(config.choice("mesh"), "quest");
  }
}

TEST(EdgeCase, TheDefaultOptionIsNoChangeAndAnUnknownOneListsAll) {
  EXPECT_EQ(compose_shipped({"mesh=desktop"}).to_toml(), compose_shipped().to_toml());
  EXPECT_THAT(mistakes({"mesh=huge"}),
              ElementsAre("unknown option 'huge' of group 'mesh' in override 'mesh=huge'\n  "
                          "options: dense, desktop, mobile, quest\n  searched: the shipped files"));
}

TEST(EdgeCase, TomlKeepsItsTypes) {
  EXPECT_EQ(compose_text("", {"+day=2026-01-01"}).string("day"), "2026-01-01");
  EXPECT_EQ(compose_text("'+day' = 2026-01-01").string("day"), "2026-01-01");
  EXPECT_EQ(compose_text("'+a' = 1\n'+b' = 1.0").to_toml(), "\"+a\" = 1\n\"+b\" = 1.0\n");
  EXPECT_EQ(compose_text("", {"+a=INF", "+b=NaN"}).to_toml(), "\"+a\" = inf\n\"+b\" = nan\n");
  EXPECT_EQ(compose_text("'+a' = [1, 'x', [2.5]]").to_toml(), "\"+a\" = [1, \"x\", [2.5]]\n");
  EXPECT_EQ(compose_text("a.'+b' = 1").integer("a.b"), 1) << "dotted keys make tables";
}

TEST(EdgeCase, ArraysOfTablesReplace) {
  Files files;
  files.write("base", "'+l' = [{ a = 1 }, { a = 2 }]");
  files.write("main", "defaults = ['base', '_self_']\n[['+l']]\n'+b' = 3\n");
  const Config config = compose(files.request({}, "main"));
  EXPECT_EQ(config.integer("l.0.b"), 3);
  EXPECT_FALSE(config.contains("l.0.a"));
  EXPECT_FALSE(config.contains("l.1"));
}

TEST(EdgeCase, TomlTellsDuplicatesAndEscapes) {
  Files files;
  files.write("mesh/twice", "grid_width = 1\ngrid_width = 2\n");
  EXPECT_THAT(mistakes_in(files.request({"mesh=twice"})),
              ElementsAre(::testing::StartsWith(files.path("mesh/twice") + ":2:")));
  files.write("mesh/escape", "grid_width = \"\\${x}\"\n");
  EXPECT_THAT(mistakes_in(files.request({"mesh=escape"})),
              ElementsAre(::testing::AllOf(
                  ::testing::StartsWith(files.path("mesh/escape") + ":1:"),
                  ::testing::EndsWith("\n  within single quotes a backslash is a plain character: "
                                      "'\\${x}', 'C:\\photos'"))));
  EXPECT_EQ(compose_text("'+a' = '\\${x}'").string("a"), "${x}");
}

TEST(EdgeCase, WrongInterpolationsSayWhatTheyLackAndWhere) {
  EXPECT_THAT(mistakes({"threads=${nothing}"}),
              ElementsAre("'threads' (argument 'threads=${nothing}'): there is no key 'nothing'"));
  EXPECT_THAT(mistakes({"threads=${threads}"}),
              ElementsAre("the interpolations go round in a circle: threads -> threads\n  give one "
                          "of the keys a value of its own"));
  EXPECT_FALSE(compose_shipped({"predictor=files", "+p=${predictor.path}"}).contains("p"))
      << "waits like the value that it takes";
  EXPECT_EQ(compose_text("", {"+l=[7,8]", "+a=${l}", "+b=${l.1}"}).integer("b"), 8);
  EXPECT_EQ(compose_text("", {"+n=3", "+m=${n}"}).integer("m"), 3)
      << "a whole value keeps its type";
}

TEST(EdgeCase, ArgumentsThatAreNoText) {
  EXPECT_THAT(mistakes({"a=\xFF\xFE"}), ElementsAre("argument 'a=\\xFF\\xFE' is not UTF-8 text"));
  EXPECT_THAT(mistakes({""}), ElementsAre("cannot read '': expected KEY=VALUE"));
}

TEST(EdgeCase, NullTakesAwayWhatIsNotNeeded) {
  EXPECT_THAT(mistakes({"threads=null"}),
              ElementsAre("'threads=null': expected an integer in [0, 1024], got null\n  to remove "
                          "the key write '~threads'"));
  EXPECT_FALSE(compose_text("'+a' = 1", {"a=null"}).contains("a"));
}

TEST(EdgeCase, AWrongTypeNamesTheMembersOfAnEnum) {
  EXPECT_THAT(mistakes({"stereo.ipd_mm=abc"}),
              ElementsAre("'stereo.ipd_mm=abc': expected a number in (0, 200] mm, got the string "
                          "\"abc\""));
  EXPECT_THAT(mistakes({"mesh.edges=kut"}),
              ElementsAre("'mesh.edges=kut': expected one of 'keep' or 'cut', got the string "
                          "\"kut\"\n  did you mean 'cut'?"));
  EXPECT_EQ(compose_shipped({"threads=\"10\""}).integer("threads"), 10);
  EXPECT_EQ(compose_shipped({"threads=4.0"}).integer("threads"), 4);
  EXPECT_THAT(mistakes({"threads=4.5"}),
              ElementsAre("'threads=4.5': expected an integer in [0, 1024], got 4.5"));
}

TEST(EdgeCase, UnknownKeysOfferTheNearest) {
  EXPECT_THAT(
      mistakes({"views.fov_dge=90"}),
      ElementsAre("unknown key 'views.fov_dge' in override 'views.fov_dge=90'\n  did you "
                  "mean 'views.fov_deg' (number 60..140 deg, default 100.0, " +
                  file_with("views.fov_deg") + ")?\n  to add a new key write '+views.fov_dge=90'"));
}

// ---- the search path, experiments and the job

TEST(EdgeCase, ExperimentsChangeAnythingFromTheTop) {
  Files files;
  files.write("experiment/night",
              "_package_ = '_global_'\ndefaults = [{ 'override /mesh' = 'quest' }]\nthreads = 3\n"
              "[sky]\nfar_factor = 9.0\n");
  const Config config = compose(files.request({"+experiment=night"}));
  EXPECT_EQ(config.choice("mesh"), "quest");
  EXPECT_EQ(config.integer("threads"), 3);
  EXPECT_EQ(config.number("sky.far_factor"), 9.0);
  EXPECT_EQ(compose(files.request({"+experiment=night", "mesh=dense"})).choice("mesh"), "dense");
}

TEST(EdgeCase, PresetsFillTheirEmptyPlace) {
  for (const char* argument : {"preset=preview", "+preset=preview", "++preset=preview"}) {
    EXPECT_EQ(compose_shipped({argument}).integer("views.count"), 6) << argument;
  }
  EXPECT_EQ(compose_shipped({"preset=null"}).to_toml(), compose_shipped().to_toml());
  Files files;
  files.write("preset/machine", "_package_ = '_global_'\nthreads = 3\n");
  EXPECT_EQ(compose(files.request({"preset=machine"})).integer("threads"), 3)
      << "also over what config.toml itself says";
}

TEST(EdgeCase, AFileThatNamesItselfBuildsOnTheNextOfThatName) {
  Files files;
  files.write("config", "defaults = ['config']\nthreads = 3\n")
      .write("mesh/quest", "defaults = ['quest']\nedges = 'keep'\n");
  const Config config = compose(files.request({"mesh=quest"}));
  EXPECT_EQ(config.integer("threads"), 3);
  EXPECT_EQ(config.integer("mesh.grid_width"), 512);
  EXPECT_EQ(config.string("mesh.edges"), "keep");
  files.write("alone", "defaults = ['alone']\n");
  EXPECT_THAT(mistakes_in(files.request({}, "alone")),
              ElementsAre("the defaults lists go round in a circle: alone -> alone"));
}

TEST(EdgeCase, SeveralPredictorsAreAList) {
  const Config config =
      compose_shipped({"predictor=ensemble", "predictor.members=[nano]",
                       "predictor.members+=[midas_v21_small]", "predictor.members.0=tiefenrausch"});
  EXPECT_THAT(config.strings("predictor.members"), ElementsAre("tiefenrausch", "midas_v21_small"));
}

TEST(EdgeCase, TheJobIsKnownToInterpolations) {
  ComposeRequest request;
  request.overrides = {"+n=${vergence.job.num}", "+m=${hydra:job.num}", "+c=${vergence.job.name}",
                       "+i=${vergence.input.stem}_x", "+d=${vergence.job.override_dirname}"};
  request.job = {.number = 4,
                 .name = "depth",
                 .inputs = {"/a/b/pano 1.jpg"},
                 .overrides = {"mesh=quest", "input.depth=a/b"}};
  const Config config = compose(request);
  EXPECT_EQ(config.integer("n"), 4);
  EXPECT_EQ(config.integer("m"), 4);
  EXPECT_EQ(config.string("c"), "depth");
  EXPECT_EQ(config.string("i"), "pano 1_x");
  EXPECT_EQ(config.string("d"), "input.depth=a_b,mesh=quest");
  request.job.inputs = {"a.jpg", "b.jpg"};
  EXPECT_THAT(mistakes_in(request),
              ElementsAre("'i' (argument '+i=${vergence.input.stem}_x'): the job has 2 inputs, so "
                          "'${vergence.input.stem}' names none"));
  request.job.inputs.clear();
  EXPECT_FALSE(compose(request).contains("i")) << "waits for an input";
}

// ---- what is printed

TEST(Print, KeepsInterpolationsUnlessTheyAreResolved) {
  const Config config = compose_shipped({"threads=${views.count}", "mesh.grid_width=\"64\""});
  EXPECT_THAT(config.to_toml(false), ::testing::HasSubstr("threads = \"${views.count}\"\n"));
  EXPECT_THAT(config.to_toml(false), ::testing::HasSubstr("grid_width = 64\n"));
  EXPECT_THAT(config.to_toml(true), ::testing::HasSubstr("threads = 20\n"));
}

TEST(Print, OnePackage) {
  const Config config = compose_shipped({"views.size_px=${threads}", "+sky.mine=1"});
  EXPECT_EQ(config.package_toml("views", false),
            "count = 20\nfov_deg = 100.0\nsize_px = \"${threads}\"\n");
  EXPECT_EQ(config.package_toml("views"), "count = 20\nfov_deg = 100.0\nsize_px = 0\n");
  EXPECT_EQ(config.package_toml("views.count"), "20\n");
  EXPECT_EQ(config.package_toml("device"), "auto\n");
  EXPECT_THAT(config.package_toml("sky"), ::testing::EndsWith("\"+mine\" = 1\n"));
  try {
    static_cast<void>(config.package_toml("mehs"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "there is no key 'mehs' to print; did you mean 'mesh'?");
  }
}

TEST(Print, DefaultsAsATableAndATree) {
  Files files;
  files.write("top", "defaults = [{ mesh = 'mine' }, { 'predictor@left' = 'files' }]\n")
      .write("mesh/mine", "defaults = ['_self_', 'desktop']\n");
  const Config config = compose(files.request({}, "top"));
  EXPECT_EQ(config.defaults_tree(),
            "top\n  mesh: mine\n    _self_\n    mesh/desktop\n      _self_\n"
            "  predictor@left: files\n    _self_\n  _self_\n");
  const std::string table = config.defaults_table();
  EXPECT_THAT(table, ::testing::StartsWith("file "));
  EXPECT_THAT(table, ::testing::ContainsRegex("configs/mesh/desktop.toml +mesh +mesh/mine\n"));
  EXPECT_THAT(table, ::testing::ContainsRegex("configs/predictor/files.toml +left +top\n"));
  EXPECT_THAT(table, ::testing::ContainsRegex("top.toml +_global_ +\n$"));
  EXPECT_THAT(config.search_path_table(),
              ::testing::EndsWith(" (--config-dir)\nconfigs  (inside the program)\n"));
}

}  // namespace
}  // namespace vergence::config::test
