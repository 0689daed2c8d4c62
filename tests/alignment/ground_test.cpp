// SPDX-License-Identifier: Apache-2.0
#include "alignment/panorama_depth.hpp"
#include "core/error.hpp"
#include "tests/alignment/box_room.hpp"
#include "tests/support/matchers.hpp"

#include <gtest/gtest.h>

namespace vergence::alignment {
namespace {

using projection::SphereWindow;

const SphereWindow kWindow = SphereWindow::whole(720, 360);

PanoramaDepth room_depth() {
  PanoramaDepth depth;
  depth.distance = RayDistance(test::BoxRoom().panorama(kWindow));
  depth.inverse_distance = inverse_distance_from_distance(depth.distance);
  depth.valid = cv::Mat(360, 720, CV_8UC1, cv::Scalar(255));
  depth.sky = cv::Mat::zeros(360, 720, CV_8UC1);
  return depth;
}

TEST(CameraHeight, IsTheDistanceToTheFloorAlsoBesideATable) {
  PanoramaDepth depth = room_depth();
  EXPECT_NEAR(camera_height(depth.distance, kWindow), 1.6, 0.01);
  // A table 0.75 m high over a quarter of the circle, from 25 to 50 degrees below straight down.
  for (int y = 0; y < 360; ++y) {
    const double below = 180.0 - (y + 0.5) * 0.5;
    if (below < 25.0 || below > 50.0) continue;
    for (int x = 0; x < 180; ++x) {
      const auto direction = projection::direction_at(kWindow, x + 0.5, y + 0.5);
      depth.distance.values().at<float>(y, x) = static_cast<float>(0.85 / -direction.y());
    }
  }
  EXPECT_NEAR(camera_height(depth.distance, kWindow), 1.6, 0.02);
}

TEST(CameraHeight, NeedsAFloor) {
  const RayDistance nothing(cv::Mat(360, 720, CV_32FC1, cv::Scalar(NAN)));
  EXPECT_THROW(static_cast<void>(camera_height(nothing, kWindow)), Error);
}

TEST(Rescale, KeepsDistanceAndInverseDistanceTogether) {
  PanoramaDepth depth = room_depth();
  rescale(depth, 2.5);
  EXPECT_NEAR(camera_height(depth.distance, kWindow), 4.0, 0.03);
  EXPECT_TRUE(vergence::test::maps_near(depth.inverse_distance.values(),
                                        inverse_distance_from_distance(depth.distance).values(),
                                        {}));
}

TEST(PatchNadir, PutsTheFloorWhereTheTripodWas) {
  PanoramaDepth depth = room_depth();
  const cv::Mat truth = depth.distance.values().clone();
  const auto angle = Radians::from_degrees(20.0);
  for (int y = 0; y < 360; ++y) {
    if (180.0 - (y + 0.5) * 0.5 >= 18.0) continue;
    depth.distance.values().row(y) = 0.4F;
    depth.inverse_distance.values().row(y) = 2.5F;
  }
  patch_nadir(depth, kWindow, angle);
  EXPECT_LT(test::relative_error(depth.distance.values(), truth, false), 0.003);
  EXPECT_NEAR(depth.distance.values().at<float>(359, 100), 1.6, 0.02);
  EXPECT_FLOAT_EQ(depth.distance.values().at<float>(200, 10), truth.at<float>(200, 10));
}

}  // namespace
}  // namespace vergence::alignment
