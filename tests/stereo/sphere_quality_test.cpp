// SPDX-License-Identifier: Apache-2.0
// How good stereo views of the sphere are, judged by rendered scenes with exact distances.
#include "core/parallel.hpp"
#include "media/depth_file.hpp"
#include "stereo/sphere_stereo.hpp"
#include "tests/stereo/sphere_scene.hpp"
#include "tests/support/paths.hpp"

#include <array>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

using projection::PictureModel;
using projection::SphereWindow;

constexpr double kRadius = 0.032;

double psnr(double squared, double count) {
  return 10.0 * std::log10(255.0 * 255.0 / (squared / count));
}

// Squared errors of two ways to make a view, apart for what the source saw and did not see.
struct Judgement {
  std::array<double, 2> seen{};  // ours, plain gather
  std::array<double, 2> hidden{};
  double num_seen = 0.0;
  double num_hidden = 0.0;
};

double squared_error(const cv::Vec3b& a, const cv::Vec3f& b) {
  double sum = 0.0;
  for (int c = 0; c < 3; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]) / 3.0;
  return sum;
}

// The plain way: out(x, y) = source(x + shift(distance(x, y)), y).
cv::Mat plain_gather(const cv::Mat& picture, const cv::Mat& distance, Eye eye) {
  cv::Mat out(picture.size(), CV_8UC3);
  const int width = picture.cols;
  for (int y = 0; y < picture.rows; ++y) {
    const double latitude = kPi / 2.0 - (y + 0.5) / picture.rows * kPi;
    for (int x = 0; x < width; ++x) {
      const double sine = kRadius / (distance.at<float>(y, x) * std::cos(latitude));
      const double shift = std::asin(std::min(sine, 1.0)) * width / (2.0 * kPi);
      double at = x + (eye == Eye::kRight ? shift : -shift);
      at = std::fmod(at + width, width);
      const int left = static_cast<int>(at);
      const auto part = static_cast<float>(at - left);
      const cv::Vec3f a = picture.at<cv::Vec3b>(y, left % width);
      const cv::Vec3f b = picture.at<cv::Vec3b>(y, (left + 1) % width);
      out.at<cv::Vec3b>(y, x) = a + (b - a) * part;
    }
  }
  return out;
}

// Adds row y, by rays of the true eye.
void judge_row(const SphereScene& scene, Eye eye, int y, const cv::Mat& ours, const cv::Mat& plain,
               Judgement& judgement) {
  const int width = ours.cols;
  const double side = eye == Eye::kRight ? 1.0 : -1.0;
  const auto hit_at = [&](double x, double row, Eigen::Vector3d* point) {
    const EyeRay ray = omnidirectional_ray(x / width * 2.0 * kPi - kPi,
                                           kPi / 2.0 - row / width * 2.0 * kPi, side, kRadius);
    const SphereScene::Hit hit = scene.trace(ray.origin, ray.direction);
    if (point != nullptr) *point = ray.origin + hit.distance * ray.direction;
    return hit.colour;
  };
  for (int x = 0; x < width; ++x) {
    cv::Vec3f colour(0, 0, 0);
    for (const auto& [dx, dy] : {std::pair{0.25, 0.25}, {0.75, 0.25}, {0.25, 0.75}, {0.75, 0.75}}) {
      colour += hit_at(x + dx, y + dy, nullptr) * 0.25F;
    }
    Eigen::Vector3d point;
    hit_at(x + 0.5, y + 0.5, &point);
    const double from_head = point.norm();
    const bool seen =
        scene.trace(Eigen::Vector3d::Zero(), point / from_head).distance > 0.99 * from_head;
    auto& sums = seen ? judgement.seen : judgement.hidden;
    sums[0] += squared_error(ours.at<cv::Vec3b>(y, x), colour);
    sums[1] += squared_error(plain.at<cv::Vec3b>(y, x), colour);
    (seen ? judgement.num_seen : judgement.num_hidden) += 1.0;
  }
}

