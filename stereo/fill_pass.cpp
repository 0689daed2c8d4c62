// SPDX-License-Identifier: Apache-2.0
#include "stereo/fill_pass.hpp"

#include "core/parallel.hpp"
#include "stereo/pixel.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace vergence::stereo {
namespace {

constexpr auto kFilled = static_cast<unsigned char>(Visibility::kDisoccluded);
constexpr auto kSeen = static_cast<unsigned char>(Visibility::kVisible);

// Shifts are kept in halves of a pixel, modulo 128 pixels: enough to tell surfaces apart.
constexpr float kShiftSteps = 2.0F;

// Pixels whose surfaces moved alike within this show the same surface, pixels.
constexpr float kSameSurface = 1.5F;

// How far along a column the ends of a hole are looked for.
constexpr int kReach = 64;

// Over how many pixels the change of a surface is looked at.
constexpr int kLag = 4;

// Changes below this are noise, 8-bit levels; where a change is not known it is taken for kUnknown.
constexpr float kNoise = 20.0F;
constexpr float kUnknown = 30.0F;

// Bands of rows are handed out to threads; each has its memory.
constexpr int kNumBands = 16;

int rows_per_band(int height) {
  return (height + kNumBands - 1) / kNumBands;
}

// Weights of a Gaussian for distances 0, 1, ... up to 2 sigma; not normalised.
std::vector<float> gaussian(float sigma) {
  std::vector<float> weights;
  const int reach = sigma > 0.0F ? static_cast<int>(2.0F * sigma) : 0;
  for (int i = 0; i <= reach; ++i) {
    const float d = static_cast<float>(i);
    weights.push_back(i == 0 ? 1.0F : std::exp(-d * d / (2.0F * sigma * sigma)));
  }
  return weights;
}

std::uint8_t fixed_shift(float shift) {
  return static_cast<std::uint8_t>(cvRound(shift * kShiftSteps));
}

// How far the pixels of a row moved that came from source_x.
void store_shifts(const std::vector<float>& source_x, std::uint8_t* shifts) {
  const int width = static_cast<int>(source_x.size());
  const cv::v_float32x4 scale = cv::v_setall_f32(kShiftSteps);
  const cv::v_int32x4 low_byte = cv::v_setall_s32(255);
  int x = 0;
  for (; x + 16 <= width; x += 16) {
    const auto four = [&](int begin) {
      const cv::v_int32x4 columns = cv::v_setall_s32(begin) + cv::v_int32x4(0, 1, 2, 3);
      const cv::v_float32x4 shift = cv::v_cvt_f32(columns) - cv::v_load(source_x.data() + begin);
      return cv::v_round(shift * scale) & low_byte;
    };
    const cv::v_int16x8 first = cv::v_pack(four(x), four(x + 4));
    const cv::v_int16x8 second = cv::v_pack(four(x + 8), four(x + 12));
    cv::v_store(shifts + x, cv::v_pack_u(first, second));
  }
  for (; x < width; ++x) {
    shifts[x] = fixed_shift(static_cast<float>(x) - source_x[static_cast<std::size_t>(x)]);
  }
}

template <std::size_t kSize>
float squared_distance(const std::array<float, kSize>& a, const std::array<float, kSize>& b) {
  float sum = 0.0F;
  for (std::size_t c = 0; c < kSize; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return sum;
}

}  // namespace

// The pass over a band of rows of one type of pixels.
template <class T, int kChannels>
class FillRows {
 public:
  FillRows(const FillPass& pass, FillPass::Columns& columns, cv::Mat& view, int first_row)
      : pass_(pass),
        columns_(columns),
        view_(view),
        first_row_(first_row) {}

  void run(int y) {
    const unsigned char* const row = pass_.visibility_.ptr(y);
    const int width = view_.cols;
    for (int x = 0; x < width;) {
      std::uint64_t eight = 0;
      if (x + 8 <= width) {
        std::memcpy(&eight, row + x, 8);
        if (eight == 0) {
          x += 8;
          continue;
        }
      }
      if (row[x] != kFilled) {
        ++x;
        continue;
      }
      const int first = x;
      while (x < width && row[x] == kFilled) ++x;
      fill(y, first, x);
    }
  }

 private:
  using Colour = std::array<float, kChannels>;

  // One end of the hole in a pixel's column.
  struct End {
    bool known = false;
    float distance = 1.0F;
    float change = 0.0F;  // of the surface there, squared
    Colour colour{};
  };

