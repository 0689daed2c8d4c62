// SPDX-License-Identifier: Apache-2.0
// The schema itself: every shipped key has a rule, every rule a key, every default fits.
#include "core/output_file.hpp"
#include "tests/config/support.hpp"

#include <set>

#include <gmock/gmock.h>

namespace vergence::config::test {
namespace {

// All keys that some shipped option brings. Composing already refuses keys without a rule.
std::set<std::string> shipped_keys() {
  std::set<std::string> keys;
  for (const auto& group : groups()) {
    for (const auto& option : options(group)) {
      std::string argument = compose_shipped().choice(group).empty() ? "+" : "";
      argument.append(group).append("=").append(option);
      for (const auto& key : compose_shipped({argument}).keys()) keys.insert(key);
    }
  }
  return keys;
}

std::set<std::string> described_keys() {
  std::vector<std::string> prefixes;
  for (const auto& key : shipped_keys()) prefixes.push_back(key.substr(0, key.find('.')));
  std::set<std::string> keys;
  std::istringstream lines(describe_keys(prefixes));
  for (std::string line; std::getline(lines, line);) keys.insert(line.substr(0, line.find(' ')));
  return keys;
}

TEST(Schema, EveryRuleIsUsedAndEveryKeyHasOne) {
  EXPECT_EQ(described_keys(), shipped_keys());
}

TEST(Schema, EveryTableOfTheSchemaIsAShippedGroupOrKey) {
  // A rule below a table that no file has would escape the test above.
  const std::set<std::string> keys = shipped_keys();
  const std::string schema = read_file(vergence::test::source_dir() / "configs/schema.toml");
  std::istringstream lines(schema);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('[')) continue;
    const std::string table = line.substr(1, line.find(']') - 1) + ".";
    EXPECT_TRUE(std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
      return key.starts_with(table);
    })) << table;
  }
}

TEST(Schema, UnitsInNamesAreThoseOfTheRules) {
  std::vector<std::string> groups_and_keys = groups();
  std::istringstream lines(describe_keys(groups_and_keys));
  for (std::string line; std::getline(lines, line);) {
    const std::string key = line.substr(0, line.find(' '));
    for (const char* unit : {"deg", "px", "m"}) {
      if (!key.ends_with(std::string("_") + unit)) continue;
      EXPECT_THAT(line, ::testing::HasSubstr(std::string(" ") + unit + " "));
    }
  }
}

TEST(Schema, RangesIncludeTheirEnds) {
  EXPECT_TRUE(mistakes({"views.fov_deg=60", "mesh.texture.quality=100"}).empty());
  EXPECT_TRUE(mistakes({"mesh.splats.opacity=1"}).empty());
  for (const char* wrong : {"views.fov_deg=59.99", "views.fov_deg=nan", "views.fov_deg=inf",
                            "mesh.texture.quality=101", "mesh.splats.opacity=0", "threads=-1",
                            "threads=1.5", "threads=1e300", "threads=99999999999999999999",
                            "threads=true", "mesh.normals=1", "device=[cpu]", "threads=''"}) {
    EXPECT_EQ(mistakes({wrong}).size(), 1U) << wrong;
  }
}

}  // namespace
}  // namespace vergence::config::test
