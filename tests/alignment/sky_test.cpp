// SPDX-License-Identifier: Apache-2.0
#include "alignment/sky.hpp"

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::alignment {
namespace {

using projection::SphereWindow;

const SphereWindow kWindow = SphereWindow::whole(1024, 512);

// A street: ground below the horizon, houses up to 20 degrees, `above` the rest; distances
// likewise.
struct Scene {
  cv::Mat picture = cv::Mat(512, 1024, CV_8UC3);
  cv::Mat inverse = cv::Mat(512, 1024, CV_32FC1);
};

Scene street(const cv::Scalar& above, float inverse_above) {
  Scene scene;
  cv::RNG random(3);
  for (int y = 0; y < 512; ++y) {
    const bool ground = y > 256;
    const bool house = y > 200 && !ground;
    cv::Mat row = scene.picture.row(y);
    row.setTo(ground ? cv::Scalar(110, 105, 95) : house ? cv::Scalar(150, 120, 100) : above);
    scene.inverse.row(y).setTo(ground  ? 0.1F + static_cast<float>(y - 256) / 500.0F
                               : house ? 0.12F
                                       : inverse_above);
  }
  cv::Mat noise(512, 1024, CV_8UC3);
  random.fill(noise, cv::RNG::UNIFORM, 0, 40);
  scene.picture(cv::Rect(0, 200, 1024, 312)) += noise(cv::Rect(0, 200, 1024, 312));
  return scene;
}

double sky_share(const Scene& scene) {
  const auto sky = detect_sky(scene.picture, kWindow, scene.inverse);
  return static_cast<double>(cv::countNonZero(sky.mask)) / (200.0 * 1024.0);
}

TEST(DetectSky, FindsBlueAndOvercastSkyUpToTheSkyline) {
  EXPECT_NEAR(sky_share(street({90, 130, 200}, 0.001F)), 1.0, 0.02);
  EXPECT_NEAR(sky_share(street({215, 215, 220}, 0.001F)), 1.0, 0.02);
}

TEST(DetectSky, ACeilingIsNoSky) {
  EXPECT_EQ(sky_share(street({215, 215, 220}, 0.4F)), 0.0);    // bright, but near
  EXPECT_EQ(sky_share(street({215, 190, 150}, 0.001F)), 0.0);  // far, but warm as lamp light
  EXPECT_EQ(sky_share(street({120, 118, 118}, 0.001F)), 0.0);  // far, but as dark as the ground
}

TEST(DetectSky, ABlueWallBelowTheHorizonIsNoSky) {
  Scene scene = street({150, 120, 100}, 0.12F);
  scene.picture(cv::Rect(0, 300, 1024, 150)).setTo(cv::Scalar(60, 110, 220));
  scene.inverse(cv::Rect(0, 300, 1024, 150)).setTo(0.001F);
  EXPECT_EQ(sky_share(scene), 0.0);
}

TEST(DetectSky, WorksAcrossTheSeamAndInACrop) {
  Scene scene = street({150, 120, 100}, 0.12F);
  for (const int left : {0, 924}) {
    scene.picture(cv::Rect(left, 0, 100, 200)).setTo(cv::Scalar(90, 130, 200));
    scene.inverse(cv::Rect(left, 0, 100, 200)).setTo(0.001F);
  }
  const auto sky = detect_sky(scene.picture, kWindow, scene.inverse);
  EXPECT_EQ(sky.mask.at<unsigned char>(100, 5), 255);
  EXPECT_EQ(sky.mask.at<unsigned char>(100, 1018), 255);
  EXPECT_EQ(sky.mask.at<unsigned char>(100, 512), 0);

  const Scene blue = street({90, 130, 200}, 0.001F);
  const SphereWindow crop{
      .full_width = 1024, .full_height = 512, .left = 256, .top = 100, .width = 512, .height = 300};
  const auto part = detect_sky(blue.picture(cv::Rect(256, 100, 512, 300)), crop, blue.inverse);
  EXPECT_EQ(part.mask.at<unsigned char>(150, 500), 255);
  EXPECT_EQ(part.mask.at<unsigned char>(150, 100), 0);
}

TEST(SkyFromMask, IsPlacedWhereTheWindowIs) {
  cv::Mat mask = cv::Mat::zeros(10, 20, CV_8UC1);
  mask.rowRange(0, 5).setTo(255);
  const SphereWindow crop{
      .full_width = 80, .full_height = 40, .left = 20, .top = 10, .width = 20, .height = 10};
  const auto sky = sky_from_mask(mask, crop, {80, 40});
  EXPECT_EQ(cv::countNonZero(sky.mask), 100);
  EXPECT_EQ(sky.mask.at<unsigned char>(12, 25), 255);
  EXPECT_EQ(sky.mask.at<unsigned char>(17, 25), 0);
}

}  // namespace
}  // namespace vergence::alignment
