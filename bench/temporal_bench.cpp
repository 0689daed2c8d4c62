// SPDX-License-Identifier: Apache-2.0
// What holds a video's depth steady, on clips with the network `nano`: shot cuts, flicker of
// nearness and of the right eye's view before and after, processor time of each part.
//
//   bench_temporal FOLDER...      pictures NAME0001.png ... of a clip; folders follow each other at
//                                 the size of the first one's pictures
//   bench_temporal --size W H     time of the background plate on a drawn clip of that size
#include "core/progress.hpp"
#include "evaluation/flicker.hpp"
#include "media/picture.hpp"
#include "predictors/predictor_factory.hpp"
#include "stereo/background_plate.hpp"
#include "stereo/depth_stabilizer.hpp"
#include "stereo/parallax.hpp"
#include "stereo/temporal_filter.hpp"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence {
namespace {

constexpr double kRate = 25.0;
constexpr std::size_t kPlateReach = 8;

double cpu_milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

// Mean processor time of a part, all threads together, milliseconds.
class Stopwatch {
 public:
  template <class Work>
  auto time(Work&& work) {
    const double start = cpu_milliseconds();
    auto result = work();
    total_ += cpu_milliseconds() - start;
    ++count_;
    return result;
  }

  [[nodiscard]] double mean() const { return count_ > 0 ? total_ / count_ : 0.0; }

 private:
  double total_ = 0.0;
  int count_ = 0;
};

struct Clip {
  std::vector<cv::Mat> pictures;
  std::vector<cv::Mat> raw;
};

Clip predict(const std::vector<std::string>& folders) {
  const auto network = predictors::make_network({});
  Clip clip;
  for (const std::string& folder : folders) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    fmt::print("{}: frames {} to {}\n", folder, clip.pictures.size(),
               clip.pictures.size() + files.size() - 1);
    for (const auto& file : files) {
      cv::Mat picture = media::read_picture(file).rgb;
      if (!clip.pictures.empty()) {
        cv::resize(picture, picture, clip.pictures[0].size(), 0, 0, cv::INTER_AREA);
      }
      const std::vector<PredictorInput> input = {{file.stem().string(), picture}};
      const auto maps = network->predict(input, no_progress());
      clip.pictures.push_back(picture);
      clip.raw.push_back(std::get<Disparity>(maps.front()).values());
    }
  }
  return clip;
}

std::vector<cv::Mat> filtered(const Clip& clip) {
  std::vector<stereo::FilterFrame> frames;
  for (std::size_t i = 0; i < clip.raw.size(); ++i) {
    frames.push_back({static_cast<std::int64_t>(i),
                      stereo::filter_guide(clip.pictures[i], clip.raw[i].size()), clip.raw[i]});
  }
  stereo::TemporalFilter filter;
  Stopwatch watch;
  std::vector<cv::Mat> raw;
  constexpr std::size_t kReach = stereo::TemporalFilter::kReach;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::size_t first = i < kReach ? 0 : i - kReach;
    const std::size_t last = std::min(frames.size(), i + kReach + 1);
    const std::span<const stereo::FilterFrame> window(frames.data() + first, last - first);
    raw.push_back(watch.time([&] { return filter.filter(window, i - first); }));
  }
  fmt::print("temporal filter: {:.1f} ms per frame ({}x{})\n", watch.mean(), raw[0].cols,
             raw[0].rows);
  return raw;
}

std::vector<stereo::FrameDecision> decide(const Clip& clip, const std::vector<cv::Mat>& raw,
                                          stereo::RangeMode range) {
  stereo::StabilizerOptions options;
  options.range = range;
  stereo::DepthStabilizer stabilizer(options);
  std::vector<stereo::FrameDecision> decisions;
  Stopwatch watch;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const auto frame = watch.time([&] {
      return stereo::frame_statistics(clip.pictures[i], raw[i], static_cast<double>(i) / kRate);
    });
    for (const auto& decision : stabilizer.push(frame)) decisions.push_back(decision);
  }
  for (const auto& decision : stabilizer.flush()) decisions.push_back(decision);
  if (range == stereo::RangeMode::kShot) {
    fmt::print("statistics: {:.2f} ms per frame; shots begin at", watch.mean());
    for (const auto& decision : decisions) {
      if (decision.first_of_shot) fmt::print(" {}", decision.frame);
    }
    fmt::print("\n");
  }
  return decisions;
}

void measure_flicker(std::string_view name, const Clip& clip, const std::vector<cv::Mat>& raw,
                     stereo::RangeMode range) {
  const auto decisions = decide(clip, raw, range);
  evaluation::FlickerMeter depth;
  evaluation::FlickerMeter right(
      static_cast<int>(0.01 * static_cast<double>(clip.pictures.front().cols)) + 1);
  stereo::ScanlineWarp warp;
  cv::Mat view;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const cv::Mat& picture = clip.pictures[i];
    const cv::Mat nearness = stereo::nearness_in_range(raw[i], decisions[i].range);
    depth.push(picture, nearness);
    stereo::ParallaxOptions options;
    options.convergence = decisions[i].convergence;
    warp.set_source(picture, stereo::parallax_from_nearness(nearness, picture.size(), options));
    warp.render(Eye::kRight, view);
    right.push(picture, view);
  }
  // Nothing that stands still wherever a view's pixels may come from: nothing to say.
  const std::string views =
      right.result().num_pairs > 0 ? fmt::format("{:.3f}", right.result().mean_change) : "-";
  fmt::print("{:<16} {:>8.2f} {:>8.2f} {:>8}   ({:.0f} % stands still)\n", name,
             1000.0 * depth.result().mean_change, 1000.0 * depth.result().common_change, views,
             100.0 * depth.result().still_share);
}

