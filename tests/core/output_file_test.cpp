// SPDX-License-Identifier: Apache-2.0
#include "core/output_file.hpp"

#include "core/error.hpp"
#include "tests/support/paths.hpp"

#include <fstream>

#include <gtest/gtest.h>

namespace vergence {
namespace {

namespace fs = std::filesystem;

std::size_t num_entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(OutputFile, AppearsOnlyWhenCommitted) {
  const test::TemporaryFolder folder;
  {
    OutputFile output(folder / "a.txt");
    std::ofstream(output.path()) << "half";
    EXPECT_FALSE(fs::exists(folder / "a.txt"));
    EXPECT_EQ(output.path().extension(), ".txt");
  }
  EXPECT_EQ(num_entries(folder.path()), 0U);
  write_file(folder / "a.txt", "whole");
  EXPECT_EQ(read_file(folder / "a.txt"), "whole");
  EXPECT_EQ(num_entries(folder.path()), 1U);
}

TEST(OutputFile, KeepsTheOldFileWhenTheNewOneFails) {
  const test::TemporaryFolder folder;
  write_file(folder / "a.txt", "old");
  { const OutputFile output(folder / "a.txt"); }
  EXPECT_EQ(read_file(folder / "a.txt"), "old");
}

TEST(OutputFile, WritesThroughALinkAndIntoADevice) {
  const test::TemporaryFolder folder;
  write_file(folder / "target.txt", "old");
  fs::create_symlink(folder / "target.txt", folder / "link.txt");
  write_file(folder / "link.txt", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link.txt"));
  EXPECT_EQ(read_file(folder / "target.txt"), "new");
  write_file("/dev/null", "gone");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(OutputFile, NamesTheDestinationWhenItCannotBeWritten) {
  const test::TemporaryFolder folder;
  const auto message = [](const fs::path& path) -> std::string {
    try {
      write_file(path, "x");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message(folder.path()), "cannot write '" + folder.path().string() +
                                        "': it is a folder; name a file inside it with -o");
  EXPECT_NE(message(folder / "no/such/a.txt").find("there is no folder"), std::string::npos);
}

TEST(OutputFolder, AppearsOnlyWhenCommitted) {
  const test::TemporaryFolder folder;
  { const OutputFolder output(folder / "views"); }
  EXPECT_EQ(num_entries(folder.path()), 0U);
  OutputFolder output(folder / "views/");
  write_file(output.path() / "a.txt", "a");
  EXPECT_FALSE(fs::exists(folder / "views"));
  output.commit();
  EXPECT_EQ(read_file(folder / "views" / "a.txt"), "a");
  EXPECT_EQ(num_entries(folder.path()), 1U);
}

TEST(OutputFolder, KeepsOtherFilesOfAnExistingFolder) {
  const test::TemporaryFolder folder;
  fs::create_directory(folder / "views");
  write_file(folder / "views" / "mine.txt", "mine");
  write_file(folder / "views" / "a.txt", "old");
  {
    OutputFolder output(folder / "views");
    write_file(output.path() / "a.txt", "new");
    write_file(output.path() / "index.txt", "index");
    output.commit("index.txt");
  }
  EXPECT_EQ(read_file(folder / "views" / "mine.txt"), "mine");
  EXPECT_EQ(read_file(folder / "views" / "a.txt"), "new");
  EXPECT_EQ(num_entries(folder / "views"), 3U);
  EXPECT_EQ(num_entries(folder.path()), 1U);
  EXPECT_THROW(OutputFolder(folder / "views" / "a.txt"), Error);
}

TEST(ReadFile, SaysWhyNot) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(static_cast<void>(read_file(folder / "none")), Error);
  EXPECT_THROW(static_cast<void>(read_file(folder.path())), Error);
  write_file(folder / "big", "12345");
  EXPECT_THROW(static_cast<void>(read_file(folder / "big", 4)), Error);
}

}  // namespace
}  // namespace vergence
