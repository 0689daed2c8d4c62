// SPDX-License-Identifier: Apache-2.0
#include "projection/sphere_sampler.hpp"

#include "core/rotation.hpp"

#include <array>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::projection {
namespace {

using Eigen::Matrix3d;
using Eigen::Vector3d;

// (1 + direction) / 2, smooth everywhere on the sphere; where nothing is shown, the rim's colour
// carries on.
cv::Mat direction_picture(const PictureModel& model) {
  cv::Mat picture(model.size(), CV_32FC3, cv::Scalar::all(0.5));
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      const auto direction = model.direction_at(x + 0.5, y + 0.5);
      if (!direction) continue;
      for (int c = 0; c < 3; ++c) {
        picture.at<cv::Vec3f>(y, x)[c] = static_cast<float>(((*direction)[c] + 1.0) / 2.0);
      }
    }
  }
  return picture;
}

cv::Mat as_type(const cv::Mat& picture, int type) {
  cv::Mat result;
  const double scale = type == CV_8UC3 ? 255.0 : type == CV_16UC3 ? 65535.0 : 1.0;
  picture.convertTo(result, CV_MAT_DEPTH(type), scale);
  return result;
}

std::vector<cv::Point3f> random_directions(int count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<cv::Point3f> directions;
  for (int i = 0; i < count; ++i) {
    cv::Point3f d(normal(random), normal(random), normal(random));
    directions.push_back(d / static_cast<float>(cv::norm(d)));
  }
  // Across the seam behind and around both poles.
  for (int i = -20; i <= 20; ++i) {
    const float step = 0.0005F * static_cast<float>(i);
    directions.emplace_back(step, 0.1F, 0.99F);
    directions.emplace_back(step, 1.0F, 0.0003F);
    directions.emplace_back(0.0002F, -1.0F, step);
  }
  for (auto& d : directions) d /= static_cast<float>(cv::norm(d));
  return directions;
}

double worst_error(const SphereSampler& sampler, const std::vector<cv::Point3f>& directions) {
  std::vector<cv::Vec3f> colours(directions.size());
  std::vector<unsigned char> seen(directions.size());
  sampler.sample(directions, colours.data(), seen.data());
  double worst = 0.0;
  for (std::size_t i = 0; i < directions.size(); ++i) {
    if (seen[i] == 0) continue;
    const auto& d = directions[i];
    const cv::Vec3f truth((d.x + 1.0F) / 2.0F, (d.y + 1.0F) / 2.0F, (d.z + 1.0F) / 2.0F);
    worst = std::max(worst, cv::norm(colours[i] - truth, cv::NORM_INF));
  }
  return worst;
}

TEST(SphereSampler, GivesTheColourOfTheDirectionAcrossSeamsPolesAndFaces) {
  const auto directions = random_directions(20000, 1);
  const cv::Size size(1536, 1024);
  for (const PictureKind kind :
       {PictureKind::kEquirectangular, PictureKind::kCubemap, PictureKind::kCubemapRow,
        PictureKind::kCubemapColumn, PictureKind::kEquiangularCubemap}) {
    const auto model = PictureModel::of(kind, size);
    const cv::Mat picture = direction_picture(model);
    // A pixel is less than 0.01 radians.
    EXPECT_LT(worst_error(SphereSampler(picture, model), directions), 2e-3) << to_string(kind);
    for (const auto interpolation :
         {SphereInterpolation::kBicubic, SphereInterpolation::kLanczos}) {
      EXPECT_LT(worst_error(SphereSampler(picture, model, interpolation), directions), 2e-3)
          << to_string(kind);
    }
  }
}

TEST(SphereSampler, EquirectangularIsExactToInterpolationEverywhere) {
  const auto directions = random_directions(50000, 2);
  const auto model = PictureModel::of(PictureKind::kEquirectangular, {1024, 512});
  const cv::Mat picture = direction_picture(model);
  // The sagitta of a pixel's arc each way: (2 pi / 1024)^2 / 8 twice, of half the range.
  EXPECT_LT(worst_error(SphereSampler(picture, model), directions), 5e-6 + 2e-6);
  EXPECT_LT(worst_error(SphereSampler(picture, model, SphereInterpolation::kBicubic), directions),
            2e-5);
}

