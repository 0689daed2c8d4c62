// SPDX-License-Identifier: Apache-2.0
#include "stereo/classic_warp.hpp"

#include "core/parallel.hpp"
#include "stereo/pixel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

namespace vergence::stereo {
namespace {

enum class Hole : unsigned char { kNone = 0, kRemoved = 128, kNothing = 255 };

constexpr int kNoSource = -1;

// The linear weight of a pixel that lies exactly on a target pixel, as in iw3.
constexpr float kLeastWeight = 1e-5F;

void check_arguments(const cv::Mat& picture, const cv::Mat& parallax) {
  if (parallax.type() != CV_32FC1 || parallax.size() != picture.size() || picture.empty()) {
    throw std::invalid_argument("parallax is CV_32FC1 of the picture's size");
  }
}

// One row of forward_warp. The source is repeated by `pad` pixels at both ends.
class ForwardRow {
 public:
  ForwardRow(int width, int pad)
      : width_(width),
        pad_(pad),
        below_(index(width + 2 * pad)),
        above_(below_.size()),
        source_(index(width)),
        holes_(index(width)) {}

  // Finds what each target pixel shows.
  void trace(std::span<const float> parallax, bool left_eye) {
    left_eye_ = left_eye;
    std::fill(below_.begin(), below_.end(), Hit{});
    std::fill(above_.begin(), above_.end(), Hit{});
    for (int i = 0; i < width_ + 2 * pad_; ++i) {
      const int column = std::clamp(i - pad_, 0, width_ - 1);
      throw_onto(i, parallax[static_cast<std::size_t>(column)]);
    }
    find_sources();
    remove_folds();
  }

  [[nodiscard]] Hole hole(int x) const { return holes_[index(x)]; }

  // The colour of target pixel x of the picture, unless it is a hole.
  template <class T, int kChannels>
  void colour(const T* row, int x, T* out) const {
    const Hit& a = below_[index(x + pad_)];
    const Hit& b = above_[index(x + pad_)];
    const T* const from = row + static_cast<std::ptrdiff_t>(column(a)) * kChannels;
    const T* const to = row + static_cast<std::ptrdiff_t>(column(b)) * kChannels;
    for (int c = 0; c < kChannels; ++c) {
      const float sum =
          static_cast<float>(from[c]) * a.weight + static_cast<float>(to[c]) * b.weight;
      out[c] = rounded<T>(sum / (a.weight + b.weight));
    }
  }

 private:
  // The nearest pixel that was moved to a target pixel.
  struct Hit {
    float parallax = -std::numeric_limits<float>::infinity();
    float weight = 0.0F;
    int source = kNoSource;
  };

  [[nodiscard]] static std::size_t index(int x) { return static_cast<std::size_t>(x); }

  [[nodiscard]] int column(const Hit& hit) const {
    return std::clamp(hit.source - pad_, 0, width_ - 1);
  }

  static void keep_nearest(Hit& hit, float parallax, float weight, int source) {
    if (parallax >= hit.parallax) hit = {parallax, weight, source};
  }

  void throw_onto(int source, float parallax) {
    const auto last = static_cast<float>(width_ + 2 * pad_ - 1);
    const float moved = static_cast<float>(source) + (left_eye_ ? parallax : -parallax);
    const float target = std::clamp(moved, 0.0F, last);
    const float left = std::floor(target);
    const float weight = std::clamp(target - left, kLeastWeight, 1.0F - kLeastWeight);
    keep_nearest(below_[static_cast<std::size_t>(left)], parallax, 1.0F - weight, source);
    keep_nearest(above_[static_cast<std::size_t>(std::ceil(target))], parallax, weight, source);
  }

  // The mean source column of each target pixel; holes take it over from the side behind.
  void find_sources() {
    for (int step = 0; step < width_; ++step) {
      const int x = left_eye_ ? step : width_ - 1 - step;
      const int behind = left_eye_ ? x - 1 : x + 1;
      const Hit& a = below_[index(x + pad_)];
      const Hit& b = above_[index(x + pad_)];
      const float weight = a.weight + b.weight;
      holes_[index(x)] = weight > 0.0F ? Hole::kNone : Hole::kNothing;
      if (weight > 0.0F) {
        source_[index(x)] =
            (static_cast<float>(a.source) * a.weight + static_cast<float>(b.source) * b.weight) /
            weight;
      } else {
        source_[index(x)] = step > 0 ? source_[index(behind)] : -1.0F;
      }
    }
  }

