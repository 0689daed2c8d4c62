// SPDX-License-Identifier: Apache-2.0
#include "stereo/sphere_parallax.hpp"

#include "core/parallel.hpp"
#include "stereo/rim_refinement.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <vector>

namespace vergence::stereo {
namespace {

using projection::PictureModel;

// Half the distance between the eyes is at most this share of any distance: what is nearer is in
// the viewer's head.
constexpr double kGreatestShare = 0.95;

// Omnidirectional eyes stand apart in full up to this latitude.
constexpr double kFullLatitude = 75.0 * kPi / 180.0;

// Distances with fewer pixels per angle than this share of the domain's are interpolated.
constexpr double kDense = 0.9;

// Neighbouring inverse distances that differ by this factor are no single surface.
constexpr float kRimFactor = 1.15F;

// Distances of spheres are mostly through their pixels' centres: what is nearly as far as its
// neighbours in colour too stays far.
constexpr RimLimits kRimLimits = {0.4F, 0.05F, 0.25F};

constexpr double kFarAway = 1e9;

constexpr int kRowsPerTask = 32;

// Share of the eyes' distance from each other that is left at a latitude: all of it below
// kFullLatitude, then so that radius / cos(latitude) falls to 0 at the pole without a step in its
// slope.
double pole_fade(double latitude) {
  const double u = std::cos(latitude) / std::cos(kFullLatitude);
  return u >= 1.0 ? 1.0 : u * u * (3.0 - 2.0 * u);
}

bool is_distance(float value) {
  return value > 0.0F;
}

// Gives what is no distance that of the farther of its neighbours in the row, or a row beside it.
void fill_row(float* row, int width, bool wrap) {
  std::vector<float> from_left(static_cast<std::size_t>(width));
  float last = -1.0F;
  for (int pass = wrap ? 0 : 1; pass < 2; ++pass) {
    for (int x = 0; x < width; ++x) {
      if (is_distance(row[x])) last = row[x];
      from_left[static_cast<std::size_t>(x)] = last;
    }
  }
  last = -1.0F;
  for (int pass = wrap ? 0 : 1; pass < 2; ++pass) {
    for (int x = width - 1; x >= 0; --x) {
      if (is_distance(row[x])) {
        last = row[x];
      } else if (pass == 1) {
        row[x] = std::max(last, from_left[static_cast<std::size_t>(x)]);
      }
    }
  }
}

cv::Mat filled_distances(const cv::Mat& distance, bool wrap) {
  cv::Mat filled = distance.clone();
  std::vector<int> known;
  for (int y = 0; y < filled.rows; ++y) {
    auto* const row = filled.ptr<float>(y);
    if (std::none_of(row, row + filled.cols, is_distance)) continue;
    known.push_back(y);
    fill_row(row, filled.cols, wrap);
  }
  if (known.empty()) return cv::Mat(distance.size(), CV_32FC1, cv::Scalar(kFarAway));
  for (int y = 0; y < filled.rows; ++y) {
    const auto next = std::lower_bound(known.begin(), known.end(), y);
    if (next != known.end() && *next == y) continue;
    int nearest = next != known.end() ? *next : known.back();
    if (next != known.begin() && y - *(next - 1) < std::abs(nearest - y)) nearest = *(next - 1);
    filled.row(nearest).copyTo(filled.row(y));
  }
  return filled;
}

bool goes_all_around(const PictureModel& model) {
  const auto window = model.window();
  return window && window->wraps();
}

}  // namespace

SphereParallax::SphereParallax(const SphereDomain& domain, const SphereStereoOptions& options)
    : domain_(domain),
      options_(options),
      rays_(domain, options.source_from_eyes) {
  const double radius = 0.5 * options.ipd_m;
  double limit = kGreatestShare;
  if (options.nearest_m > 0.0) limit = std::min(limit, radius / options.nearest_m);
  scale_ = {static_cast<float>(radius), static_cast<float>(limit),
            domain.geometry == EyeGeometry::kOmnidirectional,
            static_cast<float>(domain.px_per_radian())};
  column_gain_.resize(static_cast<std::size_t>(domain.size.width));
  for (int x = 0; x < domain.size.width; ++x) {
    column_gain_[static_cast<std::size_t>(x)] =
        static_cast<float>(std::cos(domain.column_angle(x)));
  }
}

void SphereParallax::take(const RayDistance& distance, const PictureModel& model,
                          const SpherePicture& picture) {
  const cv::Mat values =
      distance.values().isContinuous() ? distance.values() : distance.values().clone();
  const PictureModel here = model.resized(values.size());
  if (!model_ || !same_view(*model_, here)) {
    model_ = here;
    border_.emplace(here);
    place_distances(here, values.size());
  }
  cv::Mat cleaned = values;
  DistanceSummary summary = convert(values, picture);
  if (summary.odd) {
    cleaned = filled_distances(values, goes_all_around(*model_));
    summary = convert(cleaned, picture);
  }
  measure(summary, values);
}

// The colours of an area of the domain as the source shows it.
void SphereParallax::fetch(const SpherePicture& picture, const cv::Rect& area, void* pixels) const {
  AngleBlock block;
  const std::size_t bytes =
      static_cast<std::size_t>(area.width) * static_cast<std::size_t>(CV_ELEM_SIZE(picture.type()));
  auto* out = static_cast<unsigned char*>(pixels);
  alignas(16) std::array<unsigned char, std::size_t{kSphereBlock} * 16 + 16> colours;
  std::array<unsigned char, kSphereBlock> outside;
  for (int y = area.y; y < area.y + area.height; ++y) {
    fill_angles(area.x, y, area.width, block);
    picture.sample(rays_.angles(block, area.width), colours.data(), outside.data());
    std::memcpy(out, colours.data(), bytes);
    out += bytes;
  }
}

void SphereParallax::fill_angles(int first, int y, int count, AngleBlock& block) const {
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    block.along[at] = static_cast<float>(domain_.column_angle(first + i));
    block.across[at] = static_cast<float>(domain_.row_angle(y));
  }
}

