// SPDX-License-Identifier: Apache-2.0
#include "stereo/sphere_stereo.hpp"

#include "stereo/sphere_domain.hpp"
#include "stereo/sphere_parallax.hpp"
#include "stereo/sphere_picture.hpp"
#include "stereo/sphere_view.hpp"

#include <cmath>
#include <stdexcept>

namespace vergence::stereo {
namespace {

const SphereStereoOptions& checked(const SphereStereoOptions& options) {
  if (!(options.ipd_m > 0.0) || !std::isfinite(options.ipd_m)) {
    throw std::invalid_argument("the distance between the eyes is greater than 0");
  }
  if (options.geometry == EyeGeometry::kOmnidirectional &&
      options.eye.kind() != projection::PictureKind::kEquirectangular) {
    throw std::invalid_argument("omnidirectional stereo is equirectangular");
  }
  return options;
}

}  // namespace

struct SphereStereo::State {
  explicit State(const SphereStereoOptions& chosen)
      : options(checked(chosen)),
        table(make_eye_table(options.geometry, options.eye)),
        parallax(table.domain, options),
        view(table, options) {}

  SphereStereoOptions options;
  EyeTable table;
  SpherePicture picture;
  SphereParallax parallax;
  SphereView view;
  bool has_source = false;
};

SphereStereo::SphereStereo(const SphereStereoOptions& options)
    : state_(std::make_unique<State>(options)) {}

SphereStereo::~SphereStereo() = default;
SphereStereo::SphereStereo(SphereStereo&&) noexcept = default;
SphereStereo& SphereStereo::operator=(SphereStereo&&) noexcept = default;

void SphereStereo::set_source(const cv::Mat& picture, const projection::PictureModel& model,
                              const RayDistance& distance) {
  if (distance.empty()) throw std::invalid_argument("stereo needs distances");
  State& state = *state_;
  state.has_source = false;
  const double shrink = model.pixels_per_radian() / state.options.eye.pixels_per_radian();
  state.picture.set(picture, model, shrink, state.options);
  state.parallax.take(distance, model, state.picture);
  state.has_source = true;
}

void SphereStereo::render(Eye eye, cv::Mat& view, cv::Mat* visibility) {
  State& state = *state_;
  if (!state.has_source) throw std::logic_error("stereo needs its source first");
  const cv::Size size = state.options.eye.size();
  view.create(size, state.picture.type());
  if (visibility != nullptr) visibility->create(size, CV_8UC1);
  state.view.trace(state.parallax, eye, state.picture.type());
  state.view.fill(state.picture);
  state.view.paint(state.picture, view, visibility);
}

Radians SphereStereo::greatest_parallax() const {
  return Radians(state_->parallax.greatest_angle());
}

double SphereStereo::share_inside() const {
  return state_->parallax.share_inside();
}

}  // namespace vergence::stereo
