// SPDX-License-Identifier: Apache-2.0
#include "alignment/global_fit.hpp"
#include "alignment/grid_correction.hpp"
#include "alignment/observations.hpp"
#include "alignment/panorama_depth.hpp"
#include "alignment/row_blend.hpp"
#include "alignment/sky.hpp"
#include "alignment/sphere_poisson.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/statistics.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <spdlog/spdlog.h>

namespace vergence::alignment {
namespace {

using projection::SphereWindow;

constexpr int kLargestWidth = 4096;  // of the fused sphere; wider pictures get it interpolated
constexpr int kScoutWidth = 1024;    // of the first estimate, in which sky is looked for
constexpr float kFloorOfMedian = 0.02F;

// Views are blended as u = asinh(q / q0): logarithmic where things are near, so that errors count
// by their ratio, and linear where they are far, so that noise around infinity averages out. q0 is
// this share of the median inverse distance.
constexpr double kKneeOfMedian = 0.3;

// Values of a grid of control points that sit on the borders of the view, bilinear.
float grid_value(const cv::Mat& grid, float u, float v) {
  const float across = u * static_cast<float>(grid.cols - 1);
  const float down = v * static_cast<float>(grid.rows - 1);
  const int column = std::min(static_cast<int>(across), grid.cols - 2);
  const int row = std::min(static_cast<int>(down), grid.rows - 2);
  const float fx = across - static_cast<float>(column);
  const float fy = down - static_cast<float>(row);
  const auto* upper = grid.ptr<float>(row) + column;
  const auto* lower = grid.ptr<float>(row + 1) + column;
  const float a = upper[0] + fx * (upper[1] - upper[0]);
  const float b = lower[0] + fx * (lower[1] - lower[0]);
  return a + fy * (b - a);
}

// How inverse distances are compressed for blending, and back.
class Compression {
 public:
  explicit Compression(double median)
      : knee_(static_cast<float>(kKneeOfMedian * median)),
        floor_(static_cast<float>(kFloorOfMedian * median)) {}

  [[nodiscard]] float compress(float q) const { return std::asinh(q / knee_); }

  // Always positive: below the floor the value falls off exponentially, smoothly joined.
  [[nodiscard]] float expand(float u) const {
    const float q = knee_ * std::sinh(u);
    return q >= floor_ ? q : floor_ * std::exp(std::max(q / floor_ - 1.0F, -3.0F));
  }

 private:
  float knee_;
  float floor_;
};

// The median of inverse distance that belongs to the fit's median, which is one of distances in the
// forward domain.
double median_inverse(const PreparedViews& prepared, const GlobalFit& fit) {
  return prepared.domain == FitDomain::kInverse ? fit.median : 1.0 / fit.median;
}

// The view's map as compressed inverse distance, with its fit and its grid applied.
BlendView blend_view(const PreparedView& prepared, const ViewFit& fit, FitDomain domain,
                     const Compression& compression, const cv::Mat& grid) {
  const cv::Size size = prepared.normalised.size();
  BlendView result{.view = prepared.view,
                   .value = cv::Mat(size, CV_32FC1),
                   .confidence = prepared.confidence,
                   .trust = static_cast<float>(fit.weight)};
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      const double length = projection::ray_at(prepared.view, x + 0.5, y + 0.5).norm();
      const double factor = domain == FitDomain::kInverse ? 1.0 / length : length;
      const double fitted = factor * (fit.scale * prepared.normalised.at<float>(y, x) + fit.shift);
      // A distance of 0 or less, which a noisy forward map may hold, is taken as very near.
      double inverse = domain == FitDomain::kInverse ? fitted : 1.0 / std::max(fitted, 1e-3);
      if (!grid.empty()) {
        const float logarithm =
            grid_value(grid, (static_cast<float>(x) + 0.5F) / static_cast<float>(size.width),
                       (static_cast<float>(y) + 0.5F) / static_cast<float>(size.height));
        inverse *= std::exp(domain == FitDomain::kInverse ? logarithm : -logarithm);
      }
      result.value.at<float>(y, x) = compression.compress(static_cast<float>(inverse));
    }
  }
  return result;
}

std::vector<BlendView> blend_views(const PreparedViews& prepared, const GlobalFit& fit,
                                   const std::vector<cv::Mat>& grids) {
  const Compression compression(median_inverse(prepared, fit));
  std::vector<BlendView> result;
  for (std::size_t i = 0; i < prepared.views.size(); ++i) {
    if (prepared.views[i].normalised.empty()) continue;
    result.push_back(blend_view(prepared.views[i], fit.views[i], prepared.domain, compression,
                                grids.empty() ? cv::Mat() : grids[i]));
  }
  return result;
}

