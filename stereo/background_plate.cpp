// SPDX-License-Identifier: Apache-2.0
#include "stereo/background_plate.hpp"

#include "core/parallel.hpp"
#include "core/statistics.hpp"
#include "stereo/global_motion.hpp"
#include "stereo/pixel.hpp"
#include "stereo/sampling.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <deque>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace vergence::stereo {
namespace {

// Width of the pictures that the camera's motion is found in.
constexpr int kMotionWidth = 384;
constexpr double kFarShare = 0.6;    // of the pixels: those that move with the camera alone
constexpr double kNearWeight = 0.1;  // of the others
constexpr double kRimReach = 3.0;    // pixels beside a near thing that may have its colour
constexpr int kTile = 32;            // gaps of one tile are looked up together
constexpr int kMargin = 16;          // pixels around them that have to agree
constexpr int kStride = 2;           // of those pixels
constexpr std::size_t kLeastAgreeing = 48;
constexpr int kMostTries = 4;  // other frames per tile
constexpr int kMostSteps = 8;
constexpr double kGainUnit = 64.0;  // of brightness
constexpr double kMiddleGrey = 128.0;
constexpr double kNoise = 4.0;  // of brightness: residuals up to here weigh alike
constexpr double kShiftDamping = 0.05;
constexpr double kGainDamping = 0.005;
constexpr double kStill = 0.01;         // pixels
constexpr double kMostShift = 6.0;      // pixels beside the camera's motion
constexpr double kLateness = 0.02;      // of its pixels that a frame loses per frame of distance
constexpr float kLeastContrast = 0.5F;  // pixels of parallax
constexpr float kContrastShare = 0.35F;
constexpr float kLeastSpread = 3.0F;   // of brightness: noise
constexpr float kSpreadShare = 0.3F;   // of what the surroundings vary by
constexpr double kChangedShare = 0.3;  // of the gap's pixels

// What is kept of a frame.
struct Guide {
  std::int64_t index = 0;
  cv::Mat luma;      // CV_8UC1 of the picture's size
  cv::Mat nearest;   // parallax, nearest around each pixel
  cv::Mat small;     // CV_32FC1, for the camera's motion
  cv::Mat far_away;  // CV_32FC1, weights of its pixels
  bool has_next = false;
  std::optional<Affine> next_from_this;

  [[nodiscard]] float nearest_at(double x, double y) const {
    const int column = static_cast<int>((x + 0.5) * nearest.cols / luma.cols);
    const int row = static_cast<int>((y + 0.5) * nearest.rows / luma.rows);
    return nearest.at<float>(std::clamp(row, 0, nearest.rows - 1),
                             std::clamp(column, 0, nearest.cols - 1));
  }

  [[nodiscard]] bool holds(const cv::Point2d& place) const {
    return place.x >= 0.0 && place.y >= 0.0 && place.x <= luma.cols - 1.0 &&
           place.y <= luma.rows - 1.0;
  }

