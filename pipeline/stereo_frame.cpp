// SPDX-License-Identifier: Apache-2.0
#include "pipeline/stereo_frame.hpp"

#include "core/error.hpp"
#include "stereo/autocrop.hpp"
#include "stereo/background_plate.hpp"
#include "stereo/classic_warp.hpp"
#include "stereo/floating_window.hpp"
#include "stereo/learned_warp.hpp"
#include "stereo/nearness.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace {

using stereo::Layout;
using stereo::SyntheticView;

constexpr float kSkyDistance = 1e9F;
constexpr float kLeastConvergence = 0.01F;  // for a screen that is not at infinity

bool is_distance(DepthKind kind) {
  return kind == DepthKind::kDistance || kind == DepthKind::kPlanarDepth ||
         kind == DepthKind::kPlanarDepthAffine;
}

// Runs of a row without a value take the farther of the values at their ends. False if the row has
// none.
bool fill_row(float* row, int width) {
  bool known = false;
  for (int x = 0; x < width; ++x) {
    if (std::isfinite(row[x])) {
      known = true;
      continue;
    }
    int end = x;
    while (end < width && !std::isfinite(row[end])) ++end;
    if (x == 0 && end == width) return false;
    const float before = x > 0 ? row[x - 1] : std::numeric_limits<float>::infinity();
    const float after = end < width ? row[end] : std::numeric_limits<float>::infinity();
    std::fill(row + x, row + end, std::min(before, after));
    known = true;
    x = end - 1;
  }
  return known;
}

// The size of one eye in a frame of `frame`.
cv::Size eye_size_in(Layout layout, cv::Size frame) {
  switch (layout) {
    case Layout::kFullSideBySide:
    case Layout::kCrossEyed:
    case Layout::kFullRgbd:
      return {frame.width / 2, frame.height};
    case Layout::kFullTopBottom:
      return {frame.width, frame.height / 2};
    default:
      return frame;
  }
}

void scale_to(cv::Size size, cv::Mat& eye) {
  if (eye.size() == size) return;
  const bool smaller = size.width < eye.cols || size.height < eye.rows;
  cv::Mat scaled;
  cv::resize(eye, scaled, size, 0.0, 0.0, smaller ? cv::INTER_AREA : cv::INTER_CUBIC);
  eye = scaled;
}

}  // namespace

std::string mapper_of(const StereoFrameOptions& options) {
  if (options.mapper != "auto") return options.mapper;
  auto family =
      is_distance(options.depth_kind) ? stereo::MapperFamily::kDiv : stereo::MapperFamily::kMul;
  if (options.mapper_type == "div") family = stereo::MapperFamily::kDiv;
  if (options.mapper_type == "mul") family = stereo::MapperFamily::kMul;
  if (options.mapper_type == "shift") family = stereo::MapperFamily::kShift;
  return stereo::foreground_mapper(family, options.foreground_scale);
}

bool fill_from_background(cv::Mat& values) {
  int known = -1;  // a row that has values
  for (int y = 0; y < values.rows; ++y) {
    if (fill_row(values.ptr<float>(y), values.cols)) {
      if (known < 0) {
        for (int above = 0; above < y; ++above) values.row(y).copyTo(values.row(above));
      }
      known = y;
    } else if (known >= 0) {
      values.row(known).copyTo(values.row(y));
    }
  }
  return known >= 0;
}

cv::Mat raw_nearness(const AnyDepth& depth) {
  const DepthKind kind = kind_of(depth);
  cv::Mat raw;
  if (is_distance(kind)) {
    raw = -values_of(depth);
    raw.setTo(std::numeric_limits<float>::quiet_NaN(), raw <= -kSkyDistance);
  } else if (kind == DepthKind::kLogDisparity) {
    raw = disparity_from_log_disparity(std::get<LogDisparity>(depth)).values();
  } else {
    raw = values_of(depth).clone();
  }
  if (!fill_from_background(raw)) {
    throw Error("the depth map has no valid value").hint("give another map or network");
  }
  return raw;
}

