// SPDX-License-Identifier: Apache-2.0
// Time and peak memory of a 2-million-triangle mesh with a large texture, from a map of distances
// to each file format: bench_mesh [FORMAT=.glb] [TEXTURE.jpg] [FOLDER=/tmp]. One format per run,
// because the peak is the process's.
#include "core/error.hpp"
#include "core/output_file.hpp"
#include "mesh/mesh_file.hpp"
#include "mesh/mesh_from_depth.hpp"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <random>

#include <fmt/format.h>
#include <sys/resource.h>

namespace vergence {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kMapWidth = 2048;
constexpr int kGridWidth = 1416;  // 2.0 million triangles

// A room of 6 x 3 x 8 m whose walls are a little uneven, so that floats have all their digits.
RayDistance uneven_room() {
  cv::Mat map(kMapWidth / 2, kMapWidth, CV_32FC1);
  const auto whole = projection::SphereWindow::whole(map.cols, map.rows);
  std::mt19937 random(1);
  std::uniform_real_distribution<double> unevenness(0.999, 1.001);
  for (int y = 0; y < map.rows; ++y) {
    for (int x = 0; x < map.cols; ++x) {
      const Eigen::Vector3d ray = direction_at(whole, x + 0.5, y + 0.5).cwiseAbs();
      const double distance = std::min({3.0 / ray.x(), 1.5 / ray.y(), 4.0 / ray.z()});
      map.at<float>(y, x) = static_cast<float>(distance * unevenness(random));
    }
  }
  return RayDistance(map);
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double peak_gigabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1e6;
}

int run(const std::string& format, const fs::path& texture_file, const fs::path& folder) {
  mesh::Texture texture;
  if (!texture_file.empty()) {
    const std::string bytes = read_file(texture_file);
    texture.bytes.assign(bytes.begin(), bytes.end());
  } else {
    texture.bytes.resize(4'000'000, 0xAB);  // no picture, but its weight
  }
  const RayDistance distance = uneven_room();
  auto start = Clock::now();
  const auto mesh =
      mesh_from_depth(distance, projection::SphereWindow::whole(kMapWidth, kMapWidth / 2),
                      mesh::MeshOptions{.grid_width = kGridWidth});
  fmt::print("{} triangles, {} vertices: built in {:.2f} s, {:.2f} GB\n", mesh.triangles.size(),
             mesh.positions.size(), seconds_since(start), peak_gigabytes());
  start = Clock::now();
  const fs::path path = folder / ("bench_mesh" + format);
  const auto written = write_mesh(path, mesh, &texture);
  const double seconds = seconds_since(start);
  fmt::print("{}: written in {:.2f} s, {:.1f} MB, peak {:.2f} GB\n", format, seconds,
             static_cast<double>(fs::file_size(path)) / 1e6, peak_gigabytes());
  for (const auto& file : written) fs::remove(file);
  return 0;
}

}  // namespace
}  // namespace vergence

int main(int argc, char** argv) {
  try {
    return vergence::run(argc > 1 ? argv[1] : ".glb", argc > 2 ? argv[2] : "",
                         argc > 3 ? argv[3] : "/tmp");
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
