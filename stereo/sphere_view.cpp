// SPDX-License-Identifier: Apache-2.0
#include "stereo/sphere_view.hpp"

#include "core/parallel.hpp"
#include "stereo/pixel.hpp"
#include "stereo/sphere_kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace vergence::stereo {
namespace {

// Rows of the domain are traced in so many tasks, each with its memory.
constexpr int kNumBands = 32;

// Rows of the view are painted so many at a time.
constexpr int kRowsPerTask = 16;

// So far around holes the fill pass looks at colours, pixels.
constexpr int kBeside = 6;
constexpr int kAbove = 5;

// Surfaces tear at steps of the parallax above this, pixels. Less than in flat pictures: a pixel of
// a sphere's picture is a greater angle, and steps are smaller.
constexpr float kTear = 0.7F;

// Pixels of the sphere are great angles: holes are a few of them wide, and what is just above and
// below is mostly nearer than the surface beside them.
constexpr float kOneEnd = 1.0F;

// Share of the surface's last pixel in what fills a hole, beside what is beyond it.
constexpr float kStretched = 0.5F;

// Pixels whose parallax differs by no more show the same surface, pixels.
constexpr float kSameSurface = 1.5F;

// Where near surfaces end, beyond the centre of their last pixel, pixels: the pixel before a hole
// and the first of the hole fade around kFadeMiddle, from kFadeFrom on. That pixel is a mixture,
// and where in it the surface ends is not known.
constexpr float kFadeMiddle = 0.2F;
constexpr float kFadeWidth = 2.0F;
constexpr float kFadeFrom = -0.75F;
constexpr float kFadeTo = 1.0F;

// Steps of a displacement are no finer than this.
constexpr float kStepsPerPixel = 256.0F;

// And no displacement has more of them, in 16 bits.
constexpr float kMostSteps = 32000.0F;

constexpr auto kSeen = static_cast<unsigned char>(Visibility::kVisible);
constexpr auto kRim = static_cast<unsigned char>(Visibility::kRim);
constexpr auto kFilled = static_cast<unsigned char>(Visibility::kDisoccluded);
constexpr auto kOutside = static_cast<unsigned char>(Visibility::kOutside);

// Pixels at the near end of a hole that the near surface covers in part: in the hole, and beside
// it, where the hole's colour is that of the next pixel or the one before.
constexpr std::int16_t kHoleEnd = 4;
constexpr std::int16_t kBeforeHole = 5;
constexpr std::int16_t kAfterHole = 6;

// Has steps of points read while others are worked on.
void prefetch(const std::int16_t* steps) {
  constexpr int kStepsPerLine = 32;
  for (int i = 0; i < 2 * kSphereBlock; i += kStepsPerLine) __builtin_prefetch(steps + i);
}

// Room for a block of pixels of any type.
struct PixelBlock {
  alignas(16) std::array<unsigned char, std::size_t{kSphereBlock} * 16 + 16> bytes;
  std::array<unsigned char, kSphereBlock> outside;
};

}  // namespace

SphereView::SphereView(const EyeTable& table, const SphereStereoOptions& options)
    : table_(table),
      domain_(table.domain),
      options_(options),
      rays_(table.domain, options.source_from_eyes),
      fill_pass_(options.fill_smoothing_px, table.domain.wrap_columns, kOneEnd),
      rows_(kNumBands),
      shifts_(kNumBands),
      holes_(static_cast<std::size_t>(table.domain.size.height)) {
  row_options_.wrap = domain_.wrap_columns;
  row_options_.tear_px = kTear;
  const int width = domain_.size.width;
  for (ScanlineRow& row : rows_) row.reserve(width, domain_.wrap_columns);
  for (std::vector<float>& shift : shifts_) shift.resize(static_cast<std::size_t>(width));
  slope_.resize(static_cast<std::size_t>(width));
  for (int x = 0; x < width; ++x) {
    slope_[static_cast<std::size_t>(x)] = static_cast<float>(std::tan(domain_.column_angle(x)));
  }
  steps_.create(domain_.size.height + 2, width + 2, CV_16SC1);
  origins_.create(domain_.size, CV_16SC4);
}

