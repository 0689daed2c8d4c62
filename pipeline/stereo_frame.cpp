// SPDX-License-Identifier: Apache-2.0
#include "pipeline/stereo_frame.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "stereo/classic_warp.hpp"
#include "stereo/nearness.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace vergence::pipeline {
namespace {

using stereo::Layout;
using stereo::SyntheticView;

constexpr float kSkyDistance = 1e9F;

constexpr std::array<std::pair<std::string_view, StereoMethod>, 3> kMethods = {{
    {"scanline", StereoMethod::kScanline},
    {"forward_fill", StereoMethod::kForwardFill},
    {"backward", StereoMethod::kBackward},
}};

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

std::optional<StereoMethod> stereo_method_from_string(std::string_view word) {
  for (const auto& [name, method] : kMethods) {
    if (name == word) return method;
  }
  return std::nullopt;
}

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

struct StereoFrameMaker::State {
  explicit State(const StereoFrameOptions& asked)
      : options(asked),
        mapper(mapper_of(asked)),
        warp({.interpolation = asked.interpolation}) {}

  StereoFrameOptions options;
  std::string mapper;
  std::optional<PicturePart> part;
  stereo::ScanlineWarp warp;
  cv::Mat left;
  cv::Mat right;

  [[nodiscard]] Layout layout() const {
    return options.eyes_in == EyesIn::kOneFrame ? options.layout.layout : Layout::kDepth;
  }

  // The size of an eye's picture before it is made to fit the frame.
  [[nodiscard]] cv::Size raw_eye_size(cv::Size picture) const {
    const cv::Size size = part ? part->whole : picture;
    if (stereo::shows_depth(options.layout.layout) || options.ipd_offset == 0.0F) return size;
    cv::Mat none(1, std::max(size.width, size.height), CV_8UC1);
    cv::Mat other = none;
    stereo::pad_for_eye_distance(options.ipd_offset, none, other);
    return {size.width + none.cols - std::max(size.width, size.height), size.height};
  }

  // The size of an eye's picture as it is packed.
  [[nodiscard]] cv::Size eye_size(cv::Size picture) const {
    if (!options.letterbox.empty()) return eye_size_in(layout(), options.letterbox);
    const cv::Size raw = raw_eye_size(picture);
    const cv::Size frame = stereo::frame_size(layout(), raw);
    const cv::Size fitting = stereo::fit_within(frame, options.max_size);
    return fitting == frame ? raw : eye_size_in(layout(), fitting);
  }

  // iw3's order: dilation at the map's own size, then the mapper.
  [[nodiscard]] cv::Mat prepared(const cv::Mat& nearness) const {
    cv::Mat result = nearness.clone();
    if (options.edge_dilation[0] > 0 || options.edge_dilation[1] > 0) {
      stereo::dilate_edges(options.edge_dilation[0], options.edge_dilation[1], result);
    }
    stereo::map_nearness(mapper, result);
    return result;
  }

  [[nodiscard]] float on_screen(float convergence) const {
    if (!options.convergence_is_mapped) return convergence;
    cv::Mat one(1, 1, CV_32FC1, cv::Scalar(convergence));
    stereo::map_nearness(mapper, one);
    return one.at<float>(0, 0);
  }

  // Parallax of one made eye, at the picture's size.
  [[nodiscard]] cv::Mat parallax_of(const cv::Mat& near, cv::Size picture,
                                    float convergence) const {
    cv::Mat parallax;
    if (options.strength == StereoStrength::kParallaxPx) {
      const bool both = options.parallax.synthetic_view == SyntheticView::kBoth;
      parallax = stereo::parallax_out_of_screen(stereo::resize_nearness(near, picture),
                                                options.parallax_px * (both ? 1.0F : 2.0F));
    } else {
      auto strength = options.parallax;
      strength.convergence = on_screen(convergence);
      parallax = stereo::parallax_from_nearness(near, picture, strength);
    }
    if (options.method == StereoMethod::kScanline) {
      stereo::sharpen_rims(static_cast<double>(picture.width) / near.cols, parallax);
    }
    return parallax;
  }

  void render(const cv::Mat& picture, const cv::Mat& parallax, Eye eye, cv::Mat& view) {
    switch (options.method) {
      case StereoMethod::kScanline:
        warp.render(eye, view);
        break;
      case StereoMethod::kForwardFill:
        stereo::forward_warp(picture, parallax, eye, {}, view);
        break;
      case StereoMethod::kBackward:
        stereo::backward_warp(picture, parallax, eye, view);
        break;
    }
  }

  // The views of both eyes, of the picture's size.
  void warp_eyes(const cv::Mat& picture, const cv::Mat& parallax) {
    if (options.method == StereoMethod::kScanline) warp.set_source(picture, parallax);
    const auto view = options.parallax.synthetic_view;
    const auto one = [&](Eye eye, bool made, cv::Mat& result) {
      if (!made) {
        result = picture;
        return;
      }
      if (result.data == picture.data) result.release();
      render(picture, parallax, eye, result);
    };
    one(Eye::kLeft, view != SyntheticView::kRight, left);
    one(Eye::kRight, view != SyntheticView::kLeft, right);
  }

  void put_back(cv::Mat& eye) const {
    if (!part) return;
    cv::Mat whole = cv::Mat::zeros(part->whole, eye.type());
    if (eye.channels() == 4) {  // bars are opaque
      whole.setTo(cv::Scalar(0, 0, 0,
                             eye.depth() == CV_8U    ? 255
                             : eye.depth() == CV_16U ? 65535
                                                     : 1));
    }
    eye.copyTo(whole(part->part));
    eye = whole;
  }

