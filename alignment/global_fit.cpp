// SPDX-License-Identifier: Apache-2.0
#include "alignment/global_fit.hpp"

#include "core/error.hpp"
#include "core/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>

namespace vergence::alignment {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kSmallestScale = 0.05;  // relative to the mean scale 1; below it a view is refused
constexpr double kIndependentErrors = 20.0;  // smooth errors that fit into one view
constexpr double kShiftDeviation = 3.0;  // of a view's farthest value around 1, in mean deviations
constexpr double kLeastTrust = 0.3;
constexpr double kMostTrust = 4.0;
constexpr double kRefusedWeight = 0.02;  // a refused view still fills what no other view sees

// What all rounds share: the current fit, the weights it implies and the fused value per direction.
class Solver {
 public:
  Solver(const PreparedViews& views, const Observations& observations,
         const AlignmentOptions& options)
      : views_(views),
        observations_(observations),
        options_(options),
        weights_(observations.all.size()),
        fused_(observations.num_directions()) {
    fit_.views.resize(views.views.size());
    // A view that lies outside the picture has no say, nor in the gauge.
    for (std::size_t i = 0; i < fit_.views.size(); ++i) {
      if (views.views[i].normalised.empty()) fit_.views[i].weight = 0.0;
    }
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      weights_[i] = observations.all[i].confidence;
    }
  }

  GlobalFit run() {
    for (int round = 0; round < std::max(1, options_.rounds); ++round) {
      solve();
      refuse_negative_scales();
      fuse();
      estimate_noise();
      reweight();
    }
    place_refused_views();
    judge_shift();
    return fit_;
  }

 private:
  // A view's unknowns are 2i (scale) and 2i + 1 (shift). Those without freedom get an identity row.
  static Eigen::Index unknowns_of(const Observation& observation) {
    return Eigen::Index{2} * observation.view;
  }

  void solve() {
    const auto size = static_cast<Eigen::Index>(2 * views_.views.size());
    normal_ = MatrixXd::Zero(size, size);
    right_ = VectorXd::Zero(size);
    add_data();
    add_priors();
    const VectorXd solution = normal_.ldlt().solve(right_);
    for (std::size_t i = 0; i < fit_.views.size(); ++i) {
      if (fit_.views[i].refused) continue;
      fit_.views[i].scale = solution[static_cast<Eigen::Index>(2 * i)];
      fit_.views[i].shift = solution[static_cast<Eigen::Index>(2 * i + 1)];
    }
  }

  void add_data() {
    VectorXd mean = VectorXd::Zero(right_.size());
    for (std::size_t k = 0; k < observations_.num_directions(); ++k) {
      const auto group = observations_.at(k);
      const double* weight = &weights_[static_cast<std::size_t>(observations_.first[k])];
      double total = 0.0;
      for (std::size_t i = 0; i < group.size(); ++i) total += weight[i];
      if (total <= 0.0) continue;
      for (std::size_t i = 0; i < group.size(); ++i) {
        const Eigen::Vector2d row = row_of(group[i]);
        const Eigen::Index at = unknowns_of(group[i]);
        normal_.block<2, 2>(at, at) += weight[i] * row * row.transpose();
        for (std::size_t j = 0; j < group.size(); ++j) {
          const Eigen::Vector2d other = row_of(group[j]);
          normal_.block<2, 2>(at, unknowns_of(group[j])) -=
              weight[i] * weight[j] / total * row * other.transpose();
        }
      }
      if (have_fused_ && fused_[k] < -2.0 * fit_.absolute_noise)
        push_up(group, weight, total, mean);
    }
  }

  // Adds total * (mean_w f)^2 for a direction that came out behind infinity.
  void push_up(std::span<const Observation> group, const double* weight, double total,
               VectorXd& scratch) {
    for (std::size_t i = 0; i < group.size(); ++i) {
      scratch.segment<2>(unknowns_of(group[i])) = weight[i] / total * row_of(group[i]);
    }
    for (const auto& a : group) {
      for (const auto& b : group) {
        const Eigen::Index at = unknowns_of(a);
        const Eigen::Index other = unknowns_of(b);
        normal_.block<2, 2>(at, other) +=
            total * scratch.segment<2>(at) * scratch.segment<2>(other).transpose();
      }
    }
    for (const auto& a : group) scratch.segment<2>(unknowns_of(a)).setZero();
  }

