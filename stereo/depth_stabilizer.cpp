// SPDX-License-Identifier: Apache-2.0
#include "stereo/depth_stabilizer.hpp"

#include "core/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <type_traits>

namespace vergence::stereo {
namespace {

static_assert(std::is_trivially_copyable_v<FrameStatistics>);

// Samples of a frame along its width and height: enough for shares of a thousandth.
constexpr int kMostColumns = 160;
constexpr int kMostRows = 90;

constexpr std::size_t kNumQuarters = 4;
constexpr std::size_t kNumBins = 64;
constexpr std::size_t kNumLumaBins = kNumBins / kNumQuarters;

// What tells shots apart: brightness and depth moved by so much of their range.
constexpr float kLumaUnit = 0.08F;
constexpr float kDepthUnit = 0.16F;

// Where so much of a picture is nearly black, its depth is a guess.
constexpr float kDarkShare = 0.9F;

// Frames on either side of a cut that are compared: longer than most flashes.
constexpr int kCutReach = 6;

// A cut is so many times as far as the frames around it are from each other.
constexpr float kCutContrast = 2.0F;

// How fast the range of a shot and the nearness at the borders may change, per second.
constexpr double kWiden = 0.5;    // of the range's width
constexpr double kNarrow = 0.05;  // of the range's width
constexpr double kMedianSeconds = 2.0;
constexpr double kBorderNearer = 1.0;  // of nearness
constexpr double kBorderFarther = 0.25;

// Frames of a shot are never farther apart than this for what changes in time.
constexpr double kLongestStep = 1.0;

// The moving average of the automatic convergence: kept in 1/30 s.
constexpr double kConvergenceDecay = 0.9;
constexpr double kConvergenceRate = 30.0;

// Sample positions: at most `most`, evenly spread over 0 .. count - 1.
std::vector<int> sample_positions(int count, int most) {
  const int samples = std::min(count, most);
  std::vector<int> positions(static_cast<std::size_t>(samples));
  for (std::int64_t i = 0; i < samples; ++i) {
    positions[static_cast<std::size_t>(i)] =
        static_cast<int>((2 * i + 1) * count / (std::int64_t{2} * samples));
  }
  return positions;
}

std::size_t bin_of(float share, std::size_t num_bins) {
  const float bin = std::clamp(share, 0.0F, 1.0F) * static_cast<float>(num_bins);
  return std::min(static_cast<std::size_t>(bin), num_bins - 1);
}

template <class T>
std::array<float, kNumBins> luma_histogram(const cv::Mat& picture) {
  std::array<float, kNumBins> histogram{};
  std::array<float, kNumQuarters> counts{};
  constexpr float kScale = 1.0F / static_cast<float>(std::numeric_limits<T>::max());
  const std::vector<int> columns = sample_positions(picture.cols, kMostColumns);
  for (const int y : sample_positions(picture.rows, kMostRows)) {
    const T* const row = picture.ptr<T>(y);
    const std::size_t half = 2 * y < picture.rows ? 0 : 2;
    for (const int x : columns) {
      const T* const pixel = row + 3 * x;
      const float luma = 0.2126F * static_cast<float>(pixel[0]) +
                         0.7152F * static_cast<float>(pixel[1]) +
                         0.0722F * static_cast<float>(pixel[2]);
      const std::size_t quarter = half + (2 * x < picture.cols ? 0 : 1);
      histogram[quarter * kNumLumaBins + bin_of(luma * kScale, kNumLumaBins)] += 1.0F;
      counts[quarter] += 1.0F;
    }
  }
  for (std::size_t i = 0; i < kNumBins; ++i) {
    histogram[i] /= std::max(1.0F, counts[i / kNumLumaBins]);
  }
  return histogram;
}

DepthRange extremes_of(const cv::Mat& raw) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  DepthRange range{kInfinity, -kInfinity};
  for (int y = 0; y < raw.rows; ++y) {
    const float* const row = raw.ptr<float>(y);
    for (int x = 0; x < raw.cols; ++x) {
      if (!std::isfinite(row[x])) continue;
      range.min = std::min(range.min, row[x]);
      range.max = std::max(range.max, row[x]);
    }
  }
  return range.min <= range.max ? range : DepthRange{0.0F, 0.0F};
}

struct DepthSample {
  float value;
  float middle;  // 0..1: how much in the middle of the picture
};

float middle_weight(int place, int count) {
  const float offset = (static_cast<float>(place) + 0.5F) / static_cast<float>(count) - 0.5F;
  return std::exp(-8.0F * offset * offset);  // standard deviation of a quarter
}

std::vector<DepthSample> sample_depth(const cv::Mat& raw) {
  std::vector<DepthSample> samples;
  const std::vector<int> columns = sample_positions(raw.cols, kMostColumns);
  const std::vector<int> rows = sample_positions(raw.rows, kMostRows);
  samples.reserve(columns.size() * rows.size());
  for (const int y : rows) {
    const float* const row = raw.ptr<float>(y);
    const float middle = middle_weight(y, raw.rows);
    for (const int x : columns) {
      if (std::isfinite(row[x])) {
        samples.push_back({row[x], middle * middle_weight(x, raw.cols)});
      }
    }
  }
  return samples;
}

float nearness_of(float raw, const DepthRange& range) {
  if (!(range.max > range.min)) return 0.0F;
  const double nearness =
      (static_cast<double>(raw) - range.min) / (static_cast<double>(range.max) - range.min);
  return static_cast<float>(std::clamp(nearness, 0.0, 1.0));
}

// 10 and 90 % of the raw nearness of the subject; see frame_statistics().
DepthRange subject_of(const std::vector<DepthSample>& samples, const DepthRange& percentiles) {
  std::vector<float> salience;
  salience.reserve(samples.size());
  for (const DepthSample& sample : samples) {
    salience.push_back(nearness_of(sample.value, percentiles) * sample.middle);
  }
  const float least = quantile(salience, 7.0 / 8.0);
  std::vector<float> subject;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (salience[i] >= least) subject.push_back(samples[i].value);
  }
  return {quantile_in_place(subject, 0.1), quantile_in_place(subject, 0.9)};
}