cv::Mat pair_disparity(const AnyDepth& depth, const std::filesystem::path& file) {
  cv::Mat disparity = values_of(depth).clone();
  disparity.setTo(std::numeric_limits<float>::quiet_NaN(), disparity == 0.0F);
  if (!fill_from_background(disparity)) {
    throw Error(fmt::format("the disparity map '{}' has no valid value", file.string()))
        .hint("give another map");
  }
  return disparity;
}

struct StereoFrameMaker::State {
  explicit State(const StereoFrameOptions& asked)
      : options(asked),
        mapper(asked.strength == StereoStrength::kMetric ? "none" : mapper_of(asked)),
        warp({.interpolation = asked.interpolation}) {
    if (asked.method != StereoMethod::kLearned) return;
    if (!asked.warp_network) throw Error(ErrorCode::kUsage, "a learned warp needs its network");
    learned.emplace(*asked.warp_network);
  }

  // Parallax as nearness 0..1 with the divergence and convergence that lead back to it: what all
  // methods, the networks too, understand.
  struct Strength {
    cv::Mat near;
    stereo::ParallaxOptions parallax;
  };

  StereoFrameOptions options;
  std::string mapper;
  std::optional<cv::Rect> part;
  stereo::ScanlineWarp warp;
  std::optional<stereo::LearnedWarp> learned;
  stereo::WindowBars bars;
  stereo::BackgroundPlate plate;
  std::vector<stereo::PlateFrame> plate_window;  // empty = nothing but the frame itself
  std::size_t plate_current = 0;
  std::map<std::int64_t, Strength> known_strengths;  // of the frames of a window, by index
  std::vector<stereo::Disocclusion> disocclusions;
  cv::Size picture_size;
  cv::Mat parallax;
  cv::Mat made_left;  // of the part
  cv::Mat made_right;
  cv::Mat left;
  cv::Mat right;

  [[nodiscard]] bool both() const {
    return options.parallax.synthetic_view == SyntheticView::kBoth;
  }

  [[nodiscard]] stereo::Viewing viewing(cv::Size picture) const {
    auto result = options.viewing;
    result.picture_width_px = picture.width;
    result.synthetic_view = options.parallax.synthetic_view;
    return result;
  }

  // The size of an eye's picture before it is made to fit the frame.
  [[nodiscard]] cv::Size whole_eye_size(cv::Size picture) const {
    if (stereo::shows_depth(options.layout.layout) || options.ipd_offset == 0.0F) return picture;
    cv::Mat eye(picture, CV_8UC1);
    cv::Mat other = eye;
    stereo::pad_for_eye_distance(options.ipd_offset, eye, other);
    return eye.size();
  }

  // The size of an eye's picture as it is packed.
  [[nodiscard]] cv::Size eye_size(cv::Size picture) const {
    const Layout layout = options.layout.layout;
    if (!options.letterbox.empty()) return eye_size_in(layout, options.letterbox);
    const cv::Size whole = whole_eye_size(picture);
    const cv::Size frame = stereo::frame_size(layout, whole);
    const cv::Size fitting = stereo::fit_within(frame, options.max_size);
    return fitting == frame ? whole : eye_size_in(layout, fitting);
  }

  static void dilate(const std::array<int, 2>& passes, cv::Mat& map) {
    if (passes[0] > 0 || passes[1] > 0) stereo::dilate_edges(passes[0], passes[1], map);
  }

  [[nodiscard]] float on_screen(float convergence) const {
    if (!options.convergence_is_mapped) return convergence;
    cv::Mat one(1, 1, CV_32FC1, cv::Scalar(convergence));
    stereo::map_nearness(mapper, one);
    return one.at<float>(0, 0);
  }

  // Distances in metres from nearness in its range, where that is what the nearness was made of.
  [[nodiscard]] cv::Mat metres_of(const cv::Mat& near, const stereo::DepthRange& range) const {
    cv::Mat raw = near * (static_cast<double>(range.max) - range.min) + range.min;
    if (is_distance(options.depth_kind)) return -raw;
    return distance_from_inverse_distance(InverseDistance(raw)).values();
  }

