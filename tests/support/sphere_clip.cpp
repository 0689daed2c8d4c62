// SPDX-License-Identifier: Apache-2.0
#include "tests/support/sphere_clip.hpp"

#include "core/parallel.hpp"
#include "core/rotation.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace vergence::test {
namespace {

using Eigen::Vector3d;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNearest = 1e-4;

// ---- Colours that stay where they are in the world

double noise_at(std::int64_t x, std::int64_t y, std::int64_t z) {
  auto n = static_cast<std::uint64_t>(x * 73856093 ^ y * 19349663 ^ z * 83492791);
  n = (n ^ (n >> 13U)) * 0x9E3779B97F4A7C15ULL;
  n ^= n >> 29U;
  return static_cast<double>(n & 0xffffU) / 65535.0;
}

double smooth_noise(const Vector3d& at) {
  const Vector3d cell(std::floor(at.x()), std::floor(at.y()), std::floor(at.z()));
  const Vector3d f = at - cell;
  const Vector3d s = f.cwiseProduct(f).cwiseProduct(Vector3d::Constant(3.0) - 2.0 * f);
  const auto x = static_cast<std::int64_t>(cell.x());
  const auto y = static_cast<std::int64_t>(cell.y());
  const auto z = static_cast<std::int64_t>(cell.z());
  const auto along = [&](std::int64_t dy, std::int64_t dz) {
    return std::lerp(noise_at(x, y + dy, z + dz), noise_at(x + 1, y + dy, z + dz), s.x());
  };
  return std::lerp(std::lerp(along(0, 0), along(1, 0), s.y()),
                   std::lerp(along(0, 1), along(1, 1), s.y()), s.z());
}

// Three octaves around a colour.
cv::Vec3f textured(const cv::Vec3f& colour, const Vector3d& at) {
  const double noise =
      0.5 * smooth_noise(3.0 * at) + 0.3 * smooth_noise(9.0 * at) + 0.2 * smooth_noise(27.0 * at);
  return colour * static_cast<float>(0.45 + noise);
}

// ---- Shapes

struct Ball {
  Vector3d centre;
  double radius;
  cv::Vec3f colour;
};

struct Block {
  Vector3d low;
  Vector3d high;
  cv::Vec3f colour;
};

double distance_to(const Ball& ball, const Vector3d& origin, const Vector3d& direction) {
  const Vector3d offset = origin - ball.centre;
  const double b = offset.dot(direction);
  const double c = offset.squaredNorm() - ball.radius * ball.radius;
  const double root = b * b - c;
  if (root < 0.0) return kInfinity;
  const double near = -b - std::sqrt(root);
  return near > kNearest ? near : kInfinity;
}

// Where the ray enters the block, and where it leaves it.
std::pair<double, double> span_in(const Block& block, const Vector3d& origin,
                                  const Vector3d& direction) {
  double enter = -kInfinity;
  double leave = kInfinity;
  for (int i = 0; i < 3; ++i) {
    const double a = (block.low[i] - origin[i]) / direction[i];
    const double b = (block.high[i] - origin[i]) / direction[i];
    enter = std::max(enter, std::min(a, b));
    leave = std::min(leave, std::max(a, b));
  }
  return {enter, leave};
}

class TracedScene final : public SphereScene {
 public:
  std::vector<Block> blocks;
  std::vector<Ball> balls;
  std::optional<Block> hall;       // seen from inside
  std::optional<double> ground_m;  // height; above it the sky where nothing else is
  std::optional<Ball> rolling;     // moves by `roll` and back, every 4 seconds
  Vector3d roll = Vector3d::Zero();

  [[nodiscard]] RayHit trace(const Vector3d& origin, const Vector3d& direction,
                             double time_s) const override {
    RayHit hit{.distance = kInfinity, .colour = sky(direction), .moves = false};
    const auto meet = [&](double distance, const cv::Vec3f& colour) {
      if (!(distance < hit.distance)) return;
      hit = {distance, textured(colour, origin + distance * direction), false};
    };
    if (hall) meet(span_in(*hall, origin, direction).second, hall->colour);
    if (ground_m && direction.y() < 0.0) {
      meet((*ground_m - origin.y()) / direction.y(), {120.0F, 110.0F, 90.0F});
    }
    for (const auto& block : blocks) {
      const auto [enter, leave] = span_in(block, origin, direction);
      if (enter > kNearest && enter < leave) meet(enter, block.colour);
    }
    for (const auto& ball : balls) meet(distance_to(ball, origin, direction), ball.colour);
    if (rolling) {
      Ball moved = *rolling;
      const Vector3d offset = 0.5 * (1.0 - std::cos(2.0 * kPi * time_s / 4.0)) * roll;
      moved.centre += offset;
      const double distance = distance_to(moved, origin, direction);
      if (distance < hit.distance) {
        hit = {distance, textured(moved.colour, origin + distance * direction - offset), true};
      }
    }
    return hit;
  }

