// SPDX-License-Identifier: Apache-2.0
#include "pipeline/panorama_video.hpp"

#include "core/error.hpp"
#include "projection/sphere_sampler.hpp"
#include "tests/pipeline/coded_depth.hpp"

#include <cmath>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::test {
namespace {

using pipeline::DepthSource;

constexpr int kKeyframes = 4;
const cv::Size kSize(256, 128);

pipeline::PanoramaVideoOptions small_options(int keyframes = kKeyframes) {
  pipeline::PanoramaVideoOptions options;
  options.model = [](cv::Size size) {
    return projection::PictureModel::equirectangular(
        projection::SphereWindow::whole(size.width, size.height));
  };
  options.depth.views.count = 12;
  options.depth.views.size_px = 64;
  options.depth.width_px = kSize.width;
  options.depth.panorama.alignment.num_samples = 4000;
  options.keyframes = keyframes;
  return options;
}

std::vector<media::VideoFrame> frames_of(const SphereClip& clip) {
  std::vector<media::VideoFrame> frames;
  frames.reserve(static_cast<std::size_t>(clip.num_frames()));
  for (int i = 0; i < clip.num_frames(); ++i) {
    frames.push_back(
        {.picture = coded_picture(clip.frame(i)), .pts = i, .duration = 1, .index = i});
  }
  return frames;
}

std::vector<cv::Mat> maps_of(const DepthSource& source, std::span<const media::VideoFrame> frames) {
  std::vector<cv::Mat> maps;
  const auto batch = static_cast<std::size_t>(source.batch);
  for (std::size_t i = 0; i < frames.size(); i += batch) {
    for (auto& map : source.maps(frames.subspan(i, std::min(batch, frames.size() - i)))) {
      maps.push_back(std::move(map));
    }
  }
  return maps;
}

SphereClip room_clip(int num_frames) {
  auto clip = usual_sphere_clip(3 * num_frames / 2, kSize);
  clip.shots.resize(1);
  clip.shots[0].num_frames = num_frames;
  return clip;
}

// Median of |log(estimated / true)| once the median factor is taken out.
double shape_error(const cv::Mat& inverse, const cv::Mat& distance) {
  std::vector<double> errors;
  for (int y = inverse.rows / 6; y < inverse.rows * 5 / 6; ++y) {
    for (int x = 0; x < inverse.cols; ++x) {
      const double truth = distance.at<float>(y, x);
      if (std::isfinite(truth)) errors.push_back(std::log(inverse.at<float>(y, x) * truth));
    }
  }
  const auto middle = [](std::vector<double>& values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
  };
  const double common = middle(errors);
  for (auto& error : errors) error = std::abs(error - common);
  return middle(errors);
}

TEST(PanoramaDepth, GoesOnWhereItWasStoppedWithTheSameMaps) {
  auto clip = room_clip(20);
  const auto frames = frames_of(clip);
  CodedDepth network;
  const auto options = small_options();
  const auto whole = pipeline::panorama_depth(network, options);
  const auto resumed = pipeline::panorama_depth(network, options);
  const std::span all(frames);
  for (std::size_t group = 0; group < 4; ++group) {
    (void)whole.maps(all.subspan(group * kKeyframes, kKeyframes));
    if (group == 3) resumed.memory->pass(all.subspan(12, kKeyframes), whole.memory->save());
  }
  const auto expected = whole.maps(all.subspan(16, kKeyframes));
  const auto found = resumed.maps(all.subspan(16, kKeyframes));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(cv::countNonZero(expected[i] != found[i]), 0) << "frame " << 16 + i;
  }
}

TEST(PanoramaDepth, ACutTakesNothingOverFromTheShotBefore) {
  // The cut lies within a group: frames 0..9 and 10..15.
  auto clip = usual_sphere_clip(24, kSize);
  clip.shots[0].num_frames = 10;
  clip.shots[1].num_frames = 6;
  const auto frames = frames_of(clip);
  CodedDepth network;
  const auto maps = maps_of(pipeline::panorama_depth(network, small_options()), frames);
  // What is made of the second shot alone: frames 10 and 11, and of 12 to 15 the beginning.
  const auto alone = pipeline::panorama_depth(network, small_options());
  const std::span second = std::span(frames).subspan(10);
  auto expected = alone.maps(second.first(2));
  for (auto& map : alone.maps(second.subspan(2, 4))) expected.push_back(std::move(map));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(cv::countNonZero(expected[i] != maps[10 + i]), 0) << "frame " << 10 + i;
  }
  EXPECT_LT(shape_error(maps[9], clip.frame(9).distance), 0.06);
}

TEST(PanoramaDepth, TheSkyStaysFar) {
  auto clip = usual_sphere_clip(24, kSize);
  clip.shots.erase(clip.shots.begin());
  const auto frames = frames_of(clip);
  CodedDepth network;
  const auto maps = maps_of(pipeline::panorama_depth(network, small_options()), frames);
  for (int i = 0; i < clip.num_frames(); ++i) {
    const auto sight = clip.frame(i);
    const cv::Mat high = maps[static_cast<std::size_t>(i)].rowRange(0, 20);
    double nearest = 0.0;
    cv::minMaxLoc(high, nullptr, &nearest, nullptr, nullptr, sight.distance.rowRange(0, 20) > 1e9F);
    double median = cv::mean(maps[static_cast<std::size_t>(i)])[0];
    EXPECT_LT(nearest, 0.2 * median) << "frame " << i;
  }
}

TEST(PanoramaDepth, AScaleByTheFloorHoldsOverTheShot) {
  const auto clip = room_clip(16);
  CodedDepth network;
  auto options = small_options();
  options.depth.camera_height_m = 1.5;
  const auto maps = maps_of(pipeline::panorama_depth(network, options), frames_of(clip));
  for (int i = 0; i < clip.num_frames(); ++i) {
    // Straight down is the floor.
    const double height = 1.0 / cv::mean(maps[static_cast<std::size_t>(i)].rowRange(120, 128))[0];
    EXPECT_NEAR(height, 1.5, 0.15) << "frame " << i;
  }
}

TEST(PanoramaDepth, OtherProjectionsGetTheirDepthInTheirOwnModel) {
  const auto clip = room_clip(2);
  CodedDepth network;
  auto options = small_options(1);
  options.model = [](cv::Size size) { return projection::PictureModel::cubemap(size); };
  const auto sight = clip.frame(0);
  const cv::Mat coded = coded_picture(sight);
  const cv::Size faces(192, 128);
  const auto model = projection::PictureModel::cubemap(faces);
  cv::Mat picture;
  cv::Mat truth;
  const auto sphere = projection::PictureModel::equirectangular(
      projection::SphereWindow::whole(kSize.width, kSize.height));
  projection::reproject(projection::SphereSampler(coded, sphere), model,
                        Eigen::Matrix3d::Identity(), picture, nullptr);
  projection::reproject(projection::SphereSampler(sight.distance, sphere), model,
                        Eigen::Matrix3d::Identity(), truth, nullptr);
  const media::VideoFrame frame{.picture = picture, .pts = 0, .duration = 1, .index = 0};
  const auto maps = pipeline::panorama_depth(network, options).maps(std::span(&frame, 1));
  cv::Mat map;
  cv::resize(maps[0], map, faces, 0, 0, cv::INTER_LINEAR);
  EXPECT_LT(shape_error(map, truth), 0.08);
}

TEST(PanoramaDepth, RefusesNoKeyframesAtAll) {
  CodedDepth network;
  EXPECT_THROW((void)pipeline::panorama_depth(network, small_options(0)), Error);
}

}  // namespace
}  // namespace vergence::test