// The nearness that nine tenths of the columns [first, last) do not reach.
float border_nearness(const cv::Mat& raw, int first, int last) {
  std::vector<float> values;
  for (const int y : sample_positions(raw.rows, 2 * kMostRows)) {
    for (const int x : sample_positions(last - first, 4)) {
      const float value = raw.at<float>(y, first + x);
      if (std::isfinite(value)) values.push_back(value);
    }
  }
  return quantile_in_place(values, 0.9);
}

// Sum of the differences between the cumulative histograms, in units of the histograms' whole
// range (earth mover's distance on a line).
float histogram_distance(const float* a, const float* b, std::size_t num_bins) {
  float difference = 0.0F;
  float sum = 0.0F;
  for (std::size_t i = 0; i < num_bins; ++i) {
    difference += a[i] - b[i];
    sum += std::abs(difference);
  }
  return sum / static_cast<float>(num_bins);
}

// Whether the frame's depth is worth comparing: there is some, and a picture to tell it from.
bool has_credible_depth(const FrameStatistics& frame) {
  float dark = 0.0F;
  for (std::size_t first = 0; first < kNumBins; first += kNumLumaBins) dark += frame.luma[first];
  return frame.percentiles.max > frame.percentiles.min &&
         dark < kDarkShare * static_cast<float>(kNumQuarters);
}