  // Parallax of one made eye in pixels of a picture of `size`, at the map's size.
  [[nodiscard]] cv::Mat parallax_at(const cv::Mat& near, cv::Size size,
                                    const stereo::FrameDecision& decision) const {
    switch (options.strength) {
      case StereoStrength::kParallaxPx:
        return stereo::parallax_out_of_screen(near, options.parallax_px * (both() ? 1.0F : 2.0F));
      case StereoStrength::kMetric: {
        const auto viewer = viewing(size);
        const bool known = options.in_metres && options.depth_kind != DepthKind::kDisparity;
        return known ? stereo::parallax_from_distance(metres_of(near, decision.range),
                                                      viewer.viewing_distance_m, viewer)
                     : stereo::parallax_from_relative(
                           near, std::max(decision.convergence, kLeastConvergence), viewer);
      }
      case StereoStrength::kDivergence:
        break;
    }
    const float range = stereo::parallax_range_px(size, options.parallax);
    return (near - on_screen(decision.convergence)) * range;
  }

  [[nodiscard]] Strength as_nearness(const cv::Mat& small, cv::Size size) const {
    double min = 0.0;
    double max = 0.0;
    cv::minMaxLoc(small, &min, &max);
    // The screen lies in the range, or learned warps are asked for what they were not trained for.
    min = std::min(min, 0.0);
    max = std::max(max, 0.0);
    const double span = std::max(max - min, 1e-3);
    Strength result{(small - min) / span, options.parallax};
    result.parallax.divergence = 1.0F;
    result.parallax.divergence =
        static_cast<float>(span / stereo::parallax_range_px(size, result.parallax));
    result.parallax.convergence = static_cast<float>(-min / span);
    return result;
  }

  // iw3's own parameters are kept to the last bit where nothing else is asked for.
  [[nodiscard]] Strength strength_of(const cv::Mat& near, cv::Size size,
                                     const stereo::FrameDecision& decision) const {
    if (options.strength == StereoStrength::kDivergence && !options.comfort_cap) {
      Strength result{near, options.parallax};
      result.parallax.convergence = on_screen(decision.convergence);
      return result;
    }
    cv::Mat small = parallax_at(near, size, decision);
    if (options.comfort_cap) stereo::cap_comfort(options.comfort, viewing(size), small);
    return as_nearness(small, size);
  }

  // iw3's order: dilation at the map's own size, then the mapper.
  [[nodiscard]] cv::Mat prepared(const StereoMoment& moment) const {
    cv::Mat near = stereo::nearness_in_range(moment.raw, moment.decision.range);
    dilate(options.edge_dilation, near);
    stereo::map_nearness(mapper, near);
    return near;
  }

  // Made once for each frame of a window.
  const Strength& strength_at(const StereoMoment& moment) {
    const auto [found, is_new] = known_strengths.try_emplace(moment.index);
    if (is_new) {
      found->second =
          strength_of(prepared(moment), part_of(moment.picture).size(), moment.decision);
    }
    return found->second;
  }

  // Makes the window ready for the background plate.
  void look_around(std::span<const StereoMoment> window, std::size_t current) {
    plate_window.clear();
    std::erase_if(known_strengths,
                  [&](const auto& known) { return known.first < window.front().index; });
    if (window.size() < 2 || options.method != StereoMethod::kScanline) return;
    plate_current = current;
    for (const auto& moment : window) {
      const cv::Mat picture = part_of(moment.picture);
      const auto& strength = strength_at(moment);
      const float range = stereo::parallax_range_px(picture.size(), strength.parallax);
      plate_window.push_back(
          {moment.index, picture, (strength.near - strength.parallax.convergence) * range});
    }
  }

  // The views of both eyes, of the picture's size.
  void warp_eyes(const cv::Mat& picture, const Strength& strength) {
    parallax = stereo::parallax_from_nearness(strength.near, picture.size(), strength.parallax);
    if (options.method == StereoMethod::kScanline) {
      stereo::sharpen_rims(static_cast<double>(picture.cols) / strength.near.cols, parallax);
    }
    if (options.method == StereoMethod::kLearned) {
      cv::Mat near = strength.near;
      if (options.map_width_px > 0 && options.map_width_px != near.cols) {
        const double scale = static_cast<double>(options.map_width_px) / near.cols;
        near = stereo::resize_nearness(
            near,
            {options.map_width_px, std::max(1, static_cast<int>(std::lround(near.rows * scale)))});
      }
      learned->set_source(picture, near,
                          {.parallax = strength.parallax, .steps = options.warp_steps});
    }
    render_eyes(picture);
  }

