// SPDX-License-Identifier: Apache-2.0
// Manual pages: complete, and in order for the programs that show them.
#include "cli/manual.hpp"

#include "core/output_file.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::cli {
namespace {

using testing::HasSubstr;

// What mandoc finds wrong; a page without a date is the same whenever it is built.
std::string complaints(const std::string& page) {
  const vergence::test::TemporaryFolder folder;
  write_file(folder / "page.1", page);
  const auto result = vergence::test::run_process(
      {"/usr/bin/mandoc", "-T", "lint", "-W", "warning", (folder / "page.1").string()});
  std::istringstream lines(result.output + result.errors);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("missing date") == std::string::npos) text += line + "\n";
  }
  return text;
}

// The page as a terminal shows it, without what makes letters bold: "-\b-".
std::string shown(const std::string& page) {
  const vergence::test::TemporaryFolder folder;
  write_file(folder / "page.1", page);
  const auto result = vergence::test::run_process(
      {"/usr/bin/mandoc", "-T", "ascii", "-O", "width=400", (folder / "page.1").string()});
  std::string text;
  for (const char c : result.output) {
    if (c == '\b' && !text.empty()) {
      text.pop_back();
    } else {
      text += c;
    }
  }
  return text;
}

TEST(Manual, IsCleanForEveryCommand) {
  EXPECT_EQ(complaints(manual_page()), "");
  for (const auto& command : commands()) EXPECT_EQ(complaints(manual_page(command)), "");
  EXPECT_THAT(complaints(".TH A 1\n.Q\n"), HasSubstr(".Q")) << "mandoc is there and judges";
}

TEST(Manual, NamesAllCommandsFlagsAndKeys) {
  const std::string text = shown(manual_page());
  for (const auto& command : commands())
    EXPECT_THAT(text, HasSubstr("vergence-" + std::string(command.name)));
  for (const auto& flag : common_flags()) EXPECT_THAT(text, HasSubstr(names_of(flag).back()));
  const auto* mesh = find_command("mesh");
  const std::string page = shown(manual_page(*mesh));
  EXPECT_THAT(page, HasSubstr("mesh.edges"));
  EXPECT_THAT(page, HasSubstr("keep|cut"));
  EXPECT_THAT(page, HasSubstr("--depth"));
  EXPECT_THAT(page, HasSubstr("130"));
}

TEST(Manual, BreaksNoWordOfAKey) {
  const vergence::test::TemporaryFolder folder;
  for (const auto& command : commands()) {
    write_file(folder / "page.1", manual_page(command));
    const auto page = vergence::test::run_process(
        {"/usr/bin/man", "-E", "UTF-8", "-l", (folder / "page.1").string()},
        {.environment = {{"MANWIDTH", "80"}, {"MANPAGER", "cat"}}});
    EXPECT_EQ(page.exit_code, 0) << page.errors;
    EXPECT_EQ(page.output.find("\u2010\n"), std::string::npos) << command.name;
  }
}

TEST(Manual, LinesThatLookLikeRequestsStayText) {
  const Command odd{"odd", "[a]", "a summary", ".so /etc/passwd\n'br \\n -x", 0, 0, {}, {}};
  const std::string page = manual_page(odd);
  EXPECT_THAT(page, HasSubstr("\n\\&.so /etc/passwd\n\\&'br \\en \\-x\n"));
}

}  // namespace
}  // namespace vergence::cli
