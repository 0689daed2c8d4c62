// SPDX-License-Identifier: Apache-2.0
#include "stereo/temporal_filter.hpp"

#include "core/angle.hpp"
#include "core/parallel.hpp"
#include "core/statistics.hpp"
#include "stereo/global_motion.hpp"
#include "stereo/sphere_motion.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

constexpr int kMotionWidth = 256;

// Differences of colour, largest of the channels, mean of 5 x 5 pixels: up to the first one frames
// show the same, beyond the second one they do not.
constexpr int kSameColour = 5;
constexpr int kOtherColour = 16;

// Depth that differs by more than this share of its range has changed, whatever the picture says.
constexpr float kSameDepth = 0.08F;

constexpr double kLeastSame = 0.2;   // share of the pixels, for frames of one shot
constexpr double kLeastStep = 0.02;  // pixels of motion: less is none
constexpr int kFitRounds = 3;
constexpr int kFitStride = 3;
constexpr double kLeastScale = 0.5;  // between frames of one shot
constexpr double kMostScale = 2.0;

// Another frame, seen from this one.
struct Other {
  cv::Mat raw;     // CV_32FC1
  cv::Mat weight;  // CV_8UC1, 0..255: how sure it shows the same
  float scale = 1.0F;
  float offset = 0.0F;  // this frame's raw = scale * raw + offset
};

const cv::Mat& weight_table() {
  static const cv::Mat kTable = [] {
    cv::Mat table(1, 256, CV_8UC1);
    for (int i = 0; i < 256; ++i) {
      const double share =
          static_cast<double>(kOtherColour - i) / static_cast<double>(kOtherColour - kSameColour);
      table.at<unsigned char>(i) =
          static_cast<unsigned char>(std::lround(255.0 * std::clamp(share, 0.0, 1.0)));
    }
    return table;
  }();
  return kTable;
}

// How sure pixels of both pictures show the same, 0..255.
cv::Mat likeness(const cv::Mat& a, const cv::Mat& b) {
  cv::Mat difference;
  cv::absdiff(a, b, difference);
  std::array<cv::Mat, 3> channels;
  cv::split(difference, channels.data());
  cv::Mat largest = cv::max(channels[0], cv::max(channels[1], channels[2]));
  cv::blur(largest, largest, {5, 5});
  cv::Mat weight;
  cv::LUT(largest, weight_table(), weight);
  return weight;
}

// Width of the range of raw nearness, without its outliers.
float range_of(const cv::Mat& raw) {
  std::vector<float> values;
  for (int y = 0; y < raw.rows; y += kFitStride) {
    const float* const row = raw.ptr<float>(y);
    for (int x = 0; x < raw.cols; x += kFitStride) {
      if (std::isfinite(row[x])) values.push_back(row[x]);
    }
  }
  const float low = quantile_in_place(values, 0.02);
  return quantile_in_place(values, 0.98) - low;
}

// Weighted least squares of here = scale * other.raw + offset over what shows the same; pixels that
// fit badly count less from round to round. Nothing where too little shows the same.
bool fit_scale(const cv::Mat& here, float range, Other& other) {
  const double unit = 0.02 * range;
  for (int round = 0; round < kFitRounds; ++round) {
    double w = 0.0;
    double wx = 0.0;
    double wy = 0.0;
    double wxx = 0.0;
    double wxy = 0.0;
    for (int y = 0; y < here.rows; y += kFitStride) {
      const float* const to = here.ptr<float>(y);
      const float* const from = other.raw.ptr<float>(y);
      const unsigned char* const same = other.weight.ptr(y);
      for (int x = 0; x < here.cols; x += kFitStride) {
        if (same[x] == 0 || !std::isfinite(to[x]) || !std::isfinite(from[x])) continue;
        const double residual = round == 0 ? 0.0 : other.scale * from[x] + other.offset - to[x];
        const double weight = same[x] / (1.0 + residual * residual / (unit * unit));
        w += weight;
        wx += weight * from[x];
        wy += weight * to[x];
        wxx += weight * from[x] * from[x];
        wxy += weight * from[x] * to[x];
      }
    }
    const double spread = w * wxx - wx * wx;
    if (!(w > 0.0) || !(spread > 0.0)) return false;
    const double scale = (w * wxy - wx * wy) / spread;
    if (!(scale > kLeastScale && scale < kMostScale)) return false;
    other.scale = static_cast<float>(scale);
    other.offset = static_cast<float>((wy - scale * wx) / w);
  }
  return true;
}