void SphereView::trace(const SphereParallax& parallax, Eye eye, int type) {
  fill_pass_.begin(domain_.size, type, eye);
  colours_.create(domain_.size, type);
  // Fills may come from twice as far as anything moves.
  const float greatest = 2.0F * parallax.reach() + 4.0F;
  float steps = kStepsPerPixel;
  while (steps * greatest > kMostSteps) steps *= 0.5F;
  px_per_step_ = 1.0F / steps;
  const int height = domain_.size.height;
  const int band = (height + kNumBands - 1) / kNumBands;
  parallel_for(
      0, height,
      [&](int first, int last) {
        const auto task = static_cast<std::size_t>(first / band);
        for (int y = first; y < last; ++y) {
          trace_row(y, parallax, eye, rows_[task], shifts_[task]);
        }
      },
      band);
  close_grid();
}

void SphereView::trace_row(int y, const SphereParallax& parallax, Eye eye, ScanlineRow& row,
                           std::vector<float>& shift) {
  const int width = domain_.size.width;
  const float* const pixels = parallax.pixels().ptr<float>(y);
  if (domain_.geometry == EyeGeometry::kParallel) {
    sphere_kernels().parallel_shift(pixels, slope_.data(), width, eye == Eye::kRight ? 1.0F : -1.0F,
                                    {static_cast<float>(domain_.px_per_radian()), parallax.reach()},
                                    shift.data());
  } else {
    for (int x = 0; x < width; ++x) {
      shift[static_cast<std::size_t>(x)] = std::min(pixels[x], parallax.reach());
    }
  }
  row.trace(shift, parallax.reach(), eye, row_options_);
  fill_pass_.take_row(y, row, shift.data());
  store_row(y, row);
  for (const FilledRun& run : holes_[static_cast<std::size_t>(y)]) {
    mirror_beyond(y, run, eye, shift);
    soften_end(y, run, eye, row, shift);
  }
  close_row(y);
}

void SphereView::store_row(int y, const ScanlineRow& row) {
  const int width = domain_.size.width;
  auto* const steps = steps_.ptr<std::int16_t>(y);
  auto* const origins = origins_.ptr<Origin>(y);
  const float turn = domain_.wrap_columns ? static_cast<float>(width) : 0.0F;
  const SphereKernels& kernels = sphere_kernels();
  kernels.displacements(row.source_x.data(), width, turn, 1.0F / px_per_step_, steps);
  auto& holes = holes_[static_cast<std::size_t>(y)];
  holes.clear();
  for (const FilledRun& run : row.filled) {
    if (run.visibility != Visibility::kDisoccluded) continue;
    holes.push_back(run);
    for (int x = run.first; x < run.last; ++x) {
      origins[x] = {steps[x], steps[x], kWhole, kFilled};
      steps[x] = kNotPlain;
    }
  }
  for (const BlendedPixel& pixel : row.blended) {
    float moved = pixel.other_x - static_cast<float>(pixel.x);
    if (turn > 0.0F) moved = std::remainder(moved, turn);
    Origin& origin = origins[pixel.x];
    if (steps[pixel.x] != kNotPlain) {
      origin = {steps[pixel.x], 0, 0, kRim};
      steps[pixel.x] = kNotPlain;
    }
    origin.far = static_cast<std::int16_t>(std::lround(moved / px_per_step_));
    origin.share = static_cast<std::int16_t>(std::lround(pixel.weight * kWhole));
  }
}

// The last pixel of a hole before the surface behind. All around, holes go on at the other border.
int SphereView::far_end(int y, const FilledRun& run, Eye eye) const {
  const int width = domain_.size.width;
  int end = eye == Eye::kRight ? run.last - 1 : run.first;
  if (!domain_.wrap_columns || end != (eye == Eye::kRight ? width - 1 : 0)) return end;
  for (const FilledRun& other : holes_[static_cast<std::size_t>(y)]) {
    if (eye == Eye::kRight && other.first == 0) end += other.last;
    if (eye == Eye::kLeft && other.last == width) end -= width - other.first;
  }
  return end;
}

