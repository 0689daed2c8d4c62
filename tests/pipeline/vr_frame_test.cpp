// SPDX-License-Identifier: Apache-2.0
#include "pipeline/vr_frame.hpp"

#include "core/error.hpp"
#include "pipeline/flat_depth.hpp"
#include "pipeline/vr_job.hpp"

#include <array>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace {

using projection::PictureKind;
using projection::PictureModel;
using projection::SphereWindow;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

PictureModel panorama(int width) {
  return PictureModel::equirectangular(SphereWindow::whole(width, width / 2));
}

VrFrameOptions options_for(PictureKind projection, double fov_deg) {
  VrFrameOptions options;
  options.projection = projection;
  options.fov = Radians::from_degrees(fov_deg);
  return options;
}

SourceModel always(const PictureModel& model) {
  return [model](cv::Size size) { return model.resized(size); };
}

// Grey, with a white disc in a direction (degrees).
cv::Mat panorama_with_disc(cv::Size size, double longitude, double latitude) {
  cv::Mat picture(size, CV_8UC3, cv::Scalar::all(60));
  const cv::Point centre(static_cast<int>((longitude / 360.0 + 0.5) * size.width),
                         static_cast<int>((0.5 - latitude / 180.0) * size.height));
  cv::circle(picture, centre, size.height / 40, cv::Scalar::all(255), cv::FILLED);
  return picture;
}

cv::Point2d centre_of_disc(const cv::Mat& eye) {
  cv::Mat bright;
  cv::extractChannel(eye, bright, 0);
  cv::threshold(bright, bright, 150, 255, cv::THRESH_BINARY);
  const auto moments = cv::moments(bright, /*binaryImage=*/true);
  return {moments.m10 / moments.m00 + 0.5, moments.m01 / moments.m00 + 0.5};
}

TEST(VrEyeModel, KeepsTheInputsResolution) {
  const auto half = options_for(PictureKind::kHalfEquirectangular, 180);
  EXPECT_EQ(eye_model(half, panorama(2048)).size(), cv::Size(1024, 1024));
  EXPECT_EQ(eye_model(half, panorama(16384)).size(), cv::Size(4096, 4096)) << "at most max_eye_px";
  EXPECT_EQ(eye_model(options_for(PictureKind::kEquirectangular, 360), panorama(2048)).size(),
            cv::Size(2048, 1024));
  EXPECT_EQ(eye_model(options_for(PictureKind::kFisheye, 180), panorama(2048)).size(),
            cv::Size(1024, 1024));
  const auto flat =
      PictureModel::flat({1000, 500}, Radians::from_degrees(90), Radians{2.0 * std::atan(0.5)});
  // 500 pixels per radian.
  EXPECT_NEAR(eye_model(half, flat).size().height, 500.0 * kPi, 8.0);
}

TEST(VrEyeModel, FieldsOfView) {
  auto partial = options_for(PictureKind::kHalfEquirectangular, 150);
  partial.eye_px = 600;
  const auto model = eye_model(partial, panorama(2048));
  EXPECT_EQ(model.size(), cv::Size(500, 600));
  EXPECT_TRUE(model.pixel_of({std::sin(1.3), 0.0, -std::cos(1.3)}));
  EXPECT_FALSE(model.pixel_of({std::sin(1.32), 0.0, -std::cos(1.32)}));
  auto flat = options_for(PictureKind::kFlat, 90);
  flat.eye_px = 90;
  EXPECT_EQ(eye_model(flat, panorama(2048)).size(), cv::Size(160, 90));
}

TEST(VrEyeModel, RefusesFieldsThatCannotBe) {
  for (const auto& options :
       {options_for(PictureKind::kHalfEquirectangular, 181),
        options_for(PictureKind::kFisheye, 300), options_for(PictureKind::kFlat, 179),
        options_for(PictureKind::kFlat, 1), options_for(PictureKind::kMercator, 90)}) {
    try {
      (void)eye_model(options, panorama(256));
      ADD_FAILURE() << options.fov.degrees();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
    }
  }
}