 private:
  static cv::Vec3f sky(const Vector3d& direction) {
    const auto high = static_cast<float>(std::clamp(direction.y(), 0.0, 1.0));
    return cv::Vec3f(190.0F, 210.0F, 235.0F) - high * cv::Vec3f(110.0F, 80.0F, 20.0F);
  }
};

// ---- A panorama as a solid

class PanoramaScene final : public SphereScene {
 public:
  PanoramaScene(const cv::Mat& rgb, const cv::Mat& distance) : rgb_(rgb), distance_(distance) {}

  [[nodiscard]] RayHit trace(const Vector3d& origin, const Vector3d& direction,
                             double) const override {
    double before = 0.0;
    double t = kStart;
    while (t < kFarthest) {
      if (is_behind(origin + t * direction)) return hit_between(origin, direction, before, t);
      before = t;
      t *= kStep;
    }
    return {kInfinity, colour_at(origin + kFarthest * direction), false};
  }

 private:
  static constexpr double kStart = 0.05;
  static constexpr double kStep = 1.03;
  static constexpr double kFarthest = 2000.0;

  [[nodiscard]] cv::Point2d place_of(const Vector3d& point) const {
    const double longitude = std::atan2(point.x(), -point.z());
    const double latitude = std::asin(std::clamp(point.y() / point.norm(), -1.0, 1.0));
    return {(longitude / (2.0 * kPi) + 0.5) * distance_.cols,
            (0.5 - latitude / kPi) * distance_.rows};
  }

  [[nodiscard]] bool is_behind(const Vector3d& point) const {
    const auto at = place_of(point);
    const int x = static_cast<int>(at.x) % distance_.cols;
    const int y = std::clamp(static_cast<int>(at.y), 0, distance_.rows - 1);
    return point.norm() >= distance_.at<float>(y, x);
  }

  [[nodiscard]] RayHit hit_between(const Vector3d& origin, const Vector3d& direction, double near,
                                   double far) const {
    for (int i = 0; i < 24; ++i) {
      const double middle = 0.5 * (near + far);
      (is_behind(origin + middle * direction) ? far : near) = middle;
    }
    return {far, colour_at(origin + far * direction), false};
  }

  [[nodiscard]] cv::Vec3f colour_at(const Vector3d& point) const {
    const auto at = place_of(point);
    const double left = std::floor(at.x - 0.5);
    const double top = std::floor(at.y - 0.5);
    const auto pixel = [&](double x, double y) {
      const int column = (static_cast<int>(x) + rgb_.cols) % rgb_.cols;
      const int row = std::clamp(static_cast<int>(y), 0, rgb_.rows - 1);
      return cv::Vec3f(rgb_.at<cv::Vec3b>(row, column));
    };
    const auto along = static_cast<float>(at.x - 0.5 - left);
    const auto down = static_cast<float>(at.y - 0.5 - top);
    const cv::Vec3f upper = pixel(left, top) * (1.0F - along) + pixel(left + 1, top) * along;
    const cv::Vec3f lower =
        pixel(left, top + 1) * (1.0F - along) + pixel(left + 1, top + 1) * along;
    return upper * (1.0F - down) + lower * down;
  }

  cv::Mat rgb_;
  cv::Mat distance_;
};

// Longitude and latitude of a pixel's point.
Vector3d ray_at(cv::Size size, double x, double y) {
  const double longitude = x / size.width * 2.0 * kPi - kPi;
  const double latitude = kPi / 2.0 - y / size.height * kPi;
  return {std::cos(latitude) * std::sin(longitude), std::sin(latitude),
          -std::cos(latitude) * std::cos(longitude)};
}

}  // namespace

std::shared_ptr<const SphereScene> room_scene() {
  auto scene = std::make_shared<TracedScene>();
  scene->hall = Block{{-3.0, -1.5, -2.5}, {3.0, 1.3, 2.5}, {200.0F, 185.0F, 160.0F}};
  scene->blocks = {
      {{-2.9, -1.5, -2.4}, {-2.0, 0.4, -1.2}, {120.0F, 70.0F, 40.0F}},   // a cupboard
      {{0.6, -1.5, -2.2}, {2.2, -0.75, -1.3}, {70.0F, 110.0F, 150.0F}},  // a chest
      {{-1.2, -1.5, 1.3}, {0.9, -1.0, 2.3}, {150.0F, 60.0F, 70.0F}},     // a bed
      {{2.4, -1.5, 0.4}, {2.8, 0.9, 0.9}, {90.0F, 130.0F, 70.0F}},       // a shelf
  };
  scene->balls = {{{-1.4, -1.1, -0.9}, 0.4, {210.0F, 160.0F, 60.0F}},
                  {{1.4, -0.45, -1.7}, 0.3, {80.0F, 170.0F, 160.0F}}};
  scene->rolling = Ball{{1.2, -1.25, 0.2}, 0.25, {220.0F, 80.0F, 60.0F}};
  scene->roll = {-0.4, 0.0, 1.0};
  return scene;
}