// Judges both below 75 degrees of latitude.
Judgement judge(const SphereScene& scene, Eye eye, const cv::Mat& ours, const cv::Mat& plain) {
  std::mutex mutex;
  Judgement all;
  parallel_for(ours.cols / 24, ours.rows - ours.cols / 24, [&](int first, int last) {
    Judgement some;
    for (int y = first; y < last; ++y) judge_row(scene, eye, y, ours, plain, some);
    const std::scoped_lock lock(mutex);
    for (std::size_t i = 0; i < 2; ++i) {
      all.seen[i] += some.seen[i];
      all.hidden[i] += some.hidden[i];
    }
    all.num_seen += some.num_seen;
    all.num_hidden += some.num_hidden;
  });
  return all;
}

TEST(OmnidirectionalQuality, BeatsThePlainGatherWhereTheSourceSawNothingAndWhereItDid) {
  constexpr int kWidth = 1024;
  const auto model = PictureModel::equirectangular(SphereWindow::whole(kWidth, kWidth / 2));
  SphereStereoOptions options{
      .geometry = EyeGeometry::kOmnidirectional, .ipd_m = 2.0 * kRadius, .eye = model};
  SphereStereo stereo(options);
  double gain = 0.0;
  int views = 0;
  for (const auto& [seed, num_thin] : {std::pair{1U, 0}, {2U, 0}, {3U, 60}}) {
    const SphereScene scene(seed, num_thin);
    const SpherePictureAndDistance source = panorama_of(scene, kWidth);
    stereo.set_source(source.picture, model, RayDistance(source.distance));
    for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
      cv::Mat view;
      stereo.render(eye, view);
      const Judgement it =
          judge(scene, eye, view, plain_gather(source.picture, source.distance, eye));
      ASSERT_GT(it.num_hidden, 1000.0);
      const double seen = psnr(it.seen[0], it.num_seen) - psnr(it.seen[1], it.num_seen);
      const double hidden = psnr(it.hidden[0], it.num_hidden) - psnr(it.hidden[1], it.num_hidden);
      EXPECT_GE(seen, 0.0) << "seed " << seed;
      gain += hidden;
      ++views;
    }
  }
  EXPECT_GE(gain / views, 2.0);
}

// What an eye of a rendered scene shows, and how far that is from the head.
struct RenderedEye {
  cv::Mat picture;   // CV_8UC3
  cv::Mat distance;  // CV_32FC1
};

cv::Mat distances_of(const std::filesystem::path& file) {
  return values_of(media::read_depth(file));
}

RenderedEye read_eye(const std::filesystem::path& folder, const std::string& name) {
  return {cv::imread((folder / (name + "_rgb.png")).string()),
          distances_of(folder / (name + "_depth.exr"))};
}

// 255 in the bands that the head does not see: there its own surface is nearer by 5 % and more.
// Most pixels of 5 x 5 belong to a band: single ones are those where foliage is finer than the
// pixels.
cv::Mat bands_of(const RenderedEye& view, const cv::Mat& head, Eye eye) {
  cv::Mat hidden(head.size(), CV_8UC1, cv::Scalar(0));
  for (int y = 0; y < head.rows; ++y) {
    const double latitude = kPi / 2.0 - (y + 0.5) / head.rows * kPi;
    if (std::abs(latitude) > 75.0 * kPi / 180.0) continue;
    for (int x = 0; x < head.cols; ++x) {
      const double distance = view.distance.at<float>(y, x);
      const double angle = std::asin(kRadius / (distance * std::cos(latitude)));
      const double shift = angle * head.cols / (2.0 * kPi) * (eye == Eye::kRight ? 1.0 : -1.0);
      const double up = std::atan(std::tan(latitude) * std::cos(angle));
      const int column = cvRound(x + shift + head.cols) % head.cols;
      const int row = cvRound((kPi / 2.0 - up) / kPi * head.rows - 0.5);
      if (head.at<float>(row, column) < 0.95 * distance) hidden.at<unsigned char>(y, x) = 255;
    }
  }
  cv::medianBlur(hidden, hidden, 5);
  return hidden;
}

// Decibels that a is better than b where the mask is set.
double gain_over(const cv::Mat& a, const cv::Mat& b, const cv::Mat& truth, const cv::Mat& mask) {
  return 20.0 *
         std::log10(cv::norm(b, truth, cv::NORM_L2, mask) / cv::norm(a, truth, cv::NORM_L2, mask));
}

