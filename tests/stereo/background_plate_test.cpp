// SPDX-License-Identifier: Apache-2.0
#include "stereo/background_plate.hpp"

#include "stereo/parallax.hpp"

#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

const cv::Size kSize(480, 270);
constexpr int kReach = 8;  // frames of the window to either side

// A clip with known views: a wall and a floor before it, and somebody who walks past.
struct Scene {
  unsigned seed = 1;
  cv::Point2d camera_speed{0.0, 0.0};  // pixels per frame of the wall
  double zoom = 0.0;                   // share per frame
  double floor_speed = 1.0;            // of the floor, in units of the wall's
  double walker_speed = 5.0;           // pixels per frame
  double exposure = 0.0;               // share that gets brighter per frame
  double noise = 0.0;                  // standard deviation, grey levels
  double depth_noise = 0.0;            // standard deviation, pixels of parallax
  double map_scale = 1.0;              // size of the parallax map
  bool smooth = false;                 // a background with little texture
};

cv::Mat texture(cv::Size size, unsigned seed, bool smooth) {
  cv::RNG random(seed);
  cv::Mat sum(size, CV_32FC3, cv::Scalar::all(127));
  for (const int cell : {3, 8, 24, 80}) {
    if (smooth && cell < 24) continue;
    cv::Mat grain(size.height / cell + 2, size.width / cell + 2, CV_32FC3);
    random.fill(grain, cv::RNG::UNIFORM, -1.0, 1.0);
    cv::resize(grain, grain, size, 0, 0, cv::INTER_CUBIC);
    sum += grain * 38.0;
  }
  return sum;
}

class Clip {
 public:
  static constexpr float kWall = -4.0F;
  static constexpr float kFloor = -1.0F;
  static constexpr float kWalker = 8.0F;

  explicit Clip(const Scene& scene)
      : scene_(scene),
        wall_(texture(kSize * 2, 10 * scene.seed, scene.smooth)),
        floor_(texture(kSize * 2, 10 * scene.seed + 1, scene.smooth)),
        walker_(texture(kSize, 10 * scene.seed + 2, false)) {}

  // What the camera sees (side 0), or the left (1) or right (-1) eye.
  [[nodiscard]] cv::Mat view(int frame, int side) const {
    cv::Mat picture = layer(wall_, frame, 1.0, static_cast<float>(side) * kWall);
    cv::Mat floor = layer(floor_, frame, scene_.floor_speed, static_cast<float>(side) * kFloor);
    floor.copyTo(picture, floor_mask());
    const cv::Mat mask = walker_mask(frame, static_cast<double>(side) * kWalker);
    moved_walker(frame, static_cast<double>(side) * kWalker).copyTo(picture, mask);
    picture *= 1.0 + scene_.exposure * frame;
    if (scene_.noise > 0.0) {
      cv::Mat grain(kSize, CV_32FC3);
      cv::RNG random(static_cast<std::uint64_t>(1000 * frame + side + 7));
      random.fill(grain, cv::RNG::NORMAL, 0.0, scene_.noise);
      picture += grain;
    }
    picture.convertTo(picture, CV_8U);
    return picture;
  }

  [[nodiscard]] cv::Mat parallax(int frame) const {
    cv::Mat map(kSize, CV_32FC1, cv::Scalar(kWall));
    map.setTo(kFloor, floor_mask());
    map.setTo(kWalker, walker_mask(frame, 0.0));
    cv::resize(map, map, {}, scene_.map_scale, scene_.map_scale, cv::INTER_AREA);
    if (scene_.depth_noise > 0.0) {
      cv::Mat grain(map.size(), CV_32FC1);
      cv::RNG random(static_cast<std::uint64_t>(frame + 99));
      random.fill(grain, cv::RNG::NORMAL, 0.0, scene_.depth_noise);
      cv::GaussianBlur(grain, grain, {}, 2.0);
      map += grain * 5.0;
    }
    return map;
  }

