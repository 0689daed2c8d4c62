// SPDX-License-Identifier: Apache-2.0
#include "pipeline/panorama_video.hpp"

#include "alignment/panorama_track.hpp"
#include "core/error.hpp"
#include "projection/resample.hpp"
#include "projection/sphere_sampler.hpp"
#include "stereo/sphere_motion.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <Eigen/Geometry>
#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace {

using alignment::KeyMoment;
using Eigen::Matrix3d;
using Eigen::Vector3d;
using projection::PictureModel;
using projection::SphereWindow;

// Networks' views are no finer than this panorama.
constexpr int kWorkWidth = 2048;
constexpr int kSkyWidth = 1024;
constexpr int kLeastMapWidth = 512;
constexpr int kMostMapWidth = 2048;

// Share of the difference that goes within one frame: about ten seconds.
constexpr double kTiltPerFrame = 1.0 / 300.0;
constexpr double kScalePerFrame = 1.0 / 300.0;

// Frames without a common rotation are of different shots where their pictures differ as well:
// brightness moved by so much of its range (depth_stabilizer.hpp).
constexpr float kCutDistance = 1.0F;

// A rotation as it is kept: as a vector of floats, so that it is the same where a job goes on.
class Turn {
 public:
  Turn() = default;

  explicit Turn(const Eigen::Vector3f& vector) : vector_(vector) {
    const Vector3d axis = vector.cast<double>();
    const double angle = axis.norm();
    if (angle > 0.0) matrix_ = Eigen::AngleAxisd(angle, axis / angle).toRotationMatrix();
  }

  explicit Turn(const Matrix3d& matrix) : Turn(vector_of(matrix)) {}

  [[nodiscard]] const Eigen::Vector3f& vector() const { return vector_; }

  [[nodiscard]] const Matrix3d& matrix() const { return matrix_; }

 private:
  static Eigen::Vector3f vector_of(const Matrix3d& matrix) {
    const Eigen::AngleAxisd turn(matrix);
    return (turn.angle() * turn.axis()).cast<float>();
  }

  Eigen::Vector3f vector_ = Eigen::Vector3f::Zero();
  Matrix3d matrix_ = Matrix3d::Identity();
};

// A frame as the views see it.
struct Frame {
  SphereWindow window;  // of `picture`
  cv::Mat picture;      // CV_8UC3 equirectangular
  cv::Mat luma;         // of the whole sphere, for rotations
  stereo::FrameStatistics statistics;
  bool cut = false;  // it begins a shot
  Turn camera_from_track;
};

cv::Mat eight_bits(const cv::Mat& picture) {
  if (picture.depth() == CV_8U) return picture;
  cv::Mat result;
  picture.convertTo(result, CV_8U, 1.0 / 257.0);
  return result;
}

// A small rotation on the left of `camera_from_track` that takes the track's vertical a little
// towards the camera's.
Matrix3d levelled(const Matrix3d& camera_from_track) {
  const Vector3d up = camera_from_track * Vector3d::UnitY();
  const Vector3d axis = up.cross(Vector3d::UnitY());
  const double sine = axis.norm();
  if (sine < 1e-9) return camera_from_track;
  const double angle = std::atan2(sine, up.y()) * kTiltPerFrame;
  return Eigen::AngleAxisd(angle, axis / sine).toRotationMatrix() * camera_from_track;
}

class PanoramaTrack final : public DepthMemory {
 public:
  PanoramaTrack(DepthPredictor& network, const PanoramaVideoOptions& options)
      : network_(network),
        options_(options),
        views_(choose_views(options.depth.views, network.info().preferred_size_px)) {}

  std::vector<cv::Mat> maps(std::span<const media::VideoFrame> frames) {
    recall();
    std::vector<Frame> group = look_at(frames);
    std::vector<cv::Mat> maps;
    std::size_t first = 0;
    while (first < group.size()) {
      std::size_t last = first + 1;
      while (last < group.size() && !group[last].cut) ++last;
      make_run(std::span(group).subspan(first, last - first), frames[first].picture.size(), maps);
      first = last;
    }
    before_ = std::move(group.back());
    return maps;
  }

  [[nodiscard]] Numbers save() const override {
    const auto& turn = before_->camera_from_track.vector();
    return {turn.x(), turn.y(), turn.z(), log_scale_};
  }

  void pass(std::span<const media::VideoFrame> frames, const Numbers& saved) override {
    before_ = frame_of(frames.back());
    before_->camera_from_track = Turn(Eigen::Vector3f(saved[0], saved[1], saved[2]));
    log_scale_ = saved[3];
    key_.reset();
  }

