// SPDX-License-Identifier: Apache-2.0
// 360 clips with their truth: a camera that moves and turns through ray-traced scenes, or through
// the panoramas that other renderers made, with things that move, and cuts. The same on every
// machine, up to rounding.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <Eigen/Core>
#include <opencv2/core.hpp>

namespace vergence::test {

// What a ray meets first.
struct RayHit {
  double distance = 0.0;  // metres; infinity = sky
  cv::Vec3f colour;       // RGB, 0..255
  bool moves = false;     // it is not where it was at other times
};

class SphereScene {
 public:
  virtual ~SphereScene() = default;

  // The ray from `origin` along the unit vector `direction` (world: +Y up, -Z forward, metres), at
  // `time_s`. For several threads at once.
  [[nodiscard]] virtual RayHit trace(const Eigen::Vector3d& origin,
                                     const Eigen::Vector3d& direction, double time_s) const = 0;
};

// A furnished room, 6 x 2.8 x 5 m, the floor 1.5 m below the origin; a ball rolls to and fro.
[[nodiscard]] std::shared_ptr<const SphereScene> room_scene();

// A square with columns under a sky, the ground 1.7 m below the origin.
[[nodiscard]] std::shared_ptr<const SphereScene> square_scene();

// What a panorama shows, as a solid that has a surface in every direction from where it was taken
// (the origin). `rgb`: CV_8UC3 RGB; `distance`: CV_32FC1 along the rays, 1e9 and more = sky.
[[nodiscard]] std::shared_ptr<const SphereScene> panorama_scene(const cv::Mat& rgb,
                                                                const cv::Mat& distance);

// Moves by `velocity_m_s` while it turns to the right and sways: handheld, walking.
struct SphereShot {
  std::shared_ptr<const SphereScene> scene;
  int num_frames = 0;
  Eigen::Vector3d start = Eigen::Vector3d::Zero();
  Eigen::Vector3d velocity_m_s = Eigen::Vector3d::Zero();
  double yaw_deg_s = 0.0;
  double sway_deg = 0.0;  // of pitch and roll, to and fro every 2 and 3 seconds
};

// One frame and its truth.
struct SphereSight {
  cv::Mat picture;   // CV_8UC3 RGB, equirectangular
  cv::Mat distance;  // CV_32FC1 along the rays, metres; infinity = sky
  cv::Mat still;     // CV_8UC1, 255 = what is there does not move
  Eigen::Vector3d position;
  Eigen::Matrix3d world_from_camera;
  int shot = 0;
};

struct SphereClip {
  std::vector<SphereShot> shots;
  cv::Size size{512, 256};
  double frame_rate = 30.0;

  [[nodiscard]] int num_frames() const;

  // Frame `index` of the clip. 2 x 2 rays for each colour, one for the truth.
  [[nodiscard]] SphereSight frame(int index) const;
};

// Room, cut, square: a camera that walks and turns in both, two thirds of the frames in the room.
[[nodiscard]] SphereClip usual_sphere_clip(int num_frames, cv::Size size);

// Writes the clip as H.264 with sound by the program `ffmpeg`: `channels` sines, stereo or (4) as
// ambisonics have. Further arguments stand before the output. Throws std::runtime_error.
void write_sphere_clip(const std::filesystem::path& path, const SphereClip& clip,
                       const std::string& ffmpeg, int channels = 2,
                       const std::vector<std::string>& extra = {});

}  // namespace vergence::test
