// SPDX-License-Identifier: Apache-2.0
#include "pipeline/vr_frame.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/rotation.hpp"
#include "pipeline/flat_depth.hpp"
#include "stereo/layout.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace vergence::pipeline {
namespace {

using projection::PictureKind;
using projection::PictureModel;

// Farther than any parallax can be seen (sphere_stereo.hpp).
constexpr float kInfinitelyFar = 1e9F;

void check_fov(const VrFrameOptions& options, double least_deg, double most_deg) {
  const double fov = options.fov.degrees();
  constexpr double kRounding = 1e-9;  // 150 degrees come back from radians as a little more
  if (fov >= least_deg - kRounding && fov <= most_deg + kRounding) return;
  throw Error(ErrorCode::kUsage,
              fmt::format("'vr.fov_deg' is {:g}, and a picture that is {} is {:g} to {:g} degrees "
                          "wide",
                          fov, projection::to_string(options.projection), least_deg, most_deg));
}

Radians flat_height(const VrFrameOptions& options) {
  return Radians{2.0 * std::atan(std::tan(options.fov.value() / 2.0) / options.aspect)};
}

// The height at which an eye's picture has the input's pixels per degree.
double natural_height(const VrFrameOptions& options, double density) {
  switch (options.projection) {
    case PictureKind::kFisheye:
      return options.fov.value() * density;
    case PictureKind::kFlat:
      return 2.0 * std::tan(flat_height(options).value() / 2.0) * density;
    default:
      return kPi * density;
  }
}

int even(double value) {
  return std::max(2, 2 * static_cast<int>(std::lround(value / 2.0)));
}

int eye_height(const VrFrameOptions& options, const PictureModel& source) {
  if (options.eye_px > 0) return even(options.eye_px);
  constexpr int kStep = 16;  // whole macroblocks
  const double natural = natural_height(options, source.pixels_per_radian());
  const int steps = std::max(1, static_cast<int>(std::lround(natural / kStep)));
  return std::min(steps * kStep, even(options.max_eye_px));
}

stereo::Layout packing_of(VrLayout layout) {
  return layout == VrLayout::kTopBottom ? stereo::Layout::kFullTopBottom
                                        : stereo::Layout::kFullSideBySide;
}

stereo::SphereStereo engine_of(const VrFrameOptions& options, const PictureModel& eye) {
  if (!(options.ipd_m > 0.0)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the distance between the eyes is {:g} mm", options.ipd_m * 1000.0))
        .hint("give stereo.ipd_mm above 0, 63 is usual; for one eye alone vr.layout=mono");
  }
  stereo::SphereStereoOptions engine{.eye = eye};
  if (options.projection == PictureKind::kEquirectangular) {
    engine.geometry = stereo::EyeGeometry::kOmnidirectional;
  }
  engine.ipd_m = options.ipd_m;
  engine.nearest_m = options.nearest_m;
  engine.source_from_eyes = options.source_from_world *
                            rotation_from_yaw_pitch_roll(options.yaw, options.pitch, options.roll);
  engine.interpolation = options.interpolation;
  engine.surround = options.surround;
  engine.refine_rims = options.refine_rims;
  return stereo::SphereStereo(engine);
}

// ---- Depth of videos

// result = f(value) for every pixel.
template <class Function>
cv::Mat map_values(const cv::Mat& values, const Function& f) {
  cv::Mat result(values.size(), CV_32FC1);
  parallel_for(0, values.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const auto* from = values.ptr<float>(y);
      auto* to = result.ptr<float>(y);
      for (int x = 0; x < values.cols; ++x) to[x] = static_cast<float>(f(from[x]));
    }
  });
  return result;
}

// Inverse depth along the axis of an affine disparity, 1 at its median: flat_depth.hpp's rule.
cv::Mat inverse_by_rule(const cv::Mat& disparity, double far, double median) {
  const double at_far = 1.0 / kFarToMedian;
  const double range = median - far;
  if (!(range > 0.0)) return {disparity.size(), CV_32FC1, cv::Scalar(1.0)};
  return map_values(disparity, [=](double value) {
    return std::max(at_far + (1.0 - at_far) * (value - far) / range, at_far / 4.0);
  });
}

