// SPDX-License-Identifier: Apache-2.0
#include "alignment/sky.hpp"

#include "core/angle.hpp"
#include "core/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace vergence::alignment {
namespace {

using projection::SphereWindow;

// Standard deviation of brightness in a window of 5 x 5.
cv::Mat roughness(const cv::Mat& brightness) {
  cv::Mat mean;
  cv::Mat mean_square;
  cv::blur(brightness, mean, {5, 5});
  cv::blur(brightness.mul(brightness), mean_square, {5, 5});
  cv::Mat variance = cv::max(mean_square - mean.mul(mean), 0.0);
  cv::sqrt(variance, variance);
  return variance;
}

// What the picture as a whole looks like, for judging single pixels by.
struct Scene {
  float ground_brightness;  // median below the horizon
  float ground_inverse;     // the same of inverse distance
};

Scene measure_scene(const cv::Mat& brightness, const cv::Mat& inverse, const cv::Mat& covered) {
  std::vector<float> bright;
  std::vector<float> near;
  for (int y = brightness.rows / 2; y < brightness.rows; ++y) {
    // Rows are thinned out towards the pole, where they are short.
    const double latitude = kPi / 2.0 - (y + 0.5) / brightness.rows * kPi;
    const int step = std::max(1, static_cast<int>(std::lround(1.0 / std::cos(latitude))));
    for (int x = 0; x < brightness.cols; x += step) {
      if (covered.at<unsigned char>(y, x) == 0) continue;
      bright.push_back(brightness.at<float>(y, x));
      near.push_back(inverse.at<float>(y, x));
    }
  }
  return {median(std::move(bright)), median(std::move(near))};
}

// Joins components that touch over the +-180 degree seam: fills `parent` with a union-find.
void join_over_the_seam(const cv::Mat& labels, std::vector<int>& parent) {
  const auto find = [&](int label) {
    while (parent[static_cast<std::size_t>(label)] != label) {
      label = parent[static_cast<std::size_t>(label)];
    }
    return label;
  };
  for (int y = 0; y < labels.rows; ++y) {
    const int left = labels.at<int>(y, 0);
    const int right = labels.at<int>(y, labels.cols - 1);
    if (left != 0 && right != 0) parent[static_cast<std::size_t>(find(left))] = find(right);
  }
  for (std::size_t i = 0; i < parent.size(); ++i) parent[i] = find(static_cast<int>(i));
}

// What a connected region is like, weighted by area on the sphere.
struct Region {
  double area = 0.0;        // share of the sphere
  double above = 0.0;       // of that, above the horizon
  double highest = -kPi;    // latitude
  double blueness = 0.0;    // mean of blue - red
  double brightness = 0.0;  // mean
};

// Inverse distance of sky over that of the ground: what stands in a street is rarely ten times as
// far.
constexpr double kFarOfGround = 0.12;

bool is_sky(const Region& region, const Scene& scene) {
  if (region.area < 0.004 || region.above < 0.9 * region.area) return false;
  if (region.highest < Radians::from_degrees(15.0).value()) return false;
  const double blueness = region.blueness / region.area;
  const double brightness = region.brightness / region.area;
  if (blueness > 25.0) return true;
  return blueness > -6.0 && brightness > 1.35 * scene.ground_brightness && brightness > 120.0;
}

// The smoothness test takes a rim off the sky: grows it back over sky colours, then snaps its
// border to the picture's edges (guided filter, He et al., ECCV 2010).
cv::Mat refine_edge(cv::Mat sky, const cv::Mat& sky_coloured, const cv::Mat& brightness) {
  if (cv::countNonZero(sky) == 0) return sky;
  constexpr int kRim = 2;
  for (int i = 0; i < kRim; ++i) {
    cv::Mat grown;
    cv::dilate(sky, grown, cv::Mat());
    sky = sky | (grown & sky_coloured);
  }
  constexpr double kEdge =
      64.0;  // variance of brightness, in squared 8-bit steps, that counts as an edge
  const cv::Size window(9, 9);
  const auto mean = [&](const cv::Mat& map) {
    cv::Mat result;
    cv::blur(map, result, window);
    return result;
  };
  cv::Mat mask;
  sky.convertTo(mask, CV_32FC1, 1.0 / 255.0);
  const cv::Mat mean_guide = mean(brightness);
  const cv::Mat mean_mask = mean(mask);
  const cv::Mat variance = mean(brightness.mul(brightness)) - mean_guide.mul(mean_guide);
  const cv::Mat covariance = mean(brightness.mul(mask)) - mean_guide.mul(mean_mask);
  const cv::Mat slope = covariance / (variance + kEdge);
  const cv::Mat offset = mean_mask - slope.mul(mean_guide);
  return mean(slope).mul(brightness) + mean(offset) > 0.5;
}

}  // namespace

