// SPDX-License-Identifier: Apache-2.0
// Rooms full of things, ray-traced from any place: stereo views of the sphere are judged by them.
#pragma once

#include <vector>

#include <Eigen/Core>
#include <opencv2/core.hpp>

namespace vergence::stereo {

// A room with boxes, posts and balls at random places around the origin, all with patterns; and
// thin ones, which are a few pixels wide, further away.
class SphereScene {
 public:
  explicit SphereScene(unsigned seed, int num_thin = 0);

  struct Hit {
    double distance;
    cv::Vec3f colour;  // 0..255
  };

  // What a ray from `origin` into a direction of length 1 meets.
  [[nodiscard]] Hit trace(const Eigen::Vector3d& origin, const Eigen::Vector3d& direction) const;

 private:
  enum class Shape { kBox, kPost, kBall };

  struct Thing {
    Shape shape;
    Eigen::Vector3d centre;
    Eigen::Vector3d half_size;  // post: radius, half its height; ball: radius
    cv::Vec3f colour;
    double scale;  // of the pattern, 1/m
    int pattern;
  };

  [[nodiscard]] static double distance_to(const Thing& thing, const Eigen::Vector3d& origin,
                                          const Eigen::Vector3d& direction);
  [[nodiscard]] static cv::Vec3f colour_at(const Thing& thing, const Eigen::Vector3d& point);

  Thing room_;
  std::vector<Thing> things_;
};

struct SpherePictureAndDistance {
  cv::Mat picture;   // CV_8UC3, 2 x 2 rays per pixel
  cv::Mat distance;  // CV_32FC1, through the pixels' centres
};

// The scene as a whole panorama, seen from the origin.
[[nodiscard]] SpherePictureAndDistance panorama_of(const SphereScene& scene, int width);

// The ray of an omnidirectional eye at a place of its panorama; `side` = 1 for the right eye, -1
// for the left one, `radius` = half the distance between the eyes.
struct EyeRay {
  Eigen::Vector3d origin;
  Eigen::Vector3d direction;
};

[[nodiscard]] EyeRay omnidirectional_ray(double longitude, double latitude, double side,
                                         double radius);

}  // namespace vergence::stereo