  // What is known before looking. A metric map is believed up to a few per cent. Relative maps are
  // normalised alike, so their scales lie around 1, and what is farthest in a view is a little
  // farther than nothing: far value + shift around 1. Errors of a network are smooth: a view holds
  // about kIndependentErrors of them however densely it is sampled, and the priors weigh as much as
  // that.
  void add_priors() {
    double data_weight = 0.0;
    for (const double weight : weights_) data_weight += weight;
    const auto num_views = static_cast<double>(views_.views.size());
    const double per_view = data_weight / num_views;
    const double per_error = static_cast<double>(weights_.size()) / num_views / kIndependentErrors;
    const double unit = have_fused_ ? per_error : 1e-3 * per_view;
    for (std::size_t i = 0; i < views_.views.size(); ++i) {
      const auto at = static_cast<Eigen::Index>(2 * i);
      const auto& view = views_.views[i];
      const double ridge = 1e-9 * per_view + 1e-12;
      const double expected = views_.metric ? view.spread : 1.0;
      const double deviation = options_.scale_deviation;
      const double prior = ridge + (views_.metric ? 0.1 * per_view / (expected * expected)
                                                  : unit / (deviation * deviation));
      normal_(at, at) += prior;
      right_[at] += prior * expected;
      normal_(at + 1, at + 1) += view.free_shift ? ridge : per_view + 1.0;
      if (!view.free_shift) continue;
      const Eigen::Vector2d far_row(view.far_value, 1.0);
      const double weight = unit / (kShiftDeviation * kShiftDeviation);
      normal_.block<2, 2>(at, at) += weight * far_row * far_row.transpose();
      right_.segment<2>(at) += weight * far_row;
    }
    if (!views_.metric) add_gauge(10.0 * (data_weight + 1.0));
  }

  // Mean scale 1, by trust: nothing else fixes the common scale of relative maps. (An even mean
  // would let all good views shrink to nothing and one bad view carry the scale.)
  void add_gauge(double strength) {
    double total = 0.0;
    for (const auto& view : fit_.views) total += view.weight;
    VectorXd share = VectorXd::Zero(right_.size());
    for (std::size_t i = 0; i < fit_.views.size(); ++i) {
      share[static_cast<Eigen::Index>(2 * i)] = fit_.views[i].weight / total;
    }
    normal_ += strength * share * share.transpose();
    right_ += strength * share;
  }

  void refuse_negative_scales() {
    double mean = 0.0;
    for (std::size_t i = 0; i < fit_.views.size(); ++i) {
      mean += fit_.views[i].scale / (views_.metric ? views_.views[i].spread : 1.0);
    }
    mean /= static_cast<double>(fit_.views.size());
    for (std::size_t i = 0; i < fit_.views.size(); ++i) {
      auto& view = fit_.views[i];
      const double unit = views_.metric ? views_.views[i].spread : 1.0;
      if (view.refused || view.scale > kSmallestScale * std::abs(mean) * unit) continue;
      view.refused = true;
      view.scale = kSmallestScale * std::abs(mean) * unit;
      view.weight = 0.0;
    }
  }

  // Weighted mean per direction with the weights of the last solve.
  void fuse() {
    std::vector<double> values;
    values.reserve(fused_.size());
    for (std::size_t k = 0; k < fused_.size(); ++k) {
      const auto group = observations_.at(k);
      const double* weight = &weights_[static_cast<std::size_t>(observations_.first[k])];
      double sum = 0.0;
      double total = 0.0;
      for (std::size_t i = 0; i < group.size(); ++i) {
        const auto& view = fit_.views[static_cast<std::size_t>(group[i].view)];
        if (view.refused) continue;
        sum += weight[i] * fitted(view, group[i]);
        total += weight[i];
      }
      fused_[k] = total > 0.0 ? sum / total : std::numeric_limits<double>::quiet_NaN();
      if (total > 0.0) values.push_back(fused_[k]);
    }
    have_fused_ = true;
    fit_.median = std::max(values.empty() ? median_without_overlap() : quantile(values, 0.5), 1e-9);
  }

