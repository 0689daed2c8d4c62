// SPDX-License-Identifier: Apache-2.0
#include "evaluation/depth_metrics.hpp"

#include "core/angle.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace vergence::evaluation {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kSkyDistance = 1e9F;
// The aligned prediction is clipped to [near / kClipFactor, far * kClipFactor].
constexpr double kClipFactor = 2.0;

constexpr std::array<std::pair<DepthAlign, std::string_view>, 5> kAlignNames{{
    {DepthAlign::kNone, "none"},
    {DepthAlign::kMedian, "median"},
    {DepthAlign::kScale, "scale"},
    {DepthAlign::kDisparity, "disparity"},
    {DepthAlign::kDepth, "depth"},
}};

// A map in the quantity that it is given or compared in; NaN = missing.
struct Prediction {
  cv::Mat values;
  bool inverse = false;      // larger = nearer
  bool proportional = true;  // its reciprocal has a meaning, because no shift is missing
};

struct Sample {
  float prediction = 0.0F;  // in the quantity that the alignment acts on
  float truth = 0.0F;       // distance
  float weight = 1.0F;
};

struct Fit {
  double scale = 1.0;
  double shift = 0.0;
};

struct DistanceRange {
  double near = std::numeric_limits<double>::infinity();
  double far = 0.0;
};

bool acts_on_inverse(DepthAlign align) {
  return align == DepthAlign::kScale || align == DepthAlign::kDisparity;
}

bool is_disparity(DepthKind kind) {
  return kind == DepthKind::kDisparity || kind == DepthKind::kLogDisparity ||
         kind == DepthKind::kPixelDisparity;
}

void check_kinds(DepthKind predicted, DepthKind truth, DepthAlign align) {
  const bool planar_truth = truth == DepthKind::kPlanarDepth;
  if (!planar_truth && truth != DepthKind::kDistance && truth != DepthKind::kInverseDistance) {
    throw Error(
        ErrorCode::kUsage,
        fmt::format("ground truth of kind '{}' has no length to compare with", to_string(truth)))
        .hint("give 'distance', 'planar_depth' or 'inverse_distance'");
  }
  const auto refuse_alignment = [&](const char* accepted) {
    throw Error(ErrorCode::kUsage,
                fmt::format("a prediction of kind '{}' cannot be compared with align '{}', because "
                            "it is known only up to a scale or a shift",
                            to_string(predicted), to_string(align)))
        .hint(fmt::format("use {}", accepted));
  };
  if (is_disparity(predicted)) {
    if (!acts_on_inverse(align)) refuse_alignment("align 'disparity' or 'scale'");
    return;
  }
  const bool planar_affine = predicted == DepthKind::kPlanarDepthAffine;
  if (planar_affine && align != DepthAlign::kDepth) refuse_alignment("align 'depth'");
  if ((planar_affine || predicted == DepthKind::kPlanarDepth) != planar_truth) {
    throw Error(ErrorCode::kUsage,
                fmt::format("a prediction of kind '{}' cannot be compared with ground truth of "
                            "kind '{}': one is measured along the view axis, the other along the "
                            "ray",
                            to_string(predicted), to_string(truth)))
        .hint("convert one of them, or name the right kind");
  }
}

bool is_usable_distance(float value) {
  return value > 0.0F && value < kSkyDistance;
}

cv::Mat reciprocal(const cv::Mat& values) {
  return inverse_distance_from_distance(RayDistance(values)).values();
}

template <class Predicate>
cv::Mat keep_where(const cv::Mat& values, Predicate keep) {
  cv::Mat result(values.size(), CV_32FC1);
  for (int y = 0; y < values.rows; ++y) {
    const auto* from = values.ptr<float>(y);
    std::transform(from, from + values.cols, result.ptr<float>(y),
                   [&](float value) { return keep(value) ? value : kNaN; });
  }
  return result;
}

Prediction prediction_of(const AnyDepth& depth) {
  const DepthKind kind = kind_of(depth);
  const cv::Mat& values = values_of(depth);
  const auto finite = [](float value) { return std::isfinite(value); };
  if (const auto* log_disparity = std::get_if<LogDisparity>(&depth)) {
    return {keep_where(disparity_from_log_disparity(*log_disparity).values(), finite), true, false};
  }
  if (is_disparity(kind)) return {keep_where(values, finite), true, false};
  if (kind == DepthKind::kPlanarDepthAffine) return {keep_where(values, finite), false, false};
  if (kind == DepthKind::kInverseDistance) {
    const auto usable = [](float value) {
      return std::isfinite(value) && value > 1.0F / kSkyDistance;
    };
    return {keep_where(values, usable), true, true};
  }
  return {keep_where(values, is_usable_distance), false, true};
}