  // Source columns grow along the row except where something far is seen through a gap.
  void remove_folds() {
    const int begin = left_eye_ ? width_ - 1 : 0;
    float limit = source_[index(begin)];
    for (int step = 1; step < width_; ++step) {
      const int x = left_eye_ ? begin - step : step;
      const float source = source_[index(x)];
      if (left_eye_ ? source > limit : source < limit) {
        holes_[index(x)] = Hole::kRemoved;
      } else {
        limit = source;
      }
    }
  }

  int width_;
  int pad_;
  bool left_eye_ = false;
  std::vector<Hit> below_;  // pixels that fall on or right of a target pixel
  std::vector<Hit> above_;  // pixels that fall on or left of it
  std::vector<float> source_;
  std::vector<Hole> holes_;
};

template <class T, int kChannels>
void write_row(const ForwardRow& traced, const T* source, bool left_eye, bool fill, cv::Mat& view,
               int y) {
  const int width = view.cols;
  T* const out = view.ptr<T>(y);
  const T* last = nullptr;
  for (int step = 0; step < width; ++step) {
    const int x = left_eye ? step : width - 1 - step;
    T* const pixel = out + static_cast<std::ptrdiff_t>(x) * kChannels;
    if (traced.hole(x) == Hole::kNone) {
      traced.colour<T, kChannels>(source, x, pixel);
      last = pixel;
    } else if (fill && last != nullptr) {
      std::copy_n(last, kChannels, pixel);
    } else {
      std::fill_n(pixel, kChannels, T{});
    }
  }
}

}  // namespace

void forward_warp(const cv::Mat& picture, const cv::Mat& parallax_px, Eye eye,
                  const ForwardWarpOptions& options, cv::Mat& view, cv::Mat* holes) {
  check_arguments(picture, parallax_px);
  view.create(picture.size(), picture.type());
  if (holes != nullptr) holes->create(picture.size(), CV_8UC1);
  const int width = picture.cols;
  const bool left_eye = eye == Eye::kLeft;
  const int pad = static_cast<int>(std::min(cv::norm(parallax_px, cv::NORM_INF), 1.0 * width)) + 2;
  with_pixel_type(picture.type(), [&]<class T, int kChannels>() {
    parallel_for(0, picture.rows, [&](int first, int last) {
      ForwardRow row(width, pad);
      for (int y = first; y < last; ++y) {
        row.trace({parallax_px.ptr<float>(y), static_cast<std::size_t>(width)}, left_eye);
        write_row<T, kChannels>(row, picture.ptr<T>(y), left_eye, options.fill, view, y);
        if (holes == nullptr) continue;
        for (int x = 0; x < width; ++x) {
          holes->at<unsigned char>(y, x) = static_cast<unsigned char>(row.hole(x));
        }
      }
    });
  });
}

void backward_warp(const cv::Mat& picture, const cv::Mat& parallax_px, Eye eye, cv::Mat& view) {
  check_arguments(picture, parallax_px);
  view.create(picture.size(), picture.type());
  const auto last = static_cast<float>(picture.cols - 1);
  const float scale = (eye == Eye::kLeft ? -1.0F : 1.0F) * last / static_cast<float>(picture.cols);
  with_pixel_type(picture.type(), [&]<class T, int kChannels>() {
    const auto gather = [&](int begin, int end) {
      for (int y = begin; y < end; ++y) {
        const float* const parallax = parallax_px.ptr<float>(y);
        const T* const source = picture.ptr<T>(y);
        T* out = view.ptr<T>(y);
        for (int x = 0; x < picture.cols; ++x, out += kChannels) {
          const float at = std::clamp(static_cast<float>(x) + scale * parallax[x], 0.0F, last);
          const int left = static_cast<int>(at);
          const float part = at - static_cast<float>(left);
          const T* const a = source + static_cast<std::ptrdiff_t>(left) * kChannels;
          const T* const b = part > 0.0F ? a + kChannels : a;
          for (int c = 0; c < kChannels; ++c) {
            const auto from = static_cast<float>(a[c]);
            out[c] = rounded<T>(from + (static_cast<float>(b[c]) - from) * part);
          }
        }
      }
    };
    parallel_for(0, picture.rows, gather);
  });
}

}  // namespace vergence::stereo
