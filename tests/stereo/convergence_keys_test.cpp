// SPDX-License-Identifier: Apache-2.0
#include "stereo/convergence_keys.hpp"

#include "core/error.hpp"
#include "tests/support/paths.hpp"

#include <fstream>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace vergence::stereo {
namespace {

std::string failure_of(std::string_view text) {
  try {
    (void)parse_convergence_keys(text, "keys.csv");
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(ConvergenceKeys, ReadsEverySeparatorAndTime) {
  const auto keys = parse_convergence_keys(
      "\xEF\xBB\xBFtime, convergence\r\n# shots\n\n0, 0.5\r\n 83.25;\t0.35 \n1:30 -0.2\n"
      "1:02:10.5\t1.5",
      "keys.csv");
  ASSERT_EQ(keys.size(), 4U);
  EXPECT_EQ(keys[0].time_s, 0.0);
  EXPECT_EQ(keys[0].convergence, 0.5F);
  EXPECT_EQ(keys[1].time_s, 83.25);
  EXPECT_EQ(keys[1].convergence, 0.35F);
  EXPECT_EQ(keys[2].time_s, 90.0);
  EXPECT_EQ(keys[2].convergence, -0.2F);
  EXPECT_EQ(keys[3].time_s, 3730.5);
  EXPECT_EQ(keys[3].convergence, 1.5F);
}

TEST(ConvergenceKeys, NamesTheLineAndTheMistake) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"0, 0.5\n1", "line 2 ('1'): there is one value"},
      {"0, 0.5\n1,", "the convergence is no number"},
      {"0, 0.5\n1, 0.5 0.6", "the convergence is no number"},
      {"0, 0.5\n1, nan", "the convergence is no number"},
      {"0, 0.5\n1, inf", "the convergence is no number"},
      {"0, 0.5\n1, 2.5", "outside -1 to 2"},
      {"0, 0.5\n-1, 0.5", "the time is no"},
      {"0, 0.5\n1:2:3:4, 0.5", "the time is no"},
      {"0, 0.5\n1:, 0.5", "the time is no"},
      {"0, 0.5\n1e999, 0.5", "the time is no"},
      {"0, 0.5\nlater, 0.5", "line 2 ('later, 0.5'): the time is no"},
      {"1, 0.5\n\n1, 0.6", "line 3 ('1, 0.6'): it is not later"},
      {"", "holds no convergence"},
      {"# nothing\n", "holds no convergence"},
      {"time, convergence\n", "holds no convergence"},
  };
  for (const auto& [text, words] : cases) {
    const std::string message = failure_of(text);
    EXPECT_NE(message.find("'keys.csv'"), std::string::npos) << text;
    EXPECT_NE(message.find(words), std::string::npos) << text << ": " << message;
  }
}

TEST(ConvergenceKeys, MessagesHoldNoControlCharacters) {
  const std::string message = failure_of("0 0.5\n\x1b[31m,\x07 0.5");
  ASSERT_FALSE(message.empty());
  for (const char c : message) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST(ConvergenceKeys, AnyBytesAreReadOrRefused) {
  std::mt19937 random(17);
  const std::string alphabet = std::string("0123456789.,:;-+e \t\r\n#aN") + '\0' + '\xff';
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    const auto length = random() % 60;
    for (std::size_t i = 0; i < length; ++i) text += alphabet[random() % alphabet.size()];
    try {
      const auto keys = parse_convergence_keys(text, "keys.csv");
      ASSERT_FALSE(keys.empty());
      for (std::size_t i = 1; i < keys.size(); ++i) {
        ASSERT_LT(keys[i - 1].time_s, keys[i].time_s);
      }
    } catch (const Error&) {  // refused: as good
    }
  }
}

TEST(ConvergenceKeys, HasABoundOnTheirNumber) {
  std::string text;
  for (int i = 0; i <= 100'000; ++i) text += std::to_string(i) + " 0.5\n";
  EXPECT_NE(failure_of(text).find("more than 100000"), std::string::npos);
}

TEST(ConvergenceKeys, FilesAreReadAndMissingOnesNamed) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "keys.txt") << "2 0.25\n";
  const auto keys = read_convergence_keys(folder / "keys.txt");
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0].convergence, 0.25F);
  EXPECT_THROW((void)read_convergence_keys(folder / "none.txt"), Error);
  EXPECT_THROW((void)read_convergence_keys(folder.path()), Error);
  std::ofstream(folder / "large.txt") << std::string(9U << 20U, '#');
  EXPECT_THROW((void)read_convergence_keys(folder / "large.txt"), Error);
}

}  // namespace
}  // namespace vergence::stereo
