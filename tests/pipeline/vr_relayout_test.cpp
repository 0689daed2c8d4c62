// SPDX-License-Identifier: Apache-2.0
#include "pipeline/vr_relayout.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/rotation.hpp"
#include "media/depth_file.hpp"
#include "media/picture.hpp"
#include "pipeline/pair_distance.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace {

using Eigen::Matrix3d;
using Eigen::Vector3d;
using projection::PictureKind;
using projection::PictureModel;
using Packing = EyeLayout::Packing;

constexpr double kIpd = 0.064;

// ---- A scene to be seen from anywhere: a room of 5 x 3 x 5 m with a ball before the wall

const Vector3d kBall(0.2, -0.1, -1.1);
constexpr double kBallRadius = 0.35;

double distance_along(const Vector3d& from, const Vector3d& ray) {
  const Vector3d to = kBall - from;
  const double ahead = to.dot(ray);
  const double inside = kBallRadius * kBallRadius - (to.squaredNorm() - ahead * ahead);
  if (ahead > 0.0 && inside > 0.0) return ahead - std::sqrt(inside);
  double nearest = std::numeric_limits<double>::infinity();
  const Vector3d half(2.5, 1.5, 2.5);
  for (int axis = 0; axis < 3; ++axis) {
    if (ray[axis] == 0.0) continue;
    const double wall = ray[axis] > 0.0 ? half[axis] : -half[axis];
    nearest = std::min(nearest, (wall - from[axis]) / ray[axis]);
  }
  return nearest;
}

// Waves in space, coarse enough for the pictures here, at all orientations.
cv::Vec3b colour_at(const Vector3d& point, bool ball) {
  const double fine = ball ? 2.5 : 1.0;
  cv::Vec3b colour;
  for (int c = 0; c < 3; ++c) {
    double value = 0.0;
    for (int k = 0; k < 6; ++k) {
      const Vector3d wave(std::sin(1.7 * k + c + 1.0), std::cos(2.3 * k + 2.0 * c),
                          std::sin(3.1 * k + 0.7 * c + 2.0));
      value += std::sin(fine * (4.0 + 3.5 * k) * wave.dot(point) + 1.3 * k);
    }
    colour[c] = cv::saturate_cast<uchar>((ball ? 150.0 : 110.0) + 22.0 * value);
  }
  return colour;
}

// What an eye at `position` sees whose directions d are room_from_eye * d.
cv::Mat seen_from(const Vector3d& position, const Matrix3d& room_from_eye,
                  const PictureModel& model) {
  cv::Mat picture(model.size(), CV_8UC3, cv::Scalar::all(0));
  const cv::Mat directions = model.direction_table();
  parallel_for(0, picture.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      for (int x = 0; x < picture.cols; ++x) {
        const auto& d = directions.at<cv::Point3f>(y, x);
        if (std::isnan(d.x)) continue;
        const Vector3d ray = (room_from_eye * Vector3d(d.x, d.y, d.z)).normalized();
        const Vector3d point = position + distance_along(position, ray) * ray;
        picture.at<cv::Vec3b>(y, x) = colour_at(point, (point - kBall).norm() < kBallRadius + 1e-6);
      }
    }
  });
  return picture;
}

struct Pair {
  cv::Mat left;
  cv::Mat right;
};

Pair pair_of(double ipd, const PictureModel& model, const Matrix3d& turn = Matrix3d::Identity()) {
  return {seen_from({-ipd / 2, 0, 0}, turn, model), seen_from({ipd / 2, 0, 0}, turn, model)};
}

cv::Mat beside(const Pair& pair) {
  cv::Mat both;
  cv::hconcat(pair.left, pair.right, both);
  return both;
}

double mean_difference(const cv::Mat& a, const cv::Mat& b) {
  return cv::norm(a, b, cv::NORM_L1) / static_cast<double>(a.total() * 3);
}

VrRelayout::EyeModel always(const PictureModel& model) {
  return [model](cv::Size) { return model; };
}

VrRelayoutOptions options_for(int eye_px) {
  VrRelayoutOptions options;
  options.frame.eye_px = eye_px;
  return options;
}

