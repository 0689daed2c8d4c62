// SPDX-License-Identifier: Apache-2.0
#include "stereo/scanline_row.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include <opencv2/core/hal/intrin.hpp>

namespace vergence::stereo {
namespace {

constexpr float kNothing = -1.0F;

// A pixel reaches half a pixel beyond its centre.
constexpr float kHalfPixel = 0.5F;

// The other side of a gap shows the same surface as its fill when their shifts differ by no more.
constexpr float kSameSurface = 0.5F;

float fill_from(int source) {
  return -2.0F - static_cast<float>(source);
}

int source_of_fill(float drawn) {
  return static_cast<int>(-2.0F - drawn);
}

int floor_of(float value) {  // of a value >= 0
  return static_cast<int>(value);
}

int ceil_of(float value) {  // of a value >= 0
  const int whole = static_cast<int>(value);
  return whole + static_cast<int>(static_cast<float>(whole) < value);
}

// The first negative value of [begin, end), or end.
int next_gap(const float* values, int begin, int end) {
  constexpr std::uint64_t kSigns = 0x8000000080000000;
  int x = begin;
  for (; x + 8 <= end; x += 8) {
    std::array<std::uint64_t, 4> pairs;
    std::memcpy(pairs.data(), values + x, sizeof pairs);
    if (((pairs[0] | pairs[1] | pairs[2] | pairs[3]) & kSigns) != 0) break;
  }
  while (x < end && values[x] >= 0.0F) ++x;
  return x;
}

// Draws four source pixels at once if each of the segments behind them reaches exactly the next
// target pixel: most of a picture. `shift` is that of the first.
bool draw_four(const float* shift, int source, int pad, float tear_px, int drawn_up_to,
               float* drawn) {
  const cv::v_float32x4 sources =
      cv::v_cvt_f32(cv::v_setall_s32(source) + cv::v_int32x4(0, 1, 2, 3));
  const cv::v_float32x4 shift_from = cv::v_load(shift);
  const cv::v_float32x4 shift_to = cv::v_load(shift + 1);
  const cv::v_float32x4 base = sources + cv::v_setall_f32(static_cast<float>(pad));
  const cv::v_float32x4 from = base + shift_from;
  const cv::v_float32x4 to = base + cv::v_setall_f32(1.0F) + shift_to;
  const cv::v_int32x4 targets = cv::v_setall_s32(drawn_up_to) + cv::v_int32x4(1, 2, 3, 4);
  const cv::v_int32x4 one_each = cv::v_trunc(to) == targets;
  const cv::v_float32x4 smooth =
      (cv::v_abs(shift_to - shift_from) <= cv::v_setall_f32(tear_px)) & (to > from);
  if (!cv::v_check_all(cv::v_reinterpret_as_f32(one_each) & smooth)) return false;
  cv::v_store(drawn + drawn_up_to + 1, sources + (cv::v_cvt_f32(targets) - from) / (to - from));
  return true;
}

}  // namespace

void ScanlineRow::reserve(int width, bool wrap) {
  const auto columns = static_cast<std::size_t>(width);
  const std::size_t sources = (wrap ? 3 : 1) * columns + 8;
  source_x.resize(columns);
  blended.reserve(2 * columns);
  filled.reserve(columns);
  shift_.resize(sources);
  drawn_.resize(sources + columns + 16);
  tears_.reserve(sources);
  partial_.reserve(sources);
}

float ScanlineRow::target_of(int source) const {
  return static_cast<float>(source + pad_) + shift_[static_cast<std::size_t>(source)];
}

void ScanlineRow::trace(std::span<const float> parallax, float reach, Eye eye,
                        const ScanlineOptions& options) {
  pad_ = static_cast<int>(reach) + 2;
  blended.clear();
  filled.clear();
  tears_.clear();
  partial_.clear();
  load(parallax, eye, options.wrap);
  draw(options.tear_px);
  fill_tears();
  read_out(eye, options.wrap);
  for (const PartialCover& pixel : partial_) {
    const int last = pad_ + margin_ + width_;
    const bool on_top =
        drawn_[static_cast<std::size_t>(pixel.target)] == static_cast<float>(pixel.source);
    if (on_top && pixel.target >= pad_ + margin_ && pixel.target < last) {
      add_blend(pixel.target, pixel.behind, pixel.cover, eye, options.wrap);
    }
  }
}

void ScanlineRow::load(std::span<const float> parallax, Eye eye, bool wrap) {
  width_ = static_cast<int>(parallax.size());
  margin_ = wrap ? pad_ : 0;
  const auto margin = static_cast<std::size_t>(margin_);
  const std::size_t width = parallax.size();
  const float* const from = parallax.data();
  float* const shift = shift_.data() + margin;
  if (eye == Eye::kRight) {
    for (std::size_t x = 0; x < width; ++x) shift[x] = -from[x];
  } else {
    for (std::size_t x = 0; x < width; ++x) shift[x] = -from[width - 1 - x];
  }
  for (std::size_t i = 0; i < margin; ++i) {
    // A reach of half the width at most keeps both copies within the row.
    shift_[margin - 1 - i] = shift_[margin + width - 1 - i % width];
    shift_[margin + width + i] = shift_[margin + i % width];
  }
  const int sources = width_ + 2 * margin_;
  std::fill_n(drawn_.begin(), sources + 2 * pad_, kNothing);
}

void ScanlineRow::draw(float tear_px) {
  const int sources = width_ + 2 * margin_;
  const float* const shift = shift_.data();
  float* const drawn = drawn_.data();
  begin_surface(0, tear_px);
  float from = target_of(0);
  int drawn_up_to = floor_of(from);  // the target pixel before the next one
  for (int i = 0; i + 1 < sources; ++i) {
    while (i + 4 < sources && draw_four(shift + i, i, pad_, tear_px, drawn_up_to, drawn)) {
      i += 4;
      drawn_up_to += 4;
      from = target_of(i);
    }
    if (i + 1 == sources) break;
    const float to = static_cast<float>(i + 1 + pad_) + shift[i + 1];
    const int last = floor_of(to);
    const float step = shift[i + 1] - shift[i];
    if (to > from && std::abs(step) <= tear_px) {
      const float scale = 1.0F / (to - from);
      const auto source_at = [&](int x) {
        return static_cast<float>(i) + (static_cast<float>(x) - from) * scale;
      };
      if (last > drawn_up_to) drawn[last] = source_at(last);  // mostly the only one
      for (int x = last - 1; x > drawn_up_to; --x) drawn[x] = source_at(x);
    } else {
      end_surface(i);
      if (to > from) tears_.push_back({drawn_up_to + 1, ceil_of(to), i + 1});
      begin_surface(i + 1, tear_px);
    }
    from = to;
    drawn_up_to = last;
  }
  end_surface(sources - 1);
}

// The surface's first pixel covers a part of the target pixel in which it begins. What was drawn
// before stays visible in the rest, if it is another surface.
void ScanlineRow::begin_surface(int source, float tear_px) {
  const float at = target_of(source);
  const int x = floor_of(at);
  const float cover = static_cast<float>(x + 1) - at;
  float& drawn = drawn_[static_cast<std::size_t>(x)];
  const float behind = drawn;
  const float shift_behind = static_cast<float>(x - pad_) - behind;
  const bool over_another =
      behind >= 0.0F && shift_behind > shift_[static_cast<std::size_t>(source)] + tear_px;
  if (over_another && cover < 1.0F) {
    partial_.push_back({x, source, behind, cover});
    drawn = static_cast<float>(source);
  } else if (cover >= kHalfPixel) {
    drawn = static_cast<float>(source);
  }
}

void ScanlineRow::end_surface(int source) {
  const float at = target_of(source);
  const int x = ceil_of(at);
  if (static_cast<float>(x) <= at + kHalfPixel) {
    drawn_[static_cast<std::size_t>(x)] = static_cast<float>(source);
  }
}

// What comes into sight in a tear continues the surface behind the tear, wherever that surface is
// now: its own rim may be hidden by a third one. Of two tears over one pixel the farther wins.
void ScanlineRow::fill_tears() {
  for (const Tear& tear : tears_) {
    const float shift = shift_[static_cast<std::size_t>(tear.far_source)];
    for (int x = tear.first; x < tear.last; ++x) {
      float& drawn = drawn_[static_cast<std::size_t>(x)];
      if (drawn >= 0.0F) continue;
      if (drawn == kNothing || shift > shift_[static_cast<std::size_t>(source_of_fill(drawn))]) {
        drawn = fill_from(tear.far_source);
      }
    }
  }
}

float ScanlineRow::source_column(float source, Eye eye, bool wrap) const {
  const auto width = static_cast<float>(width_);
  float column = source - static_cast<float>(margin_);
  if (eye == Eye::kLeft) column = width - 1.0F - column;
  if (wrap) {
    if (column < 0.0F) column += width;
    if (column >= width) column -= width;
  }
  return column;
}

void ScanlineRow::add_blend(int target, float other, float weight, Eye eye, bool wrap) {
  const int x = target - pad_ - margin_;
  blended.push_back(
      {eye == Eye::kLeft ? width_ - 1 - x : x, source_column(other, eye, wrap), weight});
}

void ScanlineRow::read_out(Eye eye, bool wrap) {
  read_gaps(eye, wrap);
  const float* const drawn = drawn_.data() + pad_ + margin_;
  const auto last = static_cast<std::size_t>(width_) - 1;
  if (wrap) {
    for (std::size_t x = 0; x <= last; ++x) {
      source_x[eye == Eye::kLeft ? last - x : x] = source_column(drawn[x], eye, wrap);
    }
  } else if (eye == Eye::kLeft) {
    const auto mirror = static_cast<float>(last);
    for (std::size_t x = 0; x <= last; ++x) source_x[last - x] = mirror - drawn[x];
  } else {
    std::copy_n(drawn, last + 1, source_x.begin());
  }
}

// Lists the gaps and puts into drawn_ what fills them.
void ScanlineRow::read_gaps(Eye eye, bool wrap) {
  const int begin = pad_ + margin_;
  const int end = begin + width_;
  float* const drawn = drawn_.data();
  for (int x = next_gap(drawn, begin, end); x < end; x = next_gap(drawn, x, end)) {
    const int first = x;
    while (x < end && drawn[x] < 0.0F) ++x;
    blend_gap(first, x, eye, wrap);
    const bool outside = !wrap && (static_cast<float>(x - 1) < target_of(0) ||
                                   static_cast<float>(first) > target_of(width_ - 1));
    const int left = eye == Eye::kLeft ? end - x : first - begin;
    filled.push_back(
        {left, left + x - first, outside ? Visibility::kOutside : Visibility::kDisoccluded});
  }
}

// Replaces the fills of a gap by their sources; where its other side shows the same surface, the
// fill fades from one side to the other.
void ScanlineRow::blend_gap(int first, int last, Eye eye, bool wrap) {
  float* const drawn = drawn_.data();
  const float before = drawn[first - 1];  // pad_ keeps both within the row
  const float behind = drawn[last];
  const float nearest = behind >= 0.0F ? behind : std::max(before, 0.0F);
  for (int x = first; x < last; ++x) {
    if (drawn[x] == kNothing) {
      drawn[x] = nearest;
      continue;
    }
    const int source = source_of_fill(drawn[x]);
    drawn[x] = static_cast<float>(source);
    const float shift_before = static_cast<float>(first - 1 - pad_) - before;
    const bool same =
        before >= 0.0F &&
        std::abs(shift_before - shift_[static_cast<std::size_t>(source)]) < kSameSurface;
    if (!same) continue;
    const float along = static_cast<float>(x - first + 1) / static_cast<float>(last - first + 1);
    add_blend(x, before, along, eye, wrap);
  }
}

}  // namespace vergence::stereo
