// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/video_clips.hpp"

#include "pipeline/stereo_frame.hpp"
#include "tests/support/process.hpp"

#include <memory>
#include <stdexcept>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::test {
namespace {

std::string run(const std::string& program, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {program, "-v", "error"});
  const auto result = run_process(arguments);
  if (result.exit_code != 0) throw std::runtime_error(program + ": " + result.errors);
  return result.output;
}

}  // namespace

std::string ffmpeg(const std::vector<std::string>& arguments) {
  return run(VERGENCE_FFMPEG, arguments);
}

std::string ffprobe(const std::vector<std::string>& arguments) {
  return run(VERGENCE_FFPROBE, arguments);
}

void write_clip(const std::filesystem::path& path, const Clip& clip) {
  std::vector<std::string> arguments = {
      "-y", "-f", "lavfi", "-i", fmt::format("testsrc2=size={}:rate={}", clip.size, clip.rate)};
  if (clip.audio) arguments.insert(arguments.end(), {"-f", "lavfi", "-i", "sine=frequency=440"});
  arguments.insert(arguments.end(), {"-frames:v", std::to_string(clip.num_frames), "-c:v",
                                     clip.codec, "-pix_fmt", clip.pixel_format, "-threads", "1"});
  if (clip.codec == "libx264") arguments.insert(arguments.end(), {"-preset", "veryfast"});
  if (clip.audio) arguments.insert(arguments.end(), {"-c:a", "aac", "-shortest"});
  arguments.insert(arguments.end(), clip.extra.begin(), clip.extra.end());
  arguments.push_back(path.string());
  ffmpeg(arguments);
}

std::string frame_hashes(const std::filesystem::path& path) {
  return ffmpeg(
      {"-i", path.string(), "-map", "0:v:0", "-vsync", "passthrough", "-f", "framemd5", "-"});
}

pipeline::DepthSource depth_from_luma() {
  pipeline::DepthSource source;
  source.name = "luma";
  source.batch = 2;
  source.maps = [](std::span<const media::VideoFrame> frames) {
    std::vector<cv::Mat> maps;
    for (const auto& frame : frames) {
      cv::Mat grey;
      cv::cvtColor(frame.picture, grey, cv::COLOR_RGB2GRAY);
      const cv::Size size((grey.cols + 3) / 4, (grey.rows + 3) / 4);
      cv::resize(grey, grey, size, 0.0, 0.0, cv::INTER_AREA);
      grey.convertTo(maps.emplace_back(), CV_32F, grey.depth() == CV_16U ? 1.0 / 257.0 : 1.0);
    }
    return maps;
  };
  return source;
}

pipeline::VideoJobOptions small_job_options(float divergence) {
  pipeline::VideoJobOptions options;
  options.encode.codec = "libx264";
  options.encode.preset = "ultrafast";
  options.encode.threads = 1;
  options.read.threads = 1;
  options.segment_s = 0.5;
  pipeline::StereoFrameOptions frame;
  frame.parallax.divergence = divergence;
  options.maker = [frame] { return std::make_unique<pipeline::StereoFrameMaker>(frame); };
  options.stereo = media::StereoTag::kSideBySide;
  options.stabilizer.look_ahead = 10;
  options.settings = {{"stereo.divergence", fmt::format("{}", divergence)}};
  return options;
}

}  // namespace vergence::test