// For each pixel of the domain, where its distance is to be found.
void SphereParallax::place_distances(const PictureModel& model, cv::Size size) {
  coarse_ = model.pixels_per_radian() < kDense * domain_.px_per_radian();
  index_.release();
  points_.release();
  (coarse_ ? points_ : index_).create(domain_.size, coarse_ ? CV_32FC2 : CV_32SC1);
  parallel_for(0, domain_.size.height, [&](int first, int last) {
    const int width = domain_.size.width;
    std::vector<cv::Point3f> directions(static_cast<std::size_t>(width));
    std::vector<cv::Point2f> pixels(directions.size());
    AngleBlock block;
    for (int y = first; y < last; ++y) {
      for (int begin = 0; begin < width; begin += kSphereBlock) {
        const int count = std::min(kSphereBlock, width - begin);
        fill_angles(begin, y, count, block);
        sphere_kernels().directions(rays_.angles(block, count),
                                    &directions[static_cast<std::size_t>(begin)].x);
      }
      model.pixels_of(directions, pixels);
      for (int x = 0; x < width; ++x) {
        cv::Point2f at = pixels[static_cast<std::size_t>(x)];
        if (std::isnan(at.x)) {
          const cv::Point3f& d = directions[static_cast<std::size_t>(x)];
          const auto inside = model.pixel_of(border_->place_of({d.x, d.y, d.z}).nearest);
          at = inside
                   ? cv::Point2f(static_cast<float>(inside->x()), static_cast<float>(inside->y()))
                   : cv::Point2f(0.5F * static_cast<float>(size.width),
                                 0.5F * static_cast<float>(size.height));
        }
        at.x = std::clamp(at.x, 0.0F, static_cast<float>(size.width));
        at.y = std::clamp(at.y, 0.0F, static_cast<float>(size.height));
        if (coarse_) {
          // Centres lie at whole positions of inverse_, whose border is one pixel.
          points_.ptr<cv::Point2f>(y)[x] = {at.x + 0.5F, at.y + 0.5F};
        } else {
          index_.ptr<int>(y)[x] = std::min(static_cast<int>(at.y), size.height - 1) * size.width +
                                  std::min(static_cast<int>(at.x), size.width - 1);
        }
      }
    }
  });
}

