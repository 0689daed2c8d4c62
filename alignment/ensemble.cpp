// SPDX-License-Identifier: Apache-2.0
#include "alignment/ensemble.hpp"

#include "core/parallel.hpp"
#include "core/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include <Eigen/Cholesky>
#include <opencv2/imgproc.hpp>

namespace vergence::alignment {
namespace {

using projection::SphereWindow;

constexpr int kReferenceWidth = 512;
constexpr int kGrid = 64;             // points along a view's side at which it is compared
constexpr double kAround = 1.0 / 16;  // of a view's side: what counts as around a pixel
constexpr double kVarianceAround = 28.0 / 180.0;  // of the sphere's height: the lead's variance
constexpr float kLeastVariance = 1e-5F;
constexpr int kFewestPoints = 50;  // of kGrid^2, for a view to be fitted
constexpr int kRounds = 8;
constexpr int kEdgeSide = 256;  // of the maps in which edges are compared
constexpr int kHeldOutDirections = 6000;
constexpr std::array<double, 5> kStrengths = {1.0, 0.5, 0.25, 0.125, 0.0};

// What the lead's views say together.
struct Reference {
  cv::Mat value;     // CV_32FC1 over the sphere, compressed inverse distance
  cv::Mat variance;  // of one view around it
  cv::Mat usable;    // CV_8UC1: covered and not sky
};

// Gaussian blur of a map of the sphere; wraps in longitude.
cv::Mat blur_sphere(const cv::Mat& map, double sigma) {
  const int margin = std::min(map.cols, static_cast<int>(3.0 * sigma));
  cv::Mat wide;
  cv::copyMakeBorder(map, wide, 0, 0, margin, margin, cv::BORDER_WRAP);
  cv::GaussianBlur(wide, wide, cv::Size(), sigma, sigma, cv::BORDER_REPLICATE);
  return wide.colRange(margin, margin + map.cols).clone();
}

Reference make_reference(const std::vector<BlendView>& lead, const cv::Mat& sky) {
  const int height = kReferenceWidth / 2;
  Reference result;
  const auto mean = blend_rows(lead, kReferenceWidth, height, false);
  auto squares = lead;
  for (auto& view : squares) view.value = cv::Mat(view.value.mul(view.value));
  const auto mean_square = blend_rows(squares, kReferenceWidth, height, false);
  result.value = mean.base;
  const cv::Mat variance = cv::max(mean_square.base - mean.base.mul(mean.base), kLeastVariance);
  result.variance = blur_sphere(variance, kVarianceAround * height);
  result.usable = mean.covered.clone();
  if (!sky.empty()) {
    cv::Mat here;
    cv::resize(sky, here, mean.covered.size(), 0.0, 0.0, cv::INTER_AREA);
    result.usable.setTo(0, here > 0);
  }
  return result;
}

// Where the points of a view lie in a map of the whole sphere, for cv::remap of that map with one
// column more on each side.
struct SpherePoints {
  cv::Mat across;
  cv::Mat down;
};

SpherePoints sphere_points(const projection::TangentView& view, int side, cv::Size sphere) {
  const auto points = view.resized(side, side);
  const auto window = SphereWindow::whole(sphere.width, sphere.height);
  SpherePoints result{cv::Mat(side, side, CV_32FC1), cv::Mat(side, side, CV_32FC1)};
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const Eigen::Vector3d ray = projection::ray_at(points, x + 0.5, y + 0.5);
      const auto pixel = projection::pixel_of(window, view.world_from_view * ray.normalized());
      result.across.at<float>(y, x) = static_cast<float>(pixel.x() - 0.5 + 1.0);
      result.down.at<float>(y, x) = static_cast<float>(pixel.y() - 0.5);
    }
  }
  return result;
}

cv::Mat look_up(const cv::Mat& sphere, const SpherePoints& points, int interpolation) {
  cv::Mat padded;
  cv::copyMakeBorder(sphere, padded, 0, 0, 1, 1, cv::BORDER_WRAP);
  cv::Mat result;
  cv::remap(padded, result, points.across, points.down, interpolation, cv::BORDER_REPLICATE);
  return result;
}

// The reference in one view, at kGrid x kGrid points.
struct LocalReference {
  cv::Mat value;
  cv::Mat variance;
  cv::Mat usable;
};

LocalReference reference_in(const projection::TangentView& view, const Reference& reference) {
  const auto points = sphere_points(view, kGrid, reference.value.size());
  return {look_up(reference.value, points, cv::INTER_LINEAR),
          look_up(reference.variance, points, cv::INTER_LINEAR),
          look_up(reference.usable, points, cv::INTER_NEAREST)};
}

