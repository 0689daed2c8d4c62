// SPDX-License-Identifier: Apache-2.0
#include "stereo/nearness.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <stdexcept>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

// Pixel centres stand half a pixel from the corner.
constexpr float kHalf = 0.5F;

using Curve = std::function<double(double)>;

// ln(1 + e^((x - bias) scale)), from 0 to 1.
Curve softplus(double bias, double scale) {
  const auto raw = [=](double x) { return std::log1p(std::exp((x - bias) * scale)); };
  const double low = raw(0.0);
  const double high = raw(1.0);
  return [=](double x) { return (raw(x) - low) / (high - low); };
}

// ln(e^((x - bias) scale) - 1), from 0 to 1: the inverse of a softplus.
Curve inverse_softplus(double bias, double scale) {
  const auto raw = [=](double x) {
    return std::log(std::max(std::exp((x - bias) * scale) - 1.0, 1e-6));
  };
  const double low = raw(0.0);
  const double high = raw(1.0);
  return [=](double x) { return (raw(x) - low) / (high - low); };
}

// Nearness that is linear in distance, made linear in inverse distance; c = where infinity is.
Curve inverse_of_distance(double c) {
  return [c](double x) {
    const double far = c / (1.0 + c);
    return (c / (1.0 + c - x) - far) / (1.0 - far);
  };
}

// Relative nearness taken for inverse distance between `nearest` and 16, then moved away so that
// the nearest is at 1.
Curve shifted_distance(double nearest) {
  constexpr double kFarthest = 16.0;
  return [nearest](double x) {
    const double a = 1.0 / (nearest + kFarthest);
    const double b = 1.0 / nearest - a;
    const double distance = 1.0 / (a + b * x) + 1.0 - nearest;
    const double far = 1.0 / (kFarthest + 1.0);
    return (1.0 / distance - far) / (1.0 - far);
  };
}

struct NamedCurve {
  std::string_view name;
  Curve curve;
};

const std::vector<NamedCurve>& curves() {
  static const std::vector<NamedCurve> kCurves = {
      {"none", [](double x) { return x; }},
      {"pow2", [](double x) { return x * x; }},
      {"softplus", softplus(0.5, 12.0)},
      {"softplus2",
       [plain = softplus(0.5, 12.0)](double x) {
         const double y = plain(x);
         return y * y;
       }},
      {"mul_1", softplus(0.343, 12.0)},
      {"mul_2", softplus(0.515, 12.0)},
      {"mul_3", softplus(0.687, 12.0)},
      {"inv_mul_1", inverse_softplus(-0.002102, 7.8788)},
      {"inv_mul_2", inverse_softplus(-0.0003, 6.2626)},
      {"inv_mul_3", inverse_softplus(-0.0001, 3.4343)},
      {"shift_045", shifted_distance(0.45)},
      {"shift_06", shifted_distance(0.6)},
      {"shift_08", shifted_distance(0.8)},
      {"shift_14", shifted_distance(1.4)},
      {"shift_20", shifted_distance(2.0)},
      {"shift_30", shifted_distance(3.0)},
      {"div_25", inverse_of_distance(2.5)},
      {"div_10", inverse_of_distance(1.0)},
      {"div_6", inverse_of_distance(0.6)},
      {"div_4", inverse_of_distance(0.4)},
      {"div_2", inverse_of_distance(0.2)},
      {"div_1", inverse_of_distance(0.1)},
  };
  return kCurves;
}

const Curve& curve_named(std::string_view name) {
  for (const NamedCurve& entry : curves()) {
    if (entry.name == name) return entry.curve;
  }
  std::string names;
  for (const NamedCurve& entry : curves()) names += fmt::format(" {}", entry.name);
  throw Error(fmt::format("'{}' is no depth mapper", name)).hint("use one of" + names);
}

// "a" or "a+b=w".
Curve parse_blend(std::string_view text) {
  const std::size_t plus = text.find('+');
  if (plus == std::string_view::npos) return curve_named(text);
  const std::size_t equals = text.find('=', plus);
  double weight = 0.0;
  const std::string_view number =
      equals == std::string_view::npos ? std::string_view{} : text.substr(equals + 1);
  const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), weight);
  if (number.empty() || code != std::errc{} || end != number.data() + number.size()) {
    throw Error(fmt::format("the depth mapper '{}' has no weight", text))
        .hint("write a blend as first+second=0.5");
  }
  const Curve& first = curve_named(text.substr(0, plus));
  const Curve& second = curve_named(text.substr(plus + 1, equals - plus - 1));
  return [=](double x) { return (1.0 - weight) * first(x) + weight * second(x); };
}