// Distances, NaN where the pixel is not to be compared.
cv::Mat usable_truth(const AnyDepth& ground_truth, const DepthEvalOptions& options) {
  cv::Mat distance = values_of(ground_truth);
  if (kind_of(ground_truth) == DepthKind::kInverseDistance) distance = reciprocal(distance);
  if (!options.mask.empty() &&
      (options.mask.type() != CV_8UC1 || options.mask.size() != distance.size())) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the mask is {} x {} pixels with {} channels, but the ground truth is "
                            "{} x {}",
                            options.mask.cols, options.mask.rows, options.mask.channels(),
                            distance.cols, distance.rows))
        .hint("give an 8-bit grey mask of the ground truth's size");
  }
  const double limit = options.cap_m > 0.0 ? options.cap_m : kSkyDistance;
  cv::Mat usable = keep_where(
      distance, [&](float value) { return is_usable_distance(value) && value <= limit; });
  if (!options.mask.empty()) usable.setTo(cv::Scalar::all(kNaN), options.mask == 0);
  return usable;
}

// Where a pixel of a resized row or column takes its value from.
struct Taps {
  std::array<int, 2> index{};
  std::array<float, 2> weight{};
};

// The two neighbours of each of `to` pixel centres among `from` ones, edge to edge.
std::vector<Taps> make_taps(int from, int to, bool wrap) {
  std::vector<Taps> taps(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) {
    const double position = (i + 0.5) * from / to - 0.5;
    const int first = static_cast<int>(std::floor(position));
    const auto fraction = static_cast<float>(position - first);
    const auto inside = [&](int index) {
      return wrap ? (index + from) % from : std::clamp(index, 0, from - 1);
    };
    taps[static_cast<std::size_t>(i)] = {{inside(first), inside(first + 1)},
                                         {1.0F - fraction, fraction}};
  }
  return taps;
}

float interpolate(const cv::Mat& values, const Taps& row, const Taps& column) {
  const std::size_t near_row = row.weight[1] > row.weight[0] ? 1 : 0;
  const std::size_t near_column = column.weight[1] > column.weight[0] ? 1 : 0;
  if (std::isnan(values.at<float>(row.index[near_row], column.index[near_column]))) return kNaN;
  float sum = 0.0F;
  float weights = 0.0F;
  for (std::size_t j = 0; j < 2; ++j) {
    for (std::size_t i = 0; i < 2; ++i) {
      const float value = values.at<float>(row.index[j], column.index[i]);
      if (std::isnan(value)) continue;
      const float weight = row.weight[j] * column.weight[i];
      sum += weight * value;
      weights += weight;
    }
  }
  return sum / weights;
}

cv::Mat resize_bilinear(const cv::Mat& values, cv::Size size, bool wrap) {
  const std::vector<Taps> columns = make_taps(values.cols, size.width, wrap);
  const std::vector<Taps> rows = make_taps(values.rows, size.height, false);
  cv::Mat result(size, CV_32FC1);
  parallel_for(0, size.height, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      auto* row = result.ptr<float>(y);
      for (std::size_t x = 0; x < columns.size(); ++x) {
        row[x] = interpolate(values, rows[static_cast<std::size_t>(y)], columns[x]);
      }
    }
  });
  return result;
}

// Depth edges: a mean of inverse distances stays near the front, where a mean of distances would
// put points into the empty space far behind it.
Prediction resize_prediction(Prediction prediction, cv::Size size, bool wrap) {
  if (prediction.values.size() == size) return prediction;
  const bool invert = !prediction.inverse && prediction.proportional;
  if (invert) prediction.values = reciprocal(prediction.values);
  prediction.values = resize_bilinear(prediction.values, size, wrap);
  if (invert) prediction.values = reciprocal(prediction.values);
  return prediction;
}

cv::Mat in_quantity(const Prediction& prediction, bool inverse) {
  return prediction.inverse == inverse ? prediction.values : reciprocal(prediction.values);
}

double latitude_weight(int y, int height) {
  return std::sin((y + 0.5) / height * kPi);  // the cosine of pi/2 - that
}

std::vector<Sample> collect_samples(const cv::Mat& prediction, const cv::Mat& truth) {
  std::vector<Sample> samples;
  samples.reserve(truth.total());
  for (int y = 0; y < truth.rows; ++y) {
    const auto* predicted = prediction.ptr<float>(y);
    const auto* expected = truth.ptr<float>(y);
    const auto weight = static_cast<float>(latitude_weight(y, truth.rows));
    for (int x = 0; x < truth.cols; ++x) {
      if (std::isnan(predicted[x]) || std::isnan(expected[x])) continue;
      samples.push_back({predicted[x], expected[x], weight});
    }
  }
  return samples;
}