  static constexpr float square_of_levels(float levels) {
    return levels * levels * kFullScale<T> * kFullScale<T> / (255.0F * 255.0F) * kChannels;
  }

  // The pixels [first, last) of row y.
  void fill(int y, int first, int last) {
    const int edge = pass_.eye_ ? edge_of_hole(y, first, last) : 0;
    for (int x = first; x < last; ++x) {
      Colour colour = evened(y, x);
      if (pass_.eye_) mix_with_column(y, x, edge, colour);
      T* const out = view_.ptr<T>(y) + static_cast<std::ptrdiff_t>(x) * kChannels;
      for (std::size_t c = 0; c < kChannels; ++c) out[c] = rounded<T>(colour[c]);
    }
  }

  // Where the surface behind comes into sight. All around, holes go on at the other border.
  [[nodiscard]] int edge_of_hole(int y, int first, int last) const {
    const int step = pass_.eye_ == Eye::kRight ? 1 : -1;
    int edge = step > 0 ? last : first - 1;
    if (!pass_.wrap_ || (edge >= 0 && edge < view_.cols)) return edge;
    const unsigned char* const row = pass_.visibility_.ptr(y);
    for (int i = 0; i < kReach && i < view_.cols && row[column(edge)] == kFilled; ++i) edge += step;
    return edge;
  }

  [[nodiscard]] Colour evened(int y, int x) const {
    const auto fill_at = [&](int row) {
      return load_pixel(pass_.fills_.ptr<T>(row) + static_cast<std::ptrdiff_t>(x) * kChannels);
    };
    cv::v_float32x4 sum = fill_at(y);  // the first weight is 1
    float total = 1.0F;
    for (const int direction : {-1, 1}) {
      int row = y + direction;
      for (std::size_t i = 1; i < pass_.weights_.size(); ++i, row += direction) {
        if (row < 0 || row >= view_.rows || pass_.visibility_.ptr(row)[x] != kFilled) break;
        sum += fill_at(row) * cv::v_setall_f32(pass_.weights_[i]);
        total += pass_.weights_[i];
      }
    }
    std::array<float, 4> mean;
    cv::v_store(mean.data(), sum * cv::v_setall_f32(1.0F / total));
    Colour colour;
    std::copy_n(mean.begin(), colour.size(), colour.begin());
    return colour;
  }

  // `edge`: the column in which the surface behind comes into sight.
  void mix_with_column(int y, int x, int edge, Colour& colour) {
    std::array<End, 2> ends = {end_of_hole(y, x, -1), end_of_hole(y, x, 1)};
    if (!ends[0].known && !ends[1].known) return;
    const bool both = ends[0].known && ends[1].known;
    if (both) {
      ends[0].change = ends[1].change = squared_distance(ends[0].colour, ends[1].colour);
    }
    constexpr float kFloor = square_of_levels(kNoise);
    const float along_row = change_along_row(y, x, edge) + kFloor;
    const auto distance = static_cast<float>(std::abs(edge - x));
    float total = 1.0F;
    for (const End& end : ends) {
      if (!end.known) continue;
      const float weight = (both ? 1.0F : pass_.one_end_) * distance / end.distance * along_row /
                           (end.change + kFloor);
      for (std::size_t c = 0; c < kChannels; ++c) colour[c] += weight * end.colour[c];
      total += weight;
    }
    for (float& value : colour) value /= total;
  }

  [[nodiscard]] End end_of_hole(int y, int x, int direction) {
    const int row = nearest_row(y, x, direction);
    const std::uint8_t behind = pass_.shifts_.ptr(y)[x];
    if (std::abs(row - y) > kReach || !shows(row, x, behind)) return {};
    End end;
    end.known = true;
    end.distance = static_cast<float>(std::abs(row - y));
    end.colour = colour_at(row, x);
    const int further = row + direction * std::min(std::abs(row - y), kLag);
    end.change = shows(further, x, behind) ? squared_distance(end.colour, colour_at(further, x))
                                           : square_of_levels(kUnknown);
    return end;
  }

  [[nodiscard]] float change_along_row(int y, int x, int edge) const {
    const std::uint8_t behind = pass_.shifts_.ptr(y)[x];
    const int lag = std::min(std::abs(edge - x), kLag);
    const int here = column(edge);
    const int further = column(edge + (edge > x ? lag : -lag));
    if (!shows(y, here, behind) || !shows(y, further, behind)) return square_of_levels(kUnknown);
    return squared_distance(colour_at(y, here), colour_at(y, further));
  }