TEST(VrTags, FollowTheOutput) {
  const auto half = spherical_tag(options_for(PictureKind::kHalfEquirectangular, 180));
  ASSERT_TRUE(half);
  EXPECT_DOUBLE_EQ(half->left, 0.25);
  EXPECT_DOUBLE_EQ(half->right, 0.25);
  EXPECT_EQ(half->top, 0.0);
  const auto partial = spherical_tag(options_for(PictureKind::kHalfEquirectangular, 150));
  EXPECT_NEAR(partial->left, (1.0 - 150.0 / 360.0) / 2.0, 1e-12);
  EXPECT_EQ(spherical_tag(options_for(PictureKind::kEquirectangular, 360)), media::SphericalTag());
  EXPECT_FALSE(spherical_tag(options_for(PictureKind::kFlat, 90)));
  auto options = options_for(PictureKind::kHalfEquirectangular, 180);
  EXPECT_EQ(stereo_tag(options), media::StereoTag::kSideBySide);
  options.layout = VrLayout::kTopBottom;
  EXPECT_EQ(stereo_tag(options), media::StereoTag::kTopBottom);
  options.layout = VrLayout::kMono;
  EXPECT_EQ(stereo_tag(options), media::StereoTag::kNone);
}

TEST(VrFrame, ParallaxIsThatOfTwoEyes) {
  const cv::Size size(1024, 512);
  auto options = options_for(PictureKind::kHalfEquirectangular, 180);
  options.eye_px = 1024;
  options.ipd_m = 0.064;
  for (const double latitude : {0.0, 40.0}) {
    VrFrameMaker maker(options, always(panorama(size.width)));
    cv::Mat frame;
    maker.make(panorama_with_disc(size, 0.0, latitude),
               RayDistance(cv::Mat(256, 512, CV_32FC1, cv::Scalar(1.0))), frame);
    EXPECT_EQ(frame.size(), cv::Size(2048, 1024));
    const auto left = centre_of_disc(frame.colRange(0, 1024));
    const auto right = centre_of_disc(frame.colRange(1024, 2048));
    const double per_degree = 1024.0 / 180.0;
    // A point at 1 m: each eye sees its longitude turned by atan(0.032 / cos(latitude)).
    const double turn =
        std::atan(0.032 / std::cos(latitude * kPi / 180.0)) * 180.0 / kPi * per_degree;
    EXPECT_NEAR(left.x - 512.0, turn, 1.2) << latitude;
    EXPECT_NEAR(right.x - 512.0, -turn, 1.2) << latitude;
    EXPECT_NEAR(left.y, right.y, 0.3);
    EXPECT_NEAR(maker.comfort().nearest.degrees(), 2.0 * std::asin(0.032) * 180.0 / kPi, 0.1);
  }
}

TEST(VrFrame, LooksWhereItIsTurned) {
  const cv::Size size(512, 256);
  auto options = options_for(PictureKind::kHalfEquirectangular, 180);
  options.layout = VrLayout::kMono;
  options.eye_px = 256;
  options.yaw = Radians::from_degrees(90);
  VrFrameMaker maker(options, always(panorama(size.width)));
  cv::Mat frame;
  maker.make(panorama_with_disc(size, 100.0, 0.0), RayDistance(), frame);
  EXPECT_EQ(frame.size(), cv::Size(256, 256));
  EXPECT_EQ(maker.frame_size(size), cv::Size(256, 256));
  EXPECT_NEAR(centre_of_disc(frame).x, 128.0 + 10.0 * 256.0 / 180.0, 1.0);
  EXPECT_EQ(maker.share_inside(), 0.0);
}

TEST(VrFrame, LayoutsAndDepthsOfPixels) {
  const cv::Size size(256, 128);
  cv::Mat picture;
  panorama_with_disc(size, 0.0, 0.0).convertTo(picture, CV_16U, 257.0);
  const RayDistance far(cv::Mat(64, 128, CV_32FC1, cv::Scalar(1e9)));
  auto options = options_for(PictureKind::kEquirectangular, 360);
  options.layout = VrLayout::kTopBottom;
  VrFrameMaker maker(options, always(panorama(size.width)));
  cv::Mat frame;
  maker.make(picture, far, frame);
  ASSERT_EQ(frame.size(), cv::Size(256, 256));
  EXPECT_EQ(frame.type(), CV_16UC3);
  EXPECT_EQ(cv::norm(frame.rowRange(0, 128), frame.rowRange(128, 256), cv::NORM_INF), 0.0)
      << "infinity has no parallax";
  EXPECT_LE(cv::norm(frame.rowRange(0, 128), picture, cv::NORM_INF), 300.0);
}

