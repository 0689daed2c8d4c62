// SPDX-License-Identifier: Apache-2.0
#include "stereo/sphere_stereo.hpp"

#include "stereo/sphere_kernels.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <Eigen/Geometry>
#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

using projection::PictureModel;
using projection::SphereWindow;

constexpr double kIpd = 0.064;

// A colour for each direction, without steps.
cv::Vec3f colour_of(const Eigen::Vector3d& d) {
  return {static_cast<float>(128.0 + 60.0 * d.x() + 50.0 * d.y() * d.z()),
          static_cast<float>(128.0 + 60.0 * d.y() - 50.0 * d.x() * d.z()),
          static_cast<float>(128.0 + 60.0 * d.z() + 50.0 * d.x() * d.y())};
}

cv::Mat smooth_picture(const PictureModel& model) {
  cv::Mat picture(model.size(), CV_8UC3, cv::Scalar::all(0));
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      if (const auto d = model.direction_at(x + 0.5, y + 0.5)) {
        picture.at<cv::Vec3b>(y, x) = colour_of(*d);
      }
    }
  }
  return picture;
}

PictureModel panorama(int width) {
  return PictureModel::equirectangular(SphereWindow::whole(width, width / 2));
}

cv::Mat constant(cv::Size size, double distance) {
  return cv::Mat(size, CV_32FC1, cv::Scalar(distance));
}

// What an eye beside the centre of a ball sees of it from inside: its point's direction.
Eigen::Vector3d through_ball(const Eigen::Vector3d& direction, double side, double radius) {
  const Eigen::Vector3d eye(side * kIpd / 2.0, 0.0, 0.0);
  const double along = eye.dot(direction);
  const double length = -along + std::sqrt(along * along + radius * radius - eye.squaredNorm());
  return (eye + length * direction) / radius;
}

double greatest_difference(const cv::Vec3b& a, const cv::Vec3f& b) {
  double greatest = 0.0;
  for (int c = 0; c < 3; ++c) greatest = std::max(greatest, std::abs(double{b[c]} - a[c]));
  return greatest;
}

// Each pixel is where geometry says: at the zenith, the nadir, the source's border and far to the
// left and right as everywhere else.
void expect_exact(const PictureModel& eye_model, const Eigen::Matrix3d& source_from_eyes) {
  const PictureModel model = panorama(512);
  SphereStereoOptions options{
      .ipd_m = kIpd, .source_from_eyes = source_from_eyes, .eye = eye_model};
  SphereStereo stereo(options);
  constexpr double kBall = 0.6;
  stereo.set_source(smooth_picture(model), model, RayDistance(constant({256, 128}, kBall)));
  EXPECT_NEAR(stereo.greatest_parallax().value(), 2.0 * std::atan(kIpd / 2.0 / kBall), 1e-3);
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    cv::Mat view;
    cv::Mat visibility;
    stereo.render(eye, view, &visibility);
    ASSERT_EQ(view.size(), eye_model.size());
    double greatest = 0.0;
    for (int y = 0; y < view.rows; ++y) {
      for (int x = 0; x < view.cols; ++x) {
        const auto d = eye_model.direction_at(x + 0.5, y + 0.5);
        if (!d) {
          EXPECT_EQ(view.at<cv::Vec3b>(y, x), cv::Vec3b(0, 0, 0));
          continue;
        }
        const Eigen::Vector3d source =
            source_from_eyes * through_ball(*d, eye == Eye::kRight ? 1.0 : -1.0, kBall);
        greatest =
            std::max(greatest, greatest_difference(view.at<cv::Vec3b>(y, x), colour_of(source)));
      }
    }
    EXPECT_LE(greatest, 2.5);
  }
}

Eigen::Matrix3d some_rotation() {
  return (Eigen::AngleAxisd(2.9, Eigen::Vector3d::UnitY()) *
          Eigen::AngleAxisd(0.8, Eigen::Vector3d::UnitX()) *
          Eigen::AngleAxisd(0.3, Eigen::Vector3d::UnitZ()))
      .toRotationMatrix();
}

TEST(ParallelEyes, AreExactInVr180) {
  expect_exact(PictureModel::half_equirectangular({256, 256}), Eigen::Matrix3d::Identity());
  expect_exact(PictureModel::half_equirectangular({256, 256}), some_rotation());
}

TEST(ParallelEyes, AreExactInSqueezedPictures) {
  expect_exact(PictureModel::half_equirectangular({128, 256}), some_rotation());
}