// The value below and above which lies half of the weight; the mean of two values where the border
// falls between them.
double weighted_median(std::vector<std::pair<float, float>> values_and_weights) {
  std::sort(values_and_weights.begin(), values_and_weights.end());
  double total = 0.0;
  for (const auto& [value, weight] : values_and_weights) total += weight;
  double sum = 0.0;
  for (std::size_t i = 0; i < values_and_weights.size(); ++i) {
    sum += values_and_weights[i].second;
    if (sum < total / 2) continue;
    const double value = values_and_weights[i].first;
    const bool at_border = sum == total / 2 && i + 1 < values_and_weights.size();
    return at_border ? (value + static_cast<double>(values_and_weights[i + 1].first)) / 2 : value;
  }
  return values_and_weights.back().first;
}

Fit fit_median(const std::vector<Sample>& samples) {
  const auto median_of = [&](float Sample::*member) {
    std::vector<std::pair<float, float>> values;
    values.reserve(samples.size());
    for (const Sample& sample : samples) values.emplace_back(sample.*member, sample.weight);
    return weighted_median(std::move(values));
  };
  return {.scale = median_of(&Sample::truth) / median_of(&Sample::prediction)};
}

double target_of(const Sample& sample, bool inverse) {
  return inverse ? 1.0 / static_cast<double>(sample.truth) : static_cast<double>(sample.truth);
}

Fit fit_scale(const std::vector<Sample>& samples) {
  double pp = 0.0;
  double pt = 0.0;
  for (const Sample& sample : samples) {
    const double p = sample.prediction;
    pp += sample.weight * p * p;
    pt += sample.weight * p * target_of(sample, true);
  }
  return {.scale = pp > 0.0 ? pt / pp : 0.0};
}

Fit fit_scale_and_shift(const std::vector<Sample>& samples, bool inverse) {
  double weights = 0.0;
  double mean_p = 0.0;
  double mean_t = 0.0;
  for (const Sample& sample : samples) {
    weights += sample.weight;
    mean_p += static_cast<double>(sample.weight) * static_cast<double>(sample.prediction);
    mean_t += sample.weight * target_of(sample, inverse);
  }
  mean_p /= weights;
  mean_t /= weights;
  double variance = 0.0;
  double covariance = 0.0;
  for (const Sample& sample : samples) {
    const double p = sample.prediction - mean_p;
    variance += sample.weight * p * p;
    covariance += sample.weight * p * (target_of(sample, inverse) - mean_t);
  }
  // Below this the variation is rounding of 32-bit values.
  constexpr double kRelativeRounding = 1e-7;
  const double rounding = kRelativeRounding * mean_p;
  if (variance <= weights * rounding * rounding) return {.scale = 0.0, .shift = mean_t};
  const double scale = covariance / variance;
  return {.scale = scale, .shift = mean_t - scale * mean_p};
}

Fit fit_alignment(const std::vector<Sample>& samples, DepthAlign align) {
  switch (align) {
    case DepthAlign::kNone:
      break;
    case DepthAlign::kMedian:
      return fit_median(samples);
    case DepthAlign::kScale:
      return fit_scale(samples);
    case DepthAlign::kDisparity:
      return fit_scale_and_shift(samples, true);
    case DepthAlign::kDepth:
      return fit_scale_and_shift(samples, false);
  }
  return {};
}

double aligned_distance(double prediction, const Fit& fit, bool inverse) {
  const double value = fit.scale * prediction + fit.shift;
  if (!inverse) return value;
  return value > 0.0 ? 1.0 / value : std::numeric_limits<double>::infinity();
}

DistanceRange range_of(const cv::Mat& truth) {
  DistanceRange range;
  for (int y = 0; y < truth.rows; ++y) {
    for (const float value : cv::Mat_<float>(truth.row(y))) {
      if (std::isnan(value)) continue;
      range.near = std::min(range.near, static_cast<double>(value));
      range.far = std::max(range.far, static_cast<double>(value));
    }
  }
  return range;
}

// Sums that become means.
class MetricSums {
 public:
  void add(double predicted, double expected, double weight) {
    const double difference = predicted - expected;
    const double log_ratio = std::log(predicted / expected);
    const double ratio = std::max(predicted / expected, expected / predicted);
    sums_.abs_rel += weight * std::abs(difference) / expected;
    sums_.sq_rel += weight * difference * difference / expected;
    sums_.mae += weight * std::abs(difference);
    sums_.rmse += weight * difference * difference;
    sums_.rmse_log += weight * log_ratio * log_ratio;
    sums_.log10 += weight * std::abs(log_ratio) / std::log(10.0);
    log_sum_ += weight * log_ratio;
    if (ratio < 1.25) sums_.d1 += weight;
    if (ratio < 1.25 * 1.25) sums_.d2 += weight;
    if (ratio < 1.25 * 1.25 * 1.25) sums_.d3 += weight;
    sums_.total_weight += weight;
    ++sums_.num_pixels;
  }

