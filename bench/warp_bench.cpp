// SPDX-License-Identifier: Apache-2.0
// Time of both eyes' views beside two bilinear cv::remap calls of the same size, in turn, so that a
// busy machine disturbs both alike: bench_warp [WIDTH=1920] [HEIGHT=1080] [RUNS=30] [THREADS=2].
#include "core/parallel.hpp"
#include "stereo/scanline_warp.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

struct Scene {
  cv::Mat picture;
  cv::Mat parallax_px;
};

// A sloping ground, a far wall and 40 things before them; parallax of a divergence of 2 %.
Scene cluttered_scene(int width, int height) {
  Scene scene;
  scene.picture.create(height, width, CV_8UC3);
  cv::RNG noise(1);
  noise.fill(scene.picture, cv::RNG::UNIFORM, 0, 256);
  cv::GaussianBlur(scene.picture, scene.picture, {}, 1.5);
  scene.parallax_px.create(height, width, CV_32FC1);
  const float strength = 0.01F * static_cast<float>(width);
  const auto parallax = [strength](float nearness) { return strength * (nearness - 0.5F); };
  for (int y = 0; y < height; ++y) {
    const float down = static_cast<float>(y) / static_cast<float>(height);
    scene.parallax_px.row(y).setTo(parallax(std::max(0.1F, 1.6F * down - 0.7F)));
  }
  std::mt19937 random(1);
  std::uniform_real_distribution<double> any(0.0, 1.0);
  for (int i = 0; i < 40; ++i) {
    const cv::Point centre(static_cast<int>(any(random) * width),
                           static_cast<int>(any(random) * height));
    const cv::Size axes(static_cast<int>((0.01 + 0.06 * any(random)) * width),
                        static_cast<int>((0.02 + 0.15 * any(random)) * height));
    const double nearness = 0.2 + 0.8 * i / 40.0;
    cv::ellipse(scene.parallax_px, centre, axes, 360.0 * any(random), 0.0, 360.0,
                cv::Scalar(parallax(static_cast<float>(nearness))), cv::FILLED);
  }
  return scene;
}

int run(int width, int height, int runs) {
  const Scene scene = cluttered_scene(width, height);
  cv::Mat map_x(height, width, CV_32FC1);
  cv::Mat map_y(height, width, CV_32FC1);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      map_x.at<float>(y, x) = static_cast<float>(x) + scene.parallax_px.at<float>(y, x);
      map_y.at<float>(y, x) = static_cast<float>(y);
    }
  }
  stereo::ScanlineWarp warp;
  cv::Mat left;
  cv::Mat right;
  std::vector<double> remaps;
  std::vector<double> warps;
  std::vector<double> ratios;
  for (int i = 0; i <= runs; ++i) {
    auto start = Clock::now();
    for (cv::Mat* view : {&left, &right}) {
      cv::remap(scene.picture, *view, map_x, map_y, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
    }
    const double remap = milliseconds_since(start);
    start = Clock::now();
    warp.set_source(scene.picture, scene.parallax_px);
    warp.render(Eye::kLeft, left);
    warp.render(Eye::kRight, right);
    const double views = milliseconds_since(start);
    if (i == 0) continue;  // a warm-up
    remaps.push_back(remap);
    warps.push_back(views);
    ratios.push_back(views / remap);
  }
  fmt::print("{}x{}, {} threads, {} runs; median (least)\n", width, height, thread_count(), runs);
  fmt::print("two cv::remap   {:6.1f} ms ({:.1f})\n", quantile(remaps, 0.5), quantile(remaps, 0.0));
  fmt::print("both eyes       {:6.1f} ms ({:.1f})\n", quantile(warps, 0.5), quantile(warps, 0.0));
  fmt::print("ratio           {:6.2f}    ({:.2f})\n", quantile(ratios, 0.5), quantile(ratios, 0.0));
  return 0;
}

}  // namespace
}  // namespace vergence

int main(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  vergence::set_thread_count(number(4, 2));
  return vergence::run(number(1, 1920), number(2, 1080), number(3, 30));
}
