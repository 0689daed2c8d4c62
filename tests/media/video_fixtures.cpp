// SPDX-License-Identifier: Apache-2.0
#include "tests/media/video_fixtures.hpp"

#include "tests/media/fixtures.hpp"

#include <sstream>

#include <fmt/format.h>

namespace vergence::test {

void ffmpeg(const std::filesystem::path& folder, const std::string& arguments) {
  run(fmt::format("cd '{}' && ffmpeg -nostdin -v error -y {}", folder.string(), arguments));
}

std::vector<std::string> ffprobe(const std::filesystem::path& file, const std::string& entries) {
  std::istringstream output(
      run(fmt::format("ffprobe -v error -select_streams v:0 -show_entries {} -of csv=p=0 '{}'",
                      entries, file.string())));
  std::vector<std::string> lines;
  for (std::string line; std::getline(output, line);) {
    while (!line.empty() && line.back() == ',') line.pop_back();
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::string moving_source(int width, int height, int frames, int fps) {
  return fmt::format("-f lavfi -i testsrc2=size={}x{}:rate={}:duration={:.6f}", width, height, fps,
                     (frames - 0.5) / fps);
}

std::string plane_values(const std::string& pixel_format, double first, double second,
                         double third) {
  const bool rgb = pixel_format.starts_with("gbr");
  return fmt::format("format={},geq={}={}:{}={}:{}={}", pixel_format, rgb ? "r" : "lum", first,
                     rgb ? "g" : "cb", second, rgb ? "b" : "cr", third);
}

std::vector<media::VideoFrame> read_video(const std::filesystem::path& file,
                                          const media::VideoReadOptions& options) {
  media::VideoReader reader(file, options);
  std::vector<media::VideoFrame> frames;
  for (media::VideoFrame frame; reader.read(frame);) {
    frames.push_back(frame);
  }
  return frames;
}

media::HdrMetadata hdr10() {
  media::MasteringDisplay display;
  display.primaries = {{{{{34000, 50000}, {16000, 50000}}},
                        {{{13250, 50000}, {34500, 50000}}},
                        {{{7500, 50000}, {3000, 50000}}}}};
  display.white_point = {{{15635, 50000}, {16450, 50000}}};
  display.min_luminance = {50, 10000};
  display.max_luminance = {10000000, 10000};
  return {display, media::ContentLight{1000, 400}};
}

}  // namespace vergence::test
