// SPDX-License-Identifier: Apache-2.0
#include "tests/stereo/sphere_scene.hpp"

#include "core/angle.hpp"
#include "core/parallel.hpp"
#include "projection/sphere_window.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include <Eigen/Geometry>

namespace vergence::stereo {
namespace {

constexpr double kMiss = 1e12;

// Smooth noise, -1..1.
double noise(const Eigen::Vector3d& p) {
  return (std::sin(1.7 * p.x() + 2.3 * std::sin(1.1 * p.z())) +
          std::sin(2.1 * p.y() + 1.9 * std::sin(1.3 * p.x() + 0.7)) +
          std::sin(1.9 * p.z() + 2.7 * std::sin(0.9 * p.y() + 1.1))) /
         3.0;
}

double box_from_outside(const Eigen::Vector3d& near, const Eigen::Vector3d& far) {
  const double in = near.maxCoeff();
  const double out = far.minCoeff();
  return in > 1e-6 && in < out ? in : kMiss;
}

double quadratic(double a, double half_b, double c) {
  const double root = half_b * half_b - a * c;
  if (a <= 1e-12 || root < 0.0) return kMiss;
  const double t = (-half_b - std::sqrt(root)) / a;
  return t > 1e-6 ? t : kMiss;
}

}  // namespace

SphereScene::SphereScene(unsigned seed, int num_thin) {
  std::mt19937 random(seed);
  const auto any = [&random](double from, double to) {
    return std::uniform_real_distribution<double>(from, to)(random);
  };
  const auto colour = [&any] {
    return cv::Vec3f(static_cast<float>(any(30, 200)), static_cast<float>(any(30, 200)),
                     static_cast<float>(any(30, 200)));
  };
  room_ = {Shape::kBox,
           {any(-1, 1), 0.0, any(-1, 1)},
           {any(4, 6), 1.6, any(4, 6)},
           colour(),
           any(2.0, 4.0),
           0};
  constexpr int kThings = 18;
  for (int i = 0; i < kThings; ++i) {
    const double longitude = 2.0 * kPi * (i + any(0.1, 0.9)) / kThings;
    const double distance = any(0.5, 2.0);
    const Eigen::Vector3d at = distance * projection::direction_from_lon_lat(longitude, 0.0);
    const auto shape = static_cast<Shape>(i % 3);
    const double size = any(0.06, 0.25) * (shape == Shape::kPost ? 0.4 : 1.0);
    const double height = shape == Shape::kPost ? 1.6 : size * any(0.6, 2.0);
    const double up = shape == Shape::kPost ? 0.0 : any(-0.7, 0.7);
    things_.push_back({shape,
                       {at.x(), up, at.z()},
                       {size, height, size * any(0.6, 1.4)},
                       colour(),
                       any(6.0, 16.0),
                       i % 2});
  }
  for (int i = 0; i < num_thin; ++i) {
    const Eigen::Vector3d at =
        any(1.2, 3.5) * projection::direction_from_lon_lat(any(-kPi, kPi), 0.0);
    const double size = any(0.01, 0.03);
    const bool post = i % 2 == 0;
    things_.push_back({post ? Shape::kPost : Shape::kBall,
                       {at.x(), post ? 0.0 : any(-1.0, 1.0), at.z()},
                       {size, post ? 1.6 : size, size},
                       colour(),
                       any(6.0, 16.0),
                       0});
  }
}

double SphereScene::distance_to(const Thing& thing, const Eigen::Vector3d& origin,
                                const Eigen::Vector3d& direction) {
  const Eigen::Vector3d from = origin - thing.centre;
  if (thing.shape == Shape::kBall) {
    return quadratic(1.0, from.dot(direction),
                     from.squaredNorm() - thing.half_size.x() * thing.half_size.x());
  }
  if (thing.shape == Shape::kPost) {
    return quadratic(
        direction.x() * direction.x() + direction.z() * direction.z(),
        from.x() * direction.x() + from.z() * direction.z(),
        from.x() * from.x() + from.z() * from.z() - thing.half_size.x() * thing.half_size.x());
  }
  const Eigen::Vector3d a = (-thing.half_size - from).cwiseQuotient(direction);
  const Eigen::Vector3d b = (thing.half_size - from).cwiseQuotient(direction);
  return box_from_outside(a.cwiseMin(b), a.cwiseMax(b));
}

cv::Vec3f SphereScene::colour_at(const Thing& thing, const Eigen::Vector3d& point) {
  const Eigen::Vector3d p = (point - thing.centre) * thing.scale;
  double shade = 1.0 + 0.35 * noise(p) + 0.2 * noise(2.7 * p);
  if (thing.pattern == 1) {
    const double stripes = std::sin(2.0 * p.y()) * std::sin(2.0 * (p.x() + p.z()));
    shade *= stripes > 0.0 ? 1.15 : 0.75;
  }
  return thing.colour * static_cast<float>(shade);
}

SphereScene::Hit SphereScene::trace(const Eigen::Vector3d& origin,
                                    const Eigen::Vector3d& direction) const {
  const Eigen::Vector3d from = origin - room_.centre;
  const Eigen::Vector3d a = (-room_.half_size - from).cwiseQuotient(direction);
  const Eigen::Vector3d b = (room_.half_size - from).cwiseQuotient(direction);
  double nearest = a.cwiseMax(b).minCoeff();
  const Thing* seen = &room_;
  for (const Thing& thing : things_) {
    const double distance = distance_to(thing, origin, direction);
    if (distance < nearest) {
      nearest = distance;
      seen = &thing;
    }
  }
  return {nearest, colour_at(*seen, origin + nearest * direction)};
}

SpherePictureAndDistance panorama_of(const SphereScene& scene, int width) {
  const auto window = projection::SphereWindow::whole(width, width / 2);
  SpherePictureAndDistance result{cv::Mat(width / 2, width, CV_8UC3),
                                  cv::Mat(width / 2, width, CV_32FC1)};
  const Eigen::Vector3d head = Eigen::Vector3d::Zero();
  parallel_for(0, width / 2, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      for (int x = 0; x < width; ++x) {
        cv::Vec3f sum(0, 0, 0);
        for (const auto& [dx, dy] :
             {std::pair{0.25, 0.25}, {0.75, 0.25}, {0.25, 0.75}, {0.75, 0.75}}) {
          sum += scene.trace(head, projection::direction_at(window, x + dx, y + dy)).colour;
        }
        result.picture.at<cv::Vec3b>(y, x) = sum * 0.25F;
        result.distance.at<float>(y, x) = static_cast<float>(
            scene.trace(head, projection::direction_at(window, x + 0.5, y + 0.5)).distance);
      }
    }
  });
  return result;
}

EyeRay omnidirectional_ray(double longitude, double latitude, double side, double radius) {
  const Eigen::Vector3d right(std::cos(longitude), 0.0, std::sin(longitude));
  return {side * radius * right, projection::direction_from_lon_lat(longitude, latitude)};
}

}  // namespace vergence::stereo
