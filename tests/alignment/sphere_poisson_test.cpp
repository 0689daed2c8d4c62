// SPDX-License-Identifier: Apache-2.0
#include "alignment/sphere_poisson.hpp"

#include "core/angle.hpp"
#include "tests/support/matchers.hpp"

#include <cmath>

#include <Eigen/Dense>
#include <gtest/gtest.h>

namespace vergence::alignment {
namespace {

cv::Mat random_map(cv::Size size, unsigned seed) {
  cv::Mat map(size, CV_32FC1);
  cv::RNG random(seed);
  random.fill(map, cv::RNG::UNIFORM, -1.0, 1.0);
  return map;
}

struct Gradients {
  cv::Mat x;
  cv::Mat y;
};

Gradients gradients_of(const cv::Mat& map) {
  Gradients result{cv::Mat(map.size(), CV_32FC1), cv::Mat::zeros(map.size(), CV_32FC1)};
  for (int y = 0; y < map.rows; ++y) {
    for (int x = 0; x < map.cols; ++x) {
      result.x.at<float>(y, x) = map.at<float>(y, (x + 1) % map.cols) - map.at<float>(y, x);
      if (y + 1 < map.rows) {
        result.y.at<float>(y, x) = map.at<float>(y + 1, x) - map.at<float>(y, x);
      }
    }
  }
  return result;
}

TEST(SpherePoisson, AConsistentBaseIsItsOwnSolution) {
  for (const cv::Size size : {cv::Size(64, 32), cv::Size(75, 31), cv::Size(8, 5)}) {
    const cv::Mat base = random_map(size, 1);
    auto gradients = gradients_of(base);
    const cv::Mat solved = solve_sphere_poisson(base, gradients.x, gradients.y, 100.0);
    EXPECT_TRUE(test::maps_near(solved, base, {.max = 1e-5, .mean = 1e-6}));
  }
}

TEST(SpherePoisson, MinimisesTheEnergyAsADenseSolverDoes) {
  const int width = 12;
  const int height = 7;
  const double screening = 3.0;
  const cv::Mat base = random_map({width, height}, 2);
  auto gradients = Gradients{random_map({width, height}, 3), random_map({width, height}, 4)};
  // The energy as a sum over cell sides: length / distance * (du - g)^2 + screening * area (u -
  // base)^2.
  const int n = width * height;
  Eigen::MatrixXd normal = Eigen::MatrixXd::Zero(n, n);
  Eigen::VectorXd right = Eigen::VectorXd::Zero(n);
  const double down = kPi / height;
  const double across = 2.0 * kPi / width;
  const auto add = [&](int from, int to, double weight, double difference) {
    normal(from, from) += weight;
    normal(to, to) += weight;
    normal(from, to) -= weight;
    normal(to, from) -= weight;
    right(to) += weight * difference;
    right(from) -= weight * difference;
  };
  for (int y = 0; y < height; ++y) {
    const double latitude = kPi / 2.0 - (y + 0.5) * down;
    for (int x = 0; x < width; ++x) {
      const int here = y * width + x;
      add(here, y * width + (x + 1) % width, down / (across * std::cos(latitude)),
          gradients.x.at<float>(y, x));
      if (y + 1 < height) {
        add(here, here + width, across * std::cos(latitude - down / 2.0) / down,
            gradients.y.at<float>(y, x));
      }
      const double area = screening * across * down * std::cos(latitude);
      normal(here, here) += area;
      right(here) += area * base.at<float>(y, x);
    }
  }
  const Eigen::VectorXd expected = normal.ldlt().solve(right);
  const cv::Mat solved = solve_sphere_poisson(base, gradients.x, gradients.y, screening);
  for (int i = 0; i < n; ++i) {
    EXPECT_NEAR(solved.at<float>(i / width, i % width), expected(i), 2e-4) << i;
  }
}

TEST(SpherePoisson, ShiftingTheLongitudesShiftsTheSolution) {
  const cv::Size size(96, 48);
  const auto shifted = [&](const cv::Mat& map) {
    cv::Mat result(map.size(), CV_32FC1);
    for (int x = 0; x < size.width; ++x) map.col(x).copyTo(result.col((x + 17) % size.width));
    return result;
  };
  const cv::Mat base = random_map(size, 5);
  const Gradients gradients{random_map(size, 6), random_map(size, 7)};
  cv::Mat gx = gradients.x.clone();
  cv::Mat gy = gradients.y.clone();
  const cv::Mat first = solve_sphere_poisson(base, gx, gy, 50.0);
  gx = shifted(gradients.x);
  gy = shifted(gradients.y);
  const cv::Mat second = solve_sphere_poisson(shifted(base), gx, gy, 50.0);
  EXPECT_TRUE(test::maps_near(second, shifted(first), {.max = 1e-4, .mean = 1e-5}));
}

TEST(SpherePoisson, StrongScreeningReturnsTheBaseAndWeakScreeningTheGradients) {
  const cv::Size size(64, 32);
  const cv::Mat base = random_map(size, 8);
  const cv::Mat target = random_map(size, 9);
  auto gradients = gradients_of(target);
  const cv::Mat near_base = solve_sphere_poisson(base, gradients.x, gradients.y, 1e8);
  EXPECT_TRUE(test::maps_near(near_base, base, {.max = 1e-2, .mean = 1e-3}));
  gradients = gradients_of(target);
  cv::Mat near_target =
      solve_sphere_poisson(cv::Mat::zeros(size, CV_32FC1), gradients.x, gradients.y, 1e-4);
  // The constant is free.
  near_target += cv::mean(target - near_target)[0];
  EXPECT_TRUE(test::maps_near(near_target, target, {.max = 2e-2, .mean = 2e-3}));
}

}  // namespace
}  // namespace vergence::alignment
