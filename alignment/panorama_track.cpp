// SPDX-License-Identifier: Apache-2.0
#include "alignment/panorama_track.hpp"

#include "alignment/blend_views.hpp"
#include "alignment/global_fit.hpp"
#include "alignment/grid_correction.hpp"
#include "alignment/observations.hpp"
#include "alignment/sky.hpp"
#include "alignment/sphere_fusion.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace vergence::alignment {
namespace {

using projection::SphereWindow;

const cv::Size kScoutSize(kScoutWidth / 2, kScoutWidth / 4);

// A view's map is brought to that of the key moments by values this far apart, along both axes.
constexpr int kFollowStride = 6;
constexpr int kFollowRounds = 4;
constexpr double kMostFollow = 1.5;  // and its inverse: more is another scene

// What the alignment says about one view, for its map as it was delivered.
struct ViewParameters {
  double scale = 1.0;
  double shift = 0.0;
  double weight = 1.0;
  cv::Mat grid;  // empty = none
};

cv::Mat delivered(const PreparedView& view) {
  return view.normalised * view.spread + view.centre;
}

// The one network's views.
PreparedViews prepare_one(std::span<const ViewDepth> views) {
  auto networks = prepare_networks(views);
  if (networks.size() != 1) {
    throw Error(ErrorCode::kUsage, "the depth of a video is made with one network at a time")
        .hint("give predictor=NAME");
  }
  return std::move(networks.front());
}

double mixed(double a, double b, double share) {
  return a + share * (b - a);
}

double mixed_by_ratio(double a, double b, double share) {
  return std::exp(mixed(std::log(a), std::log(b), share));
}

cv::Mat mixed(const cv::Mat& a, const cv::Mat& b, double share) {
  if (a.size() != b.size() || a.empty()) return share < 0.5 ? a : b;
  cv::Mat result;
  cv::addWeighted(a, 1.0 - share, b, share, 0.0, result);
  return result;
}

// values = scale * map + shift.
struct Follow {
  double scale = 1.0;
  double shift = 0.0;
};

// Weighted first and second moments of pairs.
struct Moments {
  double w = 0.0;
  double x = 0.0;
  double y = 0.0;
  double xx = 0.0;
  double yy = 0.0;

  void add(double weight, double from, double to) {
    w += weight;
    x += weight * from;
    y += weight * to;
    xx += weight * from * from;
    yy += weight * to * to;
  }
};

// What brings `map` to `reference`. The slope is the ratio of the spreads
// (reduced major axis: Kermack and Haldane, Biometrika 37, 1950), which things that have moved do
// not draw towards 0; pixels that fit badly count less from round to round.
Follow follow(const cv::Mat& map, const cv::Mat& reference, const cv::Mat& confidence,
              bool free_shift) {
  Follow result;
  double unit = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kFollowRounds; ++round) {
    Moments sum;
    std::vector<float> residuals;
    for (int y = kFollowStride / 2; y < map.rows; y += kFollowStride) {
      const auto* from = map.ptr<float>(y);
      const auto* to = reference.ptr<float>(y);
      const auto* sure = confidence.ptr<float>(y);
      for (int x = kFollowStride / 2; x < map.cols; x += kFollowStride) {
        if (!(sure[x] > 0.0F)) continue;
        const double residual = result.scale * from[x] + result.shift - to[x];
        residuals.push_back(static_cast<float>(std::abs(residual)));
        sum.add(sure[x] / (1.0 + residual * residual / (unit * unit)), from[x], to[x]);
      }
    }
    if (!(sum.w > 0.0)) return {};
    const double spread_x = sum.xx - sum.x * sum.x / sum.w;
    const double spread_y = sum.yy - sum.y * sum.y / sum.w;
    const double scale = free_shift ? std::sqrt(spread_y / spread_x) : sum.y / sum.x;
    // A map without variation (nothing but sky) tells no scale.
    result.scale = scale > 1.0 / kMostFollow && scale < kMostFollow ? scale : 1.0;
    result.shift = free_shift ? (sum.y - result.scale * sum.x) / sum.w : 0.0;
    unit = 3.0 * std::max<double>(quantile_in_place(residuals, 0.5), 1e-9);
  }
  return result;
}

}  // namespace

