// SPDX-License-Identifier: Apache-2.0
// What works on no pictures maps no library that does: structure, not time, so it holds anywhere.
#include "core/output_file.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::cli {
namespace {

// The dynamic linker's account of what it mapped.
std::string mapped_by(const std::vector<std::string>& arguments) {
  const vergence::test::TemporaryFolder folder;
  std::vector<std::string> command{(vergence::test::binary_dir() / "bin" / "vergence").string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const auto result = vergence::test::run_process(
      command, {.working_folder = folder.path(),
                .environment = {{"LD_DEBUG", "files"},
                                {"LD_DEBUG_OUTPUT", "ld"},
                                {"XDG_CONFIG_HOME", folder.path().string()}}});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  std::string log;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.is_regular_file()) log += read_file(entry.path());
  }
  EXPECT_THAT(log, testing::HasSubstr("libvergence_base"));
  return log;
}

class StartUp : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(StartUp, MapsNothingForPictures) {
  const std::string log = mapped_by(GetParam());
  for (const char* heavy : {"libtorch", "libc10", "libOpen3D", "libopencv", "libopenblas", "libX11",
                            "libavcodec", "libassimp", "libcurl", "libssl", "commands.so"}) {
    EXPECT_THAT(log, testing::Not(testing::HasSubstr(heavy)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, StartUp,
    ::testing::Values(std::vector<std::string>{"--help"}, std::vector<std::string>{"--version"},
                      std::vector<std::string>{"depth", "--help"},
                      std::vector<std::string>{"config", "preset=preview"},
                      std::vector<std::string>{"depth", "--cfg", "job"},
                      std::vector<std::string>{"config", "-m", "mesh=glob(*)"},
                      std::vector<std::string>{"config", "--info", "all"},
                      std::vector<std::string>{"config", "--save", "mine", "threads=1"},
                      std::vector<std::string>{"completion", "bash"},
                      std::vector<std::string>{"__complete", "fish", "vergence depth mesh="}));

}  // namespace
}  // namespace vergence::cli