// Fills are in part what the surface behind shows as far beyond the end of the hole, so that they
// have its texture and not stripes of its last pixel.
void SphereView::mirror_beyond(int y, const FilledRun& run, Eye eye,
                               const std::vector<float>& shift) {
  const int end = far_end(y, run, eye);
  auto* const origins = origins_.ptr<Origin>(y);
  for (int x = run.first; x < run.last; ++x) {
    Origin& origin = origins[x];
    if (origin.share < kWhole) continue;  // it fades into what is on the other side
    const int beyond = end - x;
    const float far = static_cast<float>(origin.near) + static_cast<float>(beyond) / px_per_step_;
    if (std::abs(beyond) > domain_.size.width / 4 || std::abs(far) > kMostSteps) continue;
    const int behind = x + cvRound(static_cast<float>(origin.near) * px_per_step_);
    const float change = shift[static_cast<std::size_t>(column(behind + beyond))] -
                         shift[static_cast<std::size_t>(column(behind))];
    if (std::abs(change) > kSameSurface) continue;
    origin.far = static_cast<std::int16_t>(std::lround(far));
    origin.share = static_cast<std::int16_t>(std::lround(kStretched * kWhole));
  }
}

// Around the centre of the near surface's last pixel its colour, which the background has mixed
// with, fades into the hole.
void SphereView::soften_end(int y, const FilledRun& run, Eye eye, const ScanlineRow& row,
                            const std::vector<float>& shift) {
  const int width = domain_.size.width;
  const int side = eye == Eye::kRight ? 1 : -1;  // from the near surface to the hole
  const int hole = eye == Eye::kRight ? run.first : run.last - 1;
  const int end = hole - side;
  if (!domain_.wrap_columns && (end < 0 || end >= width)) return;
  auto* const steps = steps_.ptr<std::int16_t>(y);
  if (steps[column(end)] == kNotPlain) return;
  const float source = row.source_x[static_cast<std::size_t>(column(end))];
  const float rounded = eye == Eye::kRight ? std::ceil(source) : std::floor(source);
  const auto last = static_cast<std::size_t>(column(static_cast<int>(rounded)));
  float place = static_cast<float>(last) - static_cast<float>(side) * shift[last];
  if (domain_.wrap_columns) {
    place += std::round((static_cast<float>(end) - place) / static_cast<float>(width)) *
             static_cast<float>(width);
  }
  auto* const origins = origins_.ptr<Origin>(y);
  for (const int x : {end, hole}) {
    const float beyond = static_cast<float>(side) * (static_cast<float>(x) - place);
    if (beyond <= kFadeFrom || beyond >= kFadeTo) continue;
    const float moved = static_cast<float>(side) * (shift[last] - std::max(beyond, 0.0F));
    const auto near = static_cast<std::int16_t>(std::lround(moved / px_per_step_));
    Origin& origin = origins[column(x)];
    const std::int16_t fill = x == hole ? origin.near : near;
    const float faded = std::clamp(0.5F + (kFadeMiddle - beyond) / kFadeWidth, 0.0F, 1.0F);
    const auto share = static_cast<std::int16_t>(std::lround(faded * kWhole));
    origin = {near, fill, share, x == hole ? kHoleEnd : (side > 0 ? kBeforeHole : kAfterHole)};
    steps[column(x)] = kNotPlain;
  }
}

// The column of the domain that is meant by one at most a turn away.
int SphereView::column(int x) const {
  const int width = domain_.size.width;
  if (!domain_.wrap_columns) return std::clamp(x, 0, width - 1);
  return x < 0 ? x + width : (x >= width ? x - width : x);
}