SpherePicture place_on_sphere(const cv::Mat& picture, const SphereWindow& window, cv::Size size) {
  const double factor_x = static_cast<double>(size.width) / window.full_width;
  const double factor_y = static_cast<double>(size.height) / window.full_height;
  const auto scaled = [](int length, double factor, int limit) {
    return std::clamp(static_cast<int>(std::lround(length * factor)), 1, limit);
  };
  const cv::Size part(scaled(window.width, factor_x, size.width),
                      scaled(window.height, factor_y, size.height));
  cv::Mat small;
  cv::resize(picture, small, part, 0.0, 0.0, cv::INTER_AREA);
  SpherePicture result{cv::Mat::zeros(size, picture.type()), cv::Mat::zeros(size, CV_8UC1)};
  const int top = std::clamp(static_cast<int>(std::lround(window.top * factor_y)), 0,
                             size.height - part.height);
  const int left = static_cast<int>(std::lround(window.left * factor_x));
  for (int x = 0; x < part.width; ++x) {
    const cv::Rect target((left + x) % size.width, top, 1, part.height);
    small.col(x).copyTo(result.picture(target));
    result.covered(target).setTo(255);
  }
  return result;
}

Sky sky_from_mask(const cv::Mat& mask, const SphereWindow& window, cv::Size size) {
  return {place_on_sphere(mask, window, size).picture > 127,
          std::numeric_limits<float>::infinity()};
}

Sky detect_sky(const cv::Mat& picture, const SphereWindow& window, const cv::Mat& inverse) {
  const cv::Size size = inverse.size();
  const auto sphere = place_on_sphere(picture, window, size);
  cv::Mat rgb;
  sphere.picture.convertTo(rgb, CV_32FC3);
  cv::Mat channels[3];
  cv::split(rgb, channels);
  const cv::Mat brightness = 0.299 * channels[0] + 0.587 * channels[1] + 0.114 * channels[2];
  const cv::Mat blueness = channels[2] - channels[0];
  const Scene scene = measure_scene(brightness, inverse, sphere.covered);
  const cv::Mat smooth = roughness(brightness) < 7.0;
  const cv::Mat sky_coloured = (blueness > 12.0) | ((brightness > 110.0) & (blueness > -25.0));
  const auto nearest_inverse = static_cast<float>(kFarOfGround * scene.ground_inverse);
  const cv::Mat far = inverse < nearest_inverse;
  const cv::Mat candidates = smooth & sky_coloured & far & sphere.covered;

  cv::Mat labels;
  const int num_labels = cv::connectedComponents(candidates, labels, 4, CV_32S);
  std::vector<int> parent(static_cast<std::size_t>(num_labels));
  for (int i = 0; i < num_labels; ++i) parent[static_cast<std::size_t>(i)] = i;
  join_over_the_seam(labels, parent);
  std::vector<Region> regions(static_cast<std::size_t>(num_labels));
  for (int y = 0; y < size.height; ++y) {
    const double latitude = kPi / 2.0 - (y + 0.5) / size.height * kPi;
    const double area = std::cos(latitude) * kPi / (2.0 * size.height * size.width);
    for (int x = 0; x < size.width; ++x) {
      const int label = labels.at<int>(y, x);
      if (label == 0) continue;
      auto& region = regions[static_cast<std::size_t>(parent[static_cast<std::size_t>(label)])];
      region.area += area;
      if (latitude > -0.03) region.above += area;
      region.highest = std::max(region.highest, latitude);
      region.blueness += area * blueness.at<float>(y, x);
      region.brightness += area * brightness.at<float>(y, x);
    }
  }
  std::vector<char> accepted(regions.size(), 0);
  for (std::size_t i = 1; i < regions.size(); ++i) {
    accepted[i] = is_sky(regions[i], scene) ? 1 : 0;
  }
  cv::Mat sky = cv::Mat::zeros(size, CV_8UC1);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      const auto label = static_cast<std::size_t>(labels.at<int>(y, x));
      if (label != 0 && accepted[static_cast<std::size_t>(parent[label])] != 0) {
        sky.at<unsigned char>(y, x) = 255;
      }
    }
  }
  return {refine_edge(sky, sky_coloured, brightness), nearest_inverse};
}

}  // namespace vergence::alignment