void measure_plate(const std::vector<cv::Mat>& pictures, const std::vector<cv::Mat>& nearness) {
  stereo::BackgroundPlate plate;
  stereo::ScanlineWarp warp;
  Stopwatch watch;
  std::vector<stereo::PlateFrame> frames;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const float range = stereo::parallax_range_px(pictures[i].size(), {});
    frames.push_back(
        {static_cast<std::int64_t>(i), pictures[i], cv::Mat((nearness[i] - 0.5) * range)});
  }
  std::int64_t gaps_seen = 0;
  std::int64_t filled = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::size_t first = i < kPlateReach ? 0 : i - kPlateReach;
    const std::size_t last = std::min(frames.size(), i + kPlateReach + 1);
    const std::span<const stereo::PlateFrame> window(frames.data() + first, last - first);
    cv::Mat parallax = stereo::parallax_from_nearness(nearness[i], pictures[i].size(), {});
    stereo::sharpen_rims(static_cast<double>(pictures[i].cols) / nearness[i].cols, parallax);
    warp.set_source(pictures[i], parallax);
    for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
      cv::Mat view;
      std::vector<stereo::Disocclusion> gaps;
      warp.render(eye, view, &gaps);
      for (const auto& gap : gaps) gaps_seen += gap.last - gap.first;
      filled += watch.time([&] { return plate.fill(window, i - first, eye, gaps, view); });
    }
  }
  const double pixels = 2.0 * static_cast<double>(pictures.size() * pictures[0].total());
  fmt::print(
      "background plate {}x{}: {:.1f} ms per frame and eye; {:.2f} % of the pixels are "
      "disoccluded, {:.0f} % of them found\n",
      pictures[0].cols, pictures[0].rows, watch.mean(),
      100.0 * static_cast<double>(gaps_seen) / pixels,
      100.0 * static_cast<double>(filled) /
          static_cast<double>(std::max<std::int64_t>(1, gaps_seen)));
}

int measure_clips(const std::vector<std::string>& folders) {
  const Clip clip = predict(folders);
  const std::vector<cv::Mat> steady = filtered(clip);
  fmt::print("flicker          nearness x 1000, common to all x 1000, right view x 255\n");
  using stereo::RangeMode;
  measure_flicker("frame", clip, clip.raw, RangeMode::kFrame);
  measure_flicker("ema", clip, clip.raw, RangeMode::kEma);
  measure_flicker("shot", clip, clip.raw, RangeMode::kShot);
  measure_flicker("shot + filter", clip, steady, RangeMode::kShot);
  const auto decisions = decide(clip, steady, RangeMode::kShot);
  std::vector<cv::Mat> pictures;
  std::vector<cv::Mat> nearness;
  for (std::size_t i = 0; i < steady.size(); ++i) {
    if (i > 0 && decisions[i].first_of_shot) break;  // the first shot alone
    pictures.push_back(clip.pictures[i]);
    nearness.push_back(stereo::nearness_in_range(steady[i], decisions[i].range));
  }
  measure_plate(pictures, nearness);
  return 0;
}

// A wall, and ten balls that fly past.
int measure_drawn(cv::Size size) {
  cv::Mat wall(size, CV_8UC3);
  cv::RNG random(1);
  random.fill(wall, cv::RNG::UNIFORM, 0, 256);
  cv::GaussianBlur(wall, wall, {}, 3.0);
  cv::normalize(wall, wall, 0, 255, cv::NORM_MINMAX);
  std::vector<cv::Mat> pictures;
  std::vector<cv::Mat> nearness;
  for (int i = 0; i < 24; ++i) {
    cv::Mat picture = wall.clone();
    cv::Mat near(size.height / 4, size.width / 4, CV_32FC1, cv::Scalar(0.2));
    for (int ball = 0; ball < 10; ++ball) {
      const int step = 1 + ball % 4;
      const int x = (ball * size.width / 10 + i * step * size.width / 400) % size.width;
      const cv::Point middle(x, (1 + 2 * (ball % 3)) * size.height / 6);
      const int radius = size.height / 9;
      cv::circle(picture, middle, radius, cv::Scalar(20.0 * ball, 200, 90), cv::FILLED);
      cv::circle(near, middle / 4, radius / 4, cv::Scalar(0.6 + 0.03 * ball), cv::FILLED);
    }
    pictures.push_back(picture);
    nearness.push_back(near);
  }
  measure_plate(pictures, nearness);
  return 0;
}

}  // namespace
}  // namespace vergence

int main(int argc, char** argv) {
  ::setenv("OMP_WAIT_POLICY", "PASSIVE", 0);  // before LibTorch is mapped
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "--size") {
    return vergence::measure_drawn({std::stoi(words[1]), std::stoi(words[2])});
  }
  if (words.empty()) {
    fmt::print("usage: bench_temporal FOLDER... | --size W H\n");
    return 2;
  }
  return vergence::measure_clips(words);
}
