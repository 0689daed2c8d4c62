// SPDX-License-Identifier: Apache-2.0
#include "projection/resample.hpp"

#include "core/parallel.hpp"
#include "projection/picture_pyramid.hpp"
#include "projection/sphere_sampler.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Geometry>

namespace vergence::projection {
namespace {

using Eigen::Matrix3d;
using Eigen::Vector2d;
using Eigen::Vector3d;

bool inside(const SphereWindow& window, const Vector2d& pixel) {
  const bool across = window.wraps() || (pixel.x() >= 0.0 && pixel.x() <= window.width);
  return across && pixel.y() >= 0.0 && pixel.y() <= window.height;
}

// Fills a picture of `size` by look-ups: `look` maps (x, y) to a direction in the source's frame
// and the pyramid level that fits there.
template <class Look>
RenderedView gather(const PicturePyramid& pyramid, const SphereWindow& window, cv::Size size,
                    Look look) {
  RenderedView result{cv::Mat(size, pyramid.type()), cv::Mat(size, CV_8UC1)};
  parallel_for(0, size.height, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      auto* valid = result.valid.ptr<unsigned char>(y);
      void* row = result.picture.ptr(y);
      for (int x = 0; x < size.width; ++x) {
        const auto [direction, level] = look(x + 0.5, y + 0.5);
        const Vector2d pixel = pixel_of(window, direction);
        valid[x] = inside(window, pixel) ? 255 : 0;
        pyramid.store(pyramid.sample(pixel.x(), pixel.y(), level), row, x);
      }
    }
  });
  return result;
}

}  // namespace

struct PanoramaSampler::Pyramid {
  PicturePyramid levels;
  SphereWindow window;
};

PanoramaSampler::PanoramaSampler(const cv::Mat& picture, const SphereWindow& window)
    : pyramid_(
          std::make_unique<Pyramid>(Pyramid{PicturePyramid(picture, window.wraps()), window})) {}

PanoramaSampler::~PanoramaSampler() = default;
PanoramaSampler::PanoramaSampler(PanoramaSampler&&) noexcept = default;
PanoramaSampler& PanoramaSampler::operator=(PanoramaSampler&&) noexcept = default;

RenderedView PanoramaSampler::render(const TangentView& view) const {
  // Source pixels per view pixel on the axis.
  const double density = pyramid_->window.full_height / kPi / view.focal_px();
  return gather(pyramid_->levels, pyramid_->window, cv::Size(view.width, view.height),
                [&](double x, double y) {
                  const Vector3d ray = ray_at(view, x, y);
                  const double cosine = 1.0 / ray.norm();
                  const double footprint = density * std::pow(cosine, 1.5);
                  return std::pair{Vector3d(view.world_from_view * ray), std::log2(footprint)};
                });
}

RenderedView PanoramaSampler::reproject(const SphereWindow& target,
                                        const Matrix3d& source_from_target) const {
  const double level = std::log2(static_cast<double>(pyramid_->window.full_height) /
                                 static_cast<double>(target.full_height));
  return gather(
      pyramid_->levels, pyramid_->window, cv::Size(target.width, target.height),
      [&](double x, double y) {
        return std::pair{Vector3d(source_from_target * direction_at(target, x, y)), level};
      });
}

cv::Mat equirectangular_from_dual_fisheye(const cv::Mat& picture, Radians lens_fov, int width) {
  const auto lenses = PictureModel::dual_fisheye(picture.size(), lens_fov);
  const auto sphere = PictureModel::equirectangular(SphereWindow::whole(width, width / 2));
  const double shrink = lenses.pixels_per_radian() / sphere.pixels_per_radian();
  const SphereSampler sampler(picture, lenses, SphereInterpolation::kBilinear, shrink);
  cv::Mat result;
  reproject(sampler, sphere, Matrix3d::Identity(), result, nullptr);
  return result;
}

}  // namespace vergence::projection