  // Brightness between pixels; the place is inside.
  [[nodiscard]] float luma_at(const cv::Point2d& place) const {
    const auto x = static_cast<int>(place.x);
    const auto y = static_cast<int>(place.y);
    const auto along = static_cast<float>(place.x - x);
    const auto down = static_cast<float>(place.y - y);
    const unsigned char* const above = luma.ptr(y) + x;
    const unsigned char* const below = luma.ptr(std::min(y + 1, luma.rows - 1)) + x;
    const int right = x + 1 < luma.cols ? 1 : 0;
    const auto mix = [&](const unsigned char* row) {
      const auto left = static_cast<float>(row[0]);
      return left + (static_cast<float>(row[right]) - left) * along;
    };
    const float top = mix(above);
    return top + (mix(below) - top) * down;
  }
};

cv::Mat luma_of(const cv::Mat& picture) {
  cv::Mat grey = picture;
  if (picture.channels() != 1) {
    cv::cvtColor(picture, grey, picture.channels() == 3 ? cv::COLOR_RGB2GRAY : cv::COLOR_RGBA2GRAY);
  }
  const double scale = grey.depth() == CV_8U ? 1.0 : grey.depth() == CV_16U ? 1.0 / 257.0 : 255.0;
  cv::Mat luma;
  grey.convertTo(luma, CV_8U, scale);
  return luma;
}

cv::Mat weight_of_far(const cv::Mat& parallax, cv::Size size) {
  cv::Mat small;
  cv::resize(parallax, small, size, 0, 0, cv::INTER_AREA);
  const std::vector<float> values(small.begin<float>(), small.end<float>());
  const float bound = quantile(values, kFarShare);
  cv::Mat weight(size, CV_32FC1, cv::Scalar(kNearWeight));
  weight.setTo(1.0, small <= bound);
  return weight;
}

Guide make_guide(const PlateFrame& frame) {
  Guide guide;
  guide.index = frame.index;
  guide.luma = luma_of(frame.picture);
  const double scale = static_cast<double>(frame.parallax_px.cols) / frame.picture.cols;
  const int reach = std::max(1, static_cast<int>(std::lround(kRimReach * scale)));
  cv::dilate(frame.parallax_px, guide.nearest,
             cv::Mat::ones(2 * reach + 1, 2 * reach + 1, CV_8UC1));
  const cv::Size size = guide.luma.size();
  const int width = std::min(kMotionWidth, size.width);
  const int height = std::max(
      1, static_cast<int>(std::lround(static_cast<double>(size.height) * width / size.width)));
  cv::Mat small;
  cv::resize(guide.luma, small, {width, height}, 0, 0, cv::INTER_AREA);
  small.convertTo(guide.small, CV_32F);
  guide.far_away = weight_of_far(frame.parallax_px, small.size());
  return guide;
}

// Another frame of the window, and where this one's pixels are in it.
struct Neighbour {
  const Guide* guide;
  const cv::Mat* picture;
  Affine motion;
  int distance;  // frames
};

// A pixel of the view that has to be filled, and where it is in this frame, behind the foreground.
struct Gap {
  int x;  // of the view
  int y;
  float source_x;
  float deepest;  // parallax up to which another frame shows background there
};

// A pixel of this frame's background.
struct Surrounding {
  double x;
  double y;
  float luma;
  float slope_x;
  float slope_y;
};

// Where another frame shows the surroundings of a tile, in which light, and how well.
struct Match {
  Affine motion;
  float gain = 1.0F;
  float offset = 0.0F;
  float spread = 0.0F;  // median difference of brightness
};

// Finds the gaps of one tile in other frames.
class TileSearch {
 public:
  TileSearch(const Guide& here, std::span<const Neighbour> neighbours, std::span<const Gap> gaps)
      : here_(here),
        neighbours_(neighbours),
        gaps_(gaps),
        tried_(neighbours.size(), false) {
    look_around();
  }

  // Calls take(gap's place, neighbour, match, confidence) for every gap that is found.
  template <class Take>
  void run(Take&& take) {
    if (surroundings_.size() < kLeastAgreeing) return;
    std::vector<bool> done(gaps_.size(), false);
    for (int attempt = 0; attempt < kMostTries; ++attempt) {
      const std::size_t best = most_promising(done);
      if (best == neighbours_.size()) return;
      tried_[best] = true;
      const Neighbour& neighbour = neighbours_[best];
      const std::optional<Match> match = align(neighbour);
      if (!match) continue;
      const float confidence = confidence_of(*match);
      if (!(confidence > 0.0F) || !has_changed(neighbour, *match, done)) continue;
      for (std::size_t i = 0; i < gaps_.size(); ++i) {
        if (done[i] || !is_seen(gaps_[i], neighbour, match->motion)) continue;
        done[i] = true;
        take(gaps_[i], neighbour, *match, confidence);
      }
    }
  }

 private:
  [[nodiscard]] static bool is_seen(const Gap& gap, const Neighbour& neighbour,
                                    const Affine& motion) {
    const cv::Point2d place = moved(motion, gap.source_x, gap.y);
    return neighbour.guide->holds(place) &&
           neighbour.guide->nearest_at(place.x, place.y) <= gap.deepest;
  }

  // This frame's background around the gaps.
  void look_around() {
    deepest_ = gaps_.front().deepest;
    double left = gaps_.front().source_x;
    double right = left;
    for (const Gap& gap : gaps_) {
      left = std::min<double>(left, gap.source_x);
      right = std::max<double>(right, gap.source_x);
      deepest_ = std::max(deepest_, gap.deepest);
    }
    const auto inner = [](double value, int count) {
      return std::clamp(static_cast<int>(value), 1, std::max(1, count - 2));
    };
    const int x_last = inner(right + kMargin, here_.luma.cols);
    const int y_last = inner(gaps_.back().y + kMargin, here_.luma.rows);
    for (int y = inner(gaps_.front().y - kMargin, here_.luma.rows); y < y_last; y += kStride) {
      const unsigned char* const row = here_.luma.ptr(y);
      const auto step = static_cast<std::ptrdiff_t>(here_.luma.step);
      for (int x = inner(left - kMargin, here_.luma.cols); x < x_last; x += kStride) {
        if (here_.nearest_at(x, y) > deepest_) continue;
        surroundings_.push_back({static_cast<double>(x), static_cast<double>(y),
                                 static_cast<float>(row[x]), 0.5F * (row[x + 1] - row[x - 1]),
                                 0.5F * (row[x + step] - row[x - step])});
      }
    }
    std::vector<float> values;
    for (const Surrounding& pixel : surroundings_) values.push_back(pixel.luma);
    variation_ = 0.5F * (quantile(values, 0.9) - quantile(values, 0.1));
  }

