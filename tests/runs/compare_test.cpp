// SPDX-License-Identifier: Apache-2.0
#include "runs/compare.hpp"

#include "core/error.hpp"
#include "tests/runs/sample_record.hpp"
#include "tests/support/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vergence::test {
namespace {

using runs::NamedRecord;
using testing::HasSubstr;

TEST(Compare, FindsNothingBetweenEquals) {
  const std::vector<NamedRecord> runs = {{"a", sample_record()}, {"b", sample_record()}};
  EXPECT_EQ(runs::to_table(runs::compare(runs)),
            "settings: no difference\n\ncircumstances: no difference\n\nresults: no difference\n");
}

TEST(Compare, TellsSettingsCircumstancesAndResultsApart) {
  auto other = sample_record();
  other.config = "threads = 2\n\n[views]\nfov_deg = 95.0\nlist = \"x\"\n";
  other.version = "0.2.0";
  other.inputs[0].sha256 = std::string(64, 'd');
  other.outputs.clear();
  other.metrics[0].values[0].second = 0.25;
  const auto found = runs::compare(std::vector<NamedRecord>{{"a", sample_record()}, {"b", other}});
  ASSERT_EQ(found.settings.size(), 2U);
  EXPECT_EQ(found.settings[0].what, "views.fov_deg");
  EXPECT_EQ(found.settings[0].values, (std::vector<std::string>{"85.0", "95.0"}));
  EXPECT_EQ(found.settings[1].values, (std::vector<std::string>{"-", "\"x\""}));
  ASSERT_EQ(found.circumstances.size(), 2U);
  EXPECT_EQ(found.circumstances[0].what, "version");
  EXPECT_EQ(found.circumstances[1].what, "input a b.png");
  ASSERT_EQ(found.results.size(), 2U);
  EXPECT_EQ(found.results[0].what, "output a b_depth.exr");
  EXPECT_EQ(found.results[1].what, "abs_rel of a b.png");
  const auto json = nlohmann::json::parse(runs::to_json(found));
  EXPECT_EQ(json["runs"], nlohmann::json({"a", "b"}));
  EXPECT_EQ(json["settings"][0]["values"][1], "95.0");
}

TEST(Compare, LeavesOutWhereRunsLie) {
  auto other = sample_record();
  other.config += "\n[run.sweep]\ndir = \"elsewhere\"\n\n[launcher]\nname = \"local\"\n";
  const auto found = runs::compare(std::vector<NamedRecord>{{"a", sample_record()}, {"b", other}});
  EXPECT_TRUE(found.settings.empty());
}

TEST(Compare, RefusesAFolderWithoutRecord) {
  const TemporaryFolder folder;
  try {
    static_cast<void>(runs::read_runs(std::vector{folder.path()}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("holds no record"));
  }
}

}  // namespace
}  // namespace vergence::test