  void render_eyes(const cv::Mat& picture) {
    if (options.method == StereoMethod::kScanline) warp.set_source(picture, parallax);
    const auto view = options.parallax.synthetic_view;
    const auto one = [&](Eye eye, bool made, cv::Mat& result) {
      if (made) {
        render(picture, eye, result);
      } else {
        picture.copyTo(result);
      }
      if (options.floating_window) stereo::draw_window_bar(bars, eye, result);
    };
    one(Eye::kLeft, view != SyntheticView::kRight, made_left);
    one(Eye::kRight, view != SyntheticView::kLeft, made_right);
  }

  void render(const cv::Mat& picture, Eye eye, cv::Mat& view) {
    switch (options.method) {
      case StereoMethod::kScanline:
        warp.render(eye, view, &disocclusions);
        if (plate_window.size() > 1) {
          plate.fill(plate_window, plate_current, eye, disocclusions, view);
        }
        return;
      case StereoMethod::kForwardFill:
        return stereo::forward_warp(picture, parallax, eye, {}, view);
      case StereoMethod::kBackward:
        return stereo::backward_warp(picture, parallax, eye, view);
      case StereoMethod::kLearned:
        return learned->render(eye, view);
    }
  }

  // The bars that hide what is cut off by the picture's border, from the borders' nearness.
  void place_window(const stereo::FrameDecision& decision, cv::Size size) {
    if (!options.floating_window) return;
    cv::Mat borders = (cv::Mat_<float>(1, 2) << decision.left_border, decision.right_border);
    stereo::map_nearness(mapper, borders);
    cv::Mat px = parallax_at(borders, size, decision);
    if (options.comfort_cap) stereo::cap_comfort(options.comfort, viewing(size), px);
    const float eyes = both() ? 2.0F : 1.0F;
    bars = stereo::window_bars(eyes * px.at<float>(0, 0), eyes * px.at<float>(0, 1), size.width);
  }

  [[nodiscard]] cv::Mat part_of(const cv::Mat& picture) const {
    return part ? picture(*part) : picture;
  }

  [[nodiscard]] cv::Mat put_back(const cv::Mat& picture, const cv::Mat& middle) const {
    return part ? stereo::put_bars_back(picture, *part, middle) : middle;
  }

  void fit(cv::Size size, cv::Mat& eye) const {
    if (eye.size() == size) return;
    if (options.letterbox.empty()) {
      scale_to(size, eye);
    } else {
      eye = stereo::letterbox(eye, size);
    }
  }

  // iw3's order behind the warp: padding, then layout; limits of size are those of each eye.
  void pack(const cv::Mat& picture, cv::Mat& frame) {
    left = put_back(picture, made_left);
    right = put_back(picture, made_right);
    cv::Mat packed_left = left;
    cv::Mat packed_right = right;
    if (options.ipd_offset != 0.0F) {
      stereo::pad_for_eye_distance(options.ipd_offset, packed_left, packed_right);
    }
    const cv::Size size = eye_size(picture.size());
    fit(size, packed_left);
    fit(size, packed_right);
    stereo::pack_eyes(packed_left, packed_right, options.layout, frame);
  }

  void pack_with_depth(const cv::Mat& picture, const cv::Mat& near, cv::Mat& frame) const {
    cv::Mat shown = picture;
    cv::Mat depth = stereo::resize_nearness(near, part_of(picture).size());
    if (part) depth = stereo::put_bars_back(cv::Mat::zeros(picture.size(), CV_32FC1), *part, depth);
    const cv::Size size = eye_size(picture.size());
    fit(size, shown);
    fit(size, depth);
    stereo::pack_depth(shown, cv::min(cv::max(depth, 0.0), 1.0), options.layout.layout, frame);
  }
};

