// SPDX-License-Identifier: Apache-2.0
#include "stereo/learned_warp.hpp"

#include "core/parallel.hpp"
#include "stereo/nearness.hpp"
#include "stereo/pixel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

constexpr int kLeastSide = 4;  // of a map

// Where the probability of a hole is above this, iw3 fills: MASK_MLBW_THRESHOLD there.
constexpr float kHoleProbability = 0.15F;

cv::Mat mirrored(const cv::Mat& map) {
  cv::Mat flipped;
  if (!map.empty()) cv::flip(map, flipped, 1);
  return flipped;
}

// Layers of the mirrored picture's left eye as those of the picture's right eye.
WarpLayers mirrored(const WarpLayers& layers) {
  WarpLayers result;
  for (const cv::Mat& shift : layers.shifts_px) result.shifts_px.push_back(-mirrored(shift));
  for (const cv::Mat& weight : layers.weights) result.weights.push_back(mirrored(weight));
  result.hole_logits = mirrored(layers.hole_logits);
  return result;
}

WarpLayers negated(const WarpLayers& layers) {
  WarpLayers result = layers;
  for (cv::Mat& shift : result.shifts_px) shift = -shift;
  return result;
}

// How positions of a row or column of a picture fall onto one of a map: corner pixels aligned.
class Alignment {
 public:
  Alignment(int picture, int map)
      : scale_(picture > 1 ? static_cast<float>(map - 1) / static_cast<float>(picture - 1) : 0.0F),
        last_(map - 1) {}

  struct Position {
    int before;
    int after;
    float part;
  };

  [[nodiscard]] Position operator()(int pixel) const {
    const float at = scale_ * static_cast<float>(pixel);
    const int before = std::min(static_cast<int>(at), last_);
    return {before, std::min(before + 1, last_), at - static_cast<float>(before)};
  }

 private:
  float scale_;
  int last_;
};

// Takes the pixels of one row of a view from a row of the picture.
template <class T, int kChannels>
class RowGather {
 public:
  RowGather(cv::Size picture, const WarpLayers& layers)
      : layers_(layers),
        rows_(picture.height, layers.shifts_px.front().rows),
        columns_(picture.width, layers.shifts_px.front().cols),
        // Shifts are distances between the centres of the outermost pixels' shares.
        scale_(static_cast<float>(picture.width - 1) /
               static_cast<float>(layers.shifts_px.front().cols - 1)),
        shifts_(static_cast<std::size_t>(layers.shifts_px.front().cols)),
        sums_(static_cast<std::size_t>(picture.width) * kChannels) {}

  void gather(int y, const T* source, T* view) {
    std::fill(sums_.begin(), sums_.end(), 0.0F);
    for (std::size_t i = 0; i < layers_.shifts_px.size(); ++i) {
      load_shifts(layers_.shifts_px[i], rows_(y));
      add_layer(source, layers_.weights.empty() ? nullptr : layers_.weights[i].ptr<float>(y));
    }
    std::transform(sums_.begin(), sums_.end(), view, rounded<T>);
  }

 private:
  void load_shifts(const cv::Mat& map, const Alignment::Position& row) {
    const float* const above = map.ptr<float>(row.before);
    const float* const below = map.ptr<float>(row.after);
    for (std::size_t x = 0; x < shifts_.size(); ++x) {
      shifts_[x] = (above[x] + (below[x] - above[x]) * row.part) * scale_;
    }
  }

  void add_layer(const T* source, const float* weights) {
    const int width = static_cast<int>(sums_.size()) / kChannels;
    const auto last = static_cast<float>(width - 1);
    for (int x = 0; x < width; ++x) {
      const Alignment::Position column = columns_(x);
      const float before = shifts_[static_cast<std::size_t>(column.before)];
      const float after = shifts_[static_cast<std::size_t>(column.after)];
      const float shift = before + (after - before) * column.part;
      const float at = std::clamp(static_cast<float>(x) + shift, 0.0F, last);
      const int left = static_cast<int>(at);
      const float part = at - static_cast<float>(left);
      const T* const a = source + static_cast<std::ptrdiff_t>(left) * kChannels;
      const T* const b = part > 0.0F ? a + kChannels : a;
      const float weight = weights == nullptr ? 1.0F : weights[x];
      float* const sum = sums_.data() + static_cast<std::ptrdiff_t>(x) * kChannels;
      for (int c = 0; c < kChannels; ++c) {
        const auto from = static_cast<float>(a[c]);
        sum[c] += weight * (from + (static_cast<float>(b[c]) - from) * part);
      }
    }
  }

  const WarpLayers& layers_;
  Alignment rows_;
  Alignment columns_;
  float scale_;
  std::vector<float> shifts_;  // of the row, pixels of the picture, at the map's columns
  std::vector<float> sums_;
};

// `view` becomes the picture as seen through the layers, whose weights have the picture's size.
void gather(const cv::Mat& picture, const WarpLayers& layers, cv::Mat& view) {
  view.create(picture.size(), picture.type());
  with_pixel_type(picture.type(), [&]<class T, int kChannels>() {
    parallel_for(0, picture.rows, [&](int first, int last) {
      RowGather<T, kChannels> row(picture.size(), layers);
      for (int y = first; y < last; ++y) row.gather(y, picture.ptr<T>(y), view.ptr<T>(y));
    });
  });
}

// Ready for gather() from a picture of this size.
WarpLayers with_weights_of_size(WarpLayers layers, cv::Size size) {
  for (cv::Mat& weight : layers.weights) weight = resize_nearness(weight, size);
  return layers;
}