TEST(VrFrame, TellsOfCamerasInsideThings) {
  const cv::Size size(256, 128);
  const auto options = options_for(PictureKind::kHalfEquirectangular, 180);
  VrFrameMaker maker(options, always(panorama(size.width)));
  cv::Mat frame;
  maker.make(cv::Mat(size, CV_8UC3, cv::Scalar::all(90)),
             RayDistance(cv::Mat(64, 128, CV_32FC1, cv::Scalar(0.01))), frame);
  EXPECT_GT(maker.share_inside(), 0.9);
}

TEST(VrFrame, RefusesEyesThatAreNotApart) {
  auto options = options_for(PictureKind::kHalfEquirectangular, 180);
  for (const double ipd : {0.0, -0.064}) {
    options.ipd_m = ipd;
    VrFrameMaker maker(options, always(panorama(256)));
    EXPECT_THROW((void)maker.frame_size({256, 128}), Error);
  }
}

// ---- Distances of videos

class VideoDistance : public testing::Test {
 protected:
  // Along the axis of a flat picture whose rays are nearly parallel to it.
  [[nodiscard]] static cv::Mat distances(const cv::Mat& raw, const VideoDepthMeaning& meaning,
                                         const stereo::FrameDecision& decision) {
    const auto narrow =
        PictureModel::flat({64, 64}, Radians::from_degrees(0.5), Radians::from_degrees(0.5));
    return video_distance(raw, decision, meaning, narrow).values();
  }

  [[nodiscard]] static stereo::FrameDecision decided(float min, float max, float median) {
    stereo::FrameDecision decision;
    decision.range = {min, max};
    decision.median = median;
    return decision;
  }
};

TEST_F(VideoDistance, DisparityFollowsTheShotNotTheFrame) {
  const cv::Mat raw = (cv::Mat_<float>(1, 3) << 2.0F, 4.0F, 10.0F);
  const VideoDepthMeaning meaning{.kind = DepthKind::kDisparity, .median_m = 3.0, .factor = 2.0};
  const cv::Mat values = distances(raw, meaning, decided(2.0F, 10.0F, 4.0F));
  EXPECT_NEAR(values.at<float>(0), kFarToMedian * 6.0, 0.1) << "the farthest";
  EXPECT_NEAR(values.at<float>(1), 6.0, 1e-3) << "the median";
  EXPECT_LT(values.at<float>(2), 2.0);
  EXPECT_GT(values.at<float>(2), 0.0);
  const cv::Mat same = distances(raw.colRange(1, 3), meaning, decided(2.0F, 10.0F, 4.0F));
  EXPECT_NEAR(same.at<float>(0), values.at<float>(1), 1e-3);
}

TEST_F(VideoDistance, FarthestThanTheShotsRangeStaysFinite) {
  const cv::Mat raw = (cv::Mat_<float>(1, 2) << -50.0F, 4.0F);
  const cv::Mat values = distances(raw, {}, decided(2.0F, 10.0F, 4.0F));
  EXPECT_NEAR(values.at<float>(0), 2.0 * kFarToMedian * 4.0, 0.2);
}

TEST_F(VideoDistance, MetresStayMetres) {
  const VideoDepthMeaning inverse{.kind = DepthKind::kInverseDistance, .in_metres = true};
  const cv::Mat raw = (cv::Mat_<float>(1, 3) << 0.5F, 0.1F, 0.0F);
  const cv::Mat values = distances(raw, inverse, decided(0.0F, 1.0F, 0.3F));
  EXPECT_NEAR(values.at<float>(0), 2.0, 1e-3);
  EXPECT_NEAR(values.at<float>(1), 10.0, 1e-3);
  EXPECT_GE(values.at<float>(2), 9.99e8F) << "sky";
  const VideoDepthMeaning planar{.kind = DepthKind::kPlanarDepth, .in_metres = true};
  EXPECT_NEAR(
      distances(-4.0 * cv::Mat::ones(1, 1, CV_32FC1), planar, decided(-9, -1, -3)).at<float>(0),
      4.0, 1e-3);
}