TEST(ParallelEyes, AreExactInFisheyesOf200Degrees) {
  expect_exact(PictureModel::fisheye({256, 256}, Radians::from_degrees(200)), some_rotation());
}

TEST(ParallelEyes, AreExactInFlatViews) {
  expect_exact(PictureModel::flat({200, 120}, Radians::from_degrees(90), Radians::from_degrees(62)),
               some_rotation());
}

TEST(ParallelEyes, AreExactAllAround) {
  expect_exact(panorama(300), some_rotation());
}

TEST(OmnidirectionalEyes, SeeWhatTheirCircleSeesBelow75DegreesAndTheSameAtThePoles) {
  const PictureModel model = panorama(512);
  SphereStereo stereo({.geometry = EyeGeometry::kOmnidirectional, .ipd_m = kIpd, .eye = model});
  constexpr double kBall = 0.5;
  stereo.set_source(smooth_picture(model), model, RayDistance(constant({512, 256}, kBall)));
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    const double side = eye == Eye::kRight ? 1.0 : -1.0;
    cv::Mat view;
    stereo.render(eye, view);
    double greatest = 0.0;
    for (int y = 22; y < 256 - 22; ++y) {
      for (int x = 0; x < 512; ++x) {
        const double longitude = (x + 0.5) / 512.0 * 2.0 * kPi - kPi;
        const Eigen::Vector3d direction = *model.direction_at(x + 0.5, y + 0.5);
        const Eigen::Vector3d place =
            side * kIpd / 2.0 * Eigen::Vector3d(std::cos(longitude), 0.0, std::sin(longitude));
        const double along = std::sqrt(kBall * kBall - place.squaredNorm());
        const Eigen::Vector3d point = (place + along * direction) / kBall;
        greatest =
            std::max(greatest, greatest_difference(view.at<cv::Vec3b>(y, x), colour_of(point)));
      }
    }
    EXPECT_LE(greatest, 2.5);
    for (int x = 0; x < 512; ++x) {
      EXPECT_LE(greatest_difference(view.at<cv::Vec3b>(0, x), colour_of({0, 1, 0})), 4.0);
      EXPECT_LE(greatest_difference(view.at<cv::Vec3b>(255, x), colour_of({0, -1, 0})), 4.0);
    }
    for (int y = 0; y + 1 < 256; ++y) {  // nothing jumps, and least of all at 75 degrees
      for (const int x : {0, 100, 511}) {
        const cv::Vec3f below = view.at<cv::Vec3b>(y + 1, x);
        EXPECT_LE(greatest_difference(view.at<cv::Vec3b>(y, x), below), 4.0);
      }
    }
  }
}

// A wall with a nearer board in the middle.
cv::Mat board(cv::Size size, double near, double far) {
  cv::Mat distance = constant(size, far);
  distance({size.width * 3 / 8, size.height * 3 / 8, size.width / 4, size.height / 4}).setTo(near);
  return distance;
}

TEST(SphereStereo, FillsWhatTheSourceDidNotSeeFromBehind) {
  const PictureModel model = panorama(512);
  cv::Mat picture(256, 512, CV_8UC3, cv::Scalar(20, 120, 220));
  picture({192, 96, 128, 64}).setTo(cv::Scalar(250, 250, 250));
  for (const auto& [geometry, eye_model] :
       {std::pair{EyeGeometry::kParallel, PictureModel::half_equirectangular({256, 256})},
        std::pair{EyeGeometry::kOmnidirectional, panorama(512)}}) {
    SphereStereo stereo({.geometry = geometry, .ipd_m = kIpd, .eye = eye_model});
    stereo.set_source(picture, model, RayDistance(board({512, 256}, 0.5, 5.0)));
    cv::Mat view;
    cv::Mat visibility;
    for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
      stereo.render(eye, view, &visibility);
      int holes = 0;
      for (int y = 0; y < view.rows; ++y) {
        for (int x = 0; x < view.cols; ++x) {
          if (visibility.at<unsigned char>(y, x) !=
              static_cast<unsigned char>(Visibility::kDisoccluded)) {
            continue;
          }
          ++holes;
          EXPECT_LE(view.at<cv::Vec3b>(y, x)[0], 135) << x << ' ' << y;
        }
      }
      EXPECT_GT(holes, 100);
    }
  }
}