// The columns behind the last one.
void SphereView::close_row(int y) {
  const int width = domain_.size.width;
  auto* const steps = steps_.ptr<std::int16_t>(y);
  steps[width] = domain_.wrap_columns ? steps[0] : steps[width - 1];
  steps[width + 1] = steps[width];
}

void SphereView::close_grid() {
  const int height = domain_.size.height;
  const int next = domain_.wrap_rows ? 0 : height - 1;
  const std::size_t bytes = static_cast<std::size_t>(steps_.cols) * sizeof(std::int16_t);
  std::memcpy(steps_.ptr(height), steps_.ptr(next), bytes);
  std::memcpy(steps_.ptr(height + 1), steps_.ptr(next), bytes);
}

// The runs of a row whose colours the fill pass looks at: holes, and what is around them.
void SphereView::list_needed(int y, std::vector<Run>& runs) const {
  runs.clear();
  const auto [width, height] = domain_.size;
  for (int row = std::max(y - kAbove, 0); row <= std::min(y + kAbove, height - 1); ++row) {
    const int beside = row == y ? kBeside : 0;
    for (const FilledRun& run : holes_[static_cast<std::size_t>(row)]) {
      const Run needed{run.first - beside, run.last + beside};
      runs.push_back({std::max(needed.first, 0), std::min(needed.last, width)});
      if (!domain_.wrap_columns) continue;
      // What is beside a hole at one border lies at the other one.
      if (needed.first < 0) runs.push_back({std::max(needed.first + width, 0), width});
      if (needed.last > width) runs.push_back({0, std::min(needed.last - width, width)});
    }
  }
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (const Run& run : runs) {
    if (kept > 0 && run.first <= runs[kept - 1].last) {
      runs[kept - 1].last = std::max(runs[kept - 1].last, run.last);
    } else {
      runs[kept++] = run;
    }
  }
  runs.resize(kept);
}

void SphereView::fill(const SpherePicture& picture) {
  parallel_for(
      0, domain_.size.height,
      [&](int first, int last) {
        std::vector<Run> runs;
        for (int y = first; y < last; ++y) {
          list_needed(y, runs);
          for (const Run& run : runs) {
            for (int x = run.first; x < run.last; x += kSphereBlock) {
              fill_run(y, {x, std::min(x + kSphereBlock, run.last)}, picture);
            }
          }
        }
      },
      kRowsPerTask);
  if (options_.fill_smoothing_px > 0.0F) fill_pass_.finish(colours_);
}

void SphereView::fill_run(int y, const Run& run, const SpherePicture& picture) {
  PixelBlock near;
  sample_domain(y, run, false, picture, near.bytes.data());
  const auto* const steps = steps_.ptr<std::int16_t>(y);
  const auto* const origins = origins_.ptr<Origin>(y);
  const auto is_mixed = [&](int x) { return steps[x] == kNotPlain && origins[x].share < kWhole; };
  bool mixed = false;
  for (int x = run.first; x < run.last; ++x) mixed = mixed || is_mixed(x);
  if (mixed) {
    PixelBlock far;
    sample_domain(y, run, true, picture, far.bytes.data());
    with_pixel_type(picture.type(), [&]<class T, int kChannels>() {
      T* const to = reinterpret_cast<T*>(near.bytes.data());
      const T* const from = reinterpret_cast<const T*>(far.bytes.data());
      for (int x = run.first; x < run.last; ++x) {
        if (!is_mixed(x)) continue;
        const float share = static_cast<float>(origins[x].share) / kWhole;
        for (int c = 0; c < kChannels; ++c) {
          const int at = (x - run.first) * kChannels + c;
          const auto behind = static_cast<float>(from[at]);
          to[at] = rounded<T>(behind + (static_cast<float>(to[at]) - behind) * share);
        }
      }
    });
  }
  const std::size_t pixel = colours_.elemSize();
  const auto count = static_cast<std::size_t>(run.last - run.first);
  const std::size_t begin = static_cast<std::size_t>(run.first) * pixel;
  std::memcpy(colours_.ptr(y) + begin, near.bytes.data(), count * pixel);
  std::memcpy(fill_pass_.fills().ptr(y) + begin, near.bytes.data(), count * pixel);
}