  // The next row above (-1) or below (1) that is not filled in this column, or one beyond kReach.
  // Rows come one after another, so what was found for the last one mostly holds.
  [[nodiscard]] int nearest_row(int y, int x, int direction) {
    auto& found = direction < 0 ? columns_.above : columns_.below;
    int& row = found[static_cast<std::size_t>(x)];
    const bool follows = y > first_row_ && pass_.visibility_.ptr(y - 1)[x] == kFilled;
    if (direction < 0 && follows) return row;
    if (!follows || row <= y) row = y + direction;
    while (std::abs(row - y) <= kReach && row >= 0 && row < view_.rows &&
           pass_.visibility_.ptr(row)[x] == kFilled) {
      row += direction;
    }
    return row;
  }

  // Whether a pixel is seen, and on the surface that moved by `shift`.
  [[nodiscard]] bool shows(int y, int x, std::uint8_t shift) const {
    if (y < 0 || y >= view_.rows || x < 0 || x >= view_.cols) return false;
    if (pass_.visibility_.ptr(y)[x] != kSeen) return false;
    constexpr int kAlike = static_cast<int>(kSameSurface * kShiftSteps);
    return std::abs(static_cast<std::int8_t>(pass_.shifts_.ptr(y)[x] - shift)) <= kAlike;
  }

  [[nodiscard]] int column(int x) const {
    if (!pass_.wrap_) return x;
    return x < 0 ? x + view_.cols : (x >= view_.cols ? x - view_.cols : x);
  }

  [[nodiscard]] Colour colour_at(int y, int x) const {
    const T* const pixel = view_.ptr<T>(y) + static_cast<std::ptrdiff_t>(x) * kChannels;
    Colour colour;
    for (std::size_t c = 0; c < kChannels; ++c) colour[c] = static_cast<float>(pixel[c]);
    return colour;
  }

  const FillPass& pass_;
  FillPass::Columns& columns_;
  cv::Mat& view_;
  int first_row_;
};

FillPass::FillPass(float sigma_px, bool wrap, float one_end)
    : wrap_(wrap),
      one_end_(one_end),
      weights_(gaussian(sigma_px)),
      columns_(kNumBands) {}

void FillPass::begin(cv::Size size, int type, std::optional<Eye> eye) {
  eye_ = eye;
  visibility_.create(size, CV_8UC1);
  shifts_.create(size, CV_8UC1);
  // Room behind the last pixel, so that pixels can be read four values at a time.
  fills_.create(cv::Size(std::max(size.width, 4), size.height + 1), type);
  for (Columns& columns : columns_) {
    columns.above.resize(static_cast<std::size_t>(size.width));
    columns.below.resize(static_cast<std::size_t>(size.width));
  }
}

void FillPass::take_row(int y, const ScanlineRow& row, const float* parallax) {
  unsigned char* const visibility = visibility_.ptr(y);
  std::uint8_t* const shifts = shifts_.ptr(y);
  std::memset(visibility, 0, static_cast<std::size_t>(visibility_.cols));
  store_shifts(row.source_x, shifts);
  if (wrap_) {
    for (int x = 0; x < visibility_.cols; ++x) {
      const float shift = static_cast<float>(x) - row.source_x[static_cast<std::size_t>(x)];
      const auto width = static_cast<float>(visibility_.cols);
      if (std::abs(shift) > 0.5F * width)
        shifts[x] = fixed_shift(shift - std::copysign(width, shift));
    }
  }
  for (const FilledRun& run : row.filled) {
    for (int x = run.first; x < run.last; ++x) {
      visibility[x] = static_cast<unsigned char>(run.visibility);
      const float behind = parallax[static_cast<int>(row.source_x[static_cast<std::size_t>(x)])];
      shifts[x] = fixed_shift(eye_ == Eye::kRight ? -behind : behind);
    }
  }
}

void FillPass::finish(cv::Mat& view) {
  const int band = rows_per_band(view.rows);
  with_pixel_type(view.type(), [&]<class T, int kChannels>() {
    parallel_for(
        0, view.rows,
        [&](int first, int last) {
          FillRows<T, kChannels> rows(*this, columns_[static_cast<std::size_t>(first / band)], view,
                                      first);
          for (int y = first; y < last; ++y) rows.run(y);
        },
        band);
  });
}

}  // namespace vergence::stereo