TEST(SphereSampler, LensesAreCrossFaded) {
  const auto model = PictureModel::dual_fisheye({1600, 800}, Radians::from_degrees(200));
  cv::Mat picture(800, 1600, CV_8UC1, cv::Scalar(40));
  picture(cv::Rect(0, 0, 800, 800)).setTo(240);
  const SphereSampler sampler(picture, model);
  // 0, 80, 85, 90, 95, 100 and 120 degrees from the front: the lenses share 80..100.
  std::vector<cv::Point3f> directions;
  for (const double angle : {0.0, 80.0, 85.0, 90.0, 95.0, 100.0, 120.0}) {
    const double radians = Radians::from_degrees(angle).value();
    directions.emplace_back(static_cast<float>(std::sin(radians)), 0.0F,
                            static_cast<float>(-std::cos(radians)));
  }
  std::vector<unsigned char> values(directions.size());
  std::vector<unsigned char> seen(directions.size());
  sampler.sample(directions, values.data(), seen.data());
  const std::array<double, 7> expected{40, 40, 90, 140, 190, 240, 240};
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], expected[i], 1.0);
    EXPECT_EQ(seen[i], 255);
  }
}

TEST(SphereSampler, AllPixelTypesAgree) {
  const auto directions = random_directions(20000, 3);
  const auto model = PictureModel::of(PictureKind::kEquirectangular, {512, 256});
  cv::Mat noise(256, 512, CV_32FC3);
  cv::theRNG().state = 4;
  cv::randu(noise, 0.0, 1.0);
  std::vector<cv::Vec3f> exact(directions.size());
  std::vector<cv::Vec3b> bytes(directions.size());
  std::vector<cv::Vec<std::uint16_t, 3>> words(directions.size());
  SphereSampler(noise, model).sample(directions, exact.data(), nullptr);
  SphereSampler(as_type(noise, CV_8UC3), model).sample(directions, bytes.data(), nullptr);
  SphereSampler(as_type(noise, CV_16UC3), model).sample(directions, words.data(), nullptr);
  double bias = 0.0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    for (int c = 0; c < 3; ++c) {
      // Half a level of the source, half of the result, 1/512 of a pixel of the weights.
      ASSERT_NEAR(bytes[i][c], exact[i][c] * 255.0, 2.0);
      ASSERT_NEAR(words[i][c], exact[i][c] * 65535.0, 150.0);
      bias += bytes[i][c] - exact[i][c] * 255.0;
    }
  }
  EXPECT_NEAR(bias / static_cast<double>(3 * exact.size()), 0.0, 0.02);
}

TEST(SphereSampler, ConstantPicturesStayConstantToTheLastLevel) {
  const auto directions = random_directions(5000, 5);
  for (const int type :
       {CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC1, CV_16UC3, CV_16UC4, CV_32FC1, CV_32FC3, CV_32FC4}) {
    for (const double value : {0.0, 1.0, 128.0, 254.0, 255.0}) {
      const auto model = PictureModel::of(PictureKind::kEquirectangular, {64, 32});
      const cv::Mat picture(32, 64, type, cv::Scalar::all(value));
      cv::Mat colours(1, static_cast<int>(directions.size()), type);
      SphereSampler(picture, model).sample(directions, colours.data, nullptr);
      const cv::Mat expected(colours.size(), type, cv::Scalar::all(value));
      EXPECT_LT(cv::norm(colours, expected, cv::NORM_INF), 1e-4) << type << ' ' << value;
    }
  }
}

TEST(SphereSampler, WhatAPictureDoesNotShowTakesItsBorder) {
  const auto model = PictureModel::half_equirectangular({200, 200});
  cv::Mat picture(200, 200, CV_8UC3, cv::Scalar::all(10));
  picture.col(199).setTo(cv::Scalar::all(200));
  const SphereSampler sampler(picture, model);
  const float nan = std::nanf("");
  const std::vector<cv::Point3f> directions{
      {0, 0, -1}, {1, 0, 0.3F}, {-1, 0, 0.3F}, {0, 0, 1}, {nan, 0, 1}};
  std::vector<cv::Vec3b> colours(directions.size());
  std::vector<unsigned char> seen(directions.size());
  sampler.sample(directions, colours.data(), seen.data());
  EXPECT_EQ(seen, (std::vector<unsigned char>{255, 0, 0, 0, 0}));
  EXPECT_EQ(colours[1][0], 200);
  EXPECT_EQ(colours[2][0], 10);
}