StereoFrameMaker::StereoFrameMaker(const StereoFrameOptions& options)
    : state_(std::make_unique<State>(options)) {
  cv::Mat probe(1, 1, CV_32FC1, cv::Scalar(0.5));
  stereo::map_nearness(state_->mapper, probe);
}

StereoFrameMaker::~StereoFrameMaker() = default;
StereoFrameMaker::StereoFrameMaker(StereoFrameMaker&&) noexcept = default;
StereoFrameMaker& StereoFrameMaker::operator=(StereoFrameMaker&&) noexcept = default;

void StereoFrameMaker::crop_to(const cv::Rect& part) {
  state_->part = part;
}

cv::Size StereoFrameMaker::frame_size(cv::Size picture) const {
  return stereo::frame_size(state_->options.layout.layout, state_->eye_size(picture));
}

bool StereoFrameMaker::keeps_grey() const {
  return state_->options.layout.layout != Layout::kAnaglyph;
}

void StereoFrameMaker::make(const cv::Mat& picture, const cv::Mat& raw,
                            const stereo::FrameDecision& decision, cv::Mat& frame) {
  const StereoMoment moment{0, picture, raw, decision};
  state_->known_strengths.clear();
  make(std::span(&moment, 1), 0, frame);
}

void StereoFrameMaker::make(std::span<const StereoMoment> window, std::size_t current,
                            cv::Mat& frame) {
  auto& state = *state_;
  const auto& moment = window[current];
  if (state.options.depth_kind == DepthKind::kPixelDisparity) {
    make_from_disparity(moment.picture, moment.raw, frame);
    return;
  }
  if (stereo::shows_depth(state.options.layout.layout)) {
    state.pack_with_depth(moment.picture, state.prepared(moment), frame);
    return;
  }
  const cv::Mat part = state.part_of(moment.picture);
  state.picture_size = part.size();
  state.place_window(moment.decision, part.size());
  state.look_around(window, current);
  state.warp_eyes(part, state.strength_at(moment));
  state.pack(moment.picture, frame);
}

void StereoFrameMaker::make(const cv::Mat& picture, const cv::Mat& nearness, float convergence,
                            cv::Mat& frame) {
  stereo::FrameDecision decision;
  decision.range = {0.0F, 1.0F};
  decision.convergence = convergence;
  make(picture, nearness, decision, frame);
}

void StereoFrameMaker::make_from_disparity(const cv::Mat& picture, const cv::Mat& disparity_px,
                                           cv::Mat& frame) {
  auto& state = *state_;
  const cv::Mat part = state.part_of(picture);
  state.picture_size = part.size();
  state.bars = {};
  state.plate_window.clear();
  cv::Mat small = disparity_px.clone();
  State::dilate(state.options.pair_dilation, small);
  if (stereo::shows_depth(state.options.layout.layout)) {
    state.pack_with_depth(picture, state.as_nearness(small, part.size()).near, frame);
    return;
  }
  small *= static_cast<double>(part.cols) / small.cols * (state.both() ? 0.5 : 1.0);
  if (state.options.method == StereoMethod::kLearned) {
    state.warp_eyes(part, state.as_nearness(small, part.size()));
  } else {
    state.parallax = stereo::resize_nearness(small, part.size());
    if (state.options.method == StereoMethod::kScanline) {
      stereo::sharpen_rims(static_cast<double>(part.cols) / small.cols, state.parallax);
    }
    state.render_eyes(part);
  }
  state.pack(picture, frame);
}

const cv::Mat& StereoFrameMaker::left() const {
  return state_->left;
}

const cv::Mat& StereoFrameMaker::right() const {
  return state_->right;
}

const cv::Mat& StereoFrameMaker::parallax_px() const {
  return state_->parallax;
}

stereo::ComfortReport StereoFrameMaker::comfort() const {
  if (state_->parallax.empty()) return {};
  return stereo::comfort_report(state_->parallax, state_->options.comfort,
                                state_->viewing(state_->picture_size));
}

}  // namespace vergence::pipeline
