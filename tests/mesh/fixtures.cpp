// SPDX-License-Identifier: Apache-2.0
#include "tests/mesh/fixtures.hpp"

#include <cmath>
#include <limits>
#include <random>

#include <Eigen/Geometry>
#include <Eigen/LU>
#include <opencv2/imgcodecs.hpp>

namespace vergence::mesh::test {

PictureRays whole_sphere() {
  return projection::SphereWindow::whole(4096, 2048);
}

RayDistance panorama_of(int width, int height,
                        const std::function<double(const Eigen::Vector3d& ray)>& f) {
  cv::Mat map(height, width, CV_32FC1);
  const auto window = projection::SphereWindow::whole(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      map.at<float>(y, x) = static_cast<float>(f(direction_at(window, x + 0.5, y + 0.5)));
    }
  }
  return RayDistance(map);
}

double room_distance(const Eigen::Vector3d& ray) {
  const Eigen::Vector3d half(3.0, 1.5, 4.0);
  return half.cwiseQuotient(ray.cwiseAbs().cwiseMax(1e-12)).minCoeff();
}

double pillar_room_distance(const Eigen::Vector3d& ray, bool& hit_pillar) {
  constexpr double kRadius = 0.3;
  const Eigen::Vector2d centre(1.2, -1.6);
  const Eigen::Vector2d flat(ray.x(), ray.z());
  const double wall = room_distance(ray);
  const double a = flat.squaredNorm();
  const double b = flat.dot(centre);
  const double discriminant = b * b - a * (centre.squaredNorm() - kRadius * kRadius);
  const double pillar = discriminant > 0.0 && b > 0.0 ? (b - std::sqrt(discriminant)) / a
                                                      : std::numeric_limits<double>::infinity();
  hit_pillar = pillar < wall;
  return std::min(pillar, wall);
}

RayDistance random_star(std::uint32_t seed, int width, int height) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;

  struct Wave {
    Eigen::Vector3d direction;
    double phase;
  };

  std::vector<Wave> waves(6);
  for (auto& wave : waves) {
    wave = {2.0 * Eigen::Vector3d(normal(random), normal(random), normal(random)), normal(random)};
  }
  return panorama_of(width, height, [&](const Eigen::Vector3d& ray) {
    double sum = 0.0;
    for (const auto& wave : waves) sum += std::sin(wave.direction.dot(ray) + wave.phase);
    return 2.0 + sum / static_cast<double>(waves.size());
  });
}

std::optional<Eigen::Vector2d> uv_seen(const Mesh& mesh, const Eigen::Vector3d& ray) {
  double nearest = std::numeric_limits<double>::infinity();
  std::optional<Eigen::Vector2d> seen;
  for (const auto& [a, b, c] : mesh.triangles) {
    Eigen::Matrix3d corners;
    corners << mesh.positions[a].cast<double>(), mesh.positions[b].cast<double>(),
        mesh.positions[c].cast<double>();
    if (std::abs(corners.determinant()) < 1e-12) continue;
    // ray * t = corners * weights with weights that sum to one.
    const Eigen::Vector3d unnormalised = corners.inverse() * ray;
    const double t = 1.0 / unnormalised.sum();
    if (unnormalised.minCoeff() < -1e-9 || t <= 0.0 || t >= nearest) continue;
    nearest = t;
    const Eigen::Vector3d weights = unnormalised * t;
    const Eigen::Vector2d uv = weights[0] * mesh.uvs[a].cast<double>() +
                               weights[1] * mesh.uvs[b].cast<double>() +
                               weights[2] * mesh.uvs[c].cast<double>();
    seen = Eigen::Vector2d(uv.x() - std::floor(uv.x()), uv.y());
  }
  return seen;
}

Texture uv_texture(int width, int height) {
  cv::Mat bgr(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      bgr.at<cv::Vec3b>(y, x) = {0, cv::saturate_cast<std::uint8_t>((y + 0.5) * 255 / height),
                                 cv::saturate_cast<std::uint8_t>((x + 0.5) * 255 / width)};
    }
  }
  Texture texture;
  texture.format = "png";
  cv::imencode(".png", bgr, texture.bytes);
  return texture;
}

}  // namespace vergence::mesh::test