cv::Mat at_grid(const cv::Mat& map) {
  cv::Mat result;
  cv::resize(map, result, cv::Size(kGrid, kGrid), 0.0, 0.0, cv::INTER_NEAREST);
  return result;
}

// One point of the regression: target = scale * value + shift, with its standard deviation up to a
// factor.
struct Point {
  double value;
  double target;
  double deviation;
};

// What the reference demands of the view's map values, in the domain in which they are affine.
std::vector<Point> regression_points(const PreparedView& view, FitDomain domain,
                                     const LocalReference& reference,
                                     const Compression& compression) {
  const cv::Mat values = at_grid(view.normalised);
  const cv::Mat confidence = at_grid(view.confidence);
  const auto grid = view.view.resized(kGrid, kGrid);
  std::vector<Point> points;
  for (int y = 0; y < kGrid; ++y) {
    for (int x = 0; x < kGrid; ++x) {
      if (reference.usable.at<unsigned char>(y, x) == 0) continue;
      if (confidence.at<float>(y, x) <= 0.0F) continue;
      const double length = projection::ray_at(grid, x + 0.5, y + 0.5).norm();
      double inverse = compression.restore(reference.value.at<float>(y, x));
      const double spread = compression.spread_at(inverse);
      const double value = values.at<float>(y, x);
      if (domain == FitDomain::kInverse) {
        points.push_back({value, inverse * length, spread * length});
      } else {
        inverse = std::max(inverse, 0.01 * spread);
        points.push_back({value, 1.0 / (inverse * length), spread / (inverse * inverse * length)});
      }
    }
  }
  return points;
}

// Scale and shift that make the view follow the reference.
ViewFit follow(const PreparedView& view, FitDomain domain, const LocalReference& reference,
               const Compression& compression) {
  ViewFit fit{.scale = 0.0, .shift = 0.0, .weight = 1.0, .refused = true};
  const auto points = regression_points(view, domain, reference, compression);
  if (points.size() < kFewestPoints) return fit;
  double sigma = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kRounds; ++round) {
    Eigen::Matrix2d normal = 1e-9 * Eigen::Matrix2d::Identity();
    Eigen::Vector2d right = Eigen::Vector2d::Zero();
    std::vector<double> sizes;
    for (const auto& point : points) {
      const double residual =
          (point.target - fit.scale * point.value - fit.shift) / point.deviation;
      const double weight = cauchy_weight(residual / sigma) / (point.deviation * point.deviation);
      const Eigen::Vector2d row(point.value, view.free_shift ? 1.0 : 0.0);
      normal += weight * row * row.transpose();
      right += weight * point.target * row;
    }
    const Eigen::Vector2d solution = normal.ldlt().solve(right);
    fit.scale = solution[0];
    fit.shift = view.free_shift ? solution[1] : 0.0;
    sizes.reserve(points.size());
    for (const auto& point : points) {
      sizes.push_back(std::abs(point.target - fit.scale * point.value - fit.shift) /
                      point.deviation);
    }
    sigma = kMadToSigma * quantile_in_place(sizes, 0.5) + 1e-3;
  }
  fit.refused = !(fit.scale > 0.0) || !std::isfinite(fit.shift);
  return fit;
}

// The picture's edges around each pixel of a view, compared with those of its map.
cv::Mat edge_agreement_in(const BlendView& view, const cv::Mat& brightness) {
  cv::Mat map;
  const int side = std::min({kEdgeSide, view.value.cols, view.value.rows});
  cv::resize(view.value, map, cv::Size(side, side), 0.0, 0.0, cv::INTER_AREA);
  const auto points = sphere_points(view.view, side, brightness.size());
  cv::Mat result = edge_agreement(map, look_up(brightness, points, cv::INTER_LINEAR));
  cv::resize(result, result, view.value.size(), 0.0, 0.0, cv::INTER_LINEAR);
  return result;
}

// Sets the view's weights for the mean and for gradients.
void weigh(BlendView& view, const LocalReference& reference, const cv::Mat& brightness) {
  const cv::Mat residual = at_grid(view.value) - reference.value;
  cv::Mat square;
  cv::GaussianBlur(residual.mul(residual), square, cv::Size(), kAround * kGrid);
  cv::Mat weight;
  cv::divide(reference.variance, reference.variance + square, weight);
  cv::resize(weight, weight, view.value.size(), 0.0, 0.0, cv::INTER_LINEAR);
  view.confidence = cv::Mat(view.confidence.mul(weight));
  view.edge_weight =
      brightness.empty() ? weight : cv::Mat(weight.mul(edge_agreement_in(view, brightness)));
}