// Gives pixels without data the smooth continuation of their surroundings: averages over ever
// coarser levels, filled in from the coarsest (Gortler et al., "The Lumigraph", SIGGRAPH 1996,
// pull-push).
void fill_gaps(cv::Mat& map, const cv::Mat& covered) {
  if (cv::countNonZero(covered) == static_cast<int>(covered.total())) return;
  cv::Mat weight;
  covered.convertTo(weight, CV_32FC1, 1.0 / 255.0);
  if (std::min(map.cols, map.rows) <= 1) {
    const double total = cv::sum(weight)[0];
    const double mean = total > 0.0 ? cv::sum(map.mul(weight))[0] / total : 0.0;
    map.setTo(mean, covered == 0);
    return;
  }
  const cv::Size half((map.cols + 1) / 2, (map.rows + 1) / 2);
  cv::Mat coarse;
  cv::Mat coarse_weight;
  cv::resize(map.mul(weight), coarse, half, 0.0, 0.0, cv::INTER_AREA);
  cv::resize(weight, coarse_weight, half, 0.0, 0.0, cv::INTER_AREA);
  const cv::Mat coarse_covered = coarse_weight > 1e-6;
  cv::divide(coarse, cv::max(coarse_weight, 1e-6), coarse);
  fill_gaps(coarse, coarse_covered);
  cv::Mat continued;
  cv::resize(coarse, continued, map.size(), 0.0, 0.0, cv::INTER_LINEAR);
  continued.copyTo(map, covered == 0);
}

// Inside the masked region and across its border the gradients become those of the base: what is
// there must not bend its surroundings, nor they it.
void ignore_gradients(BlendedRows& rows, const cv::Mat& masked) {
  parallel_for(0, masked.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const int next = std::min(y + 1, masked.rows - 1);
      const auto* here = masked.ptr(y);
      const auto* below = masked.ptr(next);
      const auto* base = rows.base.ptr<float>(y);
      const auto* base_below = rows.base.ptr<float>(next);
      auto* gx = rows.gradient_x.ptr<float>(y);
      auto* gy = rows.gradient_y.ptr<float>(y);
      for (int x = 0; x < masked.cols; ++x) {
        const int right = x + 1 == masked.cols ? 0 : x + 1;
        if (here[x] != 0 || here[right] != 0) gx[x] = base[right] - base[x];
        if (here[x] != 0 || below[x] != 0) gy[x] = base_below[x] - base[x];
      }
    }
  });
}

// A mask at another size, its border smooth.
cv::Mat mask_at(const cv::Mat& mask, cv::Size size) {
  cv::Mat result;
  cv::resize(mask, result, size, 0.0, 0.0, cv::INTER_LINEAR);
  return result > 127;
}

void expand(cv::Mat& compressed, const Compression& compression) {
  parallel_for(0, compressed.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      auto* row = compressed.ptr<float>(y);
      for (int x = 0; x < compressed.cols; ++x) row[x] = compression.expand(row[x]);
    }
  });
}

struct FusedSphere {
  cv::Mat compressed;
  cv::Mat covered;
};

FusedSphere fuse_sphere(std::span<const BlendView> views, int width, int height, const cv::Mat& sky,
                        const FusionOptions& options) {
  BlendedRows rows = blend_rows(views, width, height, options.gradients);
  const cv::Mat sky_here = sky.empty() ? cv::Mat::zeros(rows.covered.size(), CV_8UC1)
                                       : mask_at(sky, rows.covered.size());
  fill_gaps(rows.base, rows.covered);
  if (!options.gradients) return {rows.base, rows.covered};
  ignore_gradients(rows, (rows.covered == 0) | sky_here);
  return {solve_sphere_poisson(rows.base, rows.gradient_x, rows.gradient_y, options.screening),
          rows.covered};
}