TEST(SphereSampler, ShrinkingAverages) {
  cv::Mat stripes(1024, 2048, CV_8UC3);
  for (int y = 0; y < stripes.rows; ++y) {
    for (int x = 0; x < stripes.cols; ++x) {
      stripes.at<cv::Vec3b>(y, x) = cv::Vec3b::all((x + y) % 2 == 0 ? 0 : 255);
    }
  }
  const auto model = PictureModel::of(PictureKind::kEquirectangular, {2048, 1024});
  const SphereSampler sampler(stripes, model, SphereInterpolation::kBilinear, 8.0);
  cv::Mat small;
  reproject(sampler, PictureModel::half_equirectangular({128, 128}), Matrix3d::Identity(), small,
            nullptr);
  cv::Scalar mean;
  cv::Scalar deviation;
  cv::meanStdDev(small, mean, deviation);
  EXPECT_NEAR(mean[0], 127.5, 1.5);
  EXPECT_LT(deviation[0], 3.0);
}

TEST(SphereSampler, EveryKindShowsTheSphereItWasMadeFrom) {
  const auto sphere = PictureModel::of(PictureKind::kEquirectangular, {1024, 512});
  const SphereSampler source(direction_picture(sphere), sphere);
  const Matrix3d turn = rotation_from_yaw_pitch_roll(
      Radians::from_degrees(30.0), Radians::from_degrees(20.0), Radians::from_degrees(-10.0));
  for (const PictureKind kind : all_picture_kinds()) {
    const auto model = PictureModel::of(kind, {900, 600});
    cv::Mat there;
    cv::Mat seen_there;
    reproject(source, model, turn, there, &seen_there);
    EXPECT_GT(cv::countNonZero(seen_there), 900 * 600 / 3) << to_string(kind);
    cv::Mat back;
    cv::Mat seen;
    reproject(SphereSampler(there, model), sphere, turn.transpose(), back, &seen);
    // Borders of lenses and of maps mix with what is beyond them; the model's own seam and poles
    // lie at its +Z and +-Y.
    const bool steep = kind == PictureKind::kOrthographic || kind == PictureKind::kSinusoidal ||
                       kind == PictureKind::kHammer || kind == PictureKind::kCylindricalEqualArea;
    for (int y = 0; steep && y < seen.rows; ++y) {
      for (int x = 0; x < seen.cols; ++x) {
        const Vector3d there_d = turn.transpose() * *sphere.direction_at(x + 0.5, y + 0.5);
        const bool near_rim = kind == PictureKind::kOrthographic
                                  ? there_d.z() > -0.3
                                  : (there_d.z() > 0.0 && std::abs(there_d.x()) < 0.2) ||
                                        std::abs(there_d.y()) > 0.95;
        if (near_rim) seen.at<unsigned char>(y, x) = 0;
      }
    }
    cv::erode(seen, seen, cv::Mat::ones(13, 13, CV_8U));
    EXPECT_GT(cv::countNonZero(seen), kind == PictureKind::kFlat ? 30000 : 80000)
        << to_string(kind);
    EXPECT_LT(cv::norm(back, direction_picture(sphere), cv::NORM_INF, seen), 0.02)
        << to_string(kind);
  }
}

TEST(SphereSampler, RefusesWhatIsNoPicture) {
  const auto model = PictureModel::of(PictureKind::kEquirectangular, {64, 32});
  EXPECT_THROW(SphereSampler(cv::Mat(32, 64, CV_64FC3), model), std::invalid_argument);
  EXPECT_THROW(SphereSampler(cv::Mat(32, 64, CV_8UC2), model), std::invalid_argument);
  EXPECT_THROW(SphereSampler(cv::Mat(32, 63, CV_8UC3), model), std::invalid_argument);
  EXPECT_THROW(SphereSampler(cv::Mat(), model), std::invalid_argument);
}

}  // namespace
}  // namespace vergence::projection