// What one view says about one direction, as far as the mean of the views goes.
struct Voice {
  std::size_t network;
  std::size_t view;  // in the list of all
  double value;
  double weight;
};

using Chorus = std::vector<Voice>;  // one direction's

struct Member {
  std::vector<BlendView> views;  // weighed
  std::vector<ViewFit> fits;     // of all views, in the network's order; empty for the lead
};

// All voices at directions spread evenly over the usable part of the sphere.
std::vector<Chorus> listen(const std::vector<Member>& members, const Reference& reference) {
  const auto window = SphereWindow::whole(reference.usable.cols, reference.usable.rows);
  std::vector<Chorus> result;
  for (int k = 0; k < kHeldOutDirections; ++k) {
    const auto direction = lattice_direction(k, kHeldOutDirections);
    const auto at = projection::pixel_of(window, direction);
    const int column = std::clamp(static_cast<int>(at.x()), 0, window.width - 1);
    const int row = std::clamp(static_cast<int>(at.y()), 0, window.height - 1);
    if (reference.usable.at<unsigned char>(row, column) == 0) continue;
    Chorus chorus;
    for (std::size_t m = 0; m < members.size(); ++m) {
      for (const auto& view : members[m].views) {
        const auto pixel = projection::project(view.view, direction);
        if (!pixel) continue;
        const int x = std::clamp(static_cast<int>(pixel->x()), 0, view.value.cols - 1);
        const int y = std::clamp(static_cast<int>(pixel->y()), 0, view.value.rows - 1);
        const auto u = static_cast<float>(pixel->x() / view.view.width);
        const auto v = static_cast<float>(pixel->y() / view.view.height);
        const float weight =
            view.trust * view.confidence.at<float>(y, x) * feather(border_distance(u, v));
        chorus.push_back({m, view.index, view.value.at<float>(y, x), weight});
      }
    }
    result.push_back(std::move(chorus));
  }
  return result;
}

// Mean error with which the lead's views are foretold from all others.
double held_out_error(const std::vector<Chorus>& choruses, std::size_t lead,
                      const std::vector<double>& strengths) {
  constexpr double kFaint = 1e-3;  // a direction that no second view of the lead sees says nothing
  double error = 0.0;
  double total = 0.0;
  for (const auto& chorus : choruses) {
    double sum = 0.0;
    double weight = 0.0;
    double of_lead = 0.0;
    for (const auto& voice : chorus) {
      const double w = strengths[voice.network] * voice.weight;
      sum += w * voice.value;
      weight += w;
      if (voice.network == lead) of_lead += w;
    }
    for (const auto& voice : chorus) {
      if (voice.network != lead || of_lead - voice.weight < kFaint) continue;
      const double others = (sum - voice.weight * voice.value) / (weight - voice.weight);
      error += voice.weight * std::abs(voice.value - others);
      total += voice.weight;
    }
  }
  return total > 0.0 ? error / total : 0.0;
}

// The strengths of the networks, chosen one after the other, the most consistent first.
std::vector<double> choose_strengths(const std::vector<Chorus>& choruses, std::size_t lead,
                                     const std::vector<std::size_t>& order) {
  std::vector<double> strengths(order.size(), 0.0);
  strengths[lead] = 1.0;
  double error = held_out_error(choruses, lead, strengths);
  for (const std::size_t network : order) {
    if (network == lead) continue;
    for (const double strength : kStrengths) {
      strengths[network] = strength;
      const double with = held_out_error(choruses, lead, strengths);
      if (strength > 0.0 && !(with < error)) continue;
      error = with;
      break;
    }
  }
  return strengths;
}

// One member's views, fitted to the reference (but for the lead's) and weighed.
Member make_member(const PreparedViews& network, const Lead& lead, bool leads,
                   const Reference& reference, const cv::Mat& brightness) {
  Member member;
  std::vector<LocalReference> local(network.views.size());
  member.fits.resize(network.views.size());
  const auto count = static_cast<int>(network.views.size());
  const auto for_each = [](int size, const auto& body) {
    parallel_for(
        0, size,
        [&](int first, int last) {
          for (int i = first; i < last; ++i) body(static_cast<std::size_t>(i));
        },
        1);
  };
  for_each(count, [&](std::size_t i) {
    if (network.views[i].normalised.empty()) return;
    local[i] = reference_in(network.views[i].view, reference);
    if (!leads) {
      member.fits[i] = follow(network.views[i], network.domain, local[i], lead.compression);
    }
  });
  member.views = leads ? lead.views : blend_views(network, member.fits, {}, lead.compression);
  if (!leads) {
    std::erase_if(member.views,
                  [&](const BlendView& view) { return member.fits[view.index].refused; });
  }
  for_each(static_cast<int>(member.views.size()), [&](std::size_t i) {
    weigh(member.views[i], local[member.views[i].index], brightness);
  });
  return member;
}

