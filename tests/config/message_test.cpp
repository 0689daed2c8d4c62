// SPDX-License-Identifier: Apache-2.0
// What users read when something is wrong: the exact words, all mistakes at once.
#include "tests/config/support.hpp"

#include <gmock/gmock.h>

namespace vergence::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Message, AllMistakesComeAtOnce) {
  const auto messages =
      mistakes({"mesh.grid_widht=5", "views.count=11", "mesh.edges=kep", "mesh=mobil", "x=[1",
                "threads=-1", "fusion.screening=0", "mesh.target_triangles=many"});
  EXPECT_THAT(
      messages,
      ::testing::UnorderedElementsAre(
          "cannot read 'x=[1': ']' is missing at the end\n    x=[1\n        ^\n  if the "
          "value is a text, write it in quotes: 'x=\"[1\"'",
          "unknown option 'mobil' of group 'mesh' in override 'mesh=mobil'\n  did you mean "
          "'mobile'?\n  options: dense, desktop, mobile, quest\n  searched: the shipped files",
          "unknown key 'mesh.grid_widht' in override 'mesh.grid_widht=5'\n  did you mean "
          "'mesh.grid_width' (int 0..16384, default 1024, " +
              shipped_origin("mesh.grid_width") +
              ")?\n  to add "
              "a new key write '+mesh.grid_widht=5'",
          "'views.count=11': expected one of 20, 12, 6, got 11",
          "'mesh.edges=kep': expected one of 'keep' or 'cut', got the string \"kep\"\n  did you "
          "mean 'keep'?",
          "'threads=-1': expected an integer in [0, 1024], got -1",
          "'fusion.screening=0': expected a number above 0 1/rad^2, got 0",
          "'mesh.target_triangles=many': expected an integer of at least 0, got the string "
          "\"many\""));
}

TEST(Message, ErrorIsOfUsageAndJoinsItsLines) {
  try {
    static_cast<void>(compose_shipped({"threads=-1", "mesh.grid_width=x"}));
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_EQ(error.what(), error.diagnostics()[0] + "\n" + error.diagnostics()[1]);
  }
}

TEST(Message, NamesTheTableThatHasTheKey) {
  EXPECT_THAT(mistakes({"output.quality=4"}),
              ElementsAre(HasSubstr("\n  'quality' exists as 'mesh.texture.quality'\n")));
}

TEST(Message, NamesTheOptionThatHasTheKey) {
  EXPECT_THAT(mistakes({"predictor.kind=disparity"}),
              ElementsAre("unknown key 'predictor.kind' in override 'predictor.kind=disparity'\n  "
                          "it belongs to 'predictor=files'; now it is 'predictor=nano'"));
}

TEST(Message, NamesNearGroups) {
  EXPECT_THAT(mistakes({"mehs=quest"}),
              ElementsAre(HasSubstr("\n  did you mean the group 'mesh' (options: dense, desktop, "
                                    "mobile, quest)?")));
  EXPECT_THAT(mistakes({"stereo/fill=x"}),
              ElementsAre(StartsWith("unknown group 'stereo/fill' in override 'stereo/fill=x'\n  "
                                     "groups: alignment, ")));
}

TEST(Message, TablesAreNoValues) {
  EXPECT_THAT(mistakes({"mesh.texture=3"}),
              ElementsAre("'mesh.texture=3': expected a table of keys such as "
                          "'mesh.texture.max_px', got 3"));
  EXPECT_THAT(mistakes({"mesh={edges:{a:1}}"}),
              ElementsAre("'mesh.edges' (argument 'mesh={edges:{a:1}}'): expected one of 'keep' "
                          "or 'cut', got the table { a = 1 }"));
}

TEST(Message, ReservedNamesAreNoKeys) {
  EXPECT_THAT(mistakes({"+defaults=[]"}), ElementsAre(HasSubstr("belong to files")));
  EXPECT_THAT(mistakes({"+mesh@defaults=quest"}), ElementsAre(HasSubstr("belong to files")));
}

TEST(Message, FilesAreNamedWithLineAndColumn) {
  Files files;
  files.write("mesh/broken", "grid_width = 5\nedges = \n");
  EXPECT_THAT(mistakes_in(files.request({"mesh=broken"})),
              ElementsAre(StartsWith(files.path("mesh/broken") + ":2:9: ")));
  files.write("mesh/twice", "grid_width = 5\ngrid_width = 6\n");
  EXPECT_THAT(mistakes_in(files.request({"mesh=twice"})),
              ElementsAre(StartsWith(files.path("mesh/twice") + ":2:")));
  files.write("mesh/odd", "\n\"a b\" = 5\n");
  EXPECT_THAT(mistakes_in(files.request({"mesh=odd"})),
              ElementsAre(files.path("mesh/odd") +
                          ":2:9: 'a b' is not a key\n  a key has letters, digits, '_', '-' or "
                          "'$'"));
}

TEST(Message, UnknownKeysInFilesNameThePlace) {
  Files files;
  files.write("mesh/mine", "defaults = [\"desktop\"]\n\ngrid_widht = 5\nedges = 3\n");
  EXPECT_THAT(
      mistakes_in(files.request({"mesh=mine"})),
      ElementsAre("'mesh.edges' (" + files.path("mesh/mine") +
                      ":4): expected one of 'keep' or 'cut', got 3",
                  "unknown key 'mesh.grid_widht' (" + files.path("mesh/mine") +
                      ":3)\n  did you mean 'mesh.grid_width' (int 0..16384, default 1024, " +
                      shipped_origin("mesh.grid_width") +
                      ")?\n  a key of your own is written "
                      "\"+grid_widht\" there"));
}

TEST(Message, MissingFoldersAndConfigurations) {
  ComposeRequest request;
  request.config_dirs = {"/nowhere/at/all"};
  EXPECT_THAT(mistakes_in(request),
              ElementsAre("the configuration folder '/nowhere/at/all' does not exist"));
  request = {};
  request.config_name = "confik";
  EXPECT_THAT(mistakes_in(request),
              ElementsAre("there is no configuration 'confik'\n  did you mean 'config'?\n  "
                          "searched: the shipped files"));
  request.config_name = "schema";
  EXPECT_EQ(mistakes_in(request).size(), 1U);
}

}  // namespace
}  // namespace vergence::config::test