  // The frame that shows most of what is still to be filled, the sooner the better; the number of
  // frames if none shows anything.
  [[nodiscard]] std::size_t most_promising(const std::vector<bool>& done) const {
    std::size_t best = neighbours_.size();
    double most = 0.0;
    for (std::size_t n = 0; n < neighbours_.size(); ++n) {
      if (tried_[n]) continue;
      int count = 0;
      for (std::size_t i = 0; i < gaps_.size(); ++i) {
        count += !done[i] && is_seen(gaps_[i], neighbours_[n], neighbours_[n].motion) ? 1 : 0;
      }
      const double worth = count * (1.0 - kLateness * neighbours_[n].distance);
      if (worth > most) {
        most = worth;
        best = n;
      }
    }
    return best;
  }

  // Lays the surroundings upon the other frame: a shift beside the camera's motion, gain and
  // offset, by Gauss-Newton with this frame's slopes.
  [[nodiscard]] std::optional<Match> align(const Neighbour& neighbour) const {
    cv::Vec4d state = cv::Vec4d::all(0.0);  // shift, gain in kGainUnit, offset
    std::vector<float> residuals;
    bool settled = false;
    for (int step = 0;; ++step) {
      cv::Matx44d normal = cv::Matx44d::zeros();
      cv::Vec4d right = cv::Vec4d::all(0.0);
      sum_up(neighbour, state, {normal, right, residuals});
      if (residuals.size() < kLeastAgreeing) return std::nullopt;
      if (settled || step == kMostSteps) break;
      // Without texture nothing moves, and light changes by an offset rather than by a gain.
      const auto count = static_cast<double>(residuals.size());
      normal(0, 0) += kShiftDamping * count;
      normal(1, 1) += kShiftDamping * count;
      normal(2, 2) += kGainDamping * count;
      right[2] += kGainDamping * count * state[2];
      const cv::Vec4d change = normal.solve(right, cv::DECOMP_CHOLESKY);
      state -= change;
      if (!(std::hypot(state[0], state[1]) <= kMostShift)) return std::nullopt;
      settled = std::hypot(change[0], change[1]) < kStill;
    }
    Match match{neighbour.motion};
    match.motion(0, 2) += state[0];
    match.motion(1, 2) += state[1];
    match.gain = static_cast<float>(1.0 + state[2] / kGainUnit);
    match.offset = static_cast<float>(state[3] + kMiddleGrey - kMiddleGrey * match.gain);
    match.spread = quantile_in_place(residuals, 0.5);
    return match;
  }

  // What a step of align() is made from.
  struct Sums {
    cv::Matx44d& normal;
    cv::Vec4d& right;
    std::vector<float>& residuals;  // sizes
  };

  void sum_up(const Neighbour& neighbour, const cv::Vec4d& state, const Sums& sums) const {
    const Guide& there = *neighbour.guide;
    sums.residuals.clear();
    for (const Surrounding& pixel : surroundings_) {
      cv::Point2d place = moved(neighbour.motion, pixel.x, pixel.y);
      place += cv::Point2d(state[0], state[1]);
      if (!there.holds(place) || there.nearest_at(place.x, place.y) > deepest_) continue;
      const double seen = there.luma_at(place) - kMiddleGrey;
      const double residual =
          seen * (1.0 + state[2] / kGainUnit) + state[3] + kMiddleGrey - pixel.luma;
      sums.residuals.push_back(static_cast<float>(std::abs(residual)));
      const double weight = 1.0 / std::max(kNoise, std::abs(residual));
      const cv::Vec4d row(pixel.slope_x, pixel.slope_y, seen / kGainUnit, 1.0);
      sums.normal += weight * (row * row.t());
      sums.right += weight * residual * row;
    }
  }