 private:
  [[nodiscard]] cv::Mat layer(const cv::Mat& plane, int frame, double speed, float shift) const {
    const double scale = 1.0 + scene_.zoom * frame;
    const cv::Matx23d plane_from_frame(
        scale, 0.0, speed * scene_.camera_speed.x * frame + 200.0 - scale * shift, 0.0, scale,
        speed * scene_.camera_speed.y * frame + 100.0);
    cv::Mat seen;
    cv::warpAffine(plane, seen, cv::Mat(plane_from_frame), kSize,
                   cv::INTER_CUBIC | cv::WARP_INVERSE_MAP, cv::BORDER_REFLECT);
    return seen;
  }

  [[nodiscard]] static cv::Mat floor_mask() {
    cv::Mat mask(kSize, CV_8UC1, cv::Scalar(0));
    mask.rowRange(200, kSize.height).setTo(255);
    return mask;
  }

  [[nodiscard]] double walker_x(int frame) const {
    return 240.0 + scene_.walker_speed * (frame - kReach);
  }

  [[nodiscard]] cv::Mat walker_mask(int frame, double shift) const {
    cv::Mat mask(kSize, CV_8UC1, cv::Scalar(0));
    const cv::Point middle(static_cast<int>(std::lround(walker_x(frame) + shift)), 150);
    cv::ellipse(mask, middle, {34, 80}, 0, 0, 360, cv::Scalar(255), cv::FILLED);
    return mask;
  }

  [[nodiscard]] cv::Mat moved_walker(int frame, double shift) const {
    const double x = std::round(walker_x(frame) + shift);
    const cv::Matx23d move(1.0, 0.0, x - 240.0, 0.0, 1.0, 0.0);
    cv::Mat seen;
    cv::warpAffine(walker_, seen, cv::Mat(move), kSize, cv::INTER_NEAREST, cv::BORDER_REFLECT);
    return seen;
  }

  Scene scene_;
  cv::Mat wall_;
  cv::Mat floor_;
  cv::Mat walker_;
};

struct Outcome {
  double before = 0.0;  // PSNR of the disoccluded pixels, dB
  double after = 0.0;
  std::int64_t disoccluded = 0;
  std::int64_t filled = 0;
  double others = 0.0;  // change of the pixels that are not disoccluded
};

double psnr(const cv::Mat& a, const cv::Mat& b, const cv::Mat& mask) {
  const double error = cv::norm(a, b, cv::NORM_L2, mask);
  return 10.0 * std::log10(255.0 * 255.0 * 3.0 * cv::countNonZero(mask) / (error * error));
}

std::vector<PlateFrame> window_of(const Clip& clip) {
  std::vector<PlateFrame> window;
  window.reserve(2 * kReach + 1);
  for (int i = 0; i <= 2 * kReach; ++i) window.push_back({i, clip.view(i, 0), clip.parallax(i)});
  return window;
}

Outcome outcome_of(const Clip& clip, const std::vector<PlateFrame>& window, double map_scale,
                   Eye eye) {
  cv::Mat parallax;
  cv::resize(window[kReach].parallax_px, parallax, kSize, 0, 0, cv::INTER_LINEAR);
  sharpen_rims(1.0 / map_scale, parallax);
  ScanlineWarp warp;
  warp.set_source(window[kReach].picture, parallax);
  cv::Mat view;
  std::vector<Disocclusion> gaps;
  warp.render(eye, view, &gaps);
  cv::Mat mask(kSize, CV_8UC1, cv::Scalar(0));
  for (const Disocclusion& gap : gaps) mask.row(gap.y).colRange(gap.first, gap.last).setTo(255);
  const cv::Mat truth = clip.view(kReach, eye == Eye::kLeft ? 1 : -1);
  Outcome outcome;
  outcome.disoccluded = cv::countNonZero(mask);
  outcome.before = psnr(view, truth, mask);
  const cv::Mat before = view.clone();
  BackgroundPlate plate;
  outcome.filled = plate.fill(window, kReach, eye, gaps, view);
  outcome.after = psnr(view, truth, mask);
  outcome.others = cv::norm(before, view, cv::NORM_INF, ~mask);
  return outcome;
}

// Of the left and the right eye.
std::array<Outcome, 2> run(const Scene& scene) {
  const Clip clip(scene);
  const std::vector<PlateFrame> window = window_of(clip);
  return {outcome_of(clip, window, scene.map_scale, Eye::kLeft),
          outcome_of(clip, window, scene.map_scale, Eye::kRight)};
}

