// SPDX-License-Identifier: Apache-2.0
#include "projection/resample.hpp"

#include "core/rotation.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace vergence::projection {
namespace {

using Eigen::Matrix3d;
using Eigen::Vector3d;

// A smooth function of direction, different everywhere: (1 + direction) / 2.
cv::Mat direction_picture(const SphereWindow& window) {
  cv::Mat picture(window.height, window.width, CV_32FC3);
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      const Vector3d d = (direction_at(window, x + 0.5, y + 0.5).array() + 1.0) / 2.0;
      picture.at<cv::Vec3f>(y, x) = {static_cast<float>(d.x()), static_cast<float>(d.y()),
                                     static_cast<float>(d.z())};
    }
  }
  return picture;
}

double worst_error(const RenderedView& rendered, const TangentView& view) {
  double worst = 0.0;
  for (int y = 0; y < view.height; ++y) {
    for (int x = 0; x < view.width; ++x) {
      if (rendered.valid.at<unsigned char>(y, x) == 0) continue;
      const Vector3d d = (view.world_from_view * ray_at(view, x + 0.5, y + 0.5)).normalized();
      const auto seen = rendered.picture.at<cv::Vec3f>(y, x);
      for (int c = 0; c < 3; ++c) worst = std::max(worst, std::abs(2.0 * seen[c] - 1.0 - d[c]));
    }
  }
  return worst;
}

TEST(PanoramaSampler, ViewsShowTheDirectionsTheyLookAtAcrossSeamAndPoles) {
  const auto window = SphereWindow::whole(1024, 512);
  const PanoramaSampler sampler(direction_picture(window), window);
  for (const auto& view : covering_views(20, Radians::from_degrees(100.0), 200)) {
    const auto rendered = sampler.render(view);
    EXPECT_LT(worst_error(rendered, view), 0.012) << view.name;
    EXPECT_EQ(cv::countNonZero(rendered.valid), 200 * 200);
  }
  // Straight up, and backwards over the seam.
  for (const Vector3d& forward : {Vector3d(0, 1, 0), Vector3d(0, -1, 0), Vector3d(0, 0, 1)}) {
    auto view = covering_views(6, Radians::from_degrees(100.0), 200).front();
    view.world_from_view = rotation_looking_at(forward);
    EXPECT_LT(worst_error(sampler.render(view), view), 0.012);
  }
}

TEST(PanoramaSampler, CropsAreValidOnlyWhereTheyHaveData) {
  const SphereWindow window{
      .full_width = 1024, .full_height = 512, .left = 256, .top = 128, .width = 512, .height = 256};
  const PanoramaSampler sampler(direction_picture(window), window);
  auto view = covering_views(6, Radians::from_degrees(120.0), 128)[1];
  const auto rendered = sampler.render(view);
  EXPECT_LT(worst_error(rendered, view), 0.02);
  EXPECT_EQ(rendered.valid.at<unsigned char>(64, 64), 255);
  EXPECT_EQ(rendered.valid.at<unsigned char>(0, 64), 0);
}

TEST(PanoramaSampler, MinificationAveragesInsteadOfAliasing) {
  // Stripes of one pixel must become even grey in a view ten times coarser.
  cv::Mat stripes(1024, 2048, CV_8UC1);
  for (int y = 0; y < stripes.rows; ++y) {
    for (int x = 0; x < stripes.cols; ++x) {
      stripes.at<unsigned char>(y, x) = (x + y) % 2 == 0 ? 0 : 255;
    }
  }
  const PanoramaSampler sampler(stripes, SphereWindow::whole(2048, 1024));
  auto view = covering_views(6, Radians::from_degrees(90.0), 48)[1];
  cv::Scalar mean;
  cv::Scalar deviation;
  cv::meanStdDev(sampler.render(view).picture, mean, deviation);
  EXPECT_NEAR(mean[0], 127.5, 1.5);
  EXPECT_LT(deviation[0], 3.0);
}

TEST(PanoramaSampler, TurningAndTurningBackIsTheIdentity) {
  const auto window = SphereWindow::whole(512, 256);
  const cv::Mat picture = direction_picture(window);
  const Matrix3d turn = rotation_from_yaw_pitch_roll(
      Radians::from_degrees(40.0), Radians::from_degrees(-20.0), Radians::from_degrees(10.0));
  const auto there = PanoramaSampler(picture, window).reproject(window, turn);
  const auto back = PanoramaSampler(there.picture, window).reproject(window, turn.transpose());
  EXPECT_LT(cv::norm(back.picture, picture, cv::NORM_INF), 0.01);
  // What was up in the turned picture is the source's direction turn * up.
  const Vector3d expected = (turn * direction_at(window, 100.5, 60.5)).array() / 2.0 + 0.5;
  const auto seen = there.picture.at<cv::Vec3f>(60, 100);
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(seen[c], expected[c], 0.005);
}

TEST(PanoramaSampler, WorksOnEveryPixelType) {
  for (const int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC3, CV_32FC1, CV_32FC4}) {
    const cv::Mat picture(64, 128, type, cv::Scalar::all(100));
    const auto window = SphereWindow::whole(128, 64);
    const auto rendered = PanoramaSampler(picture, window).reproject(window, Matrix3d::Identity());
    EXPECT_EQ(rendered.picture.type(), type);
    EXPECT_EQ(cv::norm(rendered.picture, picture, cv::NORM_INF), 0.0) << type;
  }
  EXPECT_THROW(PanoramaSampler(cv::Mat(4, 8, CV_64F), SphereWindow::whole(8, 4)),
               std::invalid_argument);
}

TEST(DualFisheye, BecomesTheSphereItWasMadeFrom) {
  // Two 200-degree equidistant circles that show (1 + direction) / 2.
  const double half_angle = Radians::from_degrees(100.0).value();
  cv::Mat picture(400, 800, CV_32FC3, cv::Scalar::all(0.0));
  for (int y = 0; y < 400; ++y) {
    for (int x = 0; x < 800; ++x) {
      const bool back = x < 400;
      const double u = ((x % 400) + 0.5) / 200.0 - 1.0;
      const double v = (y + 0.5) / 200.0 - 1.0;
      const double angle = std::min(1.02, std::hypot(u, v)) * half_angle;
      const double azimuth = std::atan2(-v, u);
      const double side = back ? -1.0 : 1.0;
      const Vector3d d{side * std::sin(angle) * std::cos(azimuth),
                       std::sin(angle) * std::sin(azimuth), -side * std::cos(angle)};
      for (int c = 0; c < 3; ++c) {
        picture.at<cv::Vec3f>(y, x)[c] = static_cast<float>((1.0 + d[c]) / 2.0);
      }
    }
  }
  const cv::Mat sphere =
      equirectangular_from_dual_fisheye(picture, Radians::from_degrees(200.0), 512);
  EXPECT_EQ(sphere.size(), cv::Size(512, 256));
  EXPECT_LT(cv::norm(sphere, direction_picture(SphereWindow::whole(512, 256)), cv::NORM_INF), 0.02);
}

}  // namespace
}  // namespace vergence::projection