// The part of the whole sphere's map that `window` shows, at the window's size.
cv::Mat crop_sphere(const cv::Mat& sphere, const SphereWindow& window, int interpolation) {
  if (window.is_whole() && sphere.size() == cv::Size(window.width, window.height)) return sphere;
  const double factor_x = static_cast<double>(sphere.cols) / window.full_width;
  const double factor_y = static_cast<double>(sphere.rows) / window.full_height;
  cv::Mat columns(1, window.width, CV_32FC1);
  for (int x = 0; x < window.width; ++x) {
    columns.at<float>(0, x) =
        static_cast<float>(std::fmod((window.left + x + 0.5) * factor_x, sphere.cols) - 0.5 + 1.0);
  }
  // One column more on each side makes the interpolation wrap.
  cv::Mat padded;
  cv::copyMakeBorder(sphere, padded, 0, 0, 1, 1, cv::BORDER_WRAP);
  cv::Mat result(window.height, window.width, sphere.type());
  parallel_for(
      0, window.height,
      [&](int first, int last) {
        cv::Mat across;
        cv::Mat down(last - first, window.width, CV_32FC1);
        cv::repeat(columns, last - first, 1, across);
        for (int y = first; y < last; ++y) {
          down.row(y - first) = static_cast<float>((window.top + y + 0.5) * factor_y - 0.5);
        }
        cv::Mat part = result.rowRange(first, last);
        cv::remap(padded, part, across, down, interpolation, cv::BORDER_REPLICATE);
      },
      64);
  return result;
}

// Quantiles of a map over the sphere's area: columns are thinned out with the cosine of the
// latitude.
std::vector<float> values_even_by_area(const cv::Mat& map, const cv::Mat& usable,
                                       const SphereWindow& window) {
  std::vector<float> values;
  const int stride = std::max(1, window.width / 2048);
  for (int y = 0; y < map.rows; y += stride) {
    const double latitude = kPi / 2.0 - (window.top + y + 0.5) / window.full_height * kPi;
    const double step = stride / std::max(std::cos(latitude), 1e-3);
    for (double x = 0.0; x < map.cols; x += step) {
      const auto column = static_cast<int>(x);
      if (usable.at<unsigned char>(y, column) != 0) values.push_back(map.at<float>(y, column));
    }
  }
  return values;
}

// Puts sky far away. Towards `nearest`, where a skyline blurs into the sky, it joins what was
// fused, so that twigs keep their place.
void push_back_sky(cv::Mat& inverse, const cv::Mat& sky, float nearest, float far) {
  constexpr float kSureOfNearest = 0.1F;
  parallel_for(0, inverse.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      auto* row = inverse.ptr<float>(y);
      const auto* is_sky = sky.ptr(y);
      for (int x = 0; x < inverse.cols; ++x) {
        if (is_sky[x] == 0) continue;
        const float t =
            std::clamp((row[x] / nearest - kSureOfNearest) / (1.0F - kSureOfNearest), 0.0F, 1.0F);
        row[x] = far + t * t * (3.0F - 2.0F * t) * std::max(row[x] - far, 0.0F);
      }
    }
  });
}

// Area of `mask` over the sphere's whole area.
double share_of_sphere(const cv::Mat& mask, const SphereWindow& window) {
  double area = 0.0;
  for (int y = 0; y < mask.rows; ++y) {
    const double latitude = kPi / 2.0 - (window.top + y + 0.5) / window.full_height * kPi;
    area += std::cos(latitude) * cv::countNonZero(mask.row(y));
  }
  return area * kPi / (2.0 * window.full_height * static_cast<double>(window.full_width));
}

AlignmentReport make_report(const PreparedViews& prepared, const Observations& observations,
                            const GlobalFit& fit) {
  AlignmentReport report;
  std::vector<double> before;
  std::vector<double> after;
  std::vector<double> shares(prepared.views.size(), 0.0);
  for (std::size_t k = 0; k < observations.num_directions(); ++k) {
    double total = 0.0;
    const auto weight = [&](const Observation& o) {
      return fit.views[static_cast<std::size_t>(o.view)].weight * o.confidence *
             border_distance(o.u, o.v);
    };
    for (const auto& o : observations.at(k)) total += weight(o);
    for (const auto& o : observations.at(k)) {
      const auto& view = prepared.views[static_cast<std::size_t>(o.view)];
      before.push_back(o.factor *
                       (view.free_shift ? o.value + view.centre / view.spread : o.value));
      after.push_back(fitted(fit.views[static_cast<std::size_t>(o.view)], o));
      if (total > 0.0) shares[static_cast<std::size_t>(o.view)] += weight(o) / total;
    }
  }
  const auto residual_before = relative_residuals(observations, prepared.views.size(), before);
  const auto residual_after = relative_residuals(observations, prepared.views.size(), after);
  const double total_share = std::max(1.0, static_cast<double>(observations.num_directions()));
  for (std::size_t i = 0; i < prepared.views.size(); ++i) {
    const auto& view = prepared.views[i];
    const auto& view_fit = fit.views[i];
    const double scale = view_fit.scale / view.spread;
    report.views.push_back({.name = view.view.name,
                            .scale = scale,
                            .shift = view_fit.shift - scale * view.centre,
                            .residual_before = residual_before[i],
                            .residual_after = residual_after[i],
                            .share = shares[i] / total_share,
                            .refused = view_fit.refused});
  }
  // The typical view: one that sees nearly nothing but sky has no meaningful ratio.
  const auto typical = [](std::vector<double> values) {
    std::erase_if(values, [](double value) { return !std::isfinite(value); });
    return median(std::move(values));
  };
  report.residual_before = typical(residual_before);
  report.residual_after = typical(residual_after);
  report.condition_number = fit.condition_number;
  report.weak_shift = fit.weak_shift;
  return report;
}

}  // namespace