void expect_better(const Scene& scene, double decibel) {
  for (const Outcome& outcome : run(scene)) {
    EXPECT_GT(outcome.disoccluded, 1000);
    EXPECT_GE(outcome.after, outcome.before + decibel)
        << "seed " << scene.seed << ", filled " << outcome.filled << " of " << outcome.disoccluded;
    EXPECT_EQ(outcome.others, 0.0);
  }
}

class RenderedClip : public ::testing::TestWithParam<unsigned> {
 protected:
  [[nodiscard]] Scene scene() const {
    Scene scene;
    scene.seed = GetParam();
    return scene;
  }
};

TEST_P(RenderedClip, GainsWithAStillCamera) {
  expect_better(scene(), 6.0);
}

TEST_P(RenderedClip, GainsWithACameraThatMoves) {
  Scene moving = scene();
  moving.camera_speed = {2.3, -0.7};
  expect_better(moving, 9.0);
}

TEST_P(RenderedClip, GainsWithACameraThatZooms) {
  Scene moving = scene();
  moving.camera_speed = {-1.4, 0.4};
  moving.zoom = 0.003;
  expect_better(moving, 8.0);
}

TEST_P(RenderedClip, GainsWhereNearAndFarMoveApart) {
  Scene moving = scene();
  moving.camera_speed = {2.0, 0.0};
  moving.floor_speed = 1.6;
  expect_better(moving, 7.0);
}

TEST_P(RenderedClip, GainsUnderNoiseAndChangingLight) {
  Scene rough = scene();
  rough.noise = 3.0;
  rough.exposure = 0.012;
  rough.camera_speed = {1.1, 0.2};
  expect_better(rough, 9.0);
}

TEST_P(RenderedClip, GainsWithASmallNoisyDepthMap) {
  Scene rough = scene();
  rough.map_scale = 0.5;
  rough.depth_noise = 0.2;
  rough.noise = 2.0;
  expect_better(rough, 4.0);
}

TEST_P(RenderedClip, NeverMakesAStillSceneWorse) {
  for (const double noise : {0.0, 3.0}) {
    for (const double map_scale : {1.0, 0.5}) {
      Scene still = scene();
      still.walker_speed = 0.0;
      still.noise = noise;
      still.depth_noise = 0.1 * noise;
      still.map_scale = map_scale;
      for (const Outcome& outcome : run(still)) {
        EXPECT_GE(outcome.after, outcome.before - 0.01) << noise << " " << map_scale;
        EXPECT_LE(outcome.filled, outcome.disoccluded / 50);
      }
    }
  }
}

TEST_P(RenderedClip, LosesNothingWithoutTexture) {
  Scene smooth = scene();
  smooth.smooth = true;
  smooth.noise = 2.0;
  for (const Outcome& outcome : run(smooth)) EXPECT_GE(outcome.after, outcome.before - 0.1);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RenderedClip, ::testing::Values(1U, 2U, 3U));

TEST(BackgroundPlate, IsAFunctionOfTheWindowAlone) {
  Scene scene;
  scene.camera_speed = {1.3, 0.3};
  scene.noise = 2.0;
  const Clip clip(scene);
  constexpr int kFrames = 14;
  std::vector<PlateFrame> frames;
  frames.reserve(kFrames);
  for (int i = 0; i < kFrames; ++i) frames.push_back({i, clip.view(i, 0), clip.parallax(i)});
  BackgroundPlate running;
  for (std::size_t current = 0; current < frames.size(); ++current) {
    const std::size_t first = current < 4 ? 0 : current - 4;
    const std::size_t last = std::min(frames.size(), current + 5);
    const std::span<const PlateFrame> window(frames.data() + first, last - first);
    ScanlineWarp warp;
    warp.set_source(frames[current].picture, frames[current].parallax_px);
    std::vector<Disocclusion> gaps;
    cv::Mat by_one;
    warp.render(Eye::kRight, by_one, &gaps);
    cv::Mat by_other = by_one.clone();
    running.fill(window, current - first, Eye::kRight, gaps, by_one);
    BackgroundPlate().fill(window, current - first, Eye::kRight, gaps, by_other);
    EXPECT_EQ(cv::norm(by_one, by_other, cv::NORM_INF), 0.0) << current;
  }
}

