// SPDX-License-Identifier: Apache-2.0
// Time and peak memory of aligning and fusing 20 views of 384 pixels, networks excluded:
// bench_fusion [WIDTH=2048] [RUNS=5]. One width per run, because the peak is the process's.
#include "alignment/panorama_depth.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <chrono>
#include <random>

#include <fmt/format.h>
#include <sys/resource.h>

namespace vergence {
namespace {

using Clock = std::chrono::steady_clock;

// Disparities of a room of 6 x 3 x 8 m, each view with a scale and shift of its own and 1 % noise.
std::vector<alignment::ViewDepth> room_views() {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> scale(0.5, 20.0);
  std::uniform_real_distribution<double> shift(-1.0, 1.0);
  std::normal_distribution<double> noise(0.0, 0.005);
  std::vector<alignment::ViewDepth> views;
  for (const auto& view : projection::covering_views(20, Radians::from_degrees(100.0), 384)) {
    cv::Mat map(view.height, view.width, CV_32FC1);
    const double a = scale(random);
    const double b = shift(random);
    for (int y = 0; y < map.rows; ++y) {
      for (int x = 0; x < map.cols; ++x) {
        const Eigen::Vector3d ray = projection::ray_at(view, x + 0.5, y + 0.5);
        const Eigen::Vector3d world = (view.world_from_view * ray).cwiseAbs();
        const double inverse_depth = std::max({world.x() / 3.0, world.y() / 1.5, world.z() / 4.0});
        map.at<float>(y, x) = static_cast<float>(a * (inverse_depth + noise(random)) + b);
      }
    }
    views.push_back({view, Disparity(map), {}});
  }
  return views;
}

int run(int width, int runs) {
  set_thread_count(0);
  const auto views = room_views();
  const auto window = projection::SphereWindow::whole(width, width / 2);
  const cv::Mat picture(width / 2, width, CV_8UC3, cv::Scalar::all(128));
  std::vector<double> seconds;
  for (int i = 0; i <= runs; ++i) {  // the first is a warm-up
    const auto start = Clock::now();
    const auto result = alignment::fuse_views(views, window, picture, {}, no_progress());
    if (i > 0) seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "align + fuse, 20 views, {}x{}, {} threads: median {:.2f} s (min {:.2f}, max {:.2f}), "
      "peak {:.2f} GB\n",
      width, width / 2, thread_count(), seconds[seconds.size() / 2], seconds.front(),
      seconds.back(), static_cast<double>(usage.ru_maxrss) / 1e6);
  return 0;
}

}  // namespace
}  // namespace vergence

int main(int argc, char** argv) {
  const int width = argc > 1 ? std::atoi(argv[1]) : 2048;
  const int runs = argc > 2 ? std::atoi(argv[2]) : 5;
  return vergence::run(std::clamp(width, 64, 32768), std::clamp(runs, 1, 100));
}