  // The middle of each view's own map: normalised maps have median 0 with a free shift and 1
  // without.
  [[nodiscard]] double median_without_overlap() const {
    std::vector<double> middles;
    for (std::size_t i = 0; i < fit_.views.size(); ++i) {
      if (views_.views[i].normalised.empty()) continue;
      middles.push_back(fit_.views[i].shift +
                        (views_.views[i].free_shift ? 0.0 : fit_.views[i].scale));
    }
    return quantile(std::move(middles), 0.5);
  }

  // Fits residual variance = (a f)^2 + b^2 to robust variances in bins of the fused value, and the
  // trust in each view to its residuals in these units.
  void estimate_noise() {
    constexpr std::size_t kNumBins = 12;
    std::vector<std::pair<double, double>> pairs;  // fused value, |residual|
    for_each_residual([&](std::size_t k, const Observation&, double residual) {
      pairs.emplace_back(std::max(fused_[k], 0.0), std::abs(residual));
    });
    if (pairs.size() < 4 * kNumBins) return;
    std::sort(pairs.begin(), pairs.end());
    Eigen::Matrix2d normal = Eigen::Matrix2d::Zero();
    Eigen::Vector2d right = Eigen::Vector2d::Zero();
    for (std::size_t bin = 0; bin < kNumBins; ++bin) {
      const std::size_t first = bin * pairs.size() / kNumBins;
      const std::size_t last = (bin + 1) * pairs.size() / kNumBins;
      std::vector<double> sizes;
      for (std::size_t i = first; i < last; ++i) sizes.push_back(pairs[i].second);
      const double sigma = kMadToSigma * quantile(sizes, 0.5);
      const double value = pairs[(first + last) / 2].first;
      const double variance = std::max(sigma * sigma, 1e-18);
      // Bins count by their relative error, so that the many large ones do not hide the small.
      const Eigen::Vector2d row = Eigen::Vector2d(value * value, 1.0) / variance;
      normal += row * row.transpose();
      right += row;
    }
    Eigen::Vector2d squares = normal.ldlt().solve(right);
    if (squares[0] < 0.0) squares = {0.0, right[1] / normal(1, 1)};
    if (squares[1] < 0.0) squares = {right[0] / normal(0, 0), 0.0};
    fit_.relative_noise = std::sqrt(std::max(squares[0], 0.0));
    // Never weightless and never infinitely sure: at least 0.1 % of the median.
    fit_.absolute_noise = std::max(std::sqrt(std::max(squares[1], 0.0)), 1e-3 * fit_.median);
  }

  void reweight() {
    std::vector<std::vector<double>> sizes(fit_.views.size());
    for_each_residual([&](std::size_t k, const Observation& observation, double residual) {
      sizes[static_cast<std::size_t>(observation.view)].push_back(std::abs(residual) / sigma(k));
    });
    std::vector<double> medians;
    for (auto& size : sizes) {
      if (!size.empty()) medians.push_back(quantile(size, 0.5));
    }
    const double typical = std::max(quantile(medians, 0.5), 1e-12);
    for (std::size_t i = 0; i < fit_.views.size(); ++i) {
      auto& view = fit_.views[i];
      if (view.refused || sizes[i].empty()) continue;
      const double ratio = typical / std::max(quantile(sizes[i], 0.5), 1e-12);
      view.weight = std::clamp(ratio * ratio, kLeastTrust, kMostTrust);
    }
    std::fill(weights_.begin(), weights_.end(), 0.0);
    for_each_residual([&](std::size_t k, const Observation& observation, double residual) {
      const double noise = sigma(k);
      const auto index = static_cast<std::size_t>(&observation - observations_.all.data());
      weights_[index] = observation.confidence *
                        fit_.views[static_cast<std::size_t>(observation.view)].weight /
                        (noise * noise) * cauchy_weight(residual / noise);
    });
  }

  // A refused view keeps a small positive scale and gets the shift that fits the others best.
  void place_refused_views() {
    for (std::size_t i = 0; i < fit_.views.size(); ++i) {
      auto& view = fit_.views[i];
      if (!view.refused) continue;
      std::vector<double> shifts;
      for (std::size_t k = 0; k < fused_.size(); ++k) {
        if (!std::isfinite(fused_[k])) continue;
        for (const auto& observation : observations_.at(k)) {
          if (observation.view != static_cast<int>(i)) continue;
          shifts.push_back(fused_[k] / observation.factor - view.scale * observation.value);
        }
      }
      view.shift = views_.views[i].free_shift ? quantile(shifts, 0.5) : 0.0;
      view.weight = kRefusedWeight;
    }
  }