  [[nodiscard]] DepthMetrics means() const {
    DepthMetrics means = sums_;
    for (double* value : {&means.abs_rel, &means.sq_rel, &means.mae, &means.rmse, &means.rmse_log,
                          &means.log10, &means.d1, &means.d2, &means.d3}) {
      *value /= sums_.total_weight;
    }
    const double mean_log = log_sum_ / sums_.total_weight;
    means.silog = 100.0 * std::sqrt(std::max(0.0, means.rmse_log - mean_log * mean_log));
    means.rmse = std::sqrt(means.rmse);
    means.rmse_log = std::sqrt(means.rmse_log);
    return means;
  }

 private:
  DepthMetrics sums_;
  double log_sum_ = 0.0;
};

DepthMetrics measure(const std::vector<Sample>& samples, DepthAlign align, DistanceRange range) {
  const Fit fit = fit_alignment(samples, align);
  MetricSums sums;
  for (const Sample& sample : samples) {
    const double distance = aligned_distance(sample.prediction, fit, acts_on_inverse(align));
    sums.add(std::clamp(distance, range.near / kClipFactor, range.far * kClipFactor), sample.truth,
             sample.weight);
  }
  DepthMetrics metrics = sums.means();
  metrics.scale = fit.scale;
  metrics.shift = fit.shift;
  return metrics;
}

double weight_of_usable_truth(const cv::Mat& truth, bool sphere) {
  double sum = 0.0;
  for (int y = 0; y < truth.rows; ++y) {
    const double weight = sphere ? latitude_weight(y, truth.rows) : 1.0;
    for (const float value : cv::Mat_<float>(truth.row(y))) {
      if (!std::isnan(value)) sum += weight;
    }
  }
  return sum;
}

// Distances of the prediction in its own size; those that are known only up to a fit get it.
RayDistance panorama_distance(const Prediction& prediction, const DepthMetrics& fitted) {
  if (prediction.proportional) return RayDistance(in_quantity(prediction, false));
  const Fit fit{fitted.scale, fitted.shift};
  cv::Mat distance(prediction.values.size(), CV_32FC1);
  for (int y = 0; y < distance.rows; ++y) {
    const auto* from = prediction.values.ptr<float>(y);
    std::transform(from, from + distance.cols, distance.ptr<float>(y), [&](float value) {
      return static_cast<float>(
          aligned_distance(static_cast<double>(value), fit, prediction.inverse));
    });
  }
  return RayDistance(distance);
}

}  // namespace

std::string_view to_string(DepthAlign align) {
  for (const auto& [candidate, name] : kAlignNames) {
    if (candidate == align) return name;
  }
  return "unknown";
}

std::optional<DepthAlign> depth_align_from_string(std::string_view word) {
  for (const auto& [align, name] : kAlignNames) {
    if (name == word) return align;
  }
  return std::nullopt;
}

DepthEvaluation evaluate_depth(const AnyDepth& prediction, const AnyDepth& ground_truth,
                               const DepthEvalOptions& options) {
  check_kinds(kind_of(prediction), kind_of(ground_truth), options.align);
  if (values_of(prediction).empty() || values_of(ground_truth).empty()) {
    throw Error("a depth map without pixels cannot be evaluated");
  }
  const Prediction given = prediction_of(prediction);
  const cv::Mat truth = usable_truth(ground_truth, options);
  const Prediction resized = resize_prediction(given, truth.size(), options.sphere);
  std::vector<Sample> samples =
      collect_samples(in_quantity(resized, acts_on_inverse(options.align)), truth);
  if (samples.empty()) {
    throw Error("no pixel has both a prediction and usable ground truth")
        .hint("check the mask, the cap and the unit of the ground truth");
  }
  const DistanceRange range = range_of(truth);

  DepthEvaluation evaluation;
  evaluation.align = options.align;
  if (options.sphere) {
    evaluation.spherical = measure(samples, options.align, range);
    evaluation.spherical->coverage =
        evaluation.spherical->total_weight / weight_of_usable_truth(truth, true);
    evaluation.seam = measure_seam_step(panorama_distance(given, *evaluation.spherical));
  }
  for (Sample& sample : samples) sample.weight = 1.0F;
  evaluation.plain = measure(samples, options.align, range);
  evaluation.plain.coverage = evaluation.plain.total_weight / weight_of_usable_truth(truth, false);
  return evaluation;
}

}  // namespace vergence::evaluation