struct KeyMoment::State {
  PreparedViews prepared;
  std::vector<ViewParameters> views;  // as prepared.views
  double median = 1.0;                // of inverse distance: that of Compression
  Sky sky;                            // an empty mask: none was looked for
  float far = 0.0F;                   // inverse distance behind which there is nothing
  cv::Mat scout;                      // inverse distance over the sphere, NaN = sky or not seen
  double relative_median_m = 2.0;

  void align(const PanoramaDepthOptions& options, const cv::Mat& picture);
  void take_parameters(const GlobalFit& fit, const std::vector<cv::Mat>& grids);
  void look(const GlobalFit& fit, const std::vector<cv::Mat>& grids,
            const PanoramaDepthOptions& options);

  // The place of a view by its name, or nothing.
  [[nodiscard]] std::optional<std::size_t> find(const std::string& name) const {
    for (std::size_t i = 0; i < prepared.views.size(); ++i) {
      if (prepared.views[i].view.name == name && !prepared.views[i].normalised.empty()) return i;
    }
    return std::nullopt;
  }

  [[nodiscard]] SphereWindow sphere() const {
    return SphereWindow::whole(kScoutSize.width, kScoutSize.height);
  }
};

// As fuse_views() does it for one picture.
void KeyMoment::State::align(const PanoramaDepthOptions& options, const cv::Mat& picture) {
  auto observations = observe(prepared, options.alignment.num_samples, {});
  auto fit = fit_views(prepared, observations, options.alignment);
  const auto sphere = SphereWindow::whole(std::max(1, picture.cols), std::max(1, picture.rows));
  if (!options.sky.mask.empty()) {
    sky = sky_from_mask(options.sky.mask, sphere, kScoutSize);
  } else if (options.sky.detect && !picture.empty()) {
    const Compression compression(median_inverse(prepared, fit));
    auto first = blend_rows(blend_views(prepared, fit.views, {}, compression), kScoutSize.width,
                            kScoutSize.height, false);
    compression.expand(first.base);
    sky = detect_sky(picture, sphere, first.base);
  }
  if (!sky.mask.empty() && cv::countNonZero(sky.mask) > 0) {
    observations = observe(prepared, options.alignment.num_samples, sky.mask);
    fit = fit_views(prepared, observations, options.alignment);
  }
  const auto grids = options.alignment.grid
                         ? fit_grids(prepared, observations, fit, options.alignment)
                         : std::vector<cv::Mat>{};
  take_parameters(fit, grids);
  look(fit, grids, options);
}

void KeyMoment::State::take_parameters(const GlobalFit& fit, const std::vector<cv::Mat>& grids) {
  median = median_inverse(prepared, fit);
  for (std::size_t i = 0; i < prepared.views.size(); ++i) {
    const double scale = fit.views[i].scale / prepared.views[i].spread;
    views.push_back({.scale = scale,
                     .shift = fit.views[i].shift - scale * prepared.views[i].centre,
                     .weight = fit.views[i].weight,
                     .grid = grids.empty() ? cv::Mat() : grids[i]});
  }
}

// The scout, and from it how far the farthest is.
void KeyMoment::State::look(const GlobalFit& fit, const std::vector<cv::Mat>& grids,
                            const PanoramaDepthOptions& options) {
  const Compression compression(median);
  auto blended = blend_rows(blend_views(prepared, fit.views, grids, compression), kScoutSize.width,
                            kScoutSize.height, false);
  compression.expand(blended.base);
  cv::Mat usable = blended.covered;
  if (!sky.mask.empty()) {
    usable = usable & ~(mask_at(sky.mask, kScoutSize) & (blended.base < sky.nearest_inverse));
  }
  auto values = values_even_by_area(blended.base, usable, sphere());
  far = std::max(quantile_in_place(values, 0.01), 1e-6F * static_cast<float>(median)) /
        static_cast<float>(options.sky.far_factor);
  scout = blended.base;
  scout.setTo(std::numeric_limits<float>::quiet_NaN(), usable == 0);
}

KeyMoment::KeyMoment(std::span<const ViewDepth> views, const cv::Mat& picture,
                     const PanoramaDepthOptions& options) {
  auto state = std::make_unique<State>();
  state->prepared = prepare_one(views);
  state->relative_median_m = options.relative_median_m;
  state->align(options, picture);
  state_ = std::move(state);
}

KeyMoment::~KeyMoment() = default;
KeyMoment::KeyMoment(KeyMoment&&) noexcept = default;
KeyMoment& KeyMoment::operator=(KeyMoment&&) noexcept = default;

