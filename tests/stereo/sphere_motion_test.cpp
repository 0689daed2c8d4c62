// SPDX-License-Identifier: Apache-2.0
#include "stereo/sphere_motion.hpp"

#include "core/angle.hpp"
#include "core/rotation.hpp"
#include "stereo/temporal_filter.hpp"
#include "tests/support/sphere_clip.hpp"

#include <cmath>
#include <stdexcept>

#include <gtest/gtest.h>

namespace vergence::test {
namespace {

// A camera that only turns: frame 0 and frame 1.
SphereClip turning_clip(double yaw_deg, double sway_deg) {
  return {.shots = {{.scene = room_scene(),
                     .num_frames = 2,
                     .yaw_deg_s = yaw_deg,
                     .sway_deg = sway_deg}},
          .size = {256, 128},
          .frame_rate = 1.0};
}

double degrees_between(const Eigen::Matrix3d& a, const Eigen::Matrix3d& b) {
  const double cosine = 0.5 * ((a.transpose() * b).trace() - 1.0);
  return Radians(std::acos(std::min(1.0, cosine))).degrees();
}

TEST(SphereMotion, FindsHowTheCameraTurned) {
  for (const double yaw : {0.0, 2.0, 9.0}) {
    const auto clip = turning_clip(yaw, 3.0);
    const auto a = clip.frame(0);
    const auto b = clip.frame(1);
    const auto found =
        stereo::sphere_rotation(stereo::sphere_luma(a.picture), stereo::sphere_luma(b.picture));
    ASSERT_TRUE(found) << yaw;
    const Eigen::Matrix3d truth = b.world_from_camera.transpose() * a.world_from_camera;
    EXPECT_LT(degrees_between(*found, truth), 0.1) << yaw;
  }
}

TEST(SphereMotion, AWalkingCameraTurnsAsTheFarThingsSay) {
  auto clip = usual_sphere_clip(9, {256, 128});
  clip.shots.erase(clip.shots.begin());  // the square, with things far away
  const auto a = clip.frame(0);
  const auto b = clip.frame(1);
  const auto found =
      stereo::sphere_rotation(stereo::sphere_luma(a.picture), stereo::sphere_luma(b.picture));
  ASSERT_TRUE(found);
  const Eigen::Matrix3d truth = b.world_from_camera.transpose() * a.world_from_camera;
  // Half of what the ground below moves by.
  EXPECT_LT(degrees_between(*found, truth), 0.4);
}

TEST(SphereMotion, NoRotationExplainsACut) {
  const auto clip = usual_sphere_clip(3, {256, 128});
  EXPECT_FALSE(stereo::sphere_rotation(stereo::sphere_luma(clip.frame(1).picture),
                                       stereo::sphere_luma(clip.frame(2).picture)));
}

TEST(SphereMotion, RefusesOtherTypesAndSizes) {
  EXPECT_THROW((void)stereo::sphere_luma(cv::Mat(8, 16, CV_8UC1)), std::invalid_argument);
  EXPECT_THROW((void)stereo::sphere_rotation(cv::Mat(8, 16, CV_32FC1, cv::Scalar(0)),
                                             cv::Mat(16, 32, CV_32FC1, cv::Scalar(0))),
               std::invalid_argument);
}

TEST(SphereMotion, ATurnedMapWrapsAtTheBackAndKeepsThePoles) {
  cv::Mat map(64, 128, CV_32FC1);
  for (int y = 0; y < map.rows; ++y) {
    for (int x = 0; x < map.cols; ++x) {
      map.at<float>(y, x) = static_cast<float>(std::sin((x + 0.5) / 128.0 * 2.0 * kPi));
    }
  }
  const auto quarter =
      rotation_from_yaw_pitch_roll(Radians::from_degrees(90), Radians(), Radians());
  const cv::Mat turned = stereo::turned_sphere(map, quarter);
  for (int x = 0; x < map.cols; ++x) {
    EXPECT_NEAR(turned.at<float>(32, x), map.at<float>(32, (x + 32) % 128), 1e-3) << x;
  }
}

// The same still room seen by a turning camera, with noise in the depth: the filter averages it
// away, across the back as elsewhere.
TEST(TemporalFilterOnTheSphere, FollowsATurningCamera) {
  SphereClip clip{.shots = {{.scene = room_scene(), .num_frames = 9, .yaw_deg_s = 20.0}},
                  .size = {256, 128},
                  .frame_rate = 10.0};
  std::vector<stereo::FilterFrame> frames;
  std::vector<cv::Mat> copies;
  cv::RNG random(7);
  for (int i = 0; i < 9; ++i) {
    const auto sight = clip.frame(i);
    cv::Mat raw = 1.0 / sight.distance;
    cv::Mat noise(raw.size(), CV_32FC1);
    random.fill(noise, cv::RNG::NORMAL, 0.0, 0.01);
    raw += noise;
    frames.push_back({i, stereo::filter_guide(sight.picture, raw.size()), raw});
    copies.push_back(raw.clone());
  }
  const cv::Mat truth = 1.0 / clip.frame(4).distance;
  stereo::TemporalFilter filter(stereo::FilterPicture::kSphere);
  const cv::Mat filtered = filter.filter(frames, 4);
  const auto error = [&](const cv::Mat& map, const cv::Range& columns) {
    return cv::mean(cv::Mat(cv::abs(map - truth)).colRange(columns).rowRange(20, 108))[0];
  };
  for (const auto& columns : {cv::Range(0, 8), cv::Range(60, 200), cv::Range(248, 256)}) {
    EXPECT_LT(error(filtered, columns), 0.7 * error(frames[4].raw, columns)) << columns.start;
  }
  for (std::size_t i = 0; i < copies.size(); ++i) {
    EXPECT_EQ(cv::countNonZero(copies[i] != frames[i].raw), 0) << "the frames stay as they are";
  }
}

}  // namespace
}  // namespace vergence::test
