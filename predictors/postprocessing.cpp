// SPDX-License-Identifier: Apache-2.0
#include "predictors/postprocessing.hpp"

#include "core/error.hpp"
#include "predictors/resampling.hpp"
#include "predictors/shift_solve.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <opencv2/imgproc.hpp>

namespace vergence::predictors {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

// Hands out a network's values in the order of named_outputs(), in the form that each must have.
class Values {
 public:
  Values(const ModelCard& card, std::span<const NetworkValue> values, cv::Size input)
      : card_(card),
        values_(values),
        input_(input) {}

  // [h, w] with sides of one before or a last side of one after it -> CV_32FC1.
  [[nodiscard]] cv::Mat map(std::string_view what) {
    const NetworkValue& value = next();
    std::vector<std::int64_t> shape = value.shape;
    if (shape.size() == 4 && shape.back() == 1) shape.pop_back();
    const bool fits = shape.size() >= 2 && shape.size() <= 4 &&
                      std::all_of(shape.begin(), shape.end() - 2, [](auto s) { return s == 1; }) &&
                      !value.values.empty();
    if (!fits) throw wrong_shape(value, what);
    return matrix(value, shape[shape.size() - 2], shape.back(), 1).clone();
  }

  // [3, h, w] or [h, w, 3], also after a side of one -> CV_32FC3.
  [[nodiscard]] cv::Mat vectors(std::string_view what) {
    const NetworkValue& value = next();
    std::vector<std::int64_t> shape = value.shape;
    if (shape.size() == 4 && shape.front() == 1) shape.erase(shape.begin());
    if (shape.size() != 3 || value.values.empty() || (shape[0] != 3 && shape[2] != 3)) {
      throw wrong_shape(value, what);
    }
    if (shape[0] != 3) return matrix(value, shape[0], shape[1], 3).clone();
    const cv::Mat rows = matrix(value, 3 * shape[1], shape[2], 1);
    const int height = static_cast<int>(shape[1]);
    cv::Mat merged;
    cv::merge(std::vector<cv::Mat>{rows.rowRange(0, height), rows.rowRange(height, 2 * height),
                                   rows.rowRange(2 * height, 3 * height)},
              merged);
    return merged;
  }

  [[nodiscard]] float number(std::string_view what) {
    const NetworkValue& value = next();
    if (value.values.size() != 1) throw wrong_shape(value, what);
    return value.values.front();
  }

 private:
  const NetworkValue& next() { return values_[next_++]; }

  [[nodiscard]] static cv::Mat matrix(const NetworkValue& value, std::int64_t height,
                                      std::int64_t width, int channels) {
    // cv::Mat takes void* only; what it shares is copied before it is written to.
    return {static_cast<int>(height), static_cast<int>(width), CV_32FC(channels),
            const_cast<float*>(value.values.data())};
  }

  [[nodiscard]] Error wrong_shape(const NetworkValue& value, std::string_view what) const {
    return Error(fmt::format("the network '{}' gives [{}] for [1, 3, {}, {}], which is no {}",
                             card_.model.id, fmt::join(value.shape, ", "), input_.height,
                             input_.width, what))
        .hint("let the selectors under [output] in its card name the values that are meant");
  }

