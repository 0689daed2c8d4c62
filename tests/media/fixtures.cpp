// SPDX-License-Identifier: Apache-2.0
#include "tests/media/fixtures.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

namespace vergence::test {
namespace fs = std::filesystem;

std::string run(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 4096> part{};
  while (const std::size_t count = std::fread(part.data(), 1, part.size(), pipe)) {
    output.append(part.data(), count);
  }
  if (::pclose(pipe) != 0) throw std::runtime_error(command + " failed:\n" + output);
  return output;
}

std::string python(const fs::path& folder, const std::string& code) {
  const fs::path script = folder / "script.py";
  write_file(script,
             "import os, sys\nos.environ['OPENCV_IO_ENABLE_OPENEXR'] = '1'\n"
             "import numpy as np, cv2\n" +
                 code);
  return run("cd '" + folder.string() + "' && /usr/bin/python3 script.py");
}

std::vector<std::uint8_t> bytes_of(const fs::path& path) {
  const std::string bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

// Not by write_file(), which waits for the disk: fuzz tests save thousands of files.
void save_bytes(const fs::path& path, std::span<const std::uint8_t> bytes) {
  std::ofstream stream(path, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
}

cv::Mat gradient_rgb(int width, int height) {
  cv::Mat rgb(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      rgb.at<cv::Vec3b>(y, x) =
          cv::Vec3b(static_cast<std::uint8_t>(20 + 200 * x / width),
                    static_cast<std::uint8_t>(30 + 180 * y / height),
                    static_cast<std::uint8_t>(60 + 90 * (x + y) / (width + height)));
    }
  }
  return rgb;
}

double largest_difference(const cv::Mat& a, const cv::Mat& b) {
  if (a.size() != b.size() || a.type() != b.type()) return 1e30;
  return cv::norm(a, b, cv::NORM_INF);
}

std::vector<std::uint8_t> mutated(std::vector<std::uint8_t> bytes, std::mt19937& random) {
  const int changes = 1 + static_cast<int>(random() % 6);
  for (int i = 0; i < changes && bytes.size() > 4; ++i) {
    // Headers matter more than pixels: half of the changes hit the first 300 bytes.
    const std::size_t reach =
        random() % 2 == 0 ? std::min<std::size_t>(bytes.size(), 300) : bytes.size();
    const auto at = static_cast<std::ptrdiff_t>(random() % reach);
    const auto length = static_cast<std::ptrdiff_t>(
        std::min<std::size_t>(1 + random() % 8, bytes.size() - static_cast<std::size_t>(at)));
    switch (random() % 6) {
      case 0:
        bytes[static_cast<std::size_t>(at)] ^= static_cast<std::uint8_t>(1U << random() % 8);
        break;
      case 1:
        bytes[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(random());
        break;
      case 2:
        std::fill_n(bytes.begin() + at, length, static_cast<std::uint8_t>(random() % 2 * 255));
        break;
      case 3:
        bytes.erase(bytes.begin() + at, bytes.begin() + at + length);
        break;
      case 4: {
        const std::vector<std::uint8_t> piece(bytes.begin() + at, bytes.begin() + at + length);
        bytes.insert(bytes.begin() + at, piece.begin(), piece.end());
        break;
      }
      default:
        if (random() % 4 == 0) bytes.resize(static_cast<std::size_t>(at) + 4);
        break;
    }
  }
  return bytes;
}

struct LogCapture::State {
  std::ostringstream stream;
  std::shared_ptr<spdlog::logger> before;
};

LogCapture::LogCapture() : state_(std::make_unique<State>()) {
  state_->before = spdlog::default_logger();
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(state_->stream);
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("capture", sink));
  spdlog::set_pattern("%l: %v");
}

LogCapture::~LogCapture() {
  spdlog::set_default_logger(state_->before);
}

std::string LogCapture::text() const {
  return state_->stream.str();
}

}  // namespace vergence::test
