// SPDX-License-Identifier: Apache-2.0
#include "projection/sphere_sampler.hpp"

#include "core/parallel.hpp"
#include "projection/picture_lenses.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <opencv2/core/hal/intrin.hpp>
#include <opencv2/imgproc.hpp>

namespace vergence::projection {
namespace {

constexpr int kNumPhases = 512;

// Rounds what is not negative, as part of a conversion to whole numbers.
constexpr float kHalf = 0.5F;

double keys(double x) {  // Keys, "Cubic Convolution Interpolation", 1981, a = -0.5
  x = std::abs(x);
  if (x >= 2.0) return 0.0;
  return x <= 1.0 ? (1.5 * x - 2.5) * x * x + 1.0 : ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
}

double lanczos(double x) {
  if (x == 0.0) return 1.0;
  if (std::abs(x) >= 3.0) return 0.0;
  const double angle = kPi * x;
  return 3.0 * std::sin(angle) * std::sin(angle / 3.0) / (angle * angle);
}

// Weights of the taps 1 - kReach .. kReach around a position between taps 0 and 1; they add up to
// 1. By their reach: 1 = linear, 2 = bicubic, 3 = Lanczos.
template <int kReach>
using Taps = std::array<float, std::size_t{2} * kReach>;

template <int kReach>
std::vector<Taps<kReach>> table_of(double (*kernel)(double)) {
  std::vector<Taps<kReach>> table(kNumPhases + 1);
  for (int phase = 0; phase <= kNumPhases; ++phase) {
    Taps<kReach>& taps = table[static_cast<std::size_t>(phase)];
    const double part = static_cast<double>(phase) / kNumPhases;
    double sum = 0.0;
    for (int i = 0; i < 2 * kReach; ++i) sum += kernel(i + 1 - kReach - part);
    for (int i = 0; i < 2 * kReach; ++i) {
      taps[static_cast<std::size_t>(i)] = static_cast<float>(kernel(i + 1 - kReach - part) / sum);
    }
  }
  return table;
}

template <int kReach>
Taps<kReach> taps_at(float part) {
  if constexpr (kReach == 1) {
    return {1.0F - part, part};
  } else {
    static const auto kTable = table_of<kReach>(kReach == 2 ? keys : lanczos);
    return kTable[static_cast<std::size_t>(part * kNumPhases + kHalf)];
  }
}

int reach_of(SphereInterpolation interpolation) {
  switch (interpolation) {
    case SphereInterpolation::kBilinear:
      return 1;
    case SphereInterpolation::kBicubic:
      return 2;
    case SphereInterpolation::kLanczos:
      return 3;
  }
  return 1;
}

// ---- Pixels as four floats

inline cv::v_float32x4 load_pixel(const std::uint8_t* pixel) {
  // OpenCV 4.6 reads them as one int, and pixels of three channels are not aligned for that.
  alignas(4) std::array<std::uint8_t, 4> channels;
  std::memcpy(channels.data(), pixel, sizeof channels);
  return cv::v_cvt_f32(cv::v_reinterpret_as_s32(cv::v_load_expand_q(channels.data())));
}

inline cv::v_float32x4 load_pixel(const std::uint16_t* pixel) {
  return cv::v_cvt_f32(cv::v_reinterpret_as_s32(cv::v_load_expand(pixel)));
}

inline cv::v_float32x4 load_pixel(const float* pixel) {
  return cv::v_load(pixel);
}

template <class T>
constexpr float kGreatest = std::is_same_v<T, std::uint8_t> ? 255.0F : 65535.0F;

template <class T, int kChannels>
void store_pixel(const cv::v_float32x4& value, T* out) {
  std::array<float, 4> lanes;
  cv::v_store(lanes.data(), value);
  for (int c = 0; c < kChannels; ++c) {
    const float lane = lanes[static_cast<std::size_t>(c)];
    if constexpr (std::is_same_v<T, float>) {
      out[c] = lane;
    } else {
      out[c] = static_cast<T>(std::clamp(lane, 0.0F, kGreatest<T>) + kHalf);
    }
  }
}

// ---- Positions

// Among pixel centres: the pixel at or before a point, and how far behind it the point lies.
struct Position {
  int x;
  int y;
  float part_x;
  float part_y;
};

// Coordinates are 0 or more.
inline Position position_of(float x, float y) {
  const float from_x = x + 0.5F;
  const float from_y = y + 0.5F;
  const auto whole_x = static_cast<int>(from_x);
  const auto whole_y = static_cast<int>(from_y);
  return {whole_x - 1, whole_y - 1, from_x - static_cast<float>(whole_x),
          from_y - static_cast<float>(whole_y)};
}

// The RGB pixel between four of two rows, to out. Reads eight bytes of each row and writes eight
// bytes, of which the last five written are of no use. Off by less than 0.52 levels: weights have
// steps of 1/256 (down) and 1/65536 (across).
inline void mix_rgb8(const std::uint8_t* upper, const std::uint8_t* lower, float part_x,
                     float part_y, std::uint8_t* out) {
  const auto down = static_cast<std::uint16_t>(part_y * 256.0F + kHalf);
  const auto right = static_cast<std::uint16_t>(part_x * 65535.0F + kHalf);
  const cv::v_uint16x8 a = cv::v_load_expand(upper);
  const cv::v_uint16x8 b = cv::v_load_expand(lower);
  // 256 a + (b - a) down fits unsigned 16 bits, whatever its terms do on the way.
  const cv::v_uint16x8 rows =
      cv::v_add_wrap(cv::v_shl<8>(a), cv::v_mul_wrap(cv::v_sub_wrap(b, a), cv::v_setall_u16(down)));
  const cv::v_uint16x8 next = cv::v_rotate_right<3>(rows);
  const auto left = static_cast<std::uint16_t>(65535 - right);
  const cv::v_uint16x8 mixed = cv::v_add_wrap(cv::v_mul_hi(rows, cv::v_setall_u16(left)),
                                              cv::v_mul_hi(next, cv::v_setall_u16(right)));
  // Each product has lost half of a 256th on average, and the weights add up to a little less
  // than 1.
  cv::v_pack_store(out, cv::v_shr<8>(cv::v_add_wrap(mixed, cv::v_setall_u16(129))));
}

}  // namespace

struct SphereSampler::State {
  cv::Mat picture;
  PictureModel model;
  int reach;