DistanceSummary SphereParallax::convert(const cv::Mat& distance, const SpherePicture& picture) {
  if (coarse_) {
    const cv::Mat inverse = 1.0 / distance;
    const int sides = goes_all_around(*model_) ? cv::BORDER_WRAP : cv::BORDER_REPLICATE;
    cv::copyMakeBorder(inverse, inverse_, 0, 0, 1, 1, sides);
    cv::copyMakeBorder(inverse_, inverse_, 1, 1, 0, 0, cv::BORDER_REPLICATE);
  }
  DistanceSummary summary;
  std::mutex mutex;
  parallax_.create(domain_.size, CV_32FC1);
  const auto fetch_pixels = [&](const cv::Rect& area, void* pixels) {
    fetch(picture, area, pixels);
  };
  const auto convert_rows = [&](int first, int last) {
    DistanceSummary own;
    if (options_.refine_rims) {
      // In a band of its own, which stays in the cache, with the rows beside it.
      const int begin = std::max(first - 1, 0);
      const int end = std::min(last + 1, domain_.size.height);
      thread_local std::vector<float> memory;
      memory.resize(static_cast<std::size_t>(end - begin) *
                    static_cast<std::size_t>(domain_.size.width));
      cv::Mat band(end - begin, domain_.size.width, CV_32FC1, memory.data());
      convert_band(distance, begin, band, own);
      refine_rims(picture.type(), fetch_pixels,
                  {band, {first - begin, last - begin}, begin, kRimLimits}, domain_.wrap_columns,
                  parallax_);
    } else {
      cv::Mat band = parallax_.rowRange(first, last);
      convert_band(distance, first, band, own);
    }
    const std::scoped_lock lock(mutex);
    summary.nearest = std::min(summary.nearest, own.nearest);
    summary.greatest_px = std::max(summary.greatest_px, own.greatest_px);
    summary.odd = summary.odd || own.odd;
  };
  parallel_for(0, domain_.size.height, convert_rows, kRowsPerTask);
  return summary;
}

// The parallax of the domain's rows from `first_row` on.
void SphereParallax::convert_band(const cv::Mat& distance, int first_row, cv::Mat& band,
                                  DistanceSummary& summary) const {
  std::array<float, kSphereBlock> block;
  std::array<float, kSphereBlock> row_gain;
  // Blocks below each other share most of what they read.
  for (int first = 0; first < band.cols; first += kSphereBlock) {
    const int count = std::min(kSphereBlock, band.cols - first);
    for (int row = 0; row < band.rows; ++row) {
      const int y = first_row + row;
      gather(distance, y, first, count, block.data());
      if (scale_.arc_sine) {
        const double latitude = domain_.row_angle(y);
        row_gain.fill(static_cast<float>(pole_fade(latitude) / std::cos(latitude)));
      }
      const float* const gain = scale_.arc_sine ? row_gain.data() : column_gain_.data() + first;
      sphere_kernels().parallax(block.data(), gain, count, scale_, band.ptr<float>(row) + first,
                                summary);
    }
  }
}

void SphereParallax::gather(const cv::Mat& distance, int y, int first, int count, float* to) const {
  if (coarse_) {
    gather_coarse(y, first, count, to);
    return;
  }
  const int* const index = index_.ptr<int>(y) + first;
  const float* const from = distance.ptr<float>();
  for (int i = 0; i < count; ++i) to[i] = from[index[i]];
}