 private:
  // The key moment of a group that was passed.
  void recall() {
    if (!before_ || key_) return;
    key_.emplace(moment_of(*before_, predict(*before_)));
  }

  [[nodiscard]] int work_width(cv::Size size, const PictureModel& model) const {
    const auto window = model.window();
    return std::min(kWorkWidth, window ? window->full_width : 2 * size.height);
  }

  [[nodiscard]] Frame frame_of(const media::VideoFrame& source) const {
    const cv::Size size = source.picture.size();
    const auto model = options_.model(size);
    const int width = work_width(size, model);
    Frame frame;
    if (const auto window = model.window()) {
      frame.window = {width,
                      width * window->full_height / window->full_width,
                      window->left * width / window->full_width,
                      window->top * width / window->full_width,
                      window->width * width / window->full_width,
                      window->height * width / window->full_width};
      cv::resize(source.picture, frame.picture, {frame.window.width, frame.window.height}, 0, 0,
                 cv::INTER_AREA);
      frame.picture = eight_bits(frame.picture);
    } else {
      frame.window = SphereWindow::whole(width, width / 2);
      const auto target = PictureModel::equirectangular(frame.window);
      const projection::SphereSampler sampler(
          eight_bits(source.picture), model, projection::SphereInterpolation::kBilinear,
          std::max(1.0, model.pixels_per_radian() / target.pixels_per_radian()));
      projection::reproject(sampler, target, Matrix3d::Identity(), frame.picture, nullptr);
    }
    const cv::Mat whole = frame.window.is_whole()
                              ? frame.picture
                              : on_sphere(frame.picture, frame.window, Matrix3d::Identity());
    frame.luma = stereo::sphere_luma(whole);
    // No depth yet: brightness alone tells cuts.
    const cv::Mat nothing(1, 1, CV_32FC1, cv::Scalar(std::numeric_limits<double>::quiet_NaN()));
    frame.statistics = stereo::frame_statistics(frame.picture, nothing, 0.0);
    return frame;
  }

  // The whole sphere, turned; what is not seen repeats the border.
  [[nodiscard]] static cv::Mat on_sphere(const cv::Mat& picture, const SphereWindow& window,
                                         const Matrix3d& source_from_target) {
    return projection::PanoramaSampler(picture, window)
        .reproject(SphereWindow::whole(kSkyWidth, kSkyWidth / 2), source_from_target)
        .picture;
  }

  // Where the frames of a group look, and which of them begin a shot.
  std::vector<Frame> look_at(std::span<const media::VideoFrame> sources) {
    std::vector<Frame> group;
    for (const auto& source : sources) {
      Frame frame = frame_of(source);
      const Frame* before = !group.empty() ? &group.back() : before_ ? &*before_ : nullptr;
      if (before == nullptr) {
        frame.cut = true;
      } else {
        const auto turn = stereo::sphere_rotation(before->luma, frame.luma);
        frame.cut =
            !turn && stereo::frame_distance(before->statistics, frame.statistics) > kCutDistance;
        if (!frame.cut) {
          frame.camera_from_track = Turn(
              levelled(turn.value_or(Matrix3d::Identity()) * before->camera_from_track.matrix()));
        }
      }
      group.push_back(std::move(frame));
    }
    return group;
  }

  // What the network says about the views that see something of a frame, in the track's frame.
  [[nodiscard]] std::vector<alignment::ViewDepth> predict(const Frame& frame) {
    const projection::PanoramaSampler sampler(frame.picture, frame.window);
    std::vector<PredictorInput> pictures;
    std::vector<alignment::ViewDepth> depths;
    for (const auto& view : views_) {
      auto turned = view;
      turned.world_from_view = frame.camera_from_track.matrix() * view.world_from_view;
      auto rendered = sampler.render(turned);
      constexpr int kLeastShare = 50;
      if (cv::countNonZero(rendered.valid) * kLeastShare <=
          static_cast<int>(rendered.valid.total())) {
        continue;
      }
      pictures.push_back({view.name, std::move(rendered.picture), view.focal_px()});
      depths.push_back({.view = view,
                        .depth = {},
                        .valid = frame.window.is_whole() ? cv::Mat() : rendered.valid,
                        .network = network_.info().name,
                        .in_metres = network_.info().metric});
    }
    auto maps = network_.predict(pictures, no_progress());
    for (std::size_t i = 0; i < maps.size(); ++i) depths[i].depth = std::move(maps[i]);
    return depths;
  }

  [[nodiscard]] KeyMoment moment_of(const Frame& frame,
                                    std::span<const alignment::ViewDepth> views) const {
    const auto& sky = options_.depth.panorama.sky;
    const cv::Mat picture =
        sky.detect ? on_sphere(frame.picture, frame.window, frame.camera_from_track.matrix())
                   : cv::Mat();
    return {views, picture, options_.depth.panorama};
  }

