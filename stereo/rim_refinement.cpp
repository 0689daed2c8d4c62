// SPDX-License-Identifier: Apache-2.0
#include "stereo/rim_refinement.hpp"

#include "core/parallel.hpp"
#include "stereo/pixel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace vergence::stereo {
namespace {

// Squared colour distance (8-bit levels) at which noise makes that line meaningless.
constexpr float kNoise = 50.0F;

// Rows are handed out to threads so many at a time; rim pixels are looked at so many at a time.
constexpr int kRowsPerTask = 32;
constexpr int kLongestRun = 128;

// Nine pixels around one, as pointers to their colours and their parallaxes.
template <class T>
struct Neighbourhood {
  std::array<const T*, 9> colour;
  std::array<float, 9> parallax;
};

constexpr int kCentre = 4;

template <int kChannels, class T>
float dot_from(const T* pixel, const std::array<float, kChannels>& origin,
               const std::array<float, kChannels>& direction) {
  float sum = 0.0F;
  for (int c = 0; c < kChannels; ++c) {
    const auto i = static_cast<std::size_t>(c);
    sum += (static_cast<float>(pixel[c]) - origin[i]) * direction[i];
  }
  return sum;
}

// Whether the far pixel in the centre belongs to the near side, by colour.
template <class T, int kChannels>
bool joins_near(const Neighbourhood<T>& around, float split, const RimLimits& limits) {
  std::array<float, kChannels> near{};
  std::array<float, kChannels> far{};
  float num_near = 0.0F;
  float num_far = 0.0F;
  for (std::size_t i = 0; i < 9; ++i) {
    if (i == kCentre) continue;
    const bool is_near = around.parallax[i] > split;
    (is_near ? num_near : num_far) += 1.0F;
    auto& mean = is_near ? near : far;
    for (int c = 0; c < kChannels; ++c) {
      mean[static_cast<std::size_t>(c)] += static_cast<float>(around.colour[i][c]);
    }
  }
  if (num_near == 0.0F || num_far == 0.0F) return false;
  float length2 = 0.0F;
  for (std::size_t c = 0; c < kChannels; ++c) {
    far[c] /= num_far;
    near[c] = near[c] / num_near - far[c];
    length2 += near[c] * near[c];
  }
  float spread2 = 0.0F;
  for (std::size_t i = 0; i < 9; ++i) {
    if (i == kCentre || around.parallax[i] > split) continue;
    const float along = dot_from<kChannels>(around.colour[i], far, near);
    spread2 += along * along;
  }
  const float level = kFullScale<T> / 255.0F;
  const float along = dot_from<kChannels>(around.colour[kCentre], far, near);
  return along - limits.spread * std::sqrt(spread2 / num_far) >
         limits.beyond * (length2 + kNoise * level * level);
}

// Rows y - 1 .. y + 1, the first and last repeated beyond the borders.
std::array<int, 3> rows_around(int y, int height) {
  return {std::max(y - 1, 0), y, std::min(y + 1, height - 1)};
}

// Columns x - 1 .. x + 1.
std::array<int, 3> columns_around(int x, int width, bool wrap) {
  return {x > 0 ? x - 1 : (wrap ? width - 1 : 0), x, x + 1 < width ? x + 1 : (wrap ? 0 : x)};
}

// Colours of a picture at hand.
template <class T, int kChannels>
class PictureColours {
 public:
  explicit PictureColours(const cv::Mat& picture) : picture_(picture) {}

  void prepare(int /*y*/, int /*first*/, int /*last*/) {}

  [[nodiscard]] const T* at(int row, int column, int /*y*/, int /*x*/) const {
    return picture_.ptr<T>(row) + static_cast<std::ptrdiff_t>(column) * kChannels;
  }

 private:
  const cv::Mat& picture_;
};

// Colours that are made around one run of rim pixels after another.
template <class T, int kChannels>
class FetchedColours {
 public:
  explicit FetchedColours(const FetchPixels& fetch) : fetch_(fetch) {}

  void prepare(int y, int first, int last) {
    area_ = {first - 1, y - 1, last - first + 2, 3};
    pixels_.resize(static_cast<std::size_t>(area_.area()) * kChannels);
    fetch_(area_, pixels_.data());
  }

  [[nodiscard]] const T* at(int /*row*/, int /*column*/, int y, int x) const {
    const std::ptrdiff_t index =
        static_cast<std::ptrdiff_t>(y - area_.y) * area_.width + (x - area_.x);
    return pixels_.data() + index * kChannels;
  }