TEST(SphereStereo, LeavesTheSkyWhereItIs) {
  const PictureModel model = panorama(256);
  const cv::Mat picture = smooth_picture(model);
  SphereStereo stereo({.geometry = EyeGeometry::kOmnidirectional, .ipd_m = kIpd, .eye = model});
  for (const float far : {1e9F, 1e10F, std::numeric_limits<float>::infinity()}) {
    stereo.set_source(picture, model, RayDistance(constant({256, 128}, far)));
    cv::Mat view;
    stereo.render(Eye::kLeft, view);
    EXPECT_LE(cv::norm(view, picture, cv::NORM_INF), 1.0);
    EXPECT_NEAR(stereo.greatest_parallax().value(), 0.0, 1e-6);
  }
}

TEST(SphereStereo, TakesAnyTypeOfPicture) {
  const PictureModel model = panorama(128);
  const cv::Mat eight = smooth_picture(model);
  const PictureModel eye_model = PictureModel::half_equirectangular({64, 64});
  SphereStereo stereo({.ipd_m = kIpd, .eye = eye_model});
  const RayDistance distance(board({128, 64}, 0.4, 3.0));
  cv::Mat expected;
  stereo.set_source(eight, model, distance);
  stereo.render(Eye::kLeft, expected);
  for (const int depth : {CV_8U, CV_16U, CV_32F}) {
    const double scale = depth == CV_8U ? 1.0 : (depth == CV_16U ? 257.0 : 1.0 / 255.0);
    for (const int channels : {1, 3, 4}) {
      cv::Mat picture(eight.size(), CV_MAKETYPE(CV_8U, channels), cv::Scalar::all(255));
      for (int c = 0; c < std::min(channels, 3); ++c) {
        const std::array<int, 2> from_to = {c, c};
        cv::mixChannels({eight}, {picture}, from_to.data(), 1);
      }
      cv::Mat converted;
      picture.convertTo(converted, depth, scale);
      cv::Mat view;
      stereo.set_source(converted, model, distance);
      stereo.render(Eye::kLeft, view);
      ASSERT_EQ(view.type(), CV_MAKETYPE(depth, channels));
      cv::Mat first;
      cv::Mat expected_first;
      cv::extractChannel(view, first, 0);
      cv::extractChannel(expected, expected_first, 0);
      first.convertTo(first, CV_32F, 1.0 / scale);
      expected_first.convertTo(expected_first, CV_32F);
      // Rims depend on all channels together.
      cv::Mat differs = cv::abs(first - expected_first) > 2.0;
      EXPECT_LT(cv::countNonZero(differs), 64 * 64 / 50) << depth << ' ' << channels;
    }
  }
}

TEST(SphereStereo, SurvivesDistancesThatAreNone) {
  const PictureModel model = panorama(128);
  cv::Mat picture;
  smooth_picture(model).convertTo(picture, CV_32FC3, 1.0 / 255.0);
  std::mt19937 random(3);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::array<float, 9> odd = {kNan,  0.0F,      -1.0F,      1e-30F, 1e-3F,
                                    1e30F, kInfinity, -kInfinity, 2.0F};
  for (const cv::Size size : {cv::Size(128, 64), cv::Size(31, 7), cv::Size(1, 1)}) {
    for (int round = 0; round < 12; ++round) {
      cv::Mat distance(size, CV_32FC1);
      for (int i = 0; i < size.area(); ++i) {
        const std::size_t which = round < 9 ? static_cast<std::size_t>(round) : random() % 9;
        distance.ptr<float>()[i] = odd[which];
      }
      for (const auto geometry : {EyeGeometry::kParallel, EyeGeometry::kOmnidirectional}) {
        SphereStereo stereo({.geometry = geometry, .ipd_m = kIpd, .eye = panorama(96)});
        stereo.set_source(picture, model, RayDistance(distance));
        cv::Mat view;
        stereo.render(round % 2 == 0 ? Eye::kLeft : Eye::kRight, view);
        EXPECT_TRUE(cv::checkRange(view, true, nullptr, -0.01, 1.01));
        EXPECT_LE(stereo.greatest_parallax().degrees(), 180.0);
        EXPECT_GE(stereo.share_inside(), 0.0);
        EXPECT_LE(stereo.share_inside(), 1.0);
      }
    }
  }
}

// The columns of a panorama, beginning `columns` further to the left.
cv::Mat turned(const cv::Mat& panorama, int columns) {
  cv::Mat turned;
  cv::hconcat(panorama.colRange(panorama.cols - columns, panorama.cols),
              panorama.colRange(0, panorama.cols - columns), turned);
  return turned;
}