// What the report says of a view: its fit for the map as delivered, its median relative difference
// from the reference with one factor only and with its fit. Returns the lead's unit over the map's.
double describe(const PreparedView& view, FitDomain domain, const ViewFit& fit,
                const LocalReference& reference, const Compression& compression,
                ViewReport& report) {
  const auto points = regression_points(view, domain, reference, compression);
  const double offset = view.free_shift ? view.centre / view.spread : 0.0;
  std::vector<double> ratios;
  std::vector<double> after;
  for (const auto& point : points) {
    if (!(point.target > 0.0)) continue;
    ratios.push_back((point.value + offset) / point.target);
    after.push_back(std::abs((fit.scale * point.value + fit.shift) / point.target - 1.0));
  }
  const double typical = median(ratios);
  for (auto& ratio : ratios) ratio = std::abs(ratio / typical - 1.0);
  report.name = view.view.name;
  report.scale = fit.scale / view.spread;
  report.shift = fit.shift - report.scale * view.centre;
  report.residual_before = median(std::move(ratios));
  report.residual_after = median(std::move(after));
  report.refused = fit.refused;
  return 1.0 / (typical * view.spread);
}

// Fills in the reports of all views but the lead's, and the scale of those that are in metres.
void describe_others(std::span<const PreparedViews> networks, const std::vector<Member>& members,
                     const Lead& lead, const Reference& reference, Ensemble& ensemble) {
  std::vector<double> units;
  for (std::size_t m = 0; m < networks.size(); ++m) {
    if (m == lead.network) continue;
    const auto& network = networks[m];
    for (std::size_t i = 0; i < network.views.size(); ++i) {
      const auto& fit = members[m].fits[i];
      ViewReport report{.name = network.views[i].view.name, .network = network.network};
      if (!network.views[i].normalised.empty()) {
        const double unit =
            describe(network.views[i], network.domain, fit,
                     reference_in(network.views[i].view, reference), lead.compression, report);
        if (network.in_metres && !fit.refused && unit > 0.0) units.push_back(unit);
      }
      ensemble.networks[m].refused_views += fit.refused ? 1 : 0;
      ensemble.others.push_back(report);
      ensemble.positions.push_back(network.position[i]);
    }
  }
  if (!units.empty()) ensemble.lead_unit = median(std::move(units));
}

// What each network and view contributes to the mean.
void measure_shares(const std::vector<Chorus>& choruses, const std::vector<double>& strengths,
                    std::span<const PreparedViews> networks, std::size_t lead, Ensemble& ensemble) {
  std::vector<std::vector<double>> shares;
  for (const auto& network : networks) shares.emplace_back(network.views.size(), 0.0);
  double directions = 0.0;
  for (const auto& chorus : choruses) {
    double total = 0.0;
    for (const auto& voice : chorus) total += strengths[voice.network] * voice.weight;
    if (total <= 0.0) continue;
    directions += 1.0;
    for (const auto& voice : chorus) {
      shares[voice.network][voice.view] += strengths[voice.network] * voice.weight / total;
    }
  }
  std::size_t other = 0;
  for (std::size_t m = 0; m < networks.size(); ++m) {
    for (auto& share : shares[m]) share /= std::max(directions, 1.0);
    ensemble.networks[m].share = std::accumulate(shares[m].begin(), shares[m].end(), 0.0);
    if (m == lead) continue;
    for (const double share : shares[m]) ensemble.others[other++].share = share;
  }
  ensemble.lead_shares = shares[lead];
}

// Root mean square of what the views say around the fused value over the standard deviation of the
// fused values, all seen through `scale`.
template <class Scale>
double unexplained(const std::vector<std::vector<double>>& said, const std::vector<double>& fused,
                   const Scale& scale) {
  double sum = 0.0;
  double squares = 0.0;
  double residual = 0.0;
  double freedom = 0.0;
  for (std::size_t k = 0; k < fused.size(); ++k) {
    const double middle = scale(fused[k]);
    sum += middle;
    squares += middle * middle;
    for (const double value : said[k]) {
      const double difference = scale(value) - middle;
      residual += difference * difference;
    }
    freedom += static_cast<double>(said[k].size()) - 1.0;
  }
  const auto count = static_cast<double>(fused.size());
  const double variance = squares / count - sum / count * (sum / count);
  return std::sqrt(residual / freedom / std::max(variance, 1e-12));
}

}  // namespace