float middle_of(float a, float b, float c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

// Moves `value` towards `target` by at most `up` or `down`.
float approach(float value, float target, double up, double down) {
  const double step = static_cast<double>(target) - value;
  return static_cast<float>(value + std::clamp(step, -down, up));
}

float key_value(const std::vector<ConvergenceKey>& keys, double time_s) {
  const auto next =
      std::upper_bound(keys.begin(), keys.end(), time_s,
                       [](double time, const ConvergenceKey& key) { return time < key.time_s; });
  if (next == keys.begin()) return keys.front().convergence;
  const ConvergenceKey& before = *(next - 1);
  if (next == keys.end()) return before.convergence;
  const double share = (time_s - before.time_s) / (next->time_s - before.time_s);
  return static_cast<float>(before.convergence +
                            share * (static_cast<double>(next->convergence) - before.convergence));
}

void require_valid(const StabilizerOptions& options) {
  if (options.look_ahead < 1) throw std::invalid_argument("the look-ahead is at least 1");
  if (!(options.convergence_slew_per_s >= 0.0F) || !std::isfinite(options.convergence)) {
    throw std::invalid_argument("convergence is finite and its slew not negative");
  }
  if (options.convergence_mode != ConvergenceMode::kKeyframes) return;
  const auto later = [](const ConvergenceKey& a, const ConvergenceKey& b) {
    return !(a.time_s < b.time_s);
  };
  if (options.keys.empty() ||
      std::adjacent_find(options.keys.begin(), options.keys.end(), later) != options.keys.end()) {
    throw std::invalid_argument("there are keys of convergence, in order of time");
  }
}

RangeSmootherOptions smoother_options(const StabilizerOptions& options) {
  return {options.ema.decay, options.look_ahead};
}

}  // namespace

FrameStatistics frame_statistics(const cv::Mat& picture, const cv::Mat& raw, double time_s) {
  if ((picture.type() != CV_8UC3 && picture.type() != CV_16UC3) || picture.empty() ||
      raw.type() != CV_32FC1 || raw.empty()) {
    throw std::invalid_argument("statistics are of an RGB picture and CV_32FC1 nearness");
  }
  FrameStatistics frame;
  frame.time_s = time_s;
  frame.luma = picture.depth() == CV_8U ? luma_histogram<std::uint8_t>(picture)
                                        : luma_histogram<std::uint16_t>(picture);
  frame.extremes = extremes_of(raw);
  const std::vector<DepthSample> samples = sample_depth(raw);
  if (samples.empty()) return frame;
  std::vector<float> values;
  values.reserve(samples.size());
  for (const DepthSample& sample : samples) values.push_back(sample.value);
  frame.percentiles = {quantile_in_place(values, 0.005), quantile_in_place(values, 0.995)};
  frame.median = quantile_in_place(values, 0.5);
  const float share = 1.0F / static_cast<float>(values.size());
  for (const float value : values) {
    frame.depth[bin_of(nearness_of(value, frame.percentiles), kNumBins)] += share;
  }
  frame.subject = subject_of(samples, frame.percentiles);
  const int strip = std::max(1, raw.cols * 3 / 100);
  frame.left_border = border_nearness(raw, 0, strip);
  frame.right_border = border_nearness(raw, raw.cols - strip, raw.cols);
  return frame;
}

float frame_distance(const FrameStatistics& a, const FrameStatistics& b) {
  float luma = 0.0F;
  for (std::size_t first = 0; first < kNumBins; first += kNumLumaBins) {
    luma += histogram_distance(a.luma.data() + first, b.luma.data() + first, kNumLumaBins);
  }
  luma /= static_cast<float>(kNumQuarters) * kLumaUnit;
  if (!has_credible_depth(a) || !has_credible_depth(b)) return luma;
  return luma + histogram_distance(a.depth.data(), b.depth.data(), kNumBins) / kDepthUnit;
}

DepthStabilizer::DepthStabilizer(const StabilizerOptions& options)
    : options_(options),
      smoother_(smoother_options(options)) {
  require_valid(options);
  if (options.cuts) reach_ = std::min(kCutReach, options.look_ahead);
}

std::vector<FrameDecision> DepthStabilizer::push(const FrameStatistics& frame) {
  frames_.push_back({frame, false});
  std::vector<FrameDecision> decisions;
  if (frames_.size() >= num_judged_ + static_cast<std::size_t>(reach_)) judge_next();
  decide_ready(false, decisions);
  return decisions;
}

std::vector<FrameDecision> DepthStabilizer::flush() {
  while (num_judged_ < frames_.size()) judge_next();
  for (const DepthRange& range : smoother_.flush()) smoothed_.push_back(range);
  std::vector<FrameDecision> decisions;
  decide_ready(true, decisions);
  frames_.clear();
  num_judged_ = 0;
  num_decided_ = 0;
  return decisions;
}