TEST(SphereStereo, IsTheSameWhereverThePanoramaBegins) {
  const PictureModel model = panorama(256);
  std::mt19937 random(11);
  cv::Mat picture(128, 256, CV_8UC3);
  cv::randu(picture, cv::Scalar::all(0), cv::Scalar::all(255));
  cv::GaussianBlur(picture, picture, {}, 1.0);
  // Boards, some of them small.
  cv::Mat distance = constant({256, 128}, 4.0);
  std::uniform_real_distribution<float> near(0.3F, 2.0F);
  for (int board = 0; board < 40; ++board) {
    const cv::Rect place(static_cast<int>(random() % 240), static_cast<int>(24 + random() % 64),
                         static_cast<int>(2 + random() % 14), static_cast<int>(2 + random() % 14));
    distance(place).setTo(near(random));
    picture(place) *= 0.5;
  }
  SphereStereo stereo({.geometry = EyeGeometry::kOmnidirectional, .ipd_m = kIpd, .eye = model});
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    cv::Mat expected;
    stereo.set_source(picture, model, RayDistance(distance));
    stereo.render(eye, expected);
    for (int columns = 1; columns < 256; ++columns) {
      cv::Mat view;
      stereo.set_source(turned(picture, columns), model, RayDistance(turned(distance, columns)));
      stereo.render(eye, view);
      cv::Mat difference;
      cv::absdiff(view, turned(expected, columns), difference);
      // What is as near as something else may be taken for the other one.
      EXPECT_LE(cv::countNonZero(difference.reshape(1) > 3), 9) << "by " << columns;
    }
  }
}

TEST(SphereStereo, SaysHowMuchIsInsideOfSomething) {
  const PictureModel model = panorama(128);
  const cv::Mat picture = smooth_picture(model);
  cv::Mat distance = constant({128, 64}, 2.0);
  distance.rowRange(0, 32).setTo(0.01);  // the upper half
  SphereStereo stereo({.geometry = EyeGeometry::kOmnidirectional, .ipd_m = kIpd, .eye = model});
  stereo.set_source(picture, model, RayDistance(distance));
  EXPECT_NEAR(stereo.share_inside(), 0.5, 0.02);
  stereo.set_source(picture, model, RayDistance(constant({128, 64}, 2.0)));
  EXPECT_EQ(stereo.share_inside(), 0.0);
}

TEST(SphereStereo, KeepsParallaxComfortable) {
  const PictureModel model = panorama(128);
  const cv::Mat picture = smooth_picture(model);
  SphereStereo stereo({.ipd_m = kIpd, .nearest_m = 0.8, .eye = panorama(128)});
  double last = 0.0;
  for (const double distance : {5.0, 2.0, 1.0, 0.9, 0.7, 0.3, 0.05}) {
    stereo.set_source(picture, model, RayDistance(constant({128, 64}, distance)));
    const double parallax = stereo.greatest_parallax().value();
    EXPECT_GT(parallax, last);
    EXPECT_LE(parallax, 2.0 * std::atan(kIpd / 2.0 / 0.8));
    if (distance >= 1.0) {
      EXPECT_NEAR(parallax, 2.0 * std::atan(kIpd / 2.0 / distance), 1e-3);
    }
    last = parallax;
  }
}

TEST(SphereStereo, SurroundsFlatPictures) {
  const PictureModel model =
      PictureModel::flat({160, 90}, Radians::from_degrees(80), Radians::from_degrees(50.5));
  const cv::Mat picture(90, 160, CV_8UC3, cv::Scalar(40, 130, 220));
  for (const Surround surround : {Surround::kBlack, Surround::kBlur, Surround::kMirror}) {
    SphereStereo stereo({.ipd_m = kIpd,
                         .eye = PictureModel::half_equirectangular({180, 180}),
                         .surround = surround});
    stereo.set_source(picture, model, RayDistance(constant({160, 90}, 2.0)));
    cv::Mat view;
    cv::Mat visibility;
    stereo.render(Eye::kRight, view, &visibility);
    EXPECT_EQ(view.at<cv::Vec3b>(90, 90), cv::Vec3b(40, 130, 220));
    EXPECT_EQ(visibility.at<unsigned char>(90, 90), 0);
    for (const cv::Point at : {cv::Point(2, 90), cv::Point(90, 2), cv::Point(177, 177)}) {
      const cv::Vec3b beside = view.at<cv::Vec3b>(at);
      EXPECT_EQ(visibility.at<unsigned char>(at), static_cast<unsigned char>(Visibility::kOutside));
      if (surround == Surround::kBlack) {
        EXPECT_EQ(beside, cv::Vec3b(0, 0, 0));
      } else {
        EXPECT_LE(greatest_difference(beside, cv::Vec3f(40, 130, 220)), 2.0);
      }
    }
  }
}