TEST_F(VideoDistance, EveryKindHasItsMedianAtTheMedian) {
  for (const auto& [kind, median] :
       {std::pair(DepthKind::kDisparity, 4.0F), std::pair(DepthKind::kLogDisparity, 1.5F),
        std::pair(DepthKind::kInverseDistance, 4.0F), std::pair(DepthKind::kDistance, -4.0F),
        std::pair(DepthKind::kPlanarDepth, -4.0F),
        std::pair(DepthKind::kPlanarDepthAffine, -4.0F)}) {
    const cv::Mat raw(4, 4, CV_32FC1, cv::Scalar(median));
    const VideoDepthMeaning meaning{.kind = kind, .median_m = 2.5};
    const cv::Mat values = distances(raw, meaning, decided(median - 1.0F, median + 3.0F, median));
    EXPECT_NEAR(values.at<float>(5), 2.5, 1e-3) << to_string(kind);
  }
}

TEST_F(VideoDistance, AMapWithoutVariationIsAsFarAsTheMedian) {
  const cv::Mat raw(2, 2, CV_32FC1, cv::Scalar(7.0));
  EXPECT_NEAR(distances(raw, {}, decided(7.0F, 7.0F, 7.0F)).at<float>(0), 2.0, 1e-3);
}

TEST_F(VideoDistance, RaysToTheCornersAreLonger) {
  const auto wide =
      PictureModel::flat({64, 64}, Radians::from_degrees(90), Radians::from_degrees(90));
  const cv::Mat raw(63, 63, CV_32FC1, cv::Scalar(-2.0));
  const VideoDepthMeaning planar{.kind = DepthKind::kPlanarDepth, .in_metres = true};
  const cv::Mat values = video_distance(raw, decided(-3, -1, -2), planar, wide).values();
  EXPECT_NEAR(values.at<float>(31, 31), 2.0, 1e-3);
  EXPECT_NEAR(values.at<float>(0, 0), 2.0 * std::sqrt(3.0), 0.06);
}

// ---- Devices

TEST(DeviceLimits, AreToldWhenTheyArePassed) {
  const DeviceLimits quest{"Quest", {{"hevc", {8192, 4096}, 60}, {"h264", {4096, 2304}, 60}}, {}};
  EXPECT_THAT(passed_limit(quest, "libx265", {8192, 4096}, 60000.0 / 1001.0), IsEmpty());
  EXPECT_THAT(passed_limit(quest, "libx265", {4096, 8192}, 30), IsEmpty()) << "either way round";
  EXPECT_THAT(passed_limit(quest, "libx265", {4096, 2048}, 120), IsEmpty()) << "small is fast";
  EXPECT_THAT(passed_limit(quest, "libx265", {8192, 4096}, 90), HasSubstr("8192x4096 at 60"));
  EXPECT_THAT(passed_limit(quest, "hevc_nvenc", {8192, 8192}, 30), HasSubstr("decodes at most"));
  EXPECT_THAT(passed_limit(quest, "libx264", {5760, 2880}, 30), HasSubstr("4096x2304"));
  EXPECT_THAT(passed_limit(quest, "libsvtav1", {1024, 512}, 30), HasSubstr("does not decode"));
}

TEST(DeviceLimits, H264HasOneOfItsOwn) {
  EXPECT_THAT(passed_limit({}, "libx264", {8192, 4096}, 30), HasSubstr("libx265"));
  EXPECT_THAT(passed_limit({}, "libx264", {4096, 2048}, 60), IsEmpty());
  EXPECT_THAT(passed_limit({}, "libx265", {16384, 8192}, 30), IsEmpty());
}

}  // namespace
}  // namespace vergence::pipeline