double KeyMoment::log_scale(double camera_height_m) const {
  const auto& state = *state_;
  if (camera_height_m > 0.0) {
    try {
      const RayDistance distance =
          distance_from_inverse_distance(InverseDistance(state.scout.clone()));
      return std::log(camera_height(distance, state.sphere()) / camera_height_m);
    } catch (const Error&) {
      // No floor to be seen now: the usual scale will do until there is one.
    }
  }
  if (state.prepared.in_metres) return 0.0;
  auto values = values_even_by_area(state.scout, state.scout > 0.0, state.sphere());
  const double middle = quantile_in_place(values, 0.5);
  return middle > 0.0 ? -std::log(state.relative_median_m * middle) : 0.0;
}

std::optional<double> KeyMoment::log_change(const KeyMoment& before) const {
  cv::Mat ratio;
  cv::divide(before.state_->scout, state_->scout, ratio);
  const cv::Mat usable = (ratio > 0.0) & (ratio < std::numeric_limits<float>::max());
  auto ratios = values_even_by_area(ratio, usable, state_->sphere());
  if (ratios.empty()) return std::nullopt;
  return std::log(static_cast<double>(quantile_in_place(ratios, 0.5)));
}

// The steps of fuse_between().
class MomentFusion {
 public:
  explicit MomentFusion(const BetweenMoments& moments)
      : after_(*moments.after->state_),
        before_(moments.before != nullptr ? *moments.before->state_ : after_),
        share_(moments.before != nullptr ? moments.share : 1.0),
        after_factor_(std::exp(moments.after_log_scale)),
        before_factor_(moments.before != nullptr ? std::exp(moments.before_log_scale)
                                                 : after_factor_) {}

  cv::Mat run(std::span<const ViewDepth> views, const Eigen::Matrix3d& camera_from_track,
              const SphereWindow& window, const PanoramaDepthOptions& options) const {
    PreparedViews prepared = prepare_one(views);
    for (auto& view : prepared.views) {
      view.view.world_from_view = camera_from_track * view.view.world_from_view;
    }
    const Compression compression(
        mixed_by_ratio(before_factor_ * before_.median, after_factor_ * after_.median, share_));
    std::vector<ViewFit> fits;
    std::vector<cv::Mat> grids;
    for (const auto& view : prepared.views) {
      const auto parameters = parameters_of(view);
      fits.push_back({.scale = parameters.scale * view.spread,
                      .shift = parameters.shift + parameters.scale * view.centre,
                      .weight = parameters.weight});
      grids.push_back(parameters.grid);
    }
    if (std::any_of(grids.begin(), grids.end(), [](const auto& grid) { return grid.empty(); })) {
      grids.clear();
    }
    const int width = std::min(window.full_width, kLargestWidth);
    const int height =
        std::max(1, static_cast<int>(std::lround(static_cast<double>(width) * window.full_height /
                                                 window.full_width)));
    const cv::Mat sky = sky_seen_from(camera_from_track);
    auto sphere = fuse_sphere(blend_views(prepared, fits, grids, compression), width, height, sky,
                              options.fusion);
    compression.expand(sphere.compressed);
    if (!sky.empty()) push_back(sky, sphere.compressed);
    return finished(sphere, window);
  }

 private:
  // What a moment says about a view, with its factor on inverse distances applied.
  static ViewParameters in_metres(const KeyMoment::State& moment, std::size_t place,
                                  double factor) {
    ViewParameters result = moment.views[place];
    const double scale = moment.prepared.domain == FitDomain::kInverse ? factor : 1.0 / factor;
    result.scale *= scale;
    result.shift *= scale;
    return result;
  }