std::vector<Curve> parse_chain(std::string_view text) {
  std::vector<Curve> chain;
  while (true) {
    const std::size_t colon = text.find(':');
    chain.push_back(parse_blend(text.substr(0, colon)));
    if (colon == std::string_view::npos) return chain;
    text.remove_prefix(colon + 1);
  }
}

// How much of an edge each pixel is, 0..1, by the whole map's spread of steps.
cv::Mat edge_strength(const cv::Mat& nearness) {
  const cv::Mat around = cv::Mat::ones(3, 3, CV_8UC1);
  cv::Mat high;
  cv::Mat low;
  cv::dilate(nearness, high, around);
  cv::erode(nearness, low, around);
  cv::Mat strength = high - low;
  cv::Scalar mean;
  cv::Scalar deviation;
  cv::meanStdDev(strength, mean, deviation);
  const auto count = static_cast<double>(strength.total());
  const double unbiased = deviation[0] * std::sqrt(count / std::max(1.0, count - 1.0));
  strength = (strength - mean[0]) / (unbiased + 1e-6);
  strength = cv::min(cv::max(strength, -3.0), 3.0);
  double least = 0.0;
  double most = 0.0;
  cv::minMaxLoc(strength, &least, &most);
  if (most <= least) return cv::Mat::zeros(strength.size(), CV_32FC1);
  return (strength - least) / (most - least);
}

// One line of the weights of an antialiased resize: sources [first, first + weights.size()).
struct ResizeTaps {
  int first;
  std::vector<float> weights;
};

std::vector<ResizeTaps> resize_taps(int from, int to) {
  // Single precision, as torch computes them.
  const float scale = to > 1 ? static_cast<float>(from - 1) / static_cast<float>(to - 1) : 0.0F;
  const float support = std::max(scale, 1.0F);
  std::vector<ResizeTaps> lines;
  for (int i = 0; i < to; ++i) {
    const float centre = scale * (static_cast<float>(i) + kHalf);
    const int first = std::max(0, static_cast<int>(centre - support + kHalf));
    const int last = std::min(from, static_cast<int>(centre + support + kHalf));
    ResizeTaps taps{first, {}};
    float sum = 0.0F;
    for (int j = first; j < last; ++j) {
      const float offset = (static_cast<float>(j) - centre + kHalf) / support;
      taps.weights.push_back(std::max(0.0F, 1.0F - std::abs(offset)));
      sum += taps.weights.back();
    }
    for (float& weight : taps.weights) weight /= sum;
    lines.push_back(std::move(taps));
  }
  return lines;
}

}  // namespace

cv::Mat nearness_in_range(const cv::Mat& raw, const DepthRange& range) {
  if (!(range.max > range.min)) return cv::Mat::zeros(raw.size(), CV_32FC1);
  const double scale = 1.0 / (static_cast<double>(range.max) - range.min);
  cv::Mat nearness = (raw - range.min) * scale;
  nearness = cv::min(cv::max(nearness, 0.0), 1.0);
  return nearness;
}

RangeSmoother::RangeSmoother(const RangeSmootherOptions& options) : options_(options) {
  if (!(options.decay >= 0.0F && options.decay <= 1.0F) || options.look_ahead < 1) {
    throw std::invalid_argument("decay is 0..1 and the look-ahead at least 1");
  }
}

std::optional<DepthRange> RangeSmoother::push(const DepthRange& frame) {
  window_.push_back(frame);
  if (static_cast<int>(window_.size()) < options_.look_ahead) return std::nullopt;
  DepthRange ahead = window_.front();
  for (const DepthRange& range : window_) {
    ahead.min = std::min(ahead.min, range.min);
    ahead.max = std::max(ahead.max, range.max);
  }
  if (current_) {
    const float decay = options_.decay;
    ahead.min = decay * current_->min + (1.0F - decay) * ahead.min;
    ahead.max = decay * current_->max + (1.0F - decay) * ahead.max;
  }
  current_ = ahead;
  window_.erase(window_.begin());
  return current_;
}