// The colours of a run of the domain, or where they are blended, of what is far.
void SphereView::sample_domain(int y, const Run& run, bool far, const SpherePicture& picture,
                               void* out) const {
  AngleBlock block;
  const auto* const steps = steps_.ptr<std::int16_t>(y);
  const auto* const origins = origins_.ptr<Origin>(y);
  const int count = run.last - run.first;
  for (int i = 0; i < count; ++i) {
    const int x = run.first + i;
    const bool is_far = far || (steps[x] == kNotPlain && origins[x].visibility == kHoleEnd);
    const int moved =
        steps[x] != kNotPlain ? steps[x] : (is_far ? origins[x].far : origins[x].near);
    const float displacement = static_cast<float>(moved) * px_per_step_;
    const auto at = static_cast<std::size_t>(i);
    block.along[at] =
        static_cast<float>(domain_.column_angle(static_cast<double>(x) + displacement));
    block.across[at] = static_cast<float>(domain_.row_angle(y));
    block.lift[at] = std::cos(displacement * static_cast<float>(domain_.column_step));
  }
  PixelBlock unused;
  picture.sample(rays_.angles(block, count, true), out, unused.outside.data());
}

// Pixels of the view whose neighbours in the domain show more than one surface, a block at a time:
// their samples are gathered, taken together, and added up.
class SphereView::MixedPixels {
 public:
  MixedPixels(const SphereView& view, const SpherePicture& picture)
      : view_(view),
        picture_(picture) {}

  // Adds the pixel `target` of the block, at this place of the domain.
  void add(int target, float column, float row) {
    std::array<Part, 8> parts;
    std::size_t count = 0;
    Sum& sum = sums_[static_cast<std::size_t>(target)];
    sum = {};
    for_each_tap(column, row, [&](int x, int y, float weight) {
      const std::int16_t steps = view_.steps_.ptr<std::int16_t>(y)[x];
      if (steps != kNotPlain) {
        parts[count++] = {static_cast<float>(steps) * view_.px_per_step_, weight};
        return;
      }
      const Origin& origin = view_.origins_.ptr<Origin>(y)[x];
      if (origin.visibility == kFilled) {
        sum.filled += weight;
        add_colour(view_.colours_.ptr(y) + static_cast<std::size_t>(x) * view_.colours_.elemSize(),
                   weight, sum);
        return;
      }
      const float share = weight * static_cast<float>(origin.share) / kWhole;
      if (origin.visibility >= kHoleEnd) {
        const int hole = view_.column(x + static_cast<int>(origin.visibility == kBeforeHole) -
                                      static_cast<int>(origin.visibility == kAfterHole));
        parts[count++] = {static_cast<float>(origin.near) * view_.px_per_step_, share};
        sum.filled += weight - share;
        add_colour(
            view_.colours_.ptr(y) + static_cast<std::size_t>(hole) * view_.colours_.elemSize(),
            weight - share, sum);
        return;
      }
      parts[count++] = {static_cast<float>(origin.near) * view_.px_per_step_, share};
      parts[count++] = {static_cast<float>(origin.far) * view_.px_per_step_, weight - share};
    });
    sample_surfaces(target, column, row, {parts.data(), count});
  }

