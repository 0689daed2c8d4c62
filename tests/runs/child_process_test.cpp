// SPDX-License-Identifier: Apache-2.0
#include "runs/child_process.hpp"

#include "core/error.hpp"

#include <chrono>
#include <csignal>
#include <thread>

#include <gtest/gtest.h>

namespace vergence::test {
namespace {

std::optional<std::string> next_line(runs::ChildProcess& process) {
  for (int i = 0; i < 1000 && !process.closed(); ++i) {
    if (auto line = process.read_line()) return line;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return std::nullopt;
}

TEST(Ask, GivesWhatIsSaidAndHowItEnded) {
  const auto answer = runs::ask({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(answer.exit_code, 3);
  EXPECT_EQ(answer.text, "out\nerr\n");
}

TEST(Ask, TellsOfAProgramThatIsNotThere) {
  EXPECT_THROW(static_cast<void>(runs::ask({"no-such-program-here"})), Error);
}

TEST(ChildProcess, AnswersLineByLine) {
  runs::ChildProcess process({"/bin/cat"});
  EXPECT_TRUE(process.write_line("one"));
  EXPECT_EQ(next_line(process), "one");
  EXPECT_TRUE(process.write_line("two"));
  EXPECT_EQ(next_line(process), "two");
  EXPECT_EQ(process.wait(), 0);
}

TEST(ChildProcess, ThatDiesClosesItsEnd) {
  runs::ChildProcess process({"/bin/sh", "-c", "echo half; printf rest; kill -9 $$"});
  EXPECT_EQ(next_line(process), "half");
  EXPECT_EQ(next_line(process), std::nullopt);
  EXPECT_TRUE(process.closed());
  EXPECT_EQ(process.wait(), 128 + SIGKILL);
}

}  // namespace
}  // namespace vergence::test