// Depth along the axis, 1 at its median, of an affine one.
cv::Mat depth_by_rule(const cv::Mat& depth, double nearest, double median) {
  const double offset = (median - nearest) / 4.0 - nearest;
  const double at_median = std::max(median + offset, 1e-9);
  return map_values(
      depth, [=](double z) { return std::max(z + offset, (nearest + offset) / 4.0) / at_median; });
}

// Inverse distance (of flat pictures, and kinds that speak of the axis: depth) of raw nearness, in
// metres.
cv::Mat inverse_of(const cv::Mat& raw, const stereo::FrameDecision& decision,
                   const VideoDepthMeaning& meaning) {
  const double least = 1.0 / kInfinitelyFar;
  switch (meaning.kind) {
    case DepthKind::kDisparity:
      return inverse_by_rule(raw, decision.range.min, decision.median) / meaning.median_m;
    case DepthKind::kLogDisparity:
      return inverse_by_rule(map_values(raw, [](double value) { return std::exp(value); }),
                             std::exp(decision.range.min), std::exp(decision.median)) /
             meaning.median_m;
    case DepthKind::kPlanarDepthAffine: {
      const cv::Mat depth = depth_by_rule(-raw, -decision.range.max, -decision.median);
      return map_values(depth, [&](double z) { return 1.0 / (z * meaning.median_m); });
    }
    case DepthKind::kInverseDistance: {
      const double scale = meaning.in_metres || !(decision.median > 0.0F)
                               ? 1.0
                               : 1.0 / (static_cast<double>(decision.median) * meaning.median_m);
      return map_values(raw, [=](double value) { return std::max(value * scale, least); });
    }
    default: {
      const double scale = meaning.in_metres || !(decision.median < 0.0F)
                               ? 1.0
                               : meaning.median_m / -static_cast<double>(decision.median);
      return map_values(raw, [=](double value) { return 1.0 / std::max(-value * scale, 1e-6); });
    }
  }
}

bool along_axis(DepthKind kind) {
  return kind == DepthKind::kDisparity || kind == DepthKind::kLogDisparity ||
         kind == DepthKind::kPlanarDepth || kind == DepthKind::kPlanarDepthAffine;
}

// Along the rays of a flat picture, from along its axis.
void lengthen_rays(const PictureModel& model, cv::Mat& distance) {
  const cv::Mat rays = model.resized(distance.size()).direction_table();
  parallel_for(0, distance.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const auto* ray = rays.ptr<cv::Vec3f>(y);
      auto* value = distance.ptr<float>(y);
      for (int x = 0; x < distance.cols; ++x) value[x] /= -ray[x][2];
    }
  });
}

}  // namespace

std::optional<VrLayout> vr_layout_from_string(std::string_view word) {
  if (word == "sbs") return VrLayout::kSideBySide;
  if (word == "tb") return VrLayout::kTopBottom;
  if (word == "mono") return VrLayout::kMono;
  return std::nullopt;
}

PictureModel eye_model(const VrFrameOptions& options, const PictureModel& source) {
  const int height = eye_height(options, source);
  switch (options.projection) {
    case PictureKind::kHalfEquirectangular: {
      check_fov(options, 10.0, 180.0);
      const int width = even(height * options.fov.value() / kPi);
      return PictureModel::half_equirectangular({width, height}, options.fov);
    }
    case PictureKind::kEquirectangular:
      return PictureModel::equirectangular(projection::SphereWindow::whole(2 * height, height));
    case PictureKind::kFisheye:
      check_fov(options, 10.0, 220.0);
      return PictureModel::fisheye({height, height}, options.fov);
    case PictureKind::kFlat:
      check_fov(options, 10.0, 150.0);
      return PictureModel::flat({even(height * options.aspect), height}, options.fov,
                                flat_height(options));
    default:
      break;
  }
  throw Error(ErrorCode::kUsage, fmt::format("'vr.projection' cannot be {}",
                                             projection::to_string(options.projection)));
}

std::optional<media::SphericalTag> spherical_tag(const VrFrameOptions& options) {
  media::SphericalTag tag;
  switch (options.projection) {
    case PictureKind::kHalfEquirectangular:
      tag.left = tag.right = (1.0 - options.fov.value() / (2.0 * kPi)) / 2.0;
      return tag;
    case PictureKind::kEquirectangular:
      return tag;
    case PictureKind::kFisheye:
      tag.projection = media::SphericalTag::Projection::kFisheye;
      return tag;
    default:
      return std::nullopt;
  }
}

