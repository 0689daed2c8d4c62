// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/program.hpp"

#include "core/output_file.hpp"
#include "media/picture.hpp"

#include <algorithm>
#include <cmath>

namespace vergence::test {

ProcessResult ProgramTest::vergence(const std::vector<std::string>& arguments,
                                    const ProcessOptions& options) const {
  std::vector<std::string> command{(binary_dir() / "bin" / "vergence").string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  auto chosen = options;
  if (chosen.working_folder.empty()) chosen.working_folder = folder_.path();
  // A user's own configuration must not change what is tested.
  chosen.environment.emplace("XDG_CONFIG_HOME", (folder_ / "no-configuration").string());
  return run_process(command, chosen);
}

std::string ProgramTest::mapped_by(const std::vector<std::string>& arguments) const {
  const auto result = vergence(arguments, logs_libraries());
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  return take_linker_log();
}

std::string ProgramTest::take_linker_log() const {
  std::string log;
  for (const auto& name : names()) {
    if (!name.starts_with("ld.")) continue;
    log += read_file(folder_ / name);
    std::filesystem::remove(folder_ / name);
  }
  EXPECT_NE(log.find("libvergence_base"), std::string::npos) << "no log of the program";
  return log;
}

ProcessOptions ProgramTest::logs_libraries() {
  return {.environment = {{"LD_DEBUG", "files"}, {"LD_DEBUG_OUTPUT", "ld"}}};
}

std::vector<std::string> ProgramTest::quick(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"views=icosahedron_6", "mesh=mobile", "predictor.size_px=64"});
  return arguments;
}

cv::Mat ProgramTest::scene(int width, int height) {
  cv::Mat picture(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double wave = std::sin(12.0 * x / width) * std::cos(9.0 * y / height);
      picture.at<cv::Vec3b>(y, x) = {static_cast<uchar>(128 + 100 * wave),
                                     static_cast<uchar>(255 * y / height),
                                     static_cast<uchar>(255 * x / width)};
    }
  }
  return picture;
}

void ProgramTest::write_scene(const std::string& name) const {
  media::write_picture(folder_ / name, scene());
}

std::vector<std::string> ProgramTest::names() const {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    found.push_back(entry.path().filename().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const auto before = text.rfind('\n', end);
  const auto begin = before == std::string::npos ? 0 : before + 1;
  return text.substr(begin, end + 1 - begin);
}

}  // namespace vergence::test