 private:
  const FetchPixels& fetch_;
  cv::Rect area_;
  std::vector<T> pixels_;
};

template <class T, int kChannels, class Colours>
float refined_value(const Colours& colours, const ParallaxBand& band, cv::Point at, bool wrap) {
  const cv::Mat& parallax = band.parallax_px;
  const std::array<int, 3> rows = rows_around(at.y, parallax.rows);
  const std::array<int, 3> columns = columns_around(at.x, parallax.cols, wrap);
  Neighbourhood<T> around;
  float nearest = parallax.ptr<float>(rows[0])[columns[0]];
  float farthest = nearest;
  for (std::size_t i = 0; i < 9; ++i) {
    const int row = rows[i / 3];
    const int column = columns[i % 3];
    around.colour[i] = colours.at(row, column, at.y - 1 + static_cast<int>(i / 3),
                                  at.x - 1 + static_cast<int>(i % 3));
    around.parallax[i] = parallax.ptr<float>(row)[column];
    nearest = std::max(nearest, around.parallax[i]);
    farthest = std::min(farthest, around.parallax[i]);
  }
  const float split = (nearest + farthest) * 0.5F;
  const float own = around.parallax[kCentre];
  return own <= split && joins_near<T, kChannels>(around, split, band.limits) ? nearest : own;
}

// The largest of the 3 x 3 values around each pixel of a row.
void neighbourhood_maxima(const std::array<const float*, 3>& rows, int width, bool wrap,
                          float* maxima) {
  const auto column_maximum = [&rows](int x) {
    return std::max(std::max(rows[0][x], rows[1][x]), rows[2][x]);
  };
  for (int x = 1; x + 1 < width; ++x) {
    maxima[x] = std::max(std::max(column_maximum(x - 1), column_maximum(x)), column_maximum(x + 1));
  }
  const int before = wrap ? width - 1 : 0;
  const int after = wrap ? 0 : width - 1;
  const int last = width - 1;
  maxima[0] = std::max(std::max(column_maximum(before), column_maximum(0)),
                       column_maximum(std::min(1, last)));
  maxima[last] = std::max(std::max(column_maximum(std::max(0, last - 1)), column_maximum(last)),
                          column_maximum(after));
}

// The next pixel from `begin` on that has a much nearer one beside it, or `end`; the values before
// it are copied to `nearest`.
int next_rim(float* nearest, const float* own, int begin, int end, float step) {
  constexpr int kBlock = 16;
  int x = begin;
  for (; x + kBlock <= end; x += kBlock) {
    int any = 0;
    for (int i = 0; i < kBlock; ++i) {
      any |= static_cast<int>(nearest[x + i] - own[x + i] > step);
    }
    if (any != 0) break;
    std::copy_n(own + x, kBlock, nearest + x);
  }
  while (x < end && nearest[x] - own[x] <= step) {
    nearest[x] = own[x];
    ++x;
  }
  return x;
}

template <class T, int kChannels, class Colours>
void refine_rows(Colours colours, const ParallaxBand& band, bool wrap, cv::Mat& refined) {
  const cv::Mat& parallax = band.parallax_px;
  const int width = parallax.cols;
  const float step = band.limits.step_px;
  for (int y = band.rows.start; y < band.rows.end; ++y) {
    const std::array<int, 3> rows = rows_around(y, parallax.rows);
    const float* const own = parallax.ptr<float>(y);
    float* const out = refined.ptr<float>(y + band.offset);
    neighbourhood_maxima({parallax.ptr<float>(rows[0]), own, parallax.ptr<float>(rows[2])}, width,
                         wrap, out);
    for (int x = next_rim(out, own, 0, width, step); x < width;
         x = next_rim(out, own, x, width, step)) {
      int last = x + 1;
      while (last < width && last < x + kLongestRun && out[last] - own[last] > step) ++last;
      colours.prepare(y, x, last);
      for (; x < last; ++x) {
        out[x] = refined_value<T, kChannels>(colours, band, {x, y}, wrap);
      }
    }
  }
}

}  // namespace

void refine_rims(const cv::Mat& picture, const cv::Mat& parallax_px, bool wrap, cv::Mat& refined) {
  refined.create(parallax_px.size(), CV_32FC1);
  with_pixel_type(picture.type(), [&]<class T, int kChannels>() {
    parallel_for(
        0, picture.rows,
        [&](int first, int last) {
          refine_rows<T, kChannels>(PictureColours<T, kChannels>(picture),
                                    {parallax_px, {first, last}, 0}, wrap, refined);
        },
        kRowsPerTask);
  });
}

void refine_rims(int picture_type, const FetchPixels& fetch, const ParallaxBand& band, bool wrap,
                 cv::Mat& refined) {
  const FetchPixels fetch_below = [&](const cv::Rect& area, void* pixels) {
    fetch(area + cv::Point(0, band.offset), pixels);
  };
  with_pixel_type(picture_type, [&]<class T, int kChannels>() {
    refine_rows<T, kChannels>(FetchedColours<T, kChannels>(fetch_below), band, wrap, refined);
  });
}

}  // namespace vergence::stereo