  // Is the common shift fixed by the overlaps? Its standard deviation from the normal matrix, where
  // errors of one view are taken as constant over a sixteenth of the view.
  void judge_shift() {
    const Eigen::SelfAdjointEigenSolver<MatrixXd> eigen(normal_, Eigen::EigenvaluesOnly);
    const double smallest = std::max(eigen.eigenvalues().minCoeff(), 1e-300);
    fit_.condition_number = eigen.eigenvalues().maxCoeff() / smallest;
    if (views_.metric) return;
    VectorXd common = VectorXd::Zero(right_.size());
    for (Eigen::Index i = 1; i < common.size(); i += 2) {
      common[i] = 2.0 / static_cast<double>(common.size());
    }
    const double correlated = std::max(1.0, static_cast<double>(observations_.all.size()) /
                                                (8.0 * static_cast<double>(common.size())));
    const double variance = correlated * common.dot(normal_.ldlt().solve(common));
    fit_.weak_shift = !(std::sqrt(std::max(variance, 0.0)) < 0.5 * fit_.median);
  }

  [[nodiscard]] Eigen::Vector2d row_of(const Observation& observation) const {
    const auto& view = views_.views[static_cast<std::size_t>(observation.view)];
    return {observation.factor * observation.value, view.free_shift ? observation.factor : 0.0};
  }

  [[nodiscard]] double sigma(std::size_t k) const {
    return std::hypot(fit_.relative_noise * std::max(fused_[k], 0.0), fit_.absolute_noise);
  }

  // Residual of each observation of a trusted view against the fused value of its direction,
  // widened by what the view's own part in that mean hides.
  template <class Function>
  void for_each_residual(Function function) const {
    for (std::size_t k = 0; k < fused_.size(); ++k) {
      if (!std::isfinite(fused_[k])) continue;
      const auto group = observations_.at(k);
      const auto count = static_cast<double>(group.size());
      const double widen = std::sqrt(count / (count - 1.0));
      for (const auto& observation : group) {
        const auto& view = fit_.views[static_cast<std::size_t>(observation.view)];
        if (!view.refused) {
          function(k, observation, widen * (fitted(view, observation) - fused_[k]));
        }
      }
    }
  }

  const PreparedViews& views_;
  const Observations& observations_;
  const AlignmentOptions& options_;
  GlobalFit fit_;
  std::vector<double> weights_;  // per observation
  std::vector<double> fused_;    // per direction
  bool have_fused_ = false;
  MatrixXd normal_;
  VectorXd right_;
};

}  // namespace

GlobalFit fit_views(const PreparedViews& views, const Observations& observations,
                    const AlignmentOptions& options) {
  if (views.views.size() > 1 && observations.num_directions() == 0) {
    throw Error("no two views overlap, so they cannot be aligned")
        .hint("use more views or a larger views.fov_deg");
  }
  return Solver(views, observations, options).run();
}

std::vector<double> relative_residuals(const Observations& observations, std::size_t num_views,
                                       const std::vector<double>& fitted_values) {
  std::vector<std::vector<double>> sizes(num_views);
  for (std::size_t k = 0; k < observations.num_directions(); ++k) {
    const auto first = static_cast<std::size_t>(observations.first[k]);
    const auto last = static_cast<std::size_t>(observations.first[k + 1]);
    double sum = 0.0;
    for (std::size_t i = first; i < last; ++i) sum += fitted_values[i];
    for (std::size_t i = first; i < last; ++i) {
      const double others = (sum - fitted_values[i]) / static_cast<double>(last - first - 1);
      if (others > 0.0) {
        sizes[static_cast<std::size_t>(observations.all[i].view)].push_back(
            std::abs(fitted_values[i] - others) / others);
      }
    }
  }
  std::vector<double> medians;
  medians.reserve(sizes.size());
  for (auto& size : sizes) {
    medians.push_back(size.empty() ? std::numeric_limits<double>::quiet_NaN()
                                   : quantile(std::move(size), 0.5));
  }
  return medians;
}

}  // namespace vergence::alignment