// The logits are closed by 3 x 3 pixels first, so that no sure hole is broken up.
void find_holes(const cv::Mat& logits, cv::Size size, cv::Mat& holes) {
  const cv::Mat around = cv::Mat::ones(3, 3, CV_8UC1);
  cv::Mat closed;
  cv::morphologyEx(logits, closed, cv::MORPH_CLOSE, around);
  const Alignment rows(size.height, logits.rows);
  const Alignment columns(size.width, logits.cols);
  const float least = std::log(kHoleProbability / (1.0F - kHoleProbability));
  for (int y = 0; y < size.height; ++y) {
    const Alignment::Position row = rows(y);
    const float* const above = closed.ptr<float>(row.before);
    const float* const below = closed.ptr<float>(row.after);
    for (int x = 0; x < size.width; ++x) {
      const Alignment::Position at = columns(x);
      const auto between = [&](const float* line) {
        return line[at.before] + (line[at.after] - line[at.before]) * at.part;
      };
      const float value = between(above) + (between(below) - between(above)) * row.part;
      holes.ptr(y)[x] = value > least ? 255 : 0;
    }
  }
}

// The layers of some eyes at one step. `nearness` of each eye, in the picture's orientation.
std::vector<WarpLayers> layers_of(WarpNetwork& network, const std::vector<Eye>& eyes,
                                  const std::vector<cv::Mat>& nearness, WarpInput input) {
  const bool symmetric = network.info().symmetric;
  std::vector<WarpInput> inputs;
  for (std::size_t i = 0; i < eyes.size(); ++i) {
    const bool mirror = eyes[i] == Eye::kRight && !symmetric;
    input.nearness = mirror ? mirrored(nearness[i]) : nearness[i];
    inputs.push_back(input);
  }
  if (symmetric) inputs.resize(1);
  std::vector<WarpLayers> layers = network.left_eyes(inputs);
  if (symmetric) layers.resize(eyes.size(), layers.front());
  for (std::size_t i = 0; i < eyes.size(); ++i) {
    if (eyes[i] == Eye::kRight) layers[i] = symmetric ? negated(layers[i]) : mirrored(layers[i]);
  }
  return layers;
}

std::vector<Eye> eyes_of(SyntheticView view) {
  switch (view) {
    case SyntheticView::kLeft:
      return {Eye::kLeft};
    case SyntheticView::kRight:
      return {Eye::kRight};
    case SyntheticView::kBoth:
      break;
  }
  return {Eye::kLeft, Eye::kRight};
}

}  // namespace

int automatic_warp_steps(const WarpNetworkInfo& network, float divergence) {
  if (network.step_divergence <= 0.0F || divergence <= network.one_step_divergence) return 1;
  return static_cast<int>(std::ceil(divergence / network.step_divergence));
}

void LearnedWarp::set_source(const cv::Mat& picture, const cv::Mat& nearness,
                             const LearnedWarpOptions& options) {
  if (nearness.type() != CV_32FC1 || std::min(nearness.rows, nearness.cols) < kLeastSide) {
    throw std::invalid_argument("nearness for a learned warp is CV_32FC1 of at least 4 x 4");
  }
  with_pixel_type(picture.type(), []<class T, int kChannels>() {});
  const ParallaxOptions& parallax = options.parallax;
  const std::vector<Eye> eyes = eyes_of(parallax.synthetic_view);
  const float divergence = parallax.divergence * (eyes.size() == 1 ? 2.0F : 1.0F);
  const WarpNetworkInfo& info = network_.info();
  int steps = options.steps > 0 ? options.steps : automatic_warp_steps(info, divergence);
  if (info.step_divergence <= 0.0F) steps = 1;
  const WarpInput input = {.nearness = {},
                           .divergence = divergence / static_cast<float>(steps),
                           .convergence = parallax.convergence,
                           .preserve_screen_border = parallax.preserve_screen_border};
  picture_ = picture;
  left_.clear();
  right_.clear();
  std::vector<cv::Mat> moved(eyes.size(), nearness);
  for (int step = 0; step < steps; ++step) {
    const auto layers = layers_of(network_, eyes, moved, input);
    for (std::size_t i = 0; i < eyes.size(); ++i) {
      steps_of(eyes[i]).push_back(with_weights_of_size(layers[i], picture.size()));
      if (step + 1 == steps) continue;
      cv::Mat next;
      gather(moved[i], with_weights_of_size(layers[i], nearness.size()), next);
      moved[i] = next;
    }
  }
}

void LearnedWarp::render(Eye eye, cv::Mat& view, cv::Mat* holes) {
  if (picture_.empty()) throw std::logic_error("a warp needs its source first");
  const std::vector<WarpLayers>& steps = steps_of(eye);
  if (holes != nullptr) {
    holes->create(picture_.size(), CV_8UC1);
    holes->setTo(0);
    if (!steps.empty() && !steps.back().hole_logits.empty()) {
      find_holes(steps.back().hole_logits, picture_.size(), *holes);
    }
  }
  if (steps.size() < 2) {
    if (steps.empty()) picture_.copyTo(view);
    if (!steps.empty()) gather(picture_, steps.front(), view);
    return;
  }
  cv::Mat moved;
  picture_.convertTo(moved, CV_32F);  // rounded only once
  for (const WarpLayers& layers : steps) {
    cv::Mat next;
    gather(moved, layers, next);
    moved = next;
  }
  moved.convertTo(view, picture_.depth());
}

std::vector<WarpLayers>& LearnedWarp::steps_of(Eye eye) {
  return eye == Eye::kLeft ? left_ : right_;
}

}  // namespace vergence::stereo