cv::Mat noise(cv::Size size, int type) {
  cv::Mat picture(size, type);
  cv::RNG random(7);
  random.fill(picture, cv::RNG::UNIFORM, 0, CV_MAT_DEPTH(type) == CV_8U ? 255 : 65535);
  return picture;
}

// ---- Layouts

TEST(VrRelayout, MovesEyesBetweenLayoutsWithoutChangingThem) {
  const auto model = PictureModel::half_equirectangular({256, 256});
  for (const int type : {CV_8UC3, CV_16UC3}) {
    const cv::Mat picture = noise({512, 256}, type);
    auto options = options_for(256);
    options.frame.layout = VrLayout::kTopBottom;
    cv::Mat frame;
    VrRelayout to_rows(options, {Packing::kSideBySide}, always(model));
    to_rows.make(picture, frame);
    ASSERT_EQ(frame.size(), cv::Size(256, 512));
    EXPECT_EQ(to_rows.frame_size(picture.size()), frame.size());
    EXPECT_EQ(cv::norm(frame.rowRange(0, 256), picture.colRange(0, 256), cv::NORM_INF), 0.0);
    EXPECT_EQ(cv::norm(frame.rowRange(256, 512), picture.colRange(256, 512), cv::NORM_INF), 0.0);
    EXPECT_EQ(cv::norm(to_rows.right(), picture.colRange(256, 512), cv::NORM_INF), 0.0);

    options.frame.layout = VrLayout::kMono;
    options.mono_eye = Eye::kRight;
    VrRelayout to_mono(options, {Packing::kSideBySide}, always(model));
    to_mono.make(picture, frame);
    EXPECT_EQ(cv::norm(frame, picture.colRange(256, 512), cv::NORM_INF), 0.0);

    // The right eye first in the input: left first in the output.
    options.frame.layout = VrLayout::kSideBySide;
    VrRelayout swapped(options, {Packing::kSideBySide, false, true}, always(model));
    swapped.make(picture, frame);
    EXPECT_EQ(cv::norm(frame.colRange(0, 256), picture.colRange(256, 512), cv::NORM_INF), 0.0);
  }
}

TEST(VrRelayout, SqueezesEyesAsTheyAreSampled) {
  const auto model = PictureModel::half_equirectangular({512, 512});
  const auto pair = pair_of(kIpd, model);
  auto options = options_for(512);
  options.squeezed = true;
  VrRelayout relayout(options, {Packing::kSideBySide}, always(model));
  cv::Mat frame;
  relayout.make(pair.left, pair.right, frame);
  ASSERT_EQ(frame.size(), cv::Size(512, 512));
  const auto half = pair_of(kIpd, model.resized({256, 512}));
  EXPECT_LT(mean_difference(frame, beside(half)), 1.0);
  // And back, as oblong pixels.
  options.squeezed = false;
  VrRelayout back(options, {Packing::kSideBySide, true}, always(model.resized({256, 512})));
  cv::Mat whole;
  back.make(frame, whole);
  EXPECT_LT(mean_difference(whole, beside(pair)), 2.0);
}

TEST(VrRelayout, FisheyesBecomeWhatAnEyeWouldHaveSeen) {
  const auto lens = PictureModel::fisheye({640, 640}, Radians::from_degrees(190));
  const auto target = PictureModel::half_equirectangular({512, 512});
  VrRelayout relayout(options_for(512), {Packing::kSideBySide}, always(lens));
  cv::Mat frame;
  relayout.make(beside(pair_of(kIpd, lens)), frame);
  EXPECT_LT(mean_difference(frame, beside(pair_of(kIpd, target))), 1.5);
}

TEST(VrRelayout, TopBottomPanoramasBecomeVr180) {
  const auto sphere = PictureModel::of(PictureKind::kEquirectangular, {1024, 512});
  const auto pair = pair_of(kIpd, sphere);
  cv::Mat both;
  cv::vconcat(pair.left, pair.right, both);
  const auto seen = recognise("a_360_TB.png", both.size(), Claims{}, Claims{});
  VrRelayout relayout(options_for(512), seen.eyes, eye_models(seen, {}, {}));
  cv::Mat frame;
  relayout.make(both, frame);
  const auto target = PictureModel::half_equirectangular({512, 512});
  EXPECT_LT(mean_difference(frame, beside(pair_of(kIpd, target))), 1.0);
}