  const ModelCard& card_;
  std::span<const NetworkValue> values_;
  cv::Size input_;
  std::size_t next_ = 0;
};

// A part of the network's input as the part of an output map that shows it.
cv::Rect2d in_map(const cv::Rect2d& part, cv::Size input, cv::Size map) {
  const double scale_x = static_cast<double>(map.width) / input.width;
  const double scale_y = static_cast<double>(map.height) / input.height;
  return {part.x * scale_x, part.y * scale_y, part.width * scale_x, part.height * scale_y};
}

cv::Rect whole_pixels(const cv::Rect2d& part, cv::Size map) {
  const int left = std::clamp(cvRound(part.x), 0, map.width - 1);
  const int top = std::clamp(cvRound(part.y), 0, map.height - 1);
  const int right = std::clamp(cvRound(part.x + part.width), left + 1, map.width);
  const int bottom = std::clamp(cvRound(part.y + part.height), top + 1, map.height);
  return {left, top, right - left, bottom - top};
}

// Whether both rectangles are the same but for rounding errors.
bool same(const cv::Rect2d& a, const cv::Rect2d& b) {
  constexpr double kNear = 1e-6;
  return std::abs(a.x - b.x) < kNear && std::abs(a.y - b.y) < kNear &&
         std::abs(a.width - b.width) < kNear && std::abs(a.height - b.height) < kNear;
}

// The picture's part of an output map, at the size that the card asks for.
cv::Mat without_padding(const CardPost& post, const cv::Mat& map, const SeenPicture& picture) {
  const Placement& placement = picture.placement;
  cv::Rect2d part(0.0, 0.0, map.cols, map.rows);
  cv::Rect filled(0, 0, map.cols, map.rows);
  if (post.unpad) {
    part = in_map(placement.picture, placement.input, map.size());
    filled = whole_pixels(in_map(placement.filled, placement.input, map.size()), map.size());
  }
  const cv::Rect pixels = whole_pixels(part, map.size());
  const cv::Size nearest(std::max(cvRound(part.width), 1), std::max(cvRound(part.height), 1));
  const cv::Size size = post.resize ? picture.size : nearest;
  if (same(part, pixels) && size == pixels.size()) return map(pixels).clone();
  // Constant padding is cut off before, a mirrored border after resizing, as the originals do.
  part -= cv::Point2d(filled.tl());
  return resampled(map(filled), part, size,
                   {.interpolation = post.resize.value_or(Interpolation::kBilinear)});
}

// The points of a grid of 64 x 64 over the picture, as MoGe takes them, that are valid.
std::vector<SeenPoint> seen_points(const cv::Mat& points, const cv::Mat& mask,
                                   const SeenPicture& picture) {
  constexpr int kGrid = 64;
  const Placement& placement = picture.placement;
  const cv::Rect part =
      whole_pixels(in_map(placement.picture, placement.input, points.size()), points.size());
  // From pixels of the map to those of the picture, which are square.
  const double scale_x =
      placement.input.width / (points.cols * placement.picture.width) * picture.size.width;
  const double scale_y =
      placement.input.height / (points.rows * placement.picture.height) * picture.size.height;
  const cv::Rect2d exact = in_map(placement.picture, placement.input, points.size());
  const double centre_x = exact.x + exact.width / 2.0;
  const double centre_y = exact.y + exact.height / 2.0;
  std::vector<SeenPoint> seen;
  for (int row = 0; row < kGrid; ++row) {
    const int y = part.y + row * part.height / kGrid;
    for (int column = 0; column < kGrid; ++column) {
      const int x = part.x + column * part.width / kGrid;
      const auto& point = points.at<cv::Vec3f>(y, x);
      if (!mask.empty() && !(mask.at<float>(y, x) > 0.5F)) continue;
      if (!std::isfinite(point[0]) || !std::isfinite(point[1]) || !std::isfinite(point[2]))
        continue;
      seen.push_back({.x = point[0],
                      .y = point[1],
                      .z = point[2],
                      .u = (x + 0.5 - centre_x) * scale_x,
                      .v = (y + 0.5 - centre_y) * scale_y});
    }
  }
  return seen;
}

// z of the points, or their distance; not above 0 is missing once the shift is known.
cv::Mat depth_of_points(const CardOutput& output, const cv::Mat& points, double shift) {
  cv::Mat depth(points.size(), CV_32FC1);
  const bool radial = output.kind == DepthKind::kDistance;
  for (int y = 0; y < points.rows; ++y) {
    for (int x = 0; x < points.cols; ++x) {
      cv::Vec3f point = points.at<cv::Vec3f>(y, x);
      point[2] += static_cast<float>(shift);
      const bool missing = output.shift_solve && point[2] <= 0.0F;
      const auto distance = static_cast<float>(cv::norm(point));
      depth.at<float>(y, x) = missing ? kMissing : radial ? distance : point[2];
    }
  }
  return depth;
}

bool larger_is_nearer(DepthKind kind) {
  return kind == DepthKind::kDisparity || kind == DepthKind::kLogDisparity ||
         kind == DepthKind::kInverseDistance;
}

// From a network's value to the card's kind, without what lies around the pixel.
class Conversion {
 public:
  Conversion(const ModelCard& card, const SeenPicture& picture)
      : invert_(card.output.invert),
        above_zero_(card.output.kind == DepthKind::kDistance ||
                    card.output.kind == DepthKind::kPlanarDepth),
        multiplier_(static_cast<float>(card.output.multiplier)),
        clamp_(card.post.clamp) {
    if (!card.output.canonical) return;
    const CanonicalCamera& camera = *card.output.canonical;
    const double focal = camera.by_width ? picture.focal_px / picture.size.width
                                         : picture.focal_px * picture.placement.scale_x;
    const double ratio = focal / camera.focal;
    canonical_ = static_cast<float>(camera.inverse ? 1.0 / ratio : ratio);
  }

  [[nodiscard]] float operator()(float value) const {
    if (std::isnan(value)) return kMissing;
    float result = value * canonical_;
    if (invert_) {
      // Nothing is as far as infinity, which only a clamp brings back.
      if (result <= 0.0F && !clamp_) return kMissing;
      result = result <= 0.0F ? std::numeric_limits<float>::infinity() : 1.0F / result;
    }
    result *= multiplier_;
    if (clamp_) {
      const auto& [low, high] = *clamp_;
      result = std::clamp(result, static_cast<float>(low), static_cast<float>(high));
    }
    if (!std::isfinite(result) || (above_zero_ && result <= 0.0F)) return kMissing;
    return result;
  }