  void fit(cv::Size size, cv::Mat& eye) const {
    if (eye.size() == size) return;
    if (options.letterbox.empty()) {
      scale_to(size, eye);
    } else {
      eye = stereo::letterbox(eye, size);
    }
  }

  // Everything behind the warp. What comes out may share memory with the views.
  void finish_eyes(cv::Size picture, cv::Mat& finished_left, cv::Mat& finished_right) const {
    finished_left = left;
    finished_right = right;
    put_back(finished_left);
    put_back(finished_right);
    if (options.ipd_offset != 0.0F) {
      stereo::pad_for_eye_distance(options.ipd_offset, finished_left, finished_right);
    }
    const cv::Size size = eye_size(picture);
    fit(size, finished_left);
    fit(size, finished_right);
  }

  // Copies: the views are made anew with the next frame.
  void give_eyes(cv::Size picture, cv::Mat& to_left, cv::Mat& to_right) const {
    cv::Mat finished_left;
    cv::Mat finished_right;
    finish_eyes(picture, finished_left, finished_right);
    finished_left.copyTo(to_left);
    finished_right.copyTo(to_right);
  }

  void pack(cv::Size picture, cv::Mat& frame) const {
    cv::Mat finished_left;
    cv::Mat finished_right;
    finish_eyes(picture, finished_left, finished_right);
    stereo::pack_eyes(finished_left, finished_right, options.layout, frame);
  }

  void pack_with_depth(const cv::Mat& picture, const cv::Mat& near, cv::Mat& frame) const {
    cv::Mat shown = picture;
    cv::Mat depth = stereo::resize_nearness(near, picture.size());
    put_back(shown);
    put_back(depth);
    const cv::Size size = eye_size(picture.size());
    fit(size, shown);
    fit(size, depth);
    stereo::pack_depth(shown, cv::min(cv::max(depth, 0.0), 1.0), options.layout.layout, frame);
  }

  [[nodiscard]] cv::Mat parallax_of_pair(const cv::Mat& disparity_px, cv::Size picture) const {
    cv::Mat parallax = stereo::parallax_from_disparity(disparity_px);
    const double enlargement = static_cast<double>(picture.width) / disparity_px.cols;
    if (disparity_px.size() != picture) {
      parallax = stereo::resize_nearness(parallax, picture) * enlargement;
      if (options.method == StereoMethod::kScanline) stereo::sharpen_rims(enlargement, parallax);
    }
    if (options.parallax.synthetic_view == SyntheticView::kBoth) parallax *= 0.5;
    return parallax;
  }
};

StereoFrameMaker::StereoFrameMaker(const StereoFrameOptions& options)
    : state_(std::make_unique<State>(options)) {
  if (options.eyes_in != EyesIn::kOneFrame && stereo::shows_depth(options.layout.layout)) {
    throw Error(ErrorCode::kUsage, "a layout that shows depth has no eyes to keep apart");
  }
  cv::Mat probe(1, 1, CV_32FC1, cv::Scalar(0.5));
  stereo::map_nearness(state_->mapper, probe);
}

StereoFrameMaker::~StereoFrameMaker() = default;
StereoFrameMaker::StereoFrameMaker(StereoFrameMaker&&) noexcept = default;
StereoFrameMaker& StereoFrameMaker::operator=(StereoFrameMaker&&) noexcept = default;

void StereoFrameMaker::put_back(const PicturePart& part) {
  state_->part = part;
}

cv::Size StereoFrameMaker::frame_size(cv::Size picture) const {
  return stereo::frame_size(state_->layout(), state_->eye_size(picture));
}

void StereoFrameMaker::make(const cv::Mat& picture, const cv::Mat& nearness, float convergence,
                            cv::Mat& frame) {
  const cv::Mat near = state_->prepared(nearness);
  if (stereo::shows_depth(state_->options.layout.layout)) {
    state_->pack_with_depth(picture, near, frame);
    return;
  }
  state_->warp_eyes(picture, state_->parallax_of(near, picture.size(), convergence));
  state_->pack(picture.size(), frame);
}

void StereoFrameMaker::make_eyes(const cv::Mat& picture, const cv::Mat& nearness, float convergence,
                                 cv::Mat& left, cv::Mat& right) {
  const cv::Mat near = state_->prepared(nearness);
  state_->warp_eyes(picture, state_->parallax_of(near, picture.size(), convergence));
  state_->give_eyes(picture.size(), left, right);
}

void StereoFrameMaker::make_from_disparity(const cv::Mat& picture, const cv::Mat& disparity_px,
                                           cv::Mat& frame) {
  if (stereo::shows_depth(state_->options.layout.layout)) {
    double min = 0.0;
    double max = 0.0;
    cv::minMaxLoc(disparity_px, &min, &max);
    state_->pack_with_depth(
        picture,
        stereo::nearness_in_range(disparity_px, {static_cast<float>(min), static_cast<float>(max)}),
        frame);
    return;
  }
  state_->warp_eyes(picture, state_->parallax_of_pair(disparity_px, picture.size()));
  state_->pack(picture.size(), frame);
}

void StereoFrameMaker::make_eyes_from_disparity(const cv::Mat& picture, const cv::Mat& disparity_px,
                                                cv::Mat& left, cv::Mat& right) {
  state_->warp_eyes(picture, state_->parallax_of_pair(disparity_px, picture.size()));
  state_->give_eyes(picture.size(), left, right);
}

}  // namespace vergence::pipeline
