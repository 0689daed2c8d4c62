// SPDX-License-Identifier: Apache-2.0
// How steady a real network's depth of 360 videos is, against frames that are solved by themselves.
#include "evaluation/flicker.hpp"
#include "pipeline/panorama_video.hpp"
#include "predictors/predictor_factory.hpp"
#include "stereo/temporal_filter.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/sphere_clip.hpp"

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::test {
namespace {

const cv::Size kSize(512, 256);

pipeline::PanoramaVideoOptions options_with(int keyframes) {
  pipeline::PanoramaVideoOptions options;
  options.model = [](cv::Size size) {
    return projection::PictureModel::equirectangular(
        projection::SphereWindow::whole(size.width, size.height));
  };
  options.depth.views.count = 12;
  options.keyframes = keyframes;
  return options;
}

// A clip and the depth of its frames.
class Takes {
 public:
  explicit Takes(SphereClip clip) : clip_(std::move(clip)) {
    for (int i = 0; i < clip_.num_frames(); ++i) sights_.push_back(clip_.frame(i));
  }

  [[nodiscard]] std::vector<cv::Mat> steady(DepthPredictor& network, int keyframes) const {
    const auto source = pipeline::panorama_depth(network, options_with(keyframes));
    std::vector<cv::Mat> maps;
    std::vector<media::VideoFrame> group;
    for (std::size_t i = 0; i < sights_.size(); ++i) {
      const auto index = static_cast<std::int64_t>(i);
      group.push_back({.picture = sights_[i].picture, .pts = index, .duration = 1, .index = index});
      if (static_cast<int>(group.size()) < keyframes && i + 1 < sights_.size()) continue;
      for (auto& map : source.maps(group)) maps.push_back(std::move(map));
      group.clear();
    }
    return maps;
  }

  [[nodiscard]] std::vector<cv::Mat> independent(DepthPredictor& network) const {
    std::vector<cv::Mat> maps;
    for (const auto& sight : sights_) {
      pipeline::Source source;
      source.path = "frame";
      source.rgb = sight.picture;
      source.panorama = true;
      source.window = projection::SphereWindow::whole(kSize.width, kSize.height);
      source.original_window = source.window;
      const auto result =
          pipeline::estimate_depth(source, network, options_with(1).depth, no_progress());
      maps.push_back(inverse_distance_from_distance(result.distance).values());
    }
    return maps;
  }

  // As a video job does it with temporal.filter=guided.
  [[nodiscard]] std::vector<cv::Mat> filtered(const std::vector<cv::Mat>& maps) const {
    stereo::TemporalFilter filter(stereo::FilterPicture::kSphere);
    std::vector<stereo::FilterFrame> frames;
    for (std::size_t i = 0; i < maps.size(); ++i) {
      frames.push_back({.index = static_cast<std::int64_t>(i),
                        .guide = stereo::filter_guide(sights_[i].picture, maps[i].size()),
                        .raw = maps[i]});
    }
    constexpr std::size_t kReach = stereo::TemporalFilter::kReach;
    std::vector<cv::Mat> result;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const std::size_t first = i - std::min(i, kReach);
      const std::size_t last = std::min(frames.size(), i + kReach + 1);
      result.push_back(filter.filter(std::span(frames).subspan(first, last - first), i - first));
    }
    return result;
  }

  [[nodiscard]] evaluation::Flicker flicker(const std::vector<cv::Mat>& maps) const {
    evaluation::SphereFlickerMeter meter;
    for (std::size_t i = 0; i < maps.size(); ++i) {
      const auto& sight = sights_[i];
      meter.push({.inverse_distance = maps[i],
                  .distance = sight.distance,
                  .still = sight.still,
                  .position = sight.position,
                  .world_from_camera = sight.world_from_camera});
    }
    return meter.result();
  }

 private:
  SphereClip clip_;
  std::vector<SphereSight> sights_;
};

TEST(PanoramaFlicker, IsAThirdOfWhatIndependentFramesLeave) {
  auto clip = usual_sphere_clip(36, kSize);
  clip.shots.resize(1);
  clip.shots[0].num_frames = 16;
  const Takes takes(clip);
  const auto network = predictors::make_network({.name = "nano"}, {});
  const auto independent = takes.flicker(takes.independent(*network));
  const auto maps = takes.steady(*network, 8);
  const auto steady = takes.flicker(maps);
  EXPECT_EQ(steady.num_pairs, 15);
  EXPECT_GT(steady.still_share, 0.5);
  EXPECT_LT(steady.mean_change, independent.mean_change / 3.0);
  EXPECT_LT(steady.common_change, independent.common_change / 3.0);
  EXPECT_LT(takes.flicker(takes.filtered(maps)).mean_change, steady.mean_change);
  // Where every frame is a key frame, the filter alone has to do it.
  const auto all = takes.flicker(takes.filtered(takes.steady(*network, 1)));
  EXPECT_LT(all.mean_change, independent.mean_change / 2.0);
}

}  // namespace
}  // namespace vergence::test
