// SPDX-License-Identifier: Apache-2.0
// docs/overrides.md tells the truth: its command lines compose, its files work.
// docs/configuration.md is what the program says of its keys.
#include "core/output_file.hpp"
#include "tests/config/support.hpp"

#include <sstream>

#include <gmock/gmock.h>

namespace vergence::config::test {
namespace {

std::string guide() {
  return read_file(vergence::test::source_dir() / "docs/overrides.md");
}

// Splits as a shell does, as far as the guide needs it: blanks and single quotes.
std::vector<std::string> shell_words(const std::string& line) {
  std::vector<std::string> words(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '\'') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

// Contents of the code blocks that begin with ```LANGUAGE.
std::vector<std::string> blocks(const std::string& language) {
  std::vector<std::string> found;
  std::istringstream lines(guide());
  bool inside = false;
  bool wanted = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      inside = !inside;
      wanted = inside && line == "```" + language;
      if (wanted) found.emplace_back();
    } else if (wanted) {
      found.back() += line + "\n";
    }
  }
  return found;
}

TEST(Guide, CommandLinesCompose) {
  int count = 0;
  for (const auto& block : blocks("")) {
    std::istringstream lines(block);
    for (std::string line; std::getline(lines, line); ++count) {
      std::vector<std::string> words = shell_words(line);
      ASSERT_GT(words.size(), 2U) << line;
      ASSERT_EQ(words[0] + " " + words[1], "vergence config") << line;
      words.erase(words.begin(), words.begin() + 2);
      if (words[0] == "--save") words.erase(words.begin(), words.begin() + 2);
      EXPECT_THAT(mistakes(words), ::testing::IsEmpty()) << line;
    }
  }
  EXPECT_GE(count, 9);
}

TEST(Guide, FilesWork) {
  const auto files_in_guide = blocks("toml");
  ASSERT_EQ(files_in_guide.size(), 3U);
  Files files;
  files.write("mesh/museum", files_in_guide[0]).write("preset/dawn", files_in_guide[1]);
  const Config config = compose(files.request({"mesh=museum", "preset=dawn"}));
  EXPECT_EQ(config.integer("mesh.texture.quality"), 97);
  EXPECT_EQ(config.integer("mesh.grid_width"), 2048);
  EXPECT_EQ(config.integer("views.count"), 12);
  EXPECT_EQ(config.number("sky.far_factor"), 8.0);
}

TEST(Reference, IsUpToDate) {
  const std::string file = read_file(vergence::test::source_dir() / "docs/configuration.md");
  EXPECT_TRUE(file == reference()) << "run scripts/update-docs after a change in configs/";
}

TEST(Reference, HasEveryKeyWithItsRule) {
  const std::string text = reference();
  for (const auto& key : compose_shipped({}).keys()) {
    EXPECT_THAT(text, ::testing::HasSubstr("| `" + key + "` |"));
  }
  EXPECT_THAT(text,
              ::testing::HasSubstr("| `mesh.edges` | enum | `keep`, `cut` |  | `\"cut\"` | "));
  EXPECT_THAT(text,
              ::testing::HasSubstr("| `views.fov_deg` | number | 60 to 140 | deg | `100.0` |"));
  EXPECT_THAT(text, ::testing::HasSubstr("| `mesh=desktop` (default) | "));
  EXPECT_THAT(text, ::testing::HasSubstr("`(predictor=torchscript)`"));
}

TEST(Guide, RuleIsThatOfTheSchema) {
  const std::string schema = read_file(vergence::test::source_dir() / "configs/schema.toml");
  EXPECT_THAT(schema, ::testing::HasSubstr(blocks("toml").at(2)));
}

TEST(Guide, OrderOfOptionsAndKeys) {
  const Config config = compose_shipped({"mesh.edges=keep", "mesh=quest"});
  EXPECT_EQ(config.string("mesh.edges"), "keep");
}

}  // namespace
}  // namespace vergence::config::test