  // Takes the samples that are still to be taken.
  void flush() {
    if (num_samples_ == 0) return;
    const int count = num_samples_;
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      block_.lift[at] = std::cos(block_.lift[at]);
    }
    picture_.sample(view_.rays_.angles(block_, count, true), pixels_.bytes.data(),
                    pixels_.outside.data());
    const std::size_t bytes = view_.colours_.elemSize();
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      Sum& sum = sums_[static_cast<std::size_t>(target_[at])];
      add_colour(pixels_.bytes.data() + at * bytes, weight_[at], sum);
      if (pixels_.outside[at] != 0) sum.outside += weight_[at];
    }
    num_samples_ = 0;
  }

  // The colour of a pixel that was added, to `out`, after flush().
  unsigned char write(int target, void* out) const {
    const Sum& sum = sums_[static_cast<std::size_t>(target)];
    with_pixel_type(picture_.type(), [&]<class T, int kChannels>() {
      T* const pixel = static_cast<T*>(out);
      for (std::size_t c = 0; c < kChannels; ++c) pixel[c] = rounded<T>(sum.colour[c]);
    });
    constexpr float kMost = 0.5F;
    if (sum.filled >= kMost) return kFilled;
    if (sum.outside >= kMost) return kOutside;
    return sum.surfaces > 1 || sum.filled > 0.0F ? kRim : kSeen;
  }

 private:
  struct Part {
    float displacement;
    float weight;
  };

  struct Sum {
    std::array<float, 4> colour{};
    float filled = 0.0F;
    float outside = 0.0F;
    int surfaces = 0;
  };

  template <class Body>
  void for_each_tap(float column, float row, Body&& body) const {
    const SphereDomain& domain = view_.domain_;
    const float x =
        std::clamp(column, 0.0F, static_cast<float>(domain.size.width - !domain.wrap_columns));
    const float y =
        std::clamp(row, 0.0F, static_cast<float>(domain.size.height - !domain.wrap_rows));
    const int left = static_cast<int>(x);
    const int top = static_cast<int>(y);
    const float part_x = x - static_cast<float>(left);
    const float part_y = y - static_cast<float>(top);
    for (int i = 0; i < 4; ++i) {
      const int right = i & 1;
      const int below = i >> 1;
      const float weight =
          (right != 0 ? part_x : 1.0F - part_x) * (below != 0 ? part_y : 1.0F - part_y);
      if (weight > 0.0F) {
        body((left + right) % domain.size.width, (top + below) % domain.size.height, weight);
      }
    }
  }

  void add_colour(const unsigned char* pixel, float weight, Sum& sum) const {
    with_pixel_type(picture_.type(), [&]<class T, int kChannels>() {
      const T* const channels = reinterpret_cast<const T*>(pixel);
      for (std::size_t c = 0; c < kChannels; ++c) {
        sum.colour[c] += weight * static_cast<float>(channels[c]);
      }
    });
  }

  // Parts that moved alike show one surface, sampled once where all of them together say.
  void sample_surfaces(int target, float column, float row, std::span<Part> parts) {
    const float alike = view_.row_options_.tear_px;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].weight <= 0.0F) continue;
      Part whole{parts[i].displacement * parts[i].weight, parts[i].weight};
      for (std::size_t k = i + 1; k < parts.size(); ++k) {
        if (std::abs(parts[k].displacement - parts[i].displacement) > alike) continue;
        whole.displacement += parts[k].displacement * parts[k].weight;
        whole.weight += parts[k].weight;
        parts[k].weight = 0.0F;
      }
      ++sums_[static_cast<std::size_t>(target)].surfaces;
      add_sample(target, column, row, whole.displacement / whole.weight, whole.weight);
    }
  }

  void add_sample(int target, float column, float row, float displacement, float weight) {
    if (num_samples_ == kSphereBlock) flush();
    const auto at = static_cast<std::size_t>(num_samples_++);
    block_.along[at] =
        static_cast<float>(view_.domain_.column_angle(static_cast<double>(column) + displacement));
    block_.across[at] = static_cast<float>(view_.domain_.row_angle(row));
    block_.lift[at] = displacement * static_cast<float>(view_.domain_.column_step);
    weight_[at] = weight;
    target_[at] = target;
  }

  const SphereView& view_;
  const SpherePicture& picture_;
  std::array<Sum, kSphereBlock> sums_;
  AngleBlock block_;
  std::array<float, kSphereBlock> weight_;
  std::array<int, kSphereBlock> target_;
  int num_samples_ = 0;
  PixelBlock pixels_;
};

