// SPDX-License-Identifier: Apache-2.0
// The real program in a folder of its own.
#pragma once

#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <opencv2/core.hpp>

namespace vergence::test {

// Runs `vergence` with the test's folder as working folder, so that messages name short paths.
class ProgramTest : public ::testing::Test {
 protected:
  ProcessResult vergence(const std::vector<std::string>& arguments,
                         const ProcessOptions& options = {}) const;

  // The dynamic linker's log of a run that succeeds: the libraries that it maps.
  [[nodiscard]] std::string mapped_by(const std::vector<std::string>& arguments) const;

  // The same of runs with logs_libraries(); takes the logs away.
  [[nodiscard]] std::string take_linker_log() const;
  [[nodiscard]] static ProcessOptions logs_libraries();

  // Options that make jobs quick: six small views, a small mesh.
  static std::vector<std::string> quick(std::vector<std::string> arguments);

  // A small picture with structure, 2:1, in the test's folder.
  static cv::Mat scene(int width = 128, int height = 64);
  void write_scene(const std::string& name) const;

  // Names in the test's folder, hidden ones too, sorted.
  [[nodiscard]] std::vector<std::string> names() const;

  TemporaryFolder folder_;
};

// The last line of a text, without its end.
[[nodiscard]] std::string last_line(const std::string& text);

}  // namespace vergence::test