  // 1 where the surroundings agree far better than they vary, 0 where they do not.
  [[nodiscard]] float confidence_of(const Match& match) const {
    const float bound = std::max(kLeastSpread, kSpreadShare * variation_);
    return std::clamp(2.0F - 2.0F * match.spread / bound, 0.0F, 1.0F);
  }

  // Whether the other frame shows something else than this frame's foreground where the gaps are.
  [[nodiscard]] bool has_changed(const Neighbour& neighbour, const Match& match,
                                 const std::vector<bool>& done) const {
    int count = 0;
    int changed = 0;
    const float bound = std::max(2.0F * kLeastSpread, 3.0F * match.spread);
    for (std::size_t i = 0; i < gaps_.size(); ++i) {
      const Gap& gap = gaps_[i];
      if (done[i] || !is_seen(gap, neighbour, match.motion)) continue;
      const cv::Point2d place = moved(match.motion, gap.source_x, gap.y);
      const float there = match.gain * neighbour.guide->luma_at(place) + match.offset;
      const float here = here_.luma_at({gap.source_x, static_cast<double>(gap.y)});
      ++count;
      changed += std::abs(there - here) > bound ? 1 : 0;
    }
    return changed > 0 && changed >= kChangedShare * count;
  }

  const Guide& here_;
  std::span<const Neighbour> neighbours_;
  std::span<const Gap> gaps_;  // from top to bottom
  std::vector<bool> tried_;
  std::vector<Surrounding> surroundings_;
  float deepest_ = 0.0F;
  float variation_ = 0.0F;
};

// Blends the pixel of another frame over a pixel of the view.
template <class T, int kChannels>
void put_pixel(const cv::Mat& picture, const cv::Point2d& place, const Match& match,
               float confidence, T* out) {
  const auto x = static_cast<int>(place.x);
  const auto y = static_cast<int>(place.y);
  const auto across = tap_weights(Interpolation::kBicubic, static_cast<float>(place.x - x));
  const auto down = tap_weights(Interpolation::kBicubic, static_cast<float>(place.y - y));
  std::array<float, kChannels> sum{};
  constexpr int kTaps = 4;
  for (int j = 0; j < kTaps; ++j) {
    const int row = std::clamp(y - 1 + j, 0, picture.rows - 1);
    for (int i = 0; i < kTaps; ++i) {
      const int column = std::clamp(x - 1 + i, 0, picture.cols - 1);
      const T* const pixel = picture.ptr<T>(row) + column * kChannels;
      const float weight = across[static_cast<std::size_t>(i)] * down[static_cast<std::size_t>(j)];
      for (std::size_t c = 0; c < kChannels; ++c) sum[c] += weight * static_cast<float>(pixel[c]);
    }
  }
  const float offset = match.offset * kFullScale<T> / 255.0F;
  for (std::size_t c = 0; c < std::min(kChannels, 3); ++c) {
    const float seen = match.gain * sum[c] + offset;
    const auto fill = static_cast<float>(out[c]);
    out[c] = rounded<T>(fill + (seen - fill) * confidence);
  }
}

void require_window(std::span<const PlateFrame> window, std::size_t current, const cv::Mat& view) {
  if (current >= window.size()) throw std::invalid_argument("the frame is not in the window");
  const cv::Mat& picture = window[current].picture;
  if (view.size() != picture.size() || view.type() != picture.type()) {
    throw std::invalid_argument("the view has the size and type of its frame");
  }
  for (std::size_t i = 0; i < window.size(); ++i) {
    const PlateFrame& frame = window[i];
    if (frame.picture.size() != picture.size() || frame.picture.type() != picture.type() ||
        frame.parallax_px.type() != CV_32FC1 || frame.parallax_px.empty() ||
        frame.index != window[0].index + static_cast<std::int64_t>(i)) {
      throw std::invalid_argument("the frames of a window follow each other and are of one kind");
    }
  }
}

// The pixels of the gaps, by tiles of where they are in this frame.
std::vector<std::vector<Gap>> gaps_by_tile(const Guide& here, Eye eye,
                                           std::span<const Disocclusion> disocclusions) {
  const int across = here.luma.cols / kTile + 1;
  const int down = here.luma.rows / kTile + 1;
  std::vector<std::vector<Gap>> tiles(static_cast<std::size_t>(across * down));
  for (const Disocclusion& gap : disocclusions) {
    const float back = eye == Eye::kLeft ? -gap.parallax_px : gap.parallax_px;
    float nearest = gap.parallax_px;
    for (int x = gap.first; x < gap.last; ++x) {
      nearest = std::max(nearest, here.nearest_at(static_cast<float>(x) + back, gap.y));
    }
    const float contrast = std::max(kLeastContrast, kContrastShare * (nearest - gap.parallax_px));
    for (int x = gap.first; x < gap.last; ++x) {
      const float source_x = static_cast<float>(x) + back;
      if (!(source_x >= 0.0F && source_x <= static_cast<float>(here.luma.cols - 1))) continue;
      const int tile = gap.y / kTile * across + static_cast<int>(source_x) / kTile;
      tiles[static_cast<std::size_t>(tile)].push_back(
          {x, gap.y, source_x, gap.parallax_px + contrast});
    }
  }
  std::erase_if(tiles, [](const std::vector<Gap>& tile) { return tile.empty(); });
  return tiles;
}

}  // namespace

