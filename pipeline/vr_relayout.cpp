// SPDX-License-Identifier: Apache-2.0
#include "pipeline/vr_relayout.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/rotation.hpp"
#include "pipeline/pair_distance.hpp"
#include "projection/sphere_sampler.hpp"
#include "stereo/sphere_stereo.hpp"

#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace vergence::pipeline {
namespace {

using projection::PictureKind;
using projection::PictureModel;
using projection::SphereSampler;

cv::Size stored_size(const VrRelayoutOptions& options, cv::Size eye) {
  if (!options.squeezed) return eye;
  if (options.frame.layout == VrLayout::kSideBySide) return {(eye.width + 1) / 2, eye.height};
  if (options.frame.layout == VrLayout::kTopBottom) return {eye.width, (eye.height + 1) / 2};
  return eye;
}

// Where the eyes lie in the frame; the same place twice for mono.
std::array<cv::Rect, 2> places(VrLayout layout, cv::Size eye) {
  const cv::Rect first({}, eye);
  if (layout == VrLayout::kSideBySide) return {first, first + cv::Point(eye.width, 0)};
  if (layout == VrLayout::kTopBottom) return {first, first + cv::Point(0, eye.height)};
  return {first, first};
}

// Whether a picture of one model is one of the other as it is.
bool shows_the_same(const PictureModel& a, const PictureModel& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [x, y] : {std::pair{0.5, 0.5}, {0.3, 0.4}, {0.45, 0.9}, {0.8, 0.2}}) {
    const auto one = a.direction_at(x * a.size().width, y * a.size().height);
    const auto other = b.direction_at(x * a.size().width, y * a.size().height);
    if (one.has_value() != other.has_value()) return false;
    if (one && (*one - *other).norm() > 1e-9) return false;
  }
  return true;
}

// Both eyes' views in the same directions. Empty views are left out.
void look(const std::array<const SphereSampler*, 2>& eyes, const PictureModel& target,
          const Eigen::Matrix3d& source_from_eyes, bool black_around,
          std::array<cv::Mat, 2>& views) {
  const Eigen::Matrix3f turn = source_from_eyes.cast<float>();
  parallel_for(0, target.size().height, [&](int first, int last) {
    const auto width = static_cast<std::size_t>(target.size().width);
    std::vector<cv::Point2f> points(width);
    std::vector<cv::Point3f> directions(width);
    std::vector<unsigned char> seen(width);
    for (int y = first; y < last; ++y) {
      for (std::size_t x = 0; x < width; ++x) {
        points[x] = {static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F};
      }
      target.directions_at(points, directions);
      for (cv::Point3f& d : directions) {
        const Eigen::Vector3f turned = turn * Eigen::Vector3f(d.x, d.y, d.z);
        d = {turned.x(), turned.y(), turned.z()};
      }
      for (std::size_t eye = 0; eye < 2; ++eye) {
        if (eyes[eye] == nullptr) continue;
        cv::Mat row = views[eye].row(y);
        eyes[eye]->sample(directions, row.data, seen.data());
        if (!black_around) continue;
        const cv::Mat unseen = cv::Mat(1, target.size().width, CV_8UC1, seen.data()) == 0;
        row.setTo(cv::Scalar::all(0.0), unseen);
      }
    }
  });
}

}  // namespace

struct VrRelayout::State {
  VrRelayoutOptions options;
  EyeLayout eyes;
  EyeModel source_of;
  Eigen::Matrix3d source_from_eyes;
  cv::Mat left;
  cv::Mat right;

  [[nodiscard]] PictureModel target_for(const PictureModel& source) const {
    const PictureModel eye = eye_model(options.frame, source);
    return eye.resized(stored_size(options, eye.size()));
  }

  [[nodiscard]] bool is_mono() const { return options.frame.layout == VrLayout::kMono; }

  [[nodiscard]] bool wants(Eye eye) const { return !is_mono() || eye == options.mono_eye; }

  void resample(const std::array<cv::Mat, 2>& sources, const PictureModel& source,
                const PictureModel& target, std::array<cv::Mat, 2>& views) const;
  void move_eyes(const std::array<cv::Mat, 2>& sources, const PictureModel& source,
                 const PictureModel& target, std::array<cv::Mat, 2>& views) const;
};

void VrRelayout::State::resample(const std::array<cv::Mat, 2>& sources, const PictureModel& source,
                                 const PictureModel& target, std::array<cv::Mat, 2>& views) const {
  if (source_from_eyes.isIdentity(1e-12) && shows_the_same(source, target)) {
    for (std::size_t i = 0; i < 2; ++i) {
      if (wants(i == 0 ? Eye::kLeft : Eye::kRight)) sources[i].copyTo(views[i]);
    }
    return;
  }
  const double shrink = source.pixels_per_radian() / target.pixels_per_radian();
  std::array<std::optional<SphereSampler>, 2> samplers;
  std::array<const SphereSampler*, 2> wanted{};
  for (std::size_t i = 0; i < 2; ++i) {
    if (!wants(i == 0 ? Eye::kLeft : Eye::kRight)) continue;
    // Up to this the taps still see every pixel.
    constexpr double kHarmless = 1.3;
    samplers[i].emplace(sources[i], source, options.frame.interpolation,
                        shrink > kHarmless ? shrink : 1.0);
    wanted[i] = &*samplers[i];
  }
  look(wanted, target, source_from_eyes, options.frame.surround == stereo::Surround::kBlack, views);
}