void require_window(std::span<const FilterFrame> window, std::size_t current) {
  if (current >= window.size()) throw std::invalid_argument("the frame is not in the window");
  for (std::size_t i = 0; i < window.size(); ++i) {
    const FilterFrame& frame = window[i];
    if (frame.raw.type() != CV_32FC1 || frame.guide.type() != CV_8UC3 || frame.raw.empty() ||
        frame.raw.size() != window[0].raw.size() || frame.guide.size() != frame.raw.size() ||
        frame.index != window[0].index + static_cast<std::int64_t>(i)) {
      throw std::invalid_argument("the frames of a window follow each other and are of one size");
    }
  }
}

// The mean of what shows the same, in this frame's scale.
cv::Mat mean_over_time(const cv::Mat& raw, float range, const std::vector<Other>& others) {
  cv::Mat mean(raw.size(), CV_32FC1);
  const float reach = kSameDepth * range;
  parallel_for(0, raw.rows, [&](int first, int last) {
    std::vector<float> sum(static_cast<std::size_t>(raw.cols));
    std::vector<float> total(sum.size());
    for (int y = first; y < last; ++y) {
      const float* const here = raw.ptr<float>(y);
      std::fill(total.begin(), total.end(), 1.0F);
      std::fill(sum.begin(), sum.end(), 0.0F);  // of the differences from `here`
      for (const Other& other : others) {
        const float* const from = other.raw.ptr<float>(y);
        const unsigned char* const same = other.weight.ptr(y);
        for (std::size_t x = 0; x < sum.size(); ++x) {
          const float step = other.scale * from[x] + other.offset - here[x];
          const float share = 1.0F - std::abs(step) / reach;  // NaN where either has no value
          const float weight = share > 0.0F ? share * static_cast<float>(same[x]) / 255.0F : 0.0F;
          sum[x] += weight > 0.0F ? weight * step : 0.0F;
          total[x] += weight;
        }
      }
      float* const out = mean.ptr<float>(y);
      for (std::size_t x = 0; x < sum.size(); ++x) out[x] = here[x] + sum[x] / total[x];
    }
  });
  return mean;
}

}  // namespace

cv::Mat filter_guide(const cv::Mat& picture, cv::Size size) {
  if (picture.empty() || (picture.type() != CV_8UC3 && picture.type() != CV_16UC3)) {
    throw std::invalid_argument("the filter is guided by RGB pictures of 8 or 16 bits");
  }
  cv::Mat guide;
  cv::resize(picture, guide, size, 0, 0, cv::INTER_AREA);
  if (guide.depth() == CV_16U) guide.convertTo(guide, CV_8U, 1.0 / 257.0);
  return guide;
}