TEST(OmnidirectionalQuality, BeatsThePlainGatherOnRenderedScenes) {
  VERGENCE_REQUIRE_SHARED();
  double gain = 0.0;
  for (const char* const name : {"courtyard", "room"}) {
    const std::filesystem::path folder = test::shared_dir() / "synth" / name;
    const RenderedEye head = read_eye(folder, "pano");
    const auto model =
        PictureModel::equirectangular(SphereWindow::whole(head.picture.cols, head.picture.rows));
    SphereStereo stereo(
        {.geometry = EyeGeometry::kOmnidirectional, .ipd_m = 2.0 * kRadius, .eye = model});
    stereo.set_source(head.picture, model, RayDistance(head.distance));
    for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
      const RenderedEye truth = read_eye(folder, eye == Eye::kLeft ? "ods_left" : "ods_right");
      cv::Mat view;
      stereo.render(eye, view);
      const cv::Mat plain = plain_gather(head.picture, head.distance, eye);
      const cv::Mat bands = bands_of(truth, head.distance, eye);
      ASSERT_GT(cv::countNonZero(bands), 1000);
      gain += gain_over(view, plain, truth.picture, bands);
      cv::Mat seen = 255 - bands;
      seen.rowRange(0, seen.rows / 12) = 0;
      seen.rowRange(seen.rows - seen.rows / 12, seen.rows) = 0;
      EXPECT_GE(gain_over(view, plain, truth.picture, seen), 0.0) << name;
    }
  }
  EXPECT_GE(gain / 4.0, 2.0);
}

// A plain room with two balls, and where its rays end.
double room_distance(const Eigen::Vector3d& direction) {
  const Eigen::Vector3d half(2.4, 1.5, 2.1);
  const Eigen::Vector3d middle(0.3, 0.1, -0.2);
  double nearest = 1e9;
  for (int axis = 0; axis < 3; ++axis) {
    const double wall = middle[axis] + std::copysign(half[axis], direction[axis]);
    nearest = std::min(nearest, wall / direction[axis]);
  }
  const std::array<Eigen::Vector3d, 2> balls = {Eigen::Vector3d(-0.5, -0.3, -1.1),
                                                Eigen::Vector3d(0.9, 0.4, -0.9)};
  for (const Eigen::Vector3d& ball : balls) {
    const double along = ball.dot(direction);
    const double root = along * along - ball.squaredNorm() + 0.35 * 0.35;
    if (root > 0.0) nearest = std::min(nearest, along - std::sqrt(root));
  }
  return nearest;
}

struct Dots {
  cv::Mat picture;
  std::vector<Eigen::Vector3d> points;
};

// Bright dots on black, on surfaces that are much the same around them.
Dots dots_in_room(int width) {
  const auto window = SphereWindow::whole(width, width / 2);
  Dots dots{cv::Mat(width / 2, width, CV_8UC3, cv::Scalar::all(0)), {}};
  std::mt19937 random(5);
  std::uniform_real_distribution<double> any(-1.0, 1.0);
  constexpr double kSigma = 0.1 * kPi / 180.0;
  while (dots.points.size() < 400) {
    const Eigen::Vector3d d =
        Eigen::Vector3d(any(random), any(random), -std::abs(any(random)) - 0.05).normalized();
    if (-d.z() < std::cos(78.0 * kPi / 180.0)) continue;
    const double distance = room_distance(d);
    bool smooth = true;
    for (int i = 0; i < 8; ++i) {
      const Eigen::Vector3d beside =
          (d + 0.03 * Eigen::Vector3d(std::cos(i), std::sin(i), std::cos(2.0 * i))).normalized();
      smooth = smooth && std::abs(room_distance(beside) / distance - 1.0) < 0.08;
    }
    for (const Eigen::Vector3d& other : dots.points) {
      smooth = smooth && (other.normalized() - d).norm() > 0.04;
    }
    if (!smooth) continue;
    dots.points.emplace_back(distance * d);
    const Eigen::Vector2d at = projection::pixel_of(window, d);
    const int reach_x = static_cast<int>(6.0 / std::hypot(d.x(), d.z()));
    for (int y = static_cast<int>(at.y()) - 6; y <= at.y() + 6; ++y) {
      for (int x = static_cast<int>(at.x()) - reach_x; x <= at.x() + reach_x; ++x) {
        if (y < 0 || y >= width / 2) continue;
        const double angle = (projection::direction_at(window, x + 0.5, y + 0.5) - d).norm();
        const double value = 250.0 * std::exp(-0.5 * angle * angle / (kSigma * kSigma));
        if (value < 1.0) continue;
        dots.picture.at<cv::Vec3b>(y, (x + width) % width) =
            cv::Vec3b::all(static_cast<unsigned char>(value));
      }
    }
  }
  return dots;
}