struct BackgroundPlate::State {
  std::deque<Guide> guides;  // in order of their index

  // Those of the window, made where they are missing.
  void update(std::span<const PlateFrame> window) {
    const std::int64_t first = window.front().index;
    const std::int64_t last = window.back().index;
    while (!guides.empty() && guides.front().index < first) guides.pop_front();
    while (!guides.empty() && guides.back().index > last) guides.pop_back();
    if (guides.empty() || guides.front().index != first) guides.clear();
    for (std::size_t i = guides.size(); i < window.size(); ++i) {
      guides.push_back(make_guide(window[i]));
    }
    for (std::size_t i = 0; i + 1 < guides.size(); ++i) {
      Guide& guide = guides[i];
      if (std::exchange(guide.has_next, true)) continue;
      const auto motion = global_motion(guide.small, guides[i + 1].small, guide.far_away);
      const double factor = static_cast<double>(guide.luma.cols) / guide.small.cols;
      if (motion) guide.next_from_this = scaled_motion(*motion, factor);
    }
  }

  // The other frames that the camera's motion leads to.
  [[nodiscard]] std::vector<Neighbour> neighbours(std::span<const PlateFrame> window,
                                                  std::size_t current) const {
    std::vector<Neighbour> list;
    Affine motion = identity_motion();
    for (std::size_t i = current; i + 1 < guides.size() && guides[i].next_from_this; ++i) {
      motion = compose(*guides[i].next_from_this, motion);
      list.push_back(
          {&guides[i + 1], &window[i + 1].picture, motion, static_cast<int>(i + 1 - current)});
    }
    motion = identity_motion();
    for (std::size_t i = current; i > 0 && guides[i - 1].next_from_this; --i) {
      motion = compose(inverse(*guides[i - 1].next_from_this), motion);
      list.push_back(
          {&guides[i - 1], &window[i - 1].picture, motion, static_cast<int>(current + 1 - i)});
    }
    return list;
  }
};

BackgroundPlate::BackgroundPlate() : state_(std::make_unique<State>()) {}

BackgroundPlate::~BackgroundPlate() = default;
BackgroundPlate::BackgroundPlate(BackgroundPlate&&) noexcept = default;
BackgroundPlate& BackgroundPlate::operator=(BackgroundPlate&&) noexcept = default;

std::int64_t BackgroundPlate::fill(std::span<const PlateFrame> window, std::size_t current, Eye eye,
                                   std::span<const Disocclusion> disocclusions, cv::Mat& view) {
  require_window(window, current, view);
  if (disocclusions.empty() || window.size() < 2) return 0;
  state_->update(window);
  const Guide& here = state_->guides[current];
  const std::vector<Neighbour> neighbours = state_->neighbours(window, current);
  if (neighbours.empty()) return 0;
  const auto tiles = gaps_by_tile(here, eye, disocclusions);
  std::atomic<std::int64_t> count = 0;
  with_pixel_type(view.type(), [&]<class T, int kChannels>() {
    const auto fill_tiles = [&](int first, int last) {
      for (int i = first; i < last; ++i) {
        TileSearch search(here, neighbours, tiles[static_cast<std::size_t>(i)]);
        search.run(
            [&](const Gap& gap, const Neighbour& neighbour, const Match& match, float confidence) {
              put_pixel<T, kChannels>(*neighbour.picture, moved(match.motion, gap.source_x, gap.y),
                                      match, confidence, view.ptr<T>(gap.y) + gap.x * kChannels);
              ++count;
            });
      }
    };
    parallel_for(0, static_cast<int>(tiles.size()), fill_tiles, 1);
  });
  return count;
}

}  // namespace vergence::stereo