// Bilinear in inverse distance, in which planes are nearly linear; at a rim, of those pixels on the
// side that has more weight.
void SphereParallax::gather_coarse(int y, int first, int count, float* to) const {
  const auto* const at = points_.ptr<cv::Point2f>(y) + first;
  for (int i = 0; i < count; ++i) {
    const int x0 = static_cast<int>(at[i].x);
    const int y0 = static_cast<int>(at[i].y);
    const float fx = at[i].x - static_cast<float>(x0);
    const float fy = at[i].y - static_cast<float>(y0);
    const float* const above = inverse_.ptr<float>(y0) + x0;
    const float* const below = inverse_.ptr<float>(y0 + 1) + x0;
    const std::array<float, 4> value = {above[0], above[1], below[0], below[1]};
    const std::array<float, 4> weight = {(1.0F - fx) * (1.0F - fy), fx * (1.0F - fy),
                                         (1.0F - fx) * fy, fx * fy};
    const auto [least, most] = std::minmax({value[0], value[1], value[2], value[3]});
    float sum = 0.0F;
    float total = 1.0F;
    if (most <= least * kRimFactor) {
      for (std::size_t k = 0; k < 4; ++k) sum += weight[k] * value[k];
    } else {
      const float split = 0.5F * (least + most);
      std::array<float, 2> sums{};
      std::array<float, 2> totals{};
      for (std::size_t k = 0; k < 4; ++k) {
        const auto side = static_cast<std::size_t>(value[k] > split);
        sums[side] += weight[k] * value[k];
        totals[side] += weight[k];
      }
      const auto side = static_cast<std::size_t>(totals[1] > totals[0]);
      sum = sums[side];
      total = totals[side];
    }
    // What is no distance spoils the sum and stays none.
    to[i] = total / sum;
  }
}

double SphereParallax::limited(double share) const {
  const std::array<float, 1> distance = {static_cast<float>(scale_.radius / share)};
  const std::array<float, 1> gain = {1.0F};
  std::array<float, 1> result{};
  ParallaxScale plain = scale_;
  plain.arc_sine = false;
  plain.px_per_radian = 1.0F;
  DistanceSummary unused;
  sphere_kernels().parallax(distance.data(), gain.data(), 1, plain, result.data(), unused);
  return result[0];
}

void SphereParallax::measure(const DistanceSummary& summary, const cv::Mat& distance) {
  const double px_per_radian = domain_.px_per_radian();
  const double greatest = summary.greatest_px / px_per_radian;
  const double radius = 0.5 * options_.ipd_m;
  if (scale_.arc_sine) {
    greatest_angle_ = 2.0 * greatest;
    reach_ = summary.greatest_px;
  } else {
    greatest_angle_ = 2.0 * std::atan(greatest);
    reach_ = static_cast<float>(std::asin(limited(radius / summary.nearest)) * px_per_radian + 1.0);
  }
  reach_ = std::min(reach_, 0.5F * static_cast<float>(domain_.size.width));
  share_inside_ = 0.0;
  if (summary.nearest >= radius) return;
  double inside = 0.0;
  double all = 0.0;
  std::array<float, kSphereBlock> block;
  for (int y = 0; y < domain_.size.height; ++y) {
    const double row_weight = scale_.arc_sine ? std::cos(domain_.row_angle(y)) : 1.0;
    for (int first = 0; first < domain_.size.width; first += kSphereBlock) {
      const int count = std::min(kSphereBlock, domain_.size.width - first);
      gather(distance, y, first, count, block.data());
      for (int i = 0; i < count; ++i) {
        const double weight = scale_.arc_sine ? row_weight : column_gain_.data()[first + i];
        all += weight;
        const float value = block[static_cast<std::size_t>(i)];
        if (is_distance(value) && value < radius) inside += weight;
      }
    }
  }
  share_inside_ = inside / all;
}

}  // namespace vergence::stereo