std::vector<DepthRange> RangeSmoother::flush() {
  if (!current_ && !window_.empty()) {  // a shot shorter than the look-ahead
    current_ = window_.front();
    for (const DepthRange& range : window_) {
      current_->min = std::min(current_->min, range.min);
      current_->max = std::max(current_->max, range.max);
    }
  }
  std::vector<DepthRange> rest;
  if (current_) rest.assign(window_.size(), *current_);
  window_.clear();
  current_.reset();
  return rest;
}

void map_nearness(std::string_view mapper, cv::Mat& nearness) {
  const std::vector<Curve> chain = parse_chain(mapper);
  if (mapper == "none") return;
  parallel_for(0, nearness.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      float* const row = nearness.ptr<float>(y);
      for (int x = 0; x < nearness.cols; ++x) {
        double value = row[x];
        for (const Curve& curve : chain) value = curve(value);
        row[x] = static_cast<float>(value);
      }
    }
  });
}

std::string foreground_mapper(MapperFamily family, float scale) {
  static constexpr std::array<std::array<std::string_view, 7>, 3> kLevels = {{
      {"none", "div_25", "div_10", "div_6", "div_4", "div_2", "div_1"},
      {"inv_mul_3", "inv_mul_2", "inv_mul_1", "none", "mul_1", "mul_2", "mul_3"},
      {"shift_045", "shift_06", "shift_08", "none", "shift_14", "shift_20", "shift_30"},
  }};
  if (!(scale >= -3.0F && scale <= 3.0F)) {
    throw Error(fmt::format("'stereo.foreground_scale' is {}, which is outside -3 to 3", scale));
  }
  const auto& levels = kLevels.at(static_cast<std::size_t>(family));
  const float below = std::floor(scale);
  const auto index = static_cast<std::size_t>(below + 3.0F);
  const float part = scale - below;
  if (part == 0.0F) return std::string(levels.at(index));
  return fmt::format("{}+{}={}", levels.at(index), levels.at(index + 1), part);
}

void dilate_edges(int across, int down, cv::Mat& nearness) {
  const cv::Mat blur = (cv::Mat_<float>(3, 3) << 21, 31, 21, 31, 48, 31, 21, 31, 21) / 256.0F;
  for (int pass = 0; pass < std::max(across, down); ++pass) {
    const cv::Mat strength = edge_strength(nearness);
    const int width = pass < across ? 3 : 1;
    const int height = pass < down ? 3 : 1;
    cv::Mat grown;
    cv::filter2D(nearness, grown, CV_32F, blur, {-1, -1}, 0.0, cv::BORDER_REPLICATE);
    cv::dilate(grown, grown, cv::Mat::ones(height, width, CV_8UC1));
    nearness += strength.mul(grown - nearness);
  }
}

cv::Mat resize_nearness(const cv::Mat& nearness, cv::Size size) {
  if (nearness.size() == size) return nearness.clone();
  const auto columns = resize_taps(nearness.cols, size.width);
  const auto rows = resize_taps(nearness.rows, size.height);
  cv::Mat wide = cv::Mat::zeros(nearness.rows, size.width, CV_32FC1);
  cv::Mat result = cv::Mat::zeros(size, CV_32FC1);
  parallel_for(0, nearness.rows, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const float* const from = nearness.ptr<float>(y);
      for (int x = 0; x < size.width; ++x) {
        const ResizeTaps& taps = columns[static_cast<std::size_t>(x)];
        float sum = 0.0F;
        for (std::size_t i = 0; i < taps.weights.size(); ++i) {
          sum += taps.weights[i] * from[taps.first + static_cast<int>(i)];
        }
        wide.at<float>(y, x) = sum;
      }
    }
  });
  parallel_for(0, size.height, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      const ResizeTaps& taps = rows[static_cast<std::size_t>(y)];
      float* const to = result.ptr<float>(y);
      for (std::size_t i = 0; i < taps.weights.size(); ++i) {
        const float* const from = wide.ptr<float>(taps.first + static_cast<int>(i));
        for (int x = 0; x < size.width; ++x) to[x] += taps.weights[i] * from[x];
      }
    }
  });
  return result;
}

}  // namespace vergence::stereo