// ---- Turning

TEST(VrRelayout, TurnedEyesSeeWhatEyesInTheirPlacesSee) {
  const auto model = PictureModel::of(PictureKind::kEquirectangular, {1024, 512});
  auto options = options_for(512);
  options.frame.yaw = Radians::from_degrees(25);
  options.frame.pitch = Radians::from_degrees(-10);
  options.frame.roll = Radians::from_degrees(5);
  VrRelayout relayout(options, {Packing::kSideBySide}, always(model));
  cv::Mat frame;
  relayout.make(beside(pair_of(kIpd, model)), frame);
  const Matrix3d turn =
      rotation_from_yaw_pitch_roll(options.frame.yaw, options.frame.pitch, options.frame.roll);
  const auto target = PictureModel::half_equirectangular({512, 512});
  EXPECT_LT(mean_difference(frame, beside(pair_of(kIpd, target, turn))), 1.2);
}

TEST(VrRelayout, ShowsBlackWhereTheInputEnds) {
  const auto model = PictureModel::half_equirectangular({256, 256});
  auto options = options_for(256);
  options.frame.yaw = Radians::from_degrees(45);
  const cv::Mat white(256, 512, CV_8UC3, cv::Scalar::all(255));
  VrRelayout relayout(options, {Packing::kSideBySide}, always(model));
  cv::Mat frame;
  relayout.make(white, frame);
  EXPECT_EQ(frame.at<cv::Vec3b>(128, 100)[0], 255);
  EXPECT_EQ(frame.at<cv::Vec3b>(128, 250)[0], 0);
  options.frame.surround = stereo::Surround::kBlur;
  VrRelayout carried(options, {Packing::kSideBySide}, always(model));
  carried.make(white, frame);
  EXPECT_EQ(frame.at<cv::Vec3b>(128, 250)[0], 255);
}

// ---- Distance between the eyes

TEST(MatchEyes, FindsTheDistancesOfAScene) {
  const auto model = PictureModel::half_equirectangular({768, 768});
  const auto pair = pair_of(kIpd, model);
  const auto found = match_eyes(pair.left, pair.right, model, stereo::EyeGeometry::kParallel, kIpd);
  for (const bool left : {true, false}) {
    const cv::Mat& distance = (left ? found.left : found.right).values();
    const cv::Mat directions = model.resized(distance.size()).direction_table();
    std::vector<double> errors;  // of the parallax, degrees
    int wanted = 0;
    for (int y = 0; y < distance.rows; y += 3) {
      for (int x = 0; x < distance.cols; x += 3) {
        const auto& d = directions.at<cv::Point3f>(y, x);
        if (-d.z < 0.5F) continue;  // within 60 degrees
        ++wanted;
        const float value = distance.at<float>(y, x);
        if (std::isnan(value)) continue;
        const double truth =
            distance_along({left ? -kIpd / 2 : kIpd / 2, 0, 0}, Vector3d(d.x, d.y, d.z));
        errors.push_back(std::abs(Radians(kIpd / value - kIpd / truth).degrees()));
      }
    }
    EXPECT_GT(static_cast<double>(errors.size()), 0.8 * wanted);
    std::nth_element(errors.begin(), errors.begin() + static_cast<int>(errors.size() / 2),
                     errors.end());
    EXPECT_LT(errors[errors.size() / 2], 0.06);  // a pixel is 0.23 degrees
  }
}

