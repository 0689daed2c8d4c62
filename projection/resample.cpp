// SPDX-License-Identifier: Apache-2.0
#include "projection/resample.hpp"

#include "core/parallel.hpp"
#include "projection/picture_pyramid.hpp"

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

// Where the equidistant fisheye with the given axis shows a direction: pixels from the circle's
// centre, for a circle of radius 1, and how far inside its rim (0 = on the rim, in units of its
// half angle).
struct FisheyePoint {
  Vector2d offset;
  double margin;
};

FisheyePoint fisheye_point(const Vector3d& direction, bool back, double half_angle) {
  const double side = back ? -1.0 : 1.0;
  const Vector3d local{side * direction.x(), direction.y(), side * direction.z()};
  const double angle = std::atan2(std::hypot(local.x(), local.y()), -local.z());
  const double radius = angle / half_angle;
  const double across = std::hypot(local.x(), local.y());
  const Vector2d towards =
      across > 0.0 ? Vector2d(local.x() / across, -local.y() / across) : Vector2d::Zero();
  return {towards * radius, 1.0 - radius};
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
  const double radius_x = picture.cols / 4.0;
  const double radius_y = picture.rows / 2.0;
  const double half_angle = lens_fov.value() / 2.0;
  const PicturePyramid pyramid(picture, false);
  const auto window = SphereWindow::whole(width, width / 2);
  const double level = std::log2(radius_y / half_angle / (window.full_height / kPi));
  cv::Mat result(window.height, window.width, picture.type());
  // The lenses are cross-faded over their overlap; a full-sphere lens pair has half_angle > 90
  // degrees.
  const double overlap = std::max(1e-6, 2.0 * (1.0 - kPi / 2.0 / half_angle));
  parallel_for(0, result.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      for (int x = 0; x < result.cols; ++x) {
        const Vector3d direction = direction_at(window, x + 0.5, y + 0.5);
        const FisheyePoint front = fisheye_point(direction, false, half_angle);
        const FisheyePoint back = fisheye_point(direction, true, half_angle);
        const double share =
            std::clamp(0.5 + 0.5 * (front.margin - back.margin) / overlap, 0.0, 1.0);
        PicturePyramid::Pixel pixel{};
        const auto add = [&](const FisheyePoint& point, double centre_x, double weight) {
          if (weight <= 0.0) return;
          const auto colour = pyramid.sample(centre_x + point.offset.x() * radius_x,
                                             radius_y + point.offset.y() * radius_y, level);
          for (std::size_t c = 0; c < 4; ++c) pixel[c] += static_cast<float>(weight) * colour[c];
        };
        add(front, radius_x, share);
        add(back, 3.0 * radius_x, 1.0 - share);
        pyramid.store(pixel, result.ptr(y), x);
      }
    }
  });
  return result;
}

}  // namespace vergence::projection