TEST(SphereStereo, RefusesWhatItCannotDo) {
  const PictureModel model = panorama(64);
  EXPECT_THROW(SphereStereo({.ipd_m = 0.0, .eye = model}), std::invalid_argument);
  EXPECT_THROW(SphereStereo({.ipd_m = -0.06, .eye = model}), std::invalid_argument);
  EXPECT_THROW(SphereStereo({.geometry = EyeGeometry::kOmnidirectional,
                             .eye = PictureModel::half_equirectangular({64, 64})}),
               std::invalid_argument);
  SphereStereo stereo({.eye = model});
  cv::Mat view;
  EXPECT_THROW(stereo.render(Eye::kLeft, view), std::logic_error);
  const RayDistance distance(constant({64, 32}, 1.0));
  EXPECT_THROW(stereo.set_source(cv::Mat(32, 64, CV_8UC2), model, distance), std::invalid_argument);
  EXPECT_THROW(stereo.set_source(cv::Mat(32, 60, CV_8UC3), model, distance), std::invalid_argument);
  EXPECT_THROW(stereo.set_source(cv::Mat(32, 64, CV_8UC3), model, RayDistance()),
               std::invalid_argument);
  EXPECT_THROW(stereo.render(Eye::kLeft, view), std::logic_error);
}

TEST(SphereKernels, AgreeWhateverTheMachine) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> any(0.0F, 1.0F);
  constexpr int kCount = kSphereBlock - 3;
  std::vector<float> latitude(kCount);
  std::vector<float> longitude(kCount);
  for (int i = 0; i < kCount; ++i) {
    latitude[static_cast<std::size_t>(i)] = 3.1F * (any(random) - 0.5F);
    longitude[static_cast<std::size_t>(i)] = 6.2F * (any(random) - 0.5F);
  }
  const std::array<float, 9> rotation = {0.36F, 0.48F, -0.8F, -0.8F, 0.6F,
                                         0.0F,  0.48F, 0.64F, 0.6F};
  const SphereAngles angles{latitude.data(), longitude.data(), nullptr, rotation.data(), kCount};
  const LongitudeLatitudeGrid grid{81.487F, 255.5F, -1e9F, 512.0F, -81.487F, 127.5F};
  cv::Mat picture(256, 512, CV_8UC3);
  cv::randu(picture, 0, 256);
  std::vector<std::vector<float>> points;
  std::vector<std::vector<std::uint8_t>> pixels;
  for (const SphereKernels* kernels : runnable_sphere_kernels()) {
    std::vector<float> x(kCount);
    std::vector<float> y(kCount);
    std::vector<std::uint8_t> out(3 * kCount + 8);
    std::vector<std::uint8_t> missed(kCount);
    kernels->points(angles, grid, x.data(), y.data());
    kernels->sample_rgb8({picture.data, static_cast<std::ptrdiff_t>(picture.step[0]), 512, 256},
                         points.empty() ? x.data() : points[0].data(), y.data(), kCount, out.data(),
                         missed.data());
    out.resize(std::size_t{3} * kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
      const Eigen::Vector3d d =
          Eigen::Matrix3d{{0.36, 0.48, -0.8}, {-0.8, 0.6, 0.0}, {0.48, 0.64, 0.6}} *
          projection::direction_from_lon_lat(longitude[i], latitude[i]);
      const Eigen::Vector2d at = projection::pixel_of(SphereWindow::whole(512, 256), d);
      EXPECT_NEAR(x[i], at.x() - 0.5, 2e-3 / std::max(0.01, std::hypot(d.x(), d.z())));
      EXPECT_NEAR(y[i], at.y() - 0.5, 2e-3);
    }
    points.push_back(x);
    pixels.push_back(out);
  }
  for (std::size_t k = 1; k < pixels.size(); ++k) {
    for (std::size_t i = 0; i < pixels[k].size(); ++i) EXPECT_NEAR(pixels[k][i], pixels[0][i], 2);
  }
}

}  // namespace
}  // namespace vergence::stereo