TEST(MatchEyes, FindsTheDistancesOfOmnidirectionalPairs) {
  VERGENCE_REQUIRE_SHARED();
  const auto folder = test::shared_dir() / "synth" / "room";
  const cv::Mat left = media::read_picture(folder / "ods_left_rgb.png").rgb;
  const cv::Mat right = media::read_picture(folder / "ods_right_rgb.png").rgb;
  const cv::Mat truth = values_of(media::read_depth(
      folder / "ods_left_depth.exr", {.kind = DepthKind::kDistance, .scale = std::nullopt}));
  const auto model = PictureModel::of(PictureKind::kEquirectangular, left.size());
  const auto found = match_eyes(left, right, model, stereo::EyeGeometry::kOmnidirectional, kIpd);
  const cv::Mat& distance = found.left.values();
  std::vector<double> errors;  // of the parallax on the horizon, degrees
  int wanted = 0;
  for (int y = distance.rows / 4; y < distance.rows * 3 / 4; y += 2) {
    for (int x = 0; x < distance.cols; x += 2) {
      ++wanted;
      const float value = distance.at<float>(y, x);
      if (std::isnan(value)) continue;
      const float real =
          truth.at<float>(y * truth.rows / distance.rows, x * truth.cols / distance.cols);
      errors.push_back(std::abs(Radians(kIpd / value - kIpd / real).degrees()));
    }
  }
  EXPECT_GT(static_cast<double>(errors.size()), 0.6 * wanted);
  std::nth_element(errors.begin(), errors.begin() + static_cast<int>(errors.size() / 2),
                   errors.end());
  EXPECT_LT(errors[errors.size() / 2], 0.12);  // a pixel of the matched rows is 0.35 degrees
}

// How much further right a patch of the left eye's picture lies than in the right one's, pixels.
double disparity_at(const cv::Mat& left, const cv::Mat& right, cv::Point centre) {
  const cv::Rect patch(centre - cv::Point(20, 12), cv::Size(40, 24));
  cv::Mat scores;
  cv::matchTemplate(right(cv::Rect(patch.x - 40, patch.y, 120, 24)), left(patch), scores,
                    cv::TM_CCOEFF_NORMED);
  cv::Point best;
  cv::minMaxLoc(scores, nullptr, nullptr, nullptr, &best);
  double part = 0.0;
  if (best.x > 0 && best.x + 1 < scores.cols) {
    const double a = scores.at<float>(0, best.x - 1);
    const double b = scores.at<float>(0, best.x);
    const double c = scores.at<float>(0, best.x + 1);
    part = 0.5 * (a - c) / (a - 2.0 * b + c);
  }
  return 40.0 - (best.x + part);
}

TEST(VrRelayout, AnotherDistanceBetweenTheEyesScalesAllDisparities) {
  const auto model = PictureModel::half_equirectangular({768, 768});
  const Pair before = pair_of(kIpd, model);
  for (const double factor : {0.5, 1.5}) {
    auto options = options_for(768);
    options.change_ipd = true;
    options.input_ipd_m = kIpd;
    options.frame.ipd_m = factor * kIpd;
    VrRelayout relayout(options, {Packing::kSideBySide}, always(model));
    cv::Mat frame;
    relayout.make(beside(before), frame);
    const cv::Mat left = frame.colRange(0, 768);
    const cv::Mat right = frame.colRange(768, 1536);
    const Pair truth = pair_of(factor * kIpd, model);
    // The ball, and the wall behind it.
    for (const cv::Point centre : {cv::Point(428, 405), cv::Point(300, 300), cv::Point(520, 480)}) {
      const double was = disparity_at(before.left, before.right, centre);
      const double should = disparity_at(truth.left, truth.right, centre);
      EXPECT_NEAR(disparity_at(left, right, centre), should, 0.35) << centre << ' ' << was;
      EXPECT_NEAR(should / was, factor, 0.1 + 0.3 / was) << centre;
    }
    const cv::Rect ahead(128, 128, 512, 512);
    EXPECT_LT(mean_difference(left(ahead), truth.left(ahead)),
              0.5 * mean_difference(before.left(ahead), truth.left(ahead)));
    EXPECT_LT(mean_difference(right(ahead), truth.right(ahead)),
              0.5 * mean_difference(before.right(ahead), truth.right(ahead)));
  }
}

TEST(VrRelayout, RefusesDistancesThatAreNone) {
  const auto model = PictureModel::half_equirectangular({64, 64});
  auto options = options_for(64);
  options.change_ipd = true;
  for (const double wrong : {0.0, -0.064}) {
    options.frame.ipd_m = wrong;
    EXPECT_THROW(VrRelayout(options, {Packing::kSideBySide}, always(model)), Error);
  }
  options.frame.ipd_m = 0.06;
  EXPECT_THROW(VrRelayout(options, {}, always(model)), Error);
}

}  // namespace
}  // namespace vergence::pipeline