// Paints blocks of the view, with the memory for one.
class SphereView::Painter {
 public:
  Painter(const SphereView& view, const SpherePicture& picture)
      : view_(view),
        picture_(picture),
        grid_(view.grid()),
        closer_(view, picture) {
    if (view.domain_.geometry == EyeGeometry::kOmnidirectional) origins_.lift = block_.lift.data();
  }

  // `count` pixels of row y from column `first` on.
  void paint(int y, int first, int count, cv::Mat& to, cv::Mat* visibility) {
    const PointRun run = view_.table_.run(y, first);
    sphere_kernels().origins(grid_, run, count, origins_, mixed_.data());
    picture_.sample(view_.rays_.angles(block_, count, true), pixels_.bytes.data(),
                    pixels_.outside.data());
    const auto size = static_cast<std::size_t>(count);
    const std::size_t bytes = to.elemSize();
    for (std::size_t i = 0; i < size; ++i) pixels_.outside[i] &= kOutside;
    if (std::memchr(mixed_.data(), 1, size) != nullptr) look_closer(run, size, bytes);
    if (!view_.table_.hidden.empty()) {
      hide(view_.table_.hidden.ptr(y) + first, size, bytes);
    }
    sphere_kernels().write_out(pixels_.bytes.data(), size * bytes,
                               to.ptr(y) + static_cast<std::size_t>(first) * bytes);
    if (visibility != nullptr) {
      std::memcpy(visibility->ptr(y) + first, pixels_.outside.data(), size);
    }
  }

 private:
  void look_closer(const PointRun& run, std::size_t count, std::size_t bytes) {
    for (std::size_t i = 0; i < count; ++i) {
      const int at = static_cast<int>(i);
      if (mixed_[i] != 0) closer_.add(at, run.column(at), run.row(at));
    }
    closer_.flush();
    for (std::size_t i = 0; i < count; ++i) {
      if (mixed_[i] == 0) continue;
      pixels_.outside[i] = closer_.write(static_cast<int>(i), pixels_.bytes.data() + i * bytes);
    }
  }

  void hide(const unsigned char* hidden, std::size_t count, std::size_t bytes) {
    for (std::size_t i = 0; i < count; ++i) {
      if (hidden[i] == 0) continue;
      std::memset(pixels_.bytes.data() + i * bytes, 0, bytes);
      pixels_.outside[i] = kOutside;
    }
  }

  const SphereView& view_;
  const SpherePicture& picture_;
  DisplacementGrid grid_;
  AngleBlock block_;
  OriginAngles origins_{block_.along.data(), block_.across.data(), nullptr};
  std::array<unsigned char, kSphereBlock> mixed_;
  PixelBlock pixels_;  // their visibility in `outside`
  MixedPixels closer_;
};

DisplacementGrid SphereView::grid() const {
  return {steps_.ptr<std::int16_t>(),
          static_cast<std::ptrdiff_t>(steps_.step1()),
          px_per_step_,
          domain_.size.width - static_cast<int>(!domain_.wrap_columns),
          domain_.size.height - static_cast<int>(!domain_.wrap_rows),
          row_options_.tear_px,
          static_cast<float>(domain_.first_column),
          static_cast<float>(domain_.column_step),
          static_cast<float>(domain_.first_row),
          static_cast<float>(domain_.row_step)};
}

void SphereView::paint(const SpherePicture& picture, cv::Mat& view, cv::Mat* visibility) const {
  parallel_for(
      0, view.rows,
      [&](int first_row, int last_row) {
        Painter painter(*this, picture);
        // Blocks below each other share most of what they read.
        for (int first = 0; first < view.cols; first += kSphereBlock) {
          const int count = std::min(kSphereBlock, view.cols - first);
          for (int y = first_row; y < last_row; ++y) {
            if (y + 1 < last_row) prefetch(table_.run(y + 1, first).columns);
            painter.paint(y, first, count, view, visibility);
          }
        }
      },
      kRowsPerTask);
}

}  // namespace vergence::stereo
