// SPDX-License-Identifier: Apache-2.0
#include "alignment/blend_views.hpp"
#include "alignment/ensemble.hpp"
#include "alignment/global_fit.hpp"
#include "alignment/grid_correction.hpp"
#include "alignment/observations.hpp"
#include "alignment/panorama_depth.hpp"
#include "alignment/row_blend.hpp"
#include "alignment/sky.hpp"
#include "alignment/sphere_fusion.hpp"
#include "core/statistics.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <spdlog/spdlog.h>

namespace vergence::alignment {
namespace {

using projection::SphereWindow;

// Area of `mask` over the sphere's whole area.
double share_of_sphere(const cv::Mat& mask, const SphereWindow& window) {
  double area = 0.0;
  for (int y = 0; y < mask.rows; ++y) {
    const double latitude = kPi / 2.0 - (window.top + y + 0.5) / window.full_height * kPi;
    area += std::cos(latitude) * cv::countNonZero(mask.row(y));
  }
  return area * kPi / (2.0 * window.full_height * static_cast<double>(window.full_width));
}

AlignmentReport report_of(const PreparedViews& prepared, const Observations& observations,
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
                            .network = prepared.network,
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
  report.networks.push_back({.name = prepared.network, .leads = true});
  return report;
}

// Adds what the other networks contribute; the views get the caller's order.
void add_ensemble(AlignmentReport& report, const Ensemble& ensemble, const PreparedViews& lead) {
  const bool alone = ensemble.held_out_ratio == 1.0;
  std::vector<ViewReport> views(report.views.size() + ensemble.others.size());
  for (std::size_t i = 0; i < report.views.size(); ++i) {
    if (!alone) report.views[i].share = ensemble.lead_shares[i];
    views[lead.position[i]] = std::move(report.views[i]);
  }
  for (std::size_t i = 0; i < ensemble.others.size(); ++i) {
    views[ensemble.positions[i]] = ensemble.others[i];
  }
  report.views = std::move(views);
  report.networks = ensemble.networks;
  report.held_out_ratio = ensemble.held_out_ratio;
}

// A network's views aligned among themselves.
struct Aligned {
  Observations observations;
  GlobalFit fit;
  double inconsistency = 0.0;
};

Aligned align(const PreparedViews& prepared, const AlignmentOptions& options, const cv::Mat& sky) {
  Aligned result;
  result.observations = observe(prepared, options.num_samples, sky);
  result.fit = fit_views(prepared, result.observations, options);
  result.inconsistency = inconsistency(prepared, result.observations, result.fit);
  return result;
}

// Square root of brightness over the whole sphere, at a size in which views can look it up.
cv::Mat brightness_of_sphere(const cv::Mat& picture, const SphereWindow& window) {
  if (picture.empty()) return {};
  const auto sphere = place_on_sphere(picture, window, {kScoutWidth, kScoutWidth / 2});
  cv::Mat result;
  cv::cvtColor(sphere.picture, result, cv::COLOR_RGB2GRAY);
  result.convertTo(result, CV_32FC1);
  cv::sqrt(result, result);
  return result;
}

}  // namespace

PanoramaDepth fuse_views(std::span<const ViewDepth> views, const SphereWindow& window,
                         const cv::Mat& picture, const PanoramaDepthOptions& options,
                         Progress& progress) {
  progress.begin("aligning", "steps", 4);
  const auto networks = prepare_networks(views);
  std::vector<double> inconsistencies;
  Aligned aligned;
  std::size_t leading = 0;
  for (std::size_t m = 0; m < networks.size(); ++m) {
    auto candidate = align(networks[m], options.alignment, cv::Mat());
    inconsistencies.push_back(candidate.inconsistency);
    if (m > 0 && !(candidate.inconsistency < aligned.inconsistency)) continue;
    aligned = std::move(candidate);
    leading = m;
  }
  const PreparedViews& prepared = networks[leading];
  progress.advance();

  Sky sky;
  if (!options.sky.mask.empty()) {
    sky = sky_from_mask(options.sky.mask, window, {kScoutWidth, kScoutWidth / 2});
  } else if (options.sky.detect && !picture.empty()) {
    const Compression compression(median_inverse(prepared, aligned.fit));
    auto scout = blend_rows(blend_views(prepared, aligned.fit.views, {}, compression), kScoutWidth,
                            kScoutWidth / 2, false);
    compression.expand(scout.base);
    sky = detect_sky(picture, window, scout.base);
  }
  if (!sky.mask.empty() && cv::countNonZero(sky.mask) > 0) {
    aligned = align(prepared, options.alignment, sky.mask);
  }
  progress.advance();
  const auto grids = options.alignment.grid
                         ? fit_grids(prepared, aligned.observations, aligned.fit, options.alignment)
                         : std::vector<cv::Mat>{};
  progress.advance();

  PanoramaDepth result;
  result.report = report_of(prepared, aligned.observations, aligned.fit);
  result.relative = !prepared.in_metres;
  const Compression compression(median_inverse(prepared, aligned.fit));
  auto blend = blend_views(prepared, aligned.fit.views, grids, compression);
  double unit = 1.0;
  if (networks.size() > 1) {
    auto ensemble = join_networks(networks, inconsistencies, {leading, blend, compression},
                                  sky.mask, brightness_of_sphere(picture, window));
    add_ensemble(result.report, ensemble, prepared);
    blend = std::move(ensemble.views);
    if (result.relative && ensemble.lead_unit) {
      unit = *ensemble.lead_unit;
      result.relative = false;
    }
  }
  const int width = std::min(window.full_width, kLargestWidth);
  const int height =
      std::max(1, static_cast<int>(std::lround(static_cast<double>(width) * window.full_height /
                                               window.full_width)));
  FusedSphere sphere = fuse_sphere(blend, width, height, sky.mask, options.fusion);

  cv::Mat inverse = crop_sphere(sphere.compressed, window, cv::INTER_LINEAR);
  result.valid = crop_sphere(sphere.covered, window, cv::INTER_NEAREST);
  sphere = {};
  compression.expand(inverse);
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
    const double factor = result.relative
                              ? 1.0 / (options.relative_median_m * quantile_in_place(values, 0.5))
                              : 1.0 / unit;
    if (factor != 1.0) {
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