std::shared_ptr<const SphereScene> square_scene() {
  auto scene = std::make_shared<TracedScene>();
  scene->ground_m = -1.7;
  for (int i = 0; i < 8; ++i) {
    const double angle = 2.0 * kPi * i / 8.0 + 0.2;
    const double far = 4.0 + 1.5 * (i % 3);
    const Vector3d at(far * std::sin(angle), 0.0, -far * std::cos(angle));
    const auto shade = static_cast<float>(20 * i);
    scene->blocks.push_back({at + Vector3d(-0.35, -1.7, -0.35),
                             at + Vector3d(0.35, 3.0, 0.35),
                             {220.0F - shade, 140.0F, 60.0F + shade}});
  }
  scene->blocks.push_back({{-15.0, -1.7, -14.0}, {15.0, 4.0, -12.0}, {160.0F, 90.0F, 80.0F}});
  return scene;
}

std::shared_ptr<const SphereScene> panorama_scene(const cv::Mat& rgb, const cv::Mat& distance) {
  return std::make_shared<PanoramaScene>(rgb, distance);
}

int SphereClip::num_frames() const {
  int sum = 0;
  for (const auto& shot : shots) sum += shot.num_frames;
  return sum;
}

SphereSight SphereClip::frame(int index) const {
  std::size_t number = 0;
  int within = index;
  while (within >= shots.at(number).num_frames) within -= shots[number++].num_frames;
  const auto& shot = shots[number];
  const double time = within / frame_rate;
  const double sway = shot.sway_deg;
  SphereSight sight{.picture = cv::Mat(size, CV_8UC3),
                    .distance = cv::Mat(size, CV_32FC1),
                    .still = cv::Mat(size, CV_8UC1),
                    .position = shot.start + time * shot.velocity_m_s,
                    .world_from_camera = rotation_from_yaw_pitch_roll(
                        Radians::from_degrees(shot.yaw_deg_s * time),
                        Radians::from_degrees(sway * std::sin(kPi * time)),
                        Radians::from_degrees(sway * std::sin(2.0 * kPi * time / 3.0))),
                    .shot = static_cast<int>(number)};
  const auto look = [&](double x, double y) {
    return shot.scene->trace(sight.position, sight.world_from_camera * ray_at(size, x, y), time);
  };
  parallel_for(0, size.height, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      for (int x = 0; x < size.width; ++x) {
        cv::Vec3f colour(0.0F, 0.0F, 0.0F);
        for (const double dy : {0.25, 0.75}) {
          for (const double dx : {0.25, 0.75}) colour += look(x + dx, y + dy).colour / 4.0F;
        }
        const auto middle = look(x + 0.5, y + 0.5);
        sight.picture.at<cv::Vec3b>(y, x) = colour;
        sight.distance.at<float>(y, x) = static_cast<float>(middle.distance);
        sight.still.at<unsigned char>(y, x) = middle.moves ? 0 : 255;
      }
    }
  });
  return sight;
}

SphereClip usual_sphere_clip(int num_frames, cv::Size size) {
  const int in_room = num_frames - num_frames / 3;
  return {.shots = {{.scene = room_scene(),
                     .num_frames = in_room,
                     .start = {-0.6, 0.0, 0.4},
                     .velocity_m_s = {0.15, 0.0, -0.08},
                     .yaw_deg_s = 12.0,
                     .sway_deg = 3.0},
                    {.scene = square_scene(),
                     .num_frames = num_frames / 3,
                     .start = {0.0, 0.0, 1.0},
                     .velocity_m_s = {0.1, 0.0, -0.6},
                     .yaw_deg_s = -8.0,
                     .sway_deg = 2.0}},
          .size = size,
          .frame_rate = 30.0};
}

void write_sphere_clip(const std::filesystem::path& path, const SphereClip& clip,
                       const std::string& ffmpeg, int channels,
                       const std::vector<std::string>& extra) {
  const double seconds = clip.num_frames() / clip.frame_rate;
  std::string sines;
  for (int i = 0; i < channels; ++i) {
    sines += fmt::format("{}0.1*sin({}*t)", i > 0 ? "|" : "", 1500 + 700 * i);
  }
  const std::string layout = channels == 4 ? "4.0" : channels == 2 ? "stereo" : "mono";
  std::string command = fmt::format(
      "'{}' -v error -y -f rawvideo -pix_fmt rgb24 -s {}x{} -r {} -i - -f lavfi -i "
      "'aevalsrc={}:c={}:s=48000:d={}' -c:v libx264 -preset veryfast -crf 12 -pix_fmt yuv420p "
      "-threads 1 -c:a aac -shortest",
      ffmpeg, clip.size.width, clip.size.height, clip.frame_rate, sines, layout, seconds);
  for (const auto& word : extra) command += fmt::format(" '{}'", word);
  command += fmt::format(" '{}'", path.string());
  std::FILE* const pipe = ::popen(command.c_str(), "w");
  if (pipe == nullptr) throw std::runtime_error("ffmpeg cannot be started");
  bool written = true;
  for (int i = 0; written && i < clip.num_frames(); ++i) {
    const cv::Mat picture = clip.frame(i).picture;
    const std::size_t bytes = picture.total() * picture.elemSize();
    written = std::fwrite(picture.data, 1, bytes, pipe) == bytes;
  }
  if (::pclose(pipe) != 0 || !written) throw std::runtime_error("ffmpeg failed: " + command);
}

}  // namespace vergence::test