void DepthStabilizer::judge_next() {
  Frame& frame = frames_[num_judged_];
  frame.first_of_shot = begins_shot(num_judged_);
  ++num_judged_;
  if (options_.range != RangeMode::kEma) return;
  if (frame.first_of_shot) {
    for (const DepthRange& range : smoother_.flush()) smoothed_.push_back(range);
  }
  if (const auto range = smoother_.push(frame.statistics.extremes)) smoothed_.push_back(*range);
}

bool DepthStabilizer::begins_shot(std::size_t place) const {
  if (place == 0) return true;
  if (!options_.cuts) return false;
  const auto reach = static_cast<std::size_t>(reach_);
  std::size_t first = place - 1;
  while (first > 0 && first + reach > place && !frames_[first].first_of_shot) --first;
  const std::size_t last = std::min(frames_.size(), place + reach);
  const auto distance = [&](std::size_t a, std::size_t b) {
    return frame_distance(frames_[a].statistics, frames_[b].statistics);
  };
  float least = std::numeric_limits<float>::infinity();
  for (std::size_t before = first; before < place; ++before) {
    for (std::size_t after = place; after < last; ++after) {
      least = std::min(least, distance(before, after));
      if (least <= 1.0F) return false;
    }
  }
  std::vector<float> steps;
  for (std::size_t next = first + 1; next < last; ++next) {
    if (next != place) steps.push_back(distance(next - 1, next));
  }
  return least > kCutContrast * median(std::move(steps));
}

void DepthStabilizer::decide_ready(bool at_end, std::vector<FrameDecision>& decisions) {
  while (num_decided_ < num_judged_) {
    const Span window = window_at(num_decided_);
    const bool complete =
        window.last - window.first == static_cast<std::size_t>(options_.look_ahead) ||
        window.last < num_judged_;
    if (!complete && !at_end) break;
    decisions.push_back(decide(num_decided_));
    ++num_decided_;
  }
  // One frame before the next decision, and what the next cut is compared with.
  const auto reach = static_cast<std::size_t>(reach_);
  while (num_decided_ > 1 && num_judged_ > reach) {
    frames_.pop_front();
    --num_decided_;
    --num_judged_;
  }
}

// The frames that the one at this place looks at: itself and those ahead, up to the next shot.
DepthStabilizer::Span DepthStabilizer::window_at(std::size_t place) const {
  const std::size_t last =
      std::min(num_judged_, place + static_cast<std::size_t>(options_.look_ahead));
  std::size_t end = place + 1;
  while (end < last && !frames_[end].first_of_shot) ++end;
  return {place, end};
}

FrameDecision DepthStabilizer::decide(std::size_t place) {
  const Frame& frame = frames_[place];
  const Span window = window_at(place);
  const bool first = frame.first_of_shot;
  double seconds = frame.statistics.time_s - last_time_s_;
  seconds = seconds > 0.0 ? std::min(seconds, kLongestStep) : 0.0;
  FrameDecision decision;
  decision.frame = next_frame_++;
  decision.first_of_shot = first;
  switch (options_.range) {
    case RangeMode::kFrame:
      decision.range = frame.statistics.extremes;
      break;
    case RangeMode::kEma:
      decision.range = smoothed_.front();
      smoothed_.pop_front();
      break;
    case RangeMode::kShot:
      decision.range = shot_range(window, first, seconds);
      break;
  }
  decision.convergence = converge(window, decision.range, seconds);
  const auto border = [&](float FrameStatistics::*side, float last) {
    const float target = nearest_at(window, side, decision.range);
    return first ? target
                 : approach(last, target, kBorderNearer * seconds, kBorderFarther * seconds);
  };
  decision.left_border = border(&FrameStatistics::left_border, last_.left_border);
  decision.right_border = border(&FrameStatistics::right_border, last_.right_border);
  decision.median = median_over(window, seconds);
  last_ = decision;
  last_time_s_ = frame.statistics.time_s;
  return decision;
}

DepthRange DepthStabilizer::shot_range(const Span& window, bool first, double seconds) const {
  const DepthRange target = spanned(window);
  if (first) return target;
  if (!(target.max > target.min)) return last_.range;
  if (!(last_.range.max > last_.range.min)) return target;  // the shot began without depth
  const double width = static_cast<double>(last_.range.max) - last_.range.min;
  const double widen = kWiden * width * seconds;
  const double narrow = kNarrow * width * seconds;
  return {approach(last_.range.min, target.min, narrow, widen),
          approach(last_.range.max, target.max, widen, narrow)};
}