void VrRelayout::State::move_eyes(const std::array<cv::Mat, 2>& sources, const PictureModel& source,
                                  const PictureModel& target, std::array<cv::Mat, 2>& views) const {
  const bool around = source.kind() == PictureKind::kEquirectangular &&
                      target.kind() == PictureKind::kEquirectangular;
  const auto geometry =
      around ? stereo::EyeGeometry::kOmnidirectional : stereo::EyeGeometry::kParallel;
  const auto found = match_eyes(sources[0], sources[1], source, geometry, options.input_ipd_m);
  const double more = options.frame.ipd_m - options.input_ipd_m;
  stereo::SphereStereoOptions engine{.eye = target};
  engine.geometry = geometry;
  engine.ipd_m = std::abs(more);
  engine.nearest_m = options.frame.nearest_m;
  engine.source_from_eyes = source_from_eyes;
  engine.interpolation = options.frame.interpolation;
  engine.surround = options.frame.surround;
  engine.refine_rims = options.frame.refine_rims;
  stereo::SphereStereo mover(engine);
  for (const Eye eye : {Eye::kLeft, Eye::kRight}) {
    if (!wants(eye)) continue;
    const std::size_t i = eye == Eye::kLeft ? 0 : 1;
    // Each eye is the middle between two that are as far apart as both move in all: of these it
    // becomes the outer one, or the inner one where the eyes come closer.
    const Eye other = eye == Eye::kLeft ? Eye::kRight : Eye::kLeft;
    mover.set_source(sources[i], source, eye == Eye::kLeft ? found.left : found.right);
    mover.render(more > 0.0 ? eye : other, views[i]);
  }
}

VrRelayout::VrRelayout(const VrRelayoutOptions& options, const EyeLayout& eyes, EyeModel source)
    : state_(std::make_unique<State>(
          State{.options = options,
                .eyes = eyes,
                .source_of = std::move(source),
                .source_from_eyes = rotation_from_yaw_pitch_roll(
                    options.frame.yaw, options.frame.pitch, options.frame.roll),
                .left = {},
                .right = {}})) {
  if (!options.change_ipd) return;
  if (!(options.frame.ipd_m > 0.0) || !(options.input_ipd_m > 0.0)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the distance between the eyes cannot go from {:g} to {:g} mm",
                            options.input_ipd_m * 1000.0, options.frame.ipd_m * 1000.0))
        .hint("give input.ipd_mm and stereo.ipd_mm above 0; for one eye alone vr.layout=mono");
  }
  if (!eyes.is_pair()) {
    throw Error(ErrorCode::kUsage, "one eye's picture has no distance between the eyes")
        .hint("give input.stereo if it holds both");
  }
}

VrRelayout::~VrRelayout() = default;
VrRelayout::VrRelayout(VrRelayout&&) noexcept = default;
VrRelayout& VrRelayout::operator=(VrRelayout&&) noexcept = default;

cv::Size VrRelayout::frame_size(cv::Size picture) const {
  const auto target = state_->target_for(state_->source_of(picture));
  const auto where = places(state_->options.frame.layout, target.size());
  return (where[0] | where[1]).size();
}

void VrRelayout::make(std::span<const StereoMoment> window, std::size_t current, cv::Mat& frame) {
  make(window[current].picture, frame);
}

void VrRelayout::make(const cv::Mat& picture, cv::Mat& frame) {
  const auto eyes = split_eyes(picture, state_->eyes);
  make(eyes[0], eyes[1], frame);
}

void VrRelayout::make(const cv::Mat& left, const cv::Mat& right, cv::Mat& frame) {
  // Models are told by whole pictures.
  cv::Size picture = left.size();
  if (state_->eyes.packing == EyeLayout::Packing::kSideBySide) picture.width *= 2;
  if (state_->eyes.packing == EyeLayout::Packing::kTopBottom) picture.height *= 2;
  const auto source = state_->source_of(picture);
  const auto target = state_->target_for(source);
  const auto where = places(state_->options.frame.layout, target.size());
  frame.create((where[0] | where[1]).size(), left.type());
  std::array<cv::Mat, 2> views = {frame(where[0]), frame(where[1])};
  constexpr double kSameDistance = 1e-5;  // metres
  const auto& options = state_->options;
  if (options.change_ipd && std::abs(options.frame.ipd_m - options.input_ipd_m) > kSameDistance) {
    state_->move_eyes({left, right}, source, target, views);
  } else {
    state_->resample({left, right}, source, target, views);
  }
  state_->left = views[0];
  state_->right = views[1];
}

const cv::Mat& VrRelayout::left() const {
  return state_->left;
}

const cv::Mat& VrRelayout::right() const {
  return state_->right;
}

VrRelayout::EyeModel eye_models(const Recognition& seen, std::optional<Radians> fov_x,
                                std::optional<Radians> fisheye_fov) {
  return [model = eye_model(seen, fov_x, fisheye_fov), eyes = seen.eyes](cv::Size picture) {
    return model.resized(eye_size(eyes, picture));
  };
}

}  // namespace vergence::pipeline