// Where the dot is that should be in this direction.
Eigen::Vector3d dot_near(const cv::Mat& view, const cv::Mat& directions, const PictureModel& model,
                         const Eigen::Vector3d& expected) {
  const auto at = model.pixel_of(expected);
  Eigen::Vector3d sum = Eigen::Vector3d::Zero();
  const int reach_x = static_cast<int>(8.0 / std::hypot(expected.x(), expected.z()));
  for (int y = static_cast<int>(at->y()) - 8; y <= at->y() + 8; ++y) {
    for (int x = static_cast<int>(at->x()) - reach_x; x <= at->x() + reach_x; ++x) {
      if (x < 0 || y < 0 || x >= view.cols || y >= view.rows) continue;
      const auto& d = directions.at<cv::Point3f>(y, x);
      const Eigen::Vector3d direction(d.x, d.y, d.z);
      sum += view.at<cv::Vec3b>(y, x)[1] * std::hypot(d.x, d.z) * direction;
    }
  }
  return sum.normalized();
}

TEST(ParallelEyes, ShowPointsInTheDirectionsThatGeometrySays) {
  constexpr int kWidth = 4096;
  const auto window = SphereWindow::whole(kWidth, kWidth / 2);
  const Dots dots = dots_in_room(kWidth);
  cv::Mat distance(kWidth / 2, kWidth, CV_32FC1);
  parallel_for(0, distance.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      for (int x = 0; x < kWidth; ++x) {
        distance.at<float>(y, x) =
            static_cast<float>(room_distance(projection::direction_at(window, x + 0.5, y + 0.5)));
      }
    }
  });
  const SphereStereoOptions options{.ipd_m = 2.0 * kRadius,
                                    .eye = PictureModel::half_equirectangular({2048, 2048})};
  const cv::Mat directions = options.eye.direction_table();
  SphereStereo stereo(options);
  stereo.set_source(dots.picture, PictureModel::equirectangular(window), RayDistance(distance));
  double sum = 0.0;
  double greatest = 0.0;
  double disparity = 0.0;
  std::array<std::vector<Eigen::Vector3d>, 2> found;
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    cv::Mat view;
    stereo.render(eye, view);
    const Eigen::Vector3d place((eye == Eye::kRight ? kRadius : -kRadius), 0.0, 0.0);
    for (const Eigen::Vector3d& point : dots.points) {
      const Eigen::Vector3d expected = (point - place).normalized();
      const Eigen::Vector3d seen = dot_near(view, directions, options.eye, expected);
      const double error = (seen - expected).norm() * 180.0 / kPi;
      sum += error;
      greatest = std::max(greatest, error);
      found[static_cast<std::size_t>(eye)].push_back(seen);
    }
  }
  for (std::size_t i = 0; i < dots.points.size(); ++i) {
    const double left = std::atan2(found[0][i].x(), std::hypot(found[0][i].y(), found[0][i].z()));
    const double right = std::atan2(found[1][i].x(), std::hypot(found[1][i].y(), found[1][i].z()));
    EXPECT_GT(left, right);  // what is near is further right for the left eye
    disparity += left - right;
  }
  EXPECT_LT(sum / static_cast<double>(2 * dots.points.size()), 0.03);
  EXPECT_LT(greatest, 0.12);
  EXPECT_GT(disparity / static_cast<double>(dots.points.size()) * 180.0 / kPi, 1.0);
}

}  // namespace
}  // namespace vergence::stereo