 private:
  bool invert_;
  bool above_zero_;
  float multiplier_;
  float canonical_ = 1.0F;
  std::optional<std::array<double, 2>> clamp_;
};

// How far sky is: the far end of the clamp, or the farthest of what is there.
float far_value(const ModelCard& card, const cv::Mat& values, const cv::Mat& is_sky) {
  const bool nearer = larger_is_nearer(card.output.kind);
  if (card.post.clamp) return static_cast<float>((*card.post.clamp)[nearer ? 0 : 1]);
  float farthest = kMissing;
  for (int y = 0; y < values.rows; ++y) {
    for (int x = 0; x < values.cols; ++x) {
      const float value = values.at<float>(y, x);
      if (std::isnan(value) || is_sky.at<uchar>(y, x) != 0) continue;
      const bool farther = nearer ? value < farthest : value > farthest;
      if (std::isnan(farthest) || farther) farthest = value;
    }
  }
  return farthest;
}

void place_sky(const ModelCard& card, const cv::Mat& sky, cv::Mat& values) {
  if (sky.empty() || card.post.sky == SkyRule::kKeep) return;
  const cv::Mat is_sky = sky > 0.5F;
  const float far = card.post.sky == SkyRule::kFar ? far_value(card, values, is_sky) : kMissing;
  values.setTo(far, is_sky);
}

}  // namespace

std::vector<OutputSelector> named_outputs(const CardOutput& output) {
  std::vector<OutputSelector> selectors = {output.points.value_or(output.depth)};
  for (const auto* selector :
       {&output.scale, &output.mask, &output.sky, &output.confidence, &output.normal}) {
    if (*selector) selectors.push_back(**selector);
  }
  return selectors;
}

Prediction prediction_of(const ModelCard& card, std::span<const NetworkValue> values,
                         const SeenPicture& picture) {
  const CardOutput& output = card.output;
  const Placement& placement = picture.placement;
  Values given(card, values, placement.input);
  const cv::Mat points =
      output.points ? given.vectors("map of points for 'output.points'") : cv::Mat();
  cv::Mat depth = output.points ? cv::Mat() : given.map("depth map per picture");
  const cv::Size size = output.points ? points.size() : depth.size();
  const float scale = output.scale ? given.number("one number for 'output.scale'") : 1.0F;
  const auto map_of = [&](bool named, std::string_view what) {
    cv::Mat map = named ? given.map(what) : cv::Mat();
    if (named && map.size() != size) cv::resize(map, map, size, 0.0, 0.0, cv::INTER_LINEAR);
    return map;
  };
  Prediction prediction;
  prediction.mask = map_of(output.mask.has_value(), "map for 'output.mask'");
  prediction.sky = map_of(output.sky.has_value(), "map for 'output.sky'");
  prediction.confidence = map_of(output.confidence.has_value(), "map for 'output.conf'");
  if (output.normal) (void)given.vectors("map of normals for 'output.normal'");
  if (output.points) {
    const double shift =
        output.shift_solve
            ? solve_shift(seen_points(points, prediction.mask, picture), picture.focal_px).shift
            : 0.0;
    depth = depth_of_points(output, points, shift);
  }
  if (output.scale) depth *= scale;
  prediction.depth = without_padding(card.post, depth, picture);
  for (cv::Mat* map : {&prediction.mask, &prediction.sky, &prediction.confidence}) {
    if (!map->empty()) *map = without_padding(card.post, *map, picture);
  }
  return prediction;
}

Prediction averaged(const Prediction& prediction, const Prediction& mirrored) {
  const auto mean = [](const cv::Mat& map, const cv::Mat& other) -> cv::Mat {
    if (map.empty()) return {};
    cv::Mat turned;
    cv::flip(other, turned, 1);
    return 0.5 * (map + turned);
  };
  return {.depth = mean(prediction.depth, mirrored.depth),
          .mask = mean(prediction.mask, mirrored.mask),
          .sky = mean(prediction.sky, mirrored.sky),
          .confidence = mean(prediction.confidence, mirrored.confidence)};
}

AnyDepth depth_of(const ModelCard& card, const Prediction& prediction, const SeenPicture& picture) {
  const Conversion convert(card, picture);
  cv::Mat values(prediction.depth.size(), CV_32FC1);
  for (int y = 0; y < values.rows; ++y) {
    const float* from = prediction.depth.ptr<float>(y);
    std::transform(from, from + values.cols, values.ptr<float>(y), convert);
  }
  if (!prediction.mask.empty()) {
    values.setTo(kMissing, ~(prediction.mask > 0.5F));
  }
  if (card.post.min_confidence) {
    values.setTo(kMissing, ~(prediction.confidence >= *card.post.min_confidence));
  }
  place_sky(card, prediction.sky, values);
  return make_depth(card.output.kind, values);
}

}  // namespace vergence::predictors