cv::Mat edge_agreement(const cv::Mat& map, const cv::Mat& brightness) {
  constexpr double kAroundPx = 5.0;
  constexpr double kLeastAgreement = 0.1;  // where there are no edges, all maps count alike
  const auto slope = [](const cv::Mat& values) {
    cv::Mat across;
    cv::Mat down;
    cv::Sobel(values, across, CV_32F, 1, 0, 3, 0.125);
    cv::Sobel(values, down, CV_32F, 0, 1, 3, 0.125);
    cv::Mat result;
    cv::magnitude(across, down, result);
    return result;
  };
  const auto around = [&](const cv::Mat& product) {
    cv::Mat result;
    cv::GaussianBlur(product, result, cv::Size(), kAroundPx);
    return result;
  };
  const cv::Mat in_map = slope(map);
  const cv::Mat in_picture = slope(brightness);
  cv::Mat scale;
  cv::sqrt(around(in_map.mul(in_map)).mul(around(in_picture.mul(in_picture))) + 1e-12, scale);
  cv::Mat result;
  cv::divide(around(in_map.mul(in_picture)), scale, result);
  return cv::Mat(kLeastAgreement + (1.0 - kLeastAgreement) * result);
}

// Less than 1, because far parts nearly tie, and change ranks for nothing.
constexpr double kWeightOfRanks = 0.875;

double inconsistency(const PreparedViews& network, const Observations& observations,
                     const GlobalFit& fit) {
  const auto inverse = [&](const Observation& observation) {
    const double value = fitted(fit.views[static_cast<std::size_t>(observation.view)], observation);
    return network.domain == FitDomain::kInverse ? value : 1.0 / std::max(value, 1e-3 * fit.median);
  };
  std::vector<std::vector<double>> said;
  std::vector<double> fused;
  for (std::size_t k = 0; k < observations.num_directions(); ++k) {
    double sum = 0.0;
    double weight = 0.0;
    auto& values = said.emplace_back();
    for (const auto& observation : observations.at(k)) {
      const double w =
          observation.confidence * border_distance(observation.u, observation.v) + 1e-6;
      values.push_back(inverse(observation));
      sum += w * values.back();
      weight += w;
    }
    fused.push_back(sum / weight);
  }
  if (fused.empty()) return std::numeric_limits<double>::infinity();
  std::vector<double> sorted = fused;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = [&](double value) {
    const auto place = std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin();
    return static_cast<double>(place) / static_cast<double>(sorted.size());
  };
  const Compression compression(median_inverse(network, fit));
  const auto compressed = [&](double value) {
    return static_cast<double>(compression.compress(static_cast<float>(value)));
  };
  return std::max(unexplained(said, fused, compressed),
                  kWeightOfRanks * unexplained(said, fused, rank));
}

Ensemble join_networks(std::span<const PreparedViews> networks,
                       const std::vector<double>& inconsistencies, const Lead& lead,
                       const cv::Mat& sky, const cv::Mat& brightness) {
  const Reference reference = make_reference(lead.views, sky);
  std::vector<Member> members;
  for (std::size_t m = 0; m < networks.size(); ++m) {
    members.push_back(make_member(networks[m], lead, m == lead.network, reference, brightness));
  }
  const auto choruses = listen(members, reference);
  std::vector<std::size_t> order(networks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return inconsistencies[a] < inconsistencies[b];
  });
  auto strengths = choose_strengths(choruses, lead.network, order);

  Ensemble ensemble;
  for (std::size_t m = 0; m < networks.size(); ++m) {
    ensemble.networks.push_back({.name = networks[m].network,
                                 .leads = m == lead.network,
                                 .inconsistency = inconsistencies[m],
                                 .strength = strengths[m]});
  }
  describe_others(networks, members, lead, reference, ensemble);
  measure_shares(choruses, strengths, networks, lead.network, ensemble);
  std::vector<double> alone(networks.size(), 0.0);
  alone[lead.network] = 1.0;
  if (strengths == alone) {
    ensemble.views = lead.views;
    return ensemble;
  }
  ensemble.held_out_ratio = held_out_error(choruses, lead.network, strengths) /
                            held_out_error(choruses, lead.network, alone);
  for (std::size_t m = 0; m < networks.size(); ++m) {
    if (strengths[m] == 0.0) continue;
    for (auto& view : members[m].views) {
      view.confidence = cv::Mat(view.confidence * strengths[m]);
      view.edge_weight = cv::Mat(view.edge_weight * strengths[m]);
      ensemble.views.push_back(std::move(view));
    }
  }
  return ensemble;
}

}  // namespace vergence::alignment