namespace {

// Where another frame shows what this one does.
struct Motion {
  Affine flat = identity_motion();
  Eigen::Matrix3d sphere = Eigen::Matrix3d::Identity();
};

Motion after(const Motion& second, const Motion& first) {
  return {compose(second.flat, first.flat), second.sphere * first.sphere};
}

Motion inverse_of(const Motion& motion) {
  return {inverse(motion.flat), motion.sphere.transpose()};
}

// Luma of a frame for global_motion().
cv::Mat flat_luma(const FilterFrame& frame) {
  const int width = std::min(kMotionWidth, frame.guide.cols);
  const int height = std::max(1, frame.guide.rows * width / frame.guide.cols);
  cv::Mat small;
  cv::resize(frame.guide, small, {width, height}, 0, 0, cv::INTER_AREA);
  cv::cvtColor(small, small, cv::COLOR_RGB2GRAY);
  small.convertTo(small, CV_32F);
  return small;
}

std::optional<Motion> motion_between(const FilterFrame& frame, const FilterFrame& next,
                                     FilterPicture picture) {
  Motion motion;
  if (picture == FilterPicture::kSphere) {
    const auto found = sphere_rotation(sphere_luma(frame.guide), sphere_luma(next.guide));
    if (!found) return std::nullopt;
    motion.sphere = *found;
    return motion;
  }
  const cv::Mat a = flat_luma(frame);
  const auto found = global_motion(a, flat_luma(next));
  if (!found) return std::nullopt;
  motion.flat = scaled_motion(*found, static_cast<double>(frame.guide.cols) / a.cols);
  return motion;
}

// How far a motion moves pixels, about.
double pixels_of(const Motion& there_from_here, int width) {
  const Affine change = there_from_here.flat - identity_motion();
  const double turn = (there_from_here.sphere - Eigen::Matrix3d::Identity()).norm();
  return std::abs(change(0, 2)) + std::abs(change(1, 2)) +
         width * (cv::norm(change.get_minor<2, 2>(0, 0)) + turn / (2.0 * kPi));
}

// The other frame from where this one's camera stands; nothing if it shows something else.
std::optional<Other> seen_from(const FilterFrame& here, const FilterFrame& there,
                               const Motion& there_from_here, FilterPicture picture) {
  Other other;
  cv::Mat guide;
  if (!(pixels_of(there_from_here, here.raw.cols) > kLeastStep)) {
    guide = there.guide;
    other.raw = there.raw;
  } else if (picture == FilterPicture::kSphere) {
    guide = turned_sphere(there.guide, there_from_here.sphere);
    other.raw = turned_sphere(there.raw, there_from_here.sphere);
  } else {
    const cv::Mat motion(there_from_here.flat);
    constexpr int kFlags = cv::INTER_LINEAR | cv::WARP_INVERSE_MAP;
    cv::warpAffine(there.guide, guide, motion, here.raw.size(), kFlags, cv::BORDER_REPLICATE);
    cv::warpAffine(there.raw, other.raw, motion, here.raw.size(), kFlags, cv::BORDER_CONSTANT,
                   std::numeric_limits<double>::quiet_NaN());
  }
  other.weight = likeness(here.guide, guide);
  if (cv::mean(other.weight)[0] < 255.0 * kLeastSame) return std::nullopt;
  return other;
}

}  // namespace

struct TemporalFilter::State {
  FilterPicture picture;
  // Motion from a frame to the next one, by the frame's index; nothing where none was found.
  std::map<std::int64_t, std::optional<Motion>> motions = {};

  std::optional<Motion> motion(const FilterFrame& frame, const FilterFrame& next) {
    const auto known = motions.find(frame.index);
    if (known != motions.end()) return known->second;
    return motions.emplace(frame.index, motion_between(frame, next, picture)).first->second;
  }

  void forget_before(std::int64_t index) {
    motions.erase(motions.begin(), motions.lower_bound(index));
  }
};

TemporalFilter::TemporalFilter(FilterPicture picture)
    : state_(std::make_unique<State>(State{picture})) {}

TemporalFilter::~TemporalFilter() = default;
TemporalFilter::TemporalFilter(TemporalFilter&&) noexcept = default;
TemporalFilter& TemporalFilter::operator=(TemporalFilter&&) noexcept = default;

cv::Mat TemporalFilter::filter(std::span<const FilterFrame> window, std::size_t current) {
  require_window(window, current);
  state_->forget_before(window.front().index);
  const FilterFrame& here = window[current];
  const float range = range_of(here.raw);
  if (!(range > 0.0F)) return here.raw.clone();
  std::vector<Other> others;
  for (const bool ahead : {true, false}) {
    Motion motion;
    for (std::size_t i = current; ahead ? i + 1 < window.size() : i > 0;) {
      const std::size_t next = ahead ? i + 1 : i - 1;
      const auto step = state_->motion(window[std::min(i, next)], window[std::max(i, next)]);
      // Without texture nothing is found, and nothing has to be.
      if (step) motion = after(ahead ? *step : inverse_of(*step), motion);
      auto other = seen_from(here, window[next], motion, state_->picture);
      if (!other || !fit_scale(here.raw, range, *other)) break;
      others.push_back(std::move(*other));
      i = next;
    }
  }
  cv::Mat mean = mean_over_time(here.raw, range, others);
  // From this frame's scale to the mean of all: other = (here - offset) / scale.
  double scale = 1.0;
  double offset = 0.0;
  for (const Other& other : others) {
    scale += 1.0 / other.scale;
    offset -= static_cast<double>(other.offset) / other.scale;
  }
  const auto count = static_cast<double>(others.size() + 1);
  mean.convertTo(mean, CV_32F, scale / count, offset / count);
  return mean;
}

}  // namespace vergence::stereo