// The frames of a window whose depth can be believed, or those that have any, and the one before
// them in the shot.
std::vector<DepthRange> DepthStabilizer::percentiles_in(const Span& window) const {
  const bool goes_on = window.first > 0 && !frames_[window.first].first_of_shot;
  std::vector<DepthRange> credible;
  std::vector<DepthRange> any;
  for (std::size_t place = window.first - (goes_on ? 1 : 0); place < window.last; ++place) {
    const FrameStatistics& frame = frames_[place].statistics;
    if (has_credible_depth(frame)) credible.push_back(frame.percentiles);
    if (frame.percentiles.max > frame.percentiles.min) any.push_back(frame.percentiles);
  }
  return credible.empty() ? any : credible;
}

// What the robust percentiles of the frames span. Each counts as the middle one of itself and its
// neighbours, so that the first and the last one do not count.
DepthRange DepthStabilizer::spanned(const Span& window) const {
  const std::vector<DepthRange> ranges = percentiles_in(window);
  if (ranges.empty()) return frames_[window.first].statistics.percentiles;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  DepthRange range{kInfinity, -kInfinity};
  const std::size_t beside = ranges.size() < 3 ? 0 : 1;
  for (std::size_t i = beside; i + beside < ranges.size(); ++i) {
    const DepthRange& before = ranges[i - beside];
    const DepthRange& after = ranges[i + beside];
    range.min = std::min(range.min, middle_of(before.min, ranges[i].min, after.min));
    range.max = std::max(range.max, middle_of(before.max, ranges[i].max, after.max));
  }
  return range;
}

float DepthStabilizer::converge(const Span& window, const DepthRange& range, double seconds) const {
  if (options_.convergence_mode == ConvergenceMode::kConstant) return options_.convergence;
  const Frame& frame = frames_[window.first];
  const bool automatic = options_.convergence_mode == ConvergenceMode::kAuto;
  float target = automatic ? subject_convergence(window, range)
                           : key_value(options_.keys, frame.statistics.time_s);
  if (frame.first_of_shot) return target;
  if (automatic) {
    const double kept = std::pow(kConvergenceDecay, kConvergenceRate * seconds);
    target = static_cast<float>(target + kept * (static_cast<double>(last_.convergence) - target));
  }
  const double most = static_cast<double>(options_.convergence_slew_per_s) * seconds;
  return approach(last_.convergence, target, most, most);
}

float DepthStabilizer::subject_convergence(const Span& window, const DepthRange& range) const {
  float sum = 0.0F;
  for (std::size_t place = window.first; place < window.last; ++place) {
    const DepthRange& subject = frames_[place].statistics.subject;
    const float low = nearness_of(subject.min, range);
    const float high = nearness_of(subject.max, range);
    const float plane = 0.5F * (low + high) + (options_.convergence - 0.5F) * 3.0F * (high - low);
    sum += std::clamp(plane, 0.0F, 1.0F);
  }
  return sum / static_cast<float>(window.last - window.first);
}

float DepthStabilizer::median_over(const Span& window, double seconds) const {
  if (options_.range == RangeMode::kFrame) return frames_[window.first].statistics.median;
  double sum = 0.0;
  for (std::size_t place = window.first; place < window.last; ++place) {
    sum += frames_[place].statistics.median;
  }
  const double target = sum / static_cast<double>(window.last - window.first);
  if (frames_[window.first].first_of_shot) return static_cast<float>(target);
  const double kept = std::exp(-seconds / kMedianSeconds);
  return static_cast<float>(target + kept * (static_cast<double>(last_.median) - target));
}

float DepthStabilizer::nearest_at(const Span& window, float FrameStatistics::*side,
                                  const DepthRange& range) const {
  float nearest = 0.0F;
  for (std::size_t place = window.first; place < window.last; ++place) {
    nearest = std::max(nearest, nearness_of(frames_[place].statistics.*side, range));
  }
  return nearest;
}

}  // namespace vergence::stereo