  [[nodiscard]] const PictureModel::Model& parts() const { return *model.model_; }

  template <class T, int kChannels, int kReach>
  void sample_all(std::span<const cv::Point3f> directions, T* out, unsigned char* seen) const;

  // Colours at the first `count` of `block`'s places, to `out`.
  template <class T, int kChannels, int kReach>
  void sample_block(const Lens& lens, LocatedBlock& block, std::size_t count, T* out) const;

  // One pixel with taps that may lie beyond the borders of its chart.
  template <class T, int kChannels, int kReach>
  void sample_one(const Lens& lens, int chart, const Position& at, T* out) const;

  // The pixels around a position, some of which lie beyond the borders of its chart.
  template <class T, int kChannels, int kReach>
  void gather(const Lens& lens, int chart, cv::Point first, T* pixels) const;

  // Places beyond borders where nothing comes next move to the border.
  void keep_inside(const Lens& lens, std::size_t count, LocatedBlock& block) const;
};

template <class T, int kChannels, int kReach>
void SphereSampler::State::gather(const Lens& lens, int chart, cv::Point first, T* pixels) const {
  const cv::Rect& own = lens.charts[static_cast<std::size_t>(chart)];
  for (int j = 0; j < 2 * kReach; ++j) {
    for (int i = 0; i < 2 * kReach; ++i, pixels += kChannels) {
      cv::Point from(first.x + i, first.y + j);
      if (!own.contains(from)) from = parts().neighbour(lens, chart, from.x, from.y);
      std::copy_n(picture.ptr<T>(from.y) + static_cast<std::ptrdiff_t>(from.x) * kChannels,
                  kChannels, pixels);
    }
  }
}

template <class T, int kChannels, int kReach>
void SphereSampler::State::sample_one(const Lens& lens, int chart, const Position& at,
                                      T* out) const {
  constexpr int kSide = 2 * kReach;
  const cv::Rect& own = lens.charts[static_cast<std::size_t>(chart)];
  const cv::Point first(at.x + 1 - kReach, at.y + 1 - kReach);
  // Four channels are read of pixels that may have one.
  const bool inside = first.x >= own.x && first.y >= own.y && at.x + kReach < own.br().x &&
                      at.y + kReach < own.br().y && at.x + kReach + 4 < picture.cols;
  std::array<T, std::size_t{kSide} * kSide * kChannels + 4> patch;
  const T* row = patch.data();
  std::ptrdiff_t stride = std::ptrdiff_t{kSide} * kChannels;
  if (inside) {
    row = picture.ptr<T>(first.y) + static_cast<std::ptrdiff_t>(first.x) * kChannels;
    stride = static_cast<std::ptrdiff_t>(picture.step1());
  } else {
    std::fill_n(patch.end() - 4, 4, T{});
    gather<T, kChannels, kReach>(lens, chart, first, patch.data());
  }
  const Taps<kReach> across = taps_at<kReach>(at.part_x);
  const Taps<kReach> down = taps_at<kReach>(at.part_y);
  cv::v_float32x4 sum = cv::v_setzero_f32();
  for (std::size_t j = 0; j < kSide; ++j, row += stride) {
    cv::v_float32x4 mixed = load_pixel(row) * cv::v_setall_f32(across[0]);
    for (std::size_t i = 1; i < kSide; ++i) {
      mixed += load_pixel(row + i * kChannels) * cv::v_setall_f32(across[i]);
    }
    sum += mixed * cv::v_setall_f32(down[j]);
  }
  store_pixel<T, kChannels>(sum, out);
}

void SphereSampler::State::keep_inside(const Lens& lens, std::size_t count,
                                       LocatedBlock& block) const {
  if (lens.charts.size() > 1) return;
  const cv::Rect& chart = lens.charts.front();
  // So little that the position still lies before the last pixel.
  constexpr float kBefore = 0.502F;
  if (parts().turn_columns == 0) {
    const auto first = static_cast<float>(chart.x) + 0.5F;
    const auto last = static_cast<float>(chart.br().x) - kBefore;
    for (std::size_t i = 0; i < count; ++i) block.x[i] = std::clamp(block.x[i], first, last);
  }
  const auto first = parts().pole_above ? 0.0F : static_cast<float>(chart.y) + 0.5F;
  const auto last = static_cast<float>(chart.br().y) - (parts().pole_below ? 0.0F : kBefore);
  for (std::size_t i = 0; i < count; ++i) block.y[i] = std::clamp(block.y[i], first, last);
}

template <class T, int kChannels, int kReach>
void SphereSampler::State::sample_block(const Lens& lens, LocatedBlock& block, std::size_t count,
                                        T* out) const {
  keep_inside(lens, count, block);
  // Eight bytes are written at a time: the last two pixels are left to the slower way.
  constexpr bool kBytes = std::is_same_v<T, std::uint8_t> && kChannels == 3 && kReach == 1;
  const std::size_t num_fast = kBytes && count > 2 ? count - 2 : 0;
  const auto step = static_cast<std::ptrdiff_t>(picture.step);
  for (std::size_t i = 0; i < count; ++i, out += kChannels) {
    const Position at = position_of(block.x[i], block.y[i]);
    if constexpr (kBytes) {
      const cv::Rect& own = lens.charts[static_cast<std::size_t>(block.chart[i])];
      const bool fast = i < num_fast && at.x >= own.x && at.y >= own.y && at.x + 1 < own.br().x &&
                        at.y + 1 < own.br().y &&
                        (at.x + 2 < picture.cols || at.y + 2 < picture.rows);
      if (fast) {
        const std::uint8_t* const upper =
            picture.data + at.y * step + static_cast<std::ptrdiff_t>(at.x) * 3;
        mix_rgb8(upper, upper + step, at.part_x, at.part_y, out);
        continue;
      }
    }
    sample_one<T, kChannels, kReach>(lens, block.chart[i], at, out);
  }
}

template <class T, int kChannels, int kReach>
void SphereSampler::State::sample_all(std::span<const cv::Point3f> directions, T* out,
                                      unsigned char* seen) const {
  const auto& lenses = parts().lenses;
  LocatedBlock block;
  std::array<T, kLookUpBlock * kChannels> back;
  for (std::size_t begin = 0; begin < directions.size(); begin += kLookUpBlock) {
    const auto some = directions.subspan(begin, std::min(kLookUpBlock, directions.size() - begin));
    T* const target = out + begin * kChannels;
    lenses.front().locate(some, block);
    sample_block<T, kChannels, kReach>(lenses.front(), block, some.size(), target);
    std::array<int, kLookUpBlock> visible = block.seen;
    if (lenses.size() > 1) {
      lenses.back().locate(some, block);
      sample_block<T, kChannels, kReach>(lenses.back(), block, some.size(), back.data());
      for (std::size_t i = 0; i < some.size(); ++i) {
        const float share = parts().front_share(some[i]);
        for (std::size_t c = i * kChannels; c < (i + 1) * kChannels; ++c) {
          const auto there = static_cast<float>(back[c]);
          target[c] = cv::saturate_cast<T>(there + share * (static_cast<float>(target[c]) - there));
        }
        visible[i] |= block.seen[i];
      }
    }
    if (seen == nullptr) continue;
    for (std::size_t i = 0; i < some.size(); ++i) {
      seen[begin + i] = visible[i] != 0 ? 255 : 0;
    }
  }
}

namespace {

// Calls `function` with a null pointer of the picture's element type and its number of channels.
template <class Function>
void with_pixel_type(int type, Function function) {
  const auto with_channels = [&](auto* element) {
    switch (CV_MAT_CN(type)) {
      case 1:
        return function(element, std::integral_constant<int, 1>{});
      case 3:
        return function(element, std::integral_constant<int, 3>{});
      default:
        return function(element, std::integral_constant<int, 4>{});
    }
  };
  switch (CV_MAT_DEPTH(type)) {
    case CV_8U:
      return with_channels(static_cast<std::uint8_t*>(nullptr));
    case CV_16U:
      return with_channels(static_cast<std::uint16_t*>(nullptr));
    default:
      return with_channels(static_cast<float*>(nullptr));
  }
}

}  // namespace

SphereSampler::SphereSampler(const cv::Mat& picture, const PictureModel& model,
                             SphereInterpolation interpolation, double shrink) {
  const int depth = picture.depth();
  const int channels = picture.channels();
  if ((depth != CV_8U && depth != CV_16U && depth != CV_32F) ||
      (channels != 1 && channels != 3 && channels != 4)) {
    throw std::invalid_argument("a picture has 1, 3 or 4 channels of 8U, 16U or 32F");
  }
  if (picture.empty() || picture.size() != model.size()) {
    throw std::invalid_argument("a picture has the size that its model says");
  }
  state_ = std::make_unique<State>(State{picture, model, reach_of(interpolation)});
  const double factor = std::min({shrink, picture.cols / 16.0, picture.rows / 16.0});
  if (!(factor > 1.0)) return;
  const cv::Size size(static_cast<int>(std::lround(picture.cols / factor)),
                      static_cast<int>(std::lround(picture.rows / factor)));
  const PictureModel small = model.resized(size);
  cv::Mat result(size, picture.type(), cv::Scalar::all(0.0));
  for (std::size_t i = 0; i < model.model_->lenses.size(); ++i) {
    const auto& charts = model.model_->lenses[i].charts;
    const auto& targets = small.model_->lenses[i].charts;
    for (std::size_t k = 0; k < charts.size(); ++k) {
      cv::Mat part = result(targets[k]);
      cv::resize(picture(charts[k]), part, part.size(), 0.0, 0.0, cv::INTER_AREA);
    }
  }
  state_->picture = result;
  state_->model = small;
}

SphereSampler::~SphereSampler() = default;
SphereSampler::SphereSampler(SphereSampler&&) noexcept = default;
SphereSampler& SphereSampler::operator=(SphereSampler&&) noexcept = default;

int SphereSampler::type() const {
  return state_->picture.type();
}

void SphereSampler::sample(std::span<const cv::Point3f> directions, void* out,
                           unsigned char* seen) const {
  with_pixel_type(type(), [&](auto* element, auto channels) {
    using T = std::remove_pointer_t<decltype(element)>;
    switch (state_->reach) {
      case 1:
        return state_->sample_all<T, channels, 1>(directions, static_cast<T*>(out), seen);
      case 2:
        return state_->sample_all<T, channels, 2>(directions, static_cast<T*>(out), seen);
      default:
        return state_->sample_all<T, channels, 3>(directions, static_cast<T*>(out), seen);
    }
  });
}

void reproject(const SphereSampler& source, const PictureModel& target,
               const Eigen::Matrix3d& source_from_target, cv::Mat& picture, cv::Mat* seen) {
  picture.create(target.size(), source.type());
  if (seen != nullptr) seen->create(target.size(), CV_8UC1);
  const Eigen::Matrix3f turn = source_from_target.cast<float>();
  parallel_for(0, picture.rows, [&](int first, int last) {
    std::vector<cv::Point2f> points(static_cast<std::size_t>(picture.cols));
    std::vector<cv::Point3f> directions(points.size());
    for (int y = first; y < last; ++y) {
      for (std::size_t x = 0; x < points.size(); ++x) {
        points[x] = {static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F};
      }
      target.directions_at(points, directions);
      for (cv::Point3f& d : directions) {
        const Eigen::Vector3f turned = turn * Eigen::Vector3f(d.x, d.y, d.z);
        d = {turned.x(), turned.y(), turned.z()};
      }
      source.sample(directions, picture.ptr(y), seen == nullptr ? nullptr : seen->ptr(y));
    }
  });
}

}  // namespace vergence::projection