PanoramaDepth fuse_views(std::span<const ViewDepth> views, const SphereWindow& window,
                         const cv::Mat& picture, const PanoramaDepthOptions& options,
                         Progress& progress) {
  progress.begin("aligning", "steps", 4);
  const PreparedViews prepared = prepare_views(views);
  Observations observations = observe(prepared, options.alignment.num_samples, cv::Mat());
  GlobalFit fit = fit_views(prepared, observations, options.alignment);
  progress.advance();

  Sky sky;
  if (!options.sky.mask.empty()) {
    sky = sky_from_mask(options.sky.mask, window, {kScoutWidth, kScoutWidth / 2});
  } else if (options.sky.detect && !picture.empty()) {
    auto scout = blend_rows(blend_views(prepared, fit, {}), kScoutWidth, kScoutWidth / 2, false);
    expand(scout.base, Compression(median_inverse(prepared, fit)));
    sky = detect_sky(picture, window, scout.base);
  }
  if (!sky.mask.empty() && cv::countNonZero(sky.mask) > 0) {
    observations = observe(prepared, options.alignment.num_samples, sky.mask);
    fit = fit_views(prepared, observations, options.alignment);
  }
  progress.advance();
  const auto grids = options.alignment.grid
                         ? fit_grids(prepared, observations, fit, options.alignment)
                         : std::vector<cv::Mat>{};
  progress.advance();

  const int width = std::min(window.full_width, kLargestWidth);
  const int height =
      std::max(1, static_cast<int>(std::lround(static_cast<double>(width) * window.full_height /
                                               window.full_width)));
  const auto blend = blend_views(prepared, fit, grids);
  FusedSphere sphere = fuse_sphere(blend, width, height, sky.mask, options.fusion);

  PanoramaDepth result;
  result.report = make_report(prepared, observations, fit);
  result.relative = !prepared.metric;
  cv::Mat inverse = crop_sphere(sphere.compressed, window, cv::INTER_LINEAR);
  result.valid = crop_sphere(sphere.covered, window, cv::INTER_NEAREST);
  sphere = {};
  expand(inverse, Compression(median_inverse(prepared, fit)));
  result.sky = cv::Mat::zeros(result.valid.size(), CV_8UC1);
  if (!sky.mask.empty()) {
    // The picture says where sky may be; a lamp or a twig in front of it shows in the depth alone.
    const cv::Mat mask =
        crop_sphere(mask_at(sky.mask, cv::Size(width, height)), window, cv::INTER_NEAREST);
    result.sky = mask & result.valid & (inverse < sky.nearest_inverse);
  }
  const cv::Mat usable = result.valid & ~result.sky;
  auto values = values_even_by_area(inverse, usable, window);
  if (!values.empty()) {
    if (result.relative) {
      const double factor = 1.0 / (options.relative_median_m * quantile_in_place(values, 0.5));
      inverse *= factor;
      for (auto& value : values) value *= static_cast<float>(factor);
      sky.nearest_inverse *= static_cast<float>(factor);
    }
    const float far = quantile_in_place(values, 0.01) / static_cast<float>(options.sky.far_factor);
    push_back_sky(inverse, result.sky, sky.nearest_inverse, far);
    // Nothing stands behind the sky.
    inverse = cv::max(inverse, far);
  }
  inverse.setTo(std::numeric_limits<float>::quiet_NaN(), result.valid == 0);
  result.inverse_distance = InverseDistance(inverse);
  result.distance = distance_from_inverse_distance(result.inverse_distance);
  result.report.sky_share = share_of_sphere(result.sky, window);
  result.report.covered_share = static_cast<double>(cv::countNonZero(result.valid)) /
                                static_cast<double>(result.valid.total());
  progress.advance();
  return result;
}

}  // namespace vergence::alignment