  // The scale of a key moment: its own at a shot's beginning (`before` is null), else mostly that
  // of the one before.
  [[nodiscard]] float log_scale_of(const KeyMoment& moment, const KeyMoment* before) const {
    const double own = moment.log_scale(options_.depth.camera_height_m);
    const auto change = before != nullptr ? moment.log_change(*before) : std::nullopt;
    if (!change) return static_cast<float>(own);
    const double held = log_scale_ + *change;
    const double drawn = std::min(1.0, kScalePerFrame * options_.keyframes);
    return static_cast<float>(held + drawn * (own - held));
  }

  // The maps of frames of one shot, of which the last one is a key moment.
  void make_run(std::span<const Frame> run, cv::Size size, std::vector<cv::Mat>& maps) {
    const KeyMoment* const before = !run.front().cut && key_ ? &*key_ : nullptr;
    const auto last_views = predict(run.back());
    KeyMoment key = moment_of(run.back(), last_views);
    const float log_scale = log_scale_of(key, before);
    for (std::size_t i = 0; i < run.size(); ++i) {
      const bool last = i + 1 == run.size();
      const alignment::BetweenMoments between{
          .before = before,
          .after = &key,
          .share = static_cast<double>(i + 1) / static_cast<double>(run.size()),
          .before_log_scale = before != nullptr ? log_scale_ : log_scale,
          .after_log_scale = log_scale};
      maps.push_back(fused(between, last ? last_views : predict(run[i]), run[i], size));
    }
    key_.emplace(std::move(key));
    log_scale_ = log_scale;
  }

  // The size of the maps of pictures of a size.
  [[nodiscard]] int map_width(cv::Size size) const {
    if (options_.depth.width_px > 0) return options_.depth.width_px;
    return std::clamp(size.width / 2, std::min(size.width, kLeastMapWidth), kMostMapWidth);
  }

  [[nodiscard]] cv::Mat fused(const alignment::BetweenMoments& between,
                              std::span<const alignment::ViewDepth> views, const Frame& frame,
                              cv::Size size) const {
    const auto model = options_.model(size);
    const int width = map_width(size);
    const auto window = model.window();
    if (window) {
      return alignment::fuse_between(between, views, frame.camera_from_track.matrix(),
                                     window->resized(width), options_.depth.panorama);
    }
    const auto sphere = SphereWindow::whole(width, std::max(1, width / 2));
    const cv::Mat map = alignment::fuse_between(between, views, frame.camera_from_track.matrix(),
                                                sphere, options_.depth.panorama);
    const auto target = model.resized(
        {width,
         std::max(1, static_cast<int>(static_cast<double>(width) * size.height / size.width))});
    cv::Mat result;
    projection::reproject(projection::SphereSampler(map, PictureModel::equirectangular(sphere)),
                          target, Matrix3d::Identity(), result, nullptr);
    return result;
  }

  DepthPredictor& network_;
  PanoramaVideoOptions options_;
  std::vector<projection::TangentView> views_;

  // Behind the last group.
  std::optional<Frame> before_;
  std::optional<KeyMoment> key_;  // nothing where the group was passed
  float log_scale_ = 0.0F;        // of the key moment, as it is held over the shot
};

}  // namespace

DepthSource panorama_depth(DepthPredictor& network, const PanoramaVideoOptions& options) {
  if (options.keyframes < 1) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'temporal.panorama_keyframes' is {}", options.keyframes))
        .hint("give 1 or more");
  }
  const auto track = std::make_shared<PanoramaTrack>(network, options);
  DepthSource source;
  source.name = network.info().name;
  source.batch = options.keyframes;
  source.maps = [track](std::span<const media::VideoFrame> frames) { return track->maps(frames); };
  source.memory = track;
  source.trial = [&network, options](cv::Size size) {
    PanoramaVideoOptions one = options;
    one.keyframes = 1;
    PanoramaTrack trial(network, one);
    cv::Mat noise(size, CV_8UC3);
    cv::RNG(1).fill(noise, cv::RNG::UNIFORM, 0, 256);
    const media::VideoFrame frame{.picture = noise, .pts = 0, .duration = 0, .index = 0};
    double seconds = 0.0;
    // The first time the network may have to be loaded.
    constexpr double kLong = 15.0;
    for (int time = 0; time < 2 && (time == 0 || seconds < kLong); ++time) {
      const auto start = std::chrono::steady_clock::now();
      static_cast<void>(trial.maps(std::span(&frame, 1)));
      seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    return seconds;
  };
  return source;
}

}  // namespace vergence::pipeline
