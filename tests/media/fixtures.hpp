// SPDX-License-Identifier: Apache-2.0
// Files that independent programs make or judge: Python with NumPy and OpenCV, exiftool, heif-enc.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::test {

// Runs a shell command and returns what it printed; throws std::runtime_error, with the output, if
// it fails.
std::string run(const std::string& command);

// Runs Python code in `folder`, with numpy as np, cv2 and sys imported.
std::string python(const std::filesystem::path& folder, const std::string& code);

std::vector<std::uint8_t> bytes_of(const std::filesystem::path& path);
void save_bytes(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);

// A smooth colour picture without symmetries, that JPEG keeps well: CV_8UC3.
cv::Mat gradient_rgb(int width, int height);

// Largest absolute difference of two pictures of one type.
double largest_difference(const cv::Mat& a, const cv::Mat& b);

// Changes, inserts, removes or repeats some bytes, or cuts the end off.
std::vector<std::uint8_t> mutated(std::vector<std::uint8_t> bytes, std::mt19937& random);

// Collects what is logged while it lives.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  [[nodiscard]] std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vergence::test