class EveryPixelType : public ::testing::TestWithParam<int> {};

TEST_P(EveryPixelType, IsFilledAlike) {
  const Clip clip({});
  const auto convert = [](const cv::Mat& rgb) {
    cv::Mat picture = rgb;
    if (CV_MAT_CN(GetParam()) == 1) cv::cvtColor(rgb, picture, cv::COLOR_RGB2GRAY);
    if (CV_MAT_CN(GetParam()) == 4) cv::cvtColor(rgb, picture, cv::COLOR_RGB2RGBA);
    const int depth = CV_MAT_DEPTH(GetParam());
    picture.convertTo(picture, depth, depth == CV_8U ? 1.0 : depth == CV_16U ? 257.0 : 1.0 / 255.0);
    return picture;
  };
  std::vector<PlateFrame> window = window_of(clip);
  for (PlateFrame& frame : window) frame.picture = convert(frame.picture);
  ScanlineWarp warp;
  warp.set_source(window[kReach].picture, window[kReach].parallax_px);
  cv::Mat view;
  std::vector<Disocclusion> gaps;
  warp.render(Eye::kLeft, view, &gaps);
  const cv::Mat truth = convert(clip.view(kReach, 1));
  const double before = cv::norm(view, truth, cv::NORM_L2);
  EXPECT_GT(BackgroundPlate().fill(window, kReach, Eye::kLeft, gaps, view), 800);
  EXPECT_LT(cv::norm(view, truth, cv::NORM_L2), 0.7 * before);
}

INSTANTIATE_TEST_SUITE_P(Types, EveryPixelType,
                         ::testing::Values(CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC3, CV_32FC3));

TEST(BackgroundPlate, DoesNothingWithoutGapsOrOtherFrames) {
  const Clip clip({});
  const std::vector<PlateFrame> window = window_of(clip);
  cv::Mat view = window[3].picture.clone();
  BackgroundPlate plate;
  EXPECT_EQ(plate.fill(window, 3, Eye::kLeft, {}, view), 0);
  const std::vector<Disocclusion> gaps = {{100, 200, 210, Clip::kWall}};
  EXPECT_EQ(plate.fill({window.data() + 3, 1}, 0, Eye::kLeft, gaps, view), 0);
  EXPECT_EQ(cv::norm(view, window[3].picture, cv::NORM_INF), 0.0);
}

TEST(BackgroundPlate, StopsAtWhatTheCameraCannotHaveSeen) {
  // The other frames are of another place: nothing is taken from them.
  Scene other;
  other.seed = 9;
  const Clip clip({});
  const Clip elsewhere(other);
  std::vector<PlateFrame> window = window_of(clip);
  for (PlateFrame& frame : window) {
    if (frame.index == kReach) continue;
    frame.picture = elsewhere.view(static_cast<int>(frame.index), 0);
  }
  ScanlineWarp warp;
  warp.set_source(window[kReach].picture, window[kReach].parallax_px);
  cv::Mat view;
  std::vector<Disocclusion> gaps;
  warp.render(Eye::kLeft, view, &gaps);
  EXPECT_EQ(BackgroundPlate().fill(window, kReach, Eye::kLeft, gaps, view), 0);
}

TEST(BackgroundPlate, RefusesFramesThatDoNotBelongTogether) {
  const Clip clip({});
  std::vector<PlateFrame> window = window_of(clip);
  cv::Mat view = window[0].picture.clone();
  BackgroundPlate plate;
  EXPECT_THROW(plate.fill(window, 99, Eye::kLeft, {}, view), std::invalid_argument);
  window[2].index = 7;
  EXPECT_THROW(plate.fill(window, 0, Eye::kLeft, {}, view), std::invalid_argument);
  window[2].index = 2;
  window[2].picture = cv::Mat(10, 10, CV_8UC3);
  EXPECT_THROW(plate.fill(window, 0, Eye::kLeft, {}, view), std::invalid_argument);
}

}  // namespace
}  // namespace vergence::stereo