media::StereoTag stereo_tag(const VrFrameOptions& options) {
  switch (options.layout) {
    case VrLayout::kSideBySide:
      return media::StereoTag::kSideBySide;
    case VrLayout::kTopBottom:
      return media::StereoTag::kTopBottom;
    case VrLayout::kMono:
      break;
  }
  return media::StereoTag::kNone;
}

RayDistance video_distance(const cv::Mat& raw, const stereo::FrameDecision& decision,
                           const VideoDepthMeaning& meaning, const PictureModel& model) {
  const cv::Mat inverse = inverse_of(raw, decision, meaning);
  cv::Mat distance = map_values(inverse, [&](double value) { return meaning.factor / value; });
  if (model.kind() == PictureKind::kFlat && along_axis(meaning.kind)) {
    lengthen_rays(model, distance);
  }
  return RayDistance(distance);
}

struct VrFrameMaker::State {
  State(const VrFrameOptions& asked, SourceModel source_model, const VideoDepthMeaning& depth)
      : options(asked),
        model_of(std::move(source_model)),
        meaning(depth) {}

  // What depends on the pictures' size.
  struct Sized {
    Sized(const VrFrameOptions& options, const PictureModel& model)
        : source(model),
          eye(eye_model(options, model)),
          engine(engine_of(options, eye)) {}

    PictureModel source;
    PictureModel eye;
    stereo::SphereStereo engine;
  };

  Sized& for_size(cv::Size picture) {
    if (!sized || sized->source.size() != picture) sized.emplace(options, model_of(picture));
    return *sized;
  }

  VrFrameOptions options;
  SourceModel model_of;
  VideoDepthMeaning meaning;
  std::optional<Sized> sized;
  cv::Mat left;
  cv::Mat right;
  bool has_distances = false;
};

VrFrameMaker::VrFrameMaker(const VrFrameOptions& options, SourceModel source,
                           const VideoDepthMeaning& meaning)
    : state_(std::make_unique<State>(options, std::move(source), meaning)) {}

VrFrameMaker::~VrFrameMaker() = default;
VrFrameMaker::VrFrameMaker(VrFrameMaker&&) noexcept = default;
VrFrameMaker& VrFrameMaker::operator=(VrFrameMaker&&) noexcept = default;

cv::Size VrFrameMaker::frame_size(cv::Size picture) const {
  const auto eye = state_->for_size(picture).eye.size();
  if (state_->options.layout == VrLayout::kMono) return eye;
  return stereo::frame_size(packing_of(state_->options.layout), eye);
}

void VrFrameMaker::make(std::span<const StereoMoment> window, std::size_t current, cv::Mat& frame) {
  const auto& moment = window[current];
  if (state_->options.layout == VrLayout::kMono) {
    make(moment.picture, RayDistance(), frame);
    return;
  }
  const auto& sized = state_->for_size(moment.picture.size());
  make(moment.picture, video_distance(moment.raw, moment.decision, state_->meaning, sized.source),
       frame);
}

void VrFrameMaker::make(const cv::Mat& picture, const RayDistance& distance, cv::Mat& frame) {
  auto& state = *state_;
  auto& sized = state.for_size(picture.size());
  const bool mono = state.options.layout == VrLayout::kMono;
  // What is infinitely far looks the same from everywhere.
  const RayDistance far(cv::Mat(16, 32, CV_32FC1, cv::Scalar(kInfinitelyFar)));
  sized.engine.set_source(picture, sized.source, mono ? far : distance);
  state.has_distances = !mono;
  sized.engine.render(Eye::kLeft, state.left);
  if (mono) {
    state.right = state.left;
    state.left.copyTo(frame);
    return;
  }
  sized.engine.render(Eye::kRight, state.right);
  stereo::LayoutOptions packing;
  packing.layout = packing_of(state.options.layout);
  stereo::pack_eyes(state.left, state.right, packing, frame);
}

const cv::Mat& VrFrameMaker::left() const {
  return state_->left;
}

const cv::Mat& VrFrameMaker::right() const {
  return state_->right;
}

double VrFrameMaker::share_inside() const {
  return state_->has_distances ? state_->sized->engine.share_inside() : 0.0;
}

stereo::ComfortReport VrFrameMaker::comfort() const {
  stereo::ComfortReport report;
  if (state_->has_distances) report.nearest = state_->sized->engine.greatest_parallax();
  return report;
}

}  // namespace vergence::pipeline