  // What the moments say about a view, for its map of this frame.
  [[nodiscard]] ViewParameters parameters_of(const PreparedView& view) const {
    const auto before = before_.find(view.view.name);
    const auto after = after_.find(view.view.name);
    if (!before && !after) return {.scale = 0.0, .shift = 0.0, .weight = 0.0, .grid = {}};
    const ViewParameters from = before ? in_metres(before_, *before, before_factor_)
                                       : in_metres(after_, *after, after_factor_);
    const ViewParameters to = after ? in_metres(after_, *after, after_factor_) : from;
    ViewParameters result{.scale = mixed(from.scale, to.scale, share_),
                          .shift = mixed(from.shift, to.shift, share_),
                          .weight = mixed(from.weight, to.weight, share_),
                          .grid = mixed(from.grid, to.grid, share_)};
    if (!before || !after || view.normalised.empty()) return result;
    // What the moments' maps come to, not the maps themselves: those wander together with scales
    // and shifts.
    const auto aligned = [](const cv::Mat& map, const ViewParameters& by) {
      return cv::Mat(map * by.scale + by.shift);
    };
    const cv::Mat reference = mixed(aligned(delivered(before_.prepared.views[*before]), from),
                                    aligned(delivered(after_.prepared.views[*after]), to), share_);
    if (reference.size() != view.normalised.size()) return result;
    const Follow step =
        follow(aligned(delivered(view), result), reference, view.confidence, view.free_shift);
    result.scale *= step.scale;
    result.shift = step.scale * result.shift + step.shift;
    return result;
  }

  // How much sky there is in the directions of the picture, 0..255; empty = none is known.
  [[nodiscard]] cv::Mat sky_seen_from(const Eigen::Matrix3d& camera_from_track) const {
    const auto known = [](const KeyMoment::State& moment) {
      return moment.sky.mask.empty() ? cv::Mat(kScoutSize, CV_8UC1, cv::Scalar(0))
                                     : moment.sky.mask;
    };
    const cv::Mat sky = mixed(known(before_), known(after_), share_);
    if (cv::countNonZero(sky) == 0) return {};
    const auto sphere = SphereWindow::whole(sky.cols, sky.rows);
    cv::Mat map(sky.size(), CV_32FC2);
    parallel_for(0, sky.rows, [&](int first, int last) {
      for (int y = first; y < last; ++y) {
        for (int x = 0; x < sky.cols; ++x) {
          const Eigen::Vector3d direction =
              camera_from_track.transpose() * projection::direction_at(sphere, x + 0.5, y + 0.5);
          const auto at = projection::pixel_of(sphere, direction);
          // Into the copy that has a column more on each side.
          map.at<cv::Vec2f>(y, x) = {static_cast<float>(at.x() + 0.5),
                                     static_cast<float>(at.y() - 0.5)};
        }
      }
    });
    cv::Mat padded;
    cv::copyMakeBorder(sky, padded, 0, 0, 1, 1, cv::BORDER_WRAP);
    cv::Mat seen;
    cv::remap(padded, seen, map, cv::noArray(), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
    return seen;
  }

  // Goes over softly where the moments disagree on what is sky.
  void push_back(const cv::Mat& sky, cv::Mat& inverse) const {
    cv::Mat share;
    cv::resize(sky, share, inverse.size(), 0.0, 0.0, cv::INTER_LINEAR);
    cv::Mat pushed = inverse.clone();
    const double nearest = std::max(before_factor_ * before_.sky.nearest_inverse,
                                    after_factor_ * after_.sky.nearest_inverse);
    const cv::Mat is_sky = (share > 0) & (inverse < nearest);
    push_back_sky(pushed, is_sky, static_cast<float>(nearest), far());
    share.convertTo(share, CV_32FC1, 1.0 / 255.0);
    share.setTo(0.0, is_sky == 0);
    inverse += share.mul(pushed - inverse);
  }

  [[nodiscard]] float far() const {
    return static_cast<float>(
        mixed_by_ratio(before_factor_ * before_.far, after_factor_ * after_.far, share_));
  }

  // In metres, over the window; nothing stands behind the sky.
  [[nodiscard]] cv::Mat finished(const FusedSphere& sphere, const SphereWindow& window) const {
    cv::Mat inverse =
        crop_sphere(cv::max(sphere.compressed, far()), window, cv::INTER_LINEAR).clone();
    const cv::Mat covered = crop_sphere(sphere.covered, window, cv::INTER_NEAREST);
    inverse.setTo(std::numeric_limits<float>::quiet_NaN(), covered == 0);
    return inverse;
  }

  const KeyMoment::State& after_;
  const KeyMoment::State& before_;
  double share_;
  double after_factor_;  // from what a moment calls inverse distance to 1/m
  double before_factor_;
};

cv::Mat fuse_between(const BetweenMoments& moments, std::span<const ViewDepth> views,
                     const Eigen::Matrix3d& camera_from_track, const SphereWindow& window,
                     const PanoramaDepthOptions& options) {
  return MomentFusion(moments).run(views, camera_from_track, window, options);
}

}  // namespace vergence::alignment
