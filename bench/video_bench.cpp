// SPDX-License-Identifier: Apache-2.0
// A flat video becomes 3D: what each stage costs alone, and how near the whole comes to what the
// cores could do. bench_video [KEY=VALUE ...], with frames=96 width=1920 height=1080 network=nano
// (or none: depth from brightness) preset=veryfast codec=libx264 threads=2 decoder_threads=0
// encoder_threads=0 batch=0 (0 = the source's) background=0 filter=0 look_ahead=30 stages=1.
#include "core/module.hpp"
#include "core/parallel.hpp"
#include "pipeline/stereo_frame.hpp"
#include "pipeline/video_job.hpp"
#include "predictors/predictor_factory.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

namespace vergence {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Words = std::map<std::string, std::string>;

Words words_of(int argc, char** argv) {
  Words words = {{"frames", "96"},     {"width", "1920"},        {"height", "1080"},
                 {"network", "nano"},  {"preset", "veryfast"},   {"codec", "libx264"},
                 {"threads", "2"},     {"decoder_threads", "0"}, {"encoder_threads", "0"},
                 {"batch", "0"},       {"background", "0"},      {"filter", "0"},
                 {"look_ahead", "30"}, {"stages", "1"}};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto equals = word.find('=');
    if (equals == std::string::npos || !words.contains(word.substr(0, equals))) {
      throw std::runtime_error("unknown word " + word);
    }
    words[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return words;
}

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Cost {
  double wall_ms = 0.0;  // per frame
  double cpu_ms = 0.0;   // per frame, all threads
};

Cost measure(int num_frames, const std::function<void()>& work) {
  const auto wall = Clock::now();
  const double cpu = cpu_seconds();
  work();
  const double seconds = std::chrono::duration<double>(Clock::now() - wall).count();
  return {.wall_ms = 1e3 * seconds / num_frames,
          .cpu_ms = 1e3 * (cpu_seconds() - cpu) / num_frames};
}

// A panned textured background and eight things that move before it, with grain, as films have it.
class Scene {
 public:
  explicit Scene(cv::Size size) : size_(size), background_(size.height, size.width * 2, CV_8UC3) {
    cv::RNG random(1);
    for (const double sigma : {40.0, 12.0, 3.0}) {
      cv::Mat noise(background_.size(), CV_8UC3);
      random.fill(noise, cv::RNG::UNIFORM, 0, 256);
      cv::GaussianBlur(noise, noise, {}, sigma);
      cv::normalize(noise, noise, 0, 255, cv::NORM_MINMAX);
      background_ += noise / 3;
    }
    grain_.create(size.height + 64, size.width + 64, CV_8UC3);
    random.fill(grain_, cv::RNG::NORMAL, 6, 2);
  }

  [[nodiscard]] cv::Mat frame(int index) const {
    cv::Mat picture =
        background_(cv::Rect(2 * index % size_.width, 0, size_.width, size_.height)).clone();
    for (int i = 0; i < 8; ++i) {
      const double angle = 0.02 * index * (1 + i % 3) + i;
      const cv::Point centre(static_cast<int>(size_.width * (0.5 + 0.4 * std::cos(angle))),
                             static_cast<int>(size_.height * (0.2 + 0.09 * i)));
      const cv::Size axes(size_.width / 24 * (1 + i % 3), size_.height / 12 * (1 + i % 2));
      cv::ellipse(picture, centre, axes, 20.0 * i, 0.0, 360.0,
                  cv::Scalar(30 * i, 255 - 25 * i, 60 + 20 * i), cv::FILLED, cv::LINE_AA);
    }
    picture += grain_(cv::Rect(index * 13 % 64, index * 29 % 64, size_.width, size_.height));
    return picture;
  }

 private:
  cv::Size size_;
  cv::Mat background_;
  cv::Mat grain_;
};

fs::path write_clip(const fs::path& folder, cv::Size size, int num_frames) {
  const Scene scene(size);
  media::VideoFormat format;
  format.size = size;
  format.time_base = {1, 24};
  format.frame_rate = {24, 1};
  format.color = {.primaries = "bt709",
                  .transfer = "bt709",
                  .matrix = "bt709",
                  .full_range = false,
                  .chroma_location = "left"};
  media::EncodeOptions encode;
  encode.preset = "veryfast";
  const fs::path segment = folder / ("clip" + media::segment_extension());
  media::SegmentWriter writer(segment, format, encode);
  for (int i = 0; i < num_frames; ++i) {
    writer.write({.picture = scene.frame(i), .pts = i, .duration = 1, .index = i});
  }
  writer.finish();
  fs::path clip = folder / "clip.mkv";
  const std::vector<fs::path> segments = {segment};
  media::join_segments(segments, format, encode, clip, {}, [](std::int64_t) {});
  return clip;
}

pipeline::DepthSource depth_from_brightness() {
  pipeline::DepthSource source;
  source.name = "brightness";
  source.maps = [](std::span<const media::VideoFrame> frames) {
    std::vector<cv::Mat> maps;
    for (const auto& frame : frames) {
      cv::Mat grey;
      cv::resize(frame.picture, grey, {448, 256}, 0.0, 0.0, cv::INTER_AREA);
      cv::cvtColor(grey, grey, cv::COLOR_RGB2GRAY);
      grey.convertTo(maps.emplace_back(), CV_32F);
    }
    return maps;
  };
  return source;
}

pipeline::VideoJobOptions job_options(const Words& words) {
  pipeline::VideoJobOptions options;
  options.read.threads = std::stoi(words.at("decoder_threads"));
  options.encode.codec = words.at("codec");
  options.encode.preset = words.at("preset");
  options.encode.threads = std::stoi(words.at("encoder_threads"));
  options.stabilizer.look_ahead = std::stoi(words.at("look_ahead"));
  options.background_frames = std::stoi(words.at("background"));
  options.filter_depth = words.at("filter") != "0";
  options.stereo = media::StereoTag::kSideBySide;
  options.maker = [] {
    return std::make_unique<pipeline::StereoFrameMaker>(pipeline::StereoFrameOptions());
  };
  return options;
}

// Every stage by itself over the same frames, with all threads for itself.
double measure_stages(const fs::path& clip, const pipeline::VideoJobOptions& options,
                      const pipeline::DepthSource& depth, const fs::path& folder) {
  std::vector<media::VideoFrame> frames;
  std::vector<cv::Mat> maps;
  std::vector<cv::Mat> packed;
  constexpr int kFrames = 32;
  double sum = 0.0;
  const auto show = [&](const char* name, const Cost& cost) {
    fmt::print("{:10} {:8.1f} ms wall {:8.1f} ms CPU per frame\n", name, cost.wall_ms, cost.cpu_ms);
    sum += cost.cpu_ms;
  };
  media::VideoReader reader(clip, options.read);
  const auto decode = [&] {
    media::VideoFrame frame;
    while (static_cast<int>(frames.size()) < kFrames && reader.read(frame)) {
      frames.push_back(frame);
      frame.picture = cv::Mat();
    }
  };
  decode();  // threads and memory are there afterwards
  frames.clear();
  reader.seek(0, 0);
  show("decode", measure(kFrames, decode));
  const auto group = static_cast<std::size_t>(depth.batch);
  (void)depth.maps(std::span(frames).first(group));  // loads the network
  show("depth", measure(kFrames, [&] {
         for (std::size_t i = 0; i < frames.size(); i += group) {
           const auto some = std::span(frames).subspan(i, std::min(group, frames.size() - i));
           for (auto& map : depth.maps(some))
             maps.push_back(pipeline::raw_from_codes(pipeline::depth_codes(map)));
         }
       }));
  stereo::DepthStabilizer stabilizer(options.stabilizer);
  std::vector<stereo::FrameDecision> decisions;
  show("steady", measure(kFrames, [&] {
         for (std::size_t i = 0; i < frames.size(); ++i) {
           for (const auto& d : stabilizer.push(stereo::frame_statistics(
                    frames[i].picture, maps[i], static_cast<double>(i) / 24.0)))
             decisions.push_back(d);
         }
         for (const auto& d : stabilizer.flush()) decisions.push_back(d);
       }));
  pipeline::StereoFrameMaker maker({});
  packed.resize(frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i)
    packed[i].create(maker.frame_size(frames[i].picture.size()), CV_8UC3);
  maker.make(frames[0].picture, maps[0], decisions[0], packed[0]);
  show("warp", measure(kFrames, [&] {
         std::vector<pipeline::StereoMoment> moments;
         for (std::size_t i = 0; i < frames.size(); ++i)
           moments.push_back(
               {static_cast<std::int64_t>(i), frames[i].picture, maps[i], decisions[i]});
         const auto reach = static_cast<std::size_t>(options.background_frames);
         for (std::size_t i = 0; i < frames.size(); ++i) {
           const std::size_t first = i - std::min(i, reach);
           const std::size_t last = std::min(frames.size(), i + reach + 1);
           maker.make(std::span(moments).subspan(first, last - first), i - first, packed[i]);
         }
       }));
  media::VideoFormat format;
  format.size = packed[0].size();
  format.time_base = reader.info().time_base;
  format.frame_rate = {24, 1};
  format.color = reader.info().color;
  show("encode", measure(kFrames, [&] {
         media::SegmentWriter writer(folder / ("encode" + media::segment_extension()), format,
                                     options.encode);
         for (std::size_t i = 0; i < packed.size(); ++i) {
           writer.write({.picture = packed[i],
                         .pts = frames[i].pts,
                         .duration = 0,
                         .index = frames[i].index});
         }
         writer.finish();
       }));
  return sum;
}

int run(int argc, char** argv) {
  const Words words = words_of(argc, argv);
  spdlog::set_level(spdlog::level::warn);
  set_thread_count(std::stoi(words.at("threads")));
  const int num_frames = std::stoi(words.at("frames"));
  const fs::path folder = fs::temp_directory_path() / fmt::format("vergence-bench-{}", ::getpid());
  fs::create_directories(folder);
  const cv::Size size(std::stoi(words.at("width")), std::stoi(words.at("height")));
  const fs::path clip = write_clip(folder, size, num_frames);
  const auto options = job_options(words);
  std::unique_ptr<DepthPredictor> network;
  pipeline::DepthSource depth = depth_from_brightness();
  if (words.at("network") != "none") {
    network = predictors::make_network({.name = words.at("network")}, {});
    depth = pipeline::predicted_depth(*network);
  }
  if (words.at("batch") != "0") depth.batch = std::stoi(words.at("batch"));
  double sum_ms = 0.0;
  if (words.at("stages") != "0") sum_ms = measure_stages(clip, options, depth, folder);

  pipeline::VideoJobResult result;
  const Cost whole = measure(num_frames, [&] {
    result = pipeline::run_video_job(clip, folder / "out.mkv", options, depth, no_progress());
  });
  for (const auto& stage : result.stages) {
    fmt::print("  thread {:8} {:8.1f} ms CPU of its own, {:8.1f} ms waiting per frame\n",
               stage.name, 1e3 * stage.cpu_seconds / num_frames,
               1e3 * stage.wait_seconds / num_frames);
  }
  const int cores = std::min(static_cast<int>(std::thread::hardware_concurrency()), thread_count());
  fmt::print("whole      {:8.1f} ms wall {:8.1f} ms CPU per frame: {:.2f} frames/s\n",
             whole.wall_ms, whole.cpu_ms, 1e3 / whole.wall_ms);
  if (sum_ms > 0.0) {
    fmt::print("           {:.0f} % of {} cores / {:.1f} ms of all stages\n",
               100.0 * sum_ms / (cores * whole.wall_ms), cores, sum_ms);
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::ifstream load("/proc/loadavg");
  std::string load_text;
  std::getline(load, load_text);
  fmt::print("           {:.0f} % of the cores in use by this program, peak {} MB, load {}\n",
             100.0 * whole.cpu_ms / (cores * whole.wall_ms), usage.ru_maxrss / 1024, load_text);
  fs::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace vergence

int main(int argc, char** argv) {
  return vergence::run(argc, argv);
}
