// SPDX-License-Identifier: Apache-2.0
#include "pipeline/vr_job.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "media/stereo_photo.hpp"
#include "pipeline/outputs.hpp"
#include "pipeline/recognition.hpp"
#include "stereo/layout.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

using projection::PictureKind;
using projection::PictureModel;

// As stereo/sphere_stereo.hpp takes it for infinity.
constexpr float kSky = 1e9F;

// Whether the format keeps more than 8 bits.
bool keeps_16_bit(const fs::path& output) {
  constexpr std::array<std::string_view, 6> kDeep = {".png",  ".tif",  ".tiff",
                                                     ".avif", ".heic", ".heif"};
  const auto extension = lower(output.extension().string());
  return std::find(kDeep.begin(), kDeep.end(), extension) != kDeep.end();
}

// As exact as the output can hold them, as far as that goes with opacity and HDR.
cv::Mat pixels_of(const media::Picture& picture, bool deep) {
  if (deep && picture.rgb.depth() == CV_16U && picture.alpha.empty()) return picture.rgb;
  return media::display_rgb8(picture);
}

PictureModel model_of(const Source& source) {
  if (source.panorama) return PictureModel::equirectangular(source.window);
  return PictureModel::flat(source.rgb.size(), source.fov_x, source.fov_y);
}

RayDistance with_sky(const DepthResult& depth) {
  cv::Mat distance = depth.distance.values().clone();
  if (!depth.sky.empty()) distance.setTo(kSky, depth.sky);
  return RayDistance(distance);
}

// Distances of a window of the sphere where another model's pixels look; the nearest, because a
// mean across an edge would be a distance at which there is nothing.
RayDistance distance_in(const PictureModel& model, const RayDistance& distance,
                        const projection::SphereWindow& window) {
  constexpr int kMostWidth = 2048;
  const cv::Size size = stereo::fit_within(model.size(), {kMostWidth, 0});
  const cv::Mat rays = model.resized(size).direction_table();
  const auto scaled = PictureModel::equirectangular(window).resized(distance.values().size());
  cv::Mat result(size, CV_32FC1, cv::Scalar(std::numeric_limits<double>::quiet_NaN()));
  parallel_for(0, size.height, [&](int first, int last) {
    std::vector<cv::Point2f> points(static_cast<std::size_t>(size.width));
    for (int y = first; y < last; ++y) {
      const auto* row = rays.ptr<cv::Point3f>(y);
      scaled.pixels_of(std::span(row, points.size()), points);
      for (int x = 0; x < size.width; ++x) {
        const auto& point = points[static_cast<std::size_t>(x)];
        if (std::isnan(point.x)) continue;
        result.at<float>(y, x) = distance.values().at<float>(
            std::clamp(static_cast<int>(point.y), 0, distance.height() - 1),
            std::clamp(static_cast<int>(point.x), 0, distance.width() - 1));
      }
    }
  });
  return RayDistance(result);
}

void report(const std::string& name, const VrFrameOptions& options, const VrFrameMaker& maker) {
  if (options.layout == VrLayout::kMono) return;
  const double inside = maker.share_inside();
  if (inside > 1e-4) {
    spdlog::warn(
        "'{}': {:.1f} % of what the eyes see is nearer than the eyes are apart, as if the camera "
        "stood inside of something; give scale.factor above 1, a larger vr.nearest_m, or a smaller "
        "stereo.ipd_mm",
        name, 100.0 * inside);
  }
  spdlog::info("'{}': the nearest has {:.2f} degrees of parallax against infinity", name,
               maker.comfort().nearest.degrees());
}

}  // namespace

double median_for(const VrOptions& options, const PictureModel& source) {
  const double usual = options.depth.panorama.relative_median_m;
  if (!options.scale_by_fov || source.kind() != PictureKind::kFlat) return usual;
  // pixels_per_radian() is the focal length; the long side is what is usually 60 degrees wide.
  const double half = std::max(source.size().width, source.size().height) / 2.0;
  const double focal = half / std::tan(kUsualPhotoFov.value() / 2.0);
  return usual * source.pixels_per_radian() / focal;
}

VrRelayoutOptions relayout_options(const VrOptions& options) {
  VrRelayoutOptions relayout;
  relayout.frame = options.frame;
  relayout.change_ipd = options.change_ipd;
  relayout.input_ipd_m = options.input_ipd_m;
  return relayout;
}

bool needs_depth(const VrFrameOptions& frame) {
  return frame.layout != VrLayout::kMono;
}

VrFrameMaker make_vr_frame(const VrScene& scene, const VrFrameOptions& options,
                           const std::string& name, cv::Mat& frame) {
  auto turned = options;
  turned.source_from_world = scene.source_from_world;
  VrFrameMaker maker(turned, [model = scene.model](cv::Size size) { return model.resized(size); });
  maker.make(scene.picture, scene.distance, frame);
  report(name, options, maker);
  return maker;
}

VrPhotoJob::VrPhotoJob(const VrOptions& options, LazyNetworks networks)
    : options_(options),
      networks_(std::move(networks)) {}

VrScene VrPhotoJob::open(const fs::path& path, Progress& progress) {
  return open(open_source(path, options_.source), progress);
}

VrScene VrPhotoJob::open(const Source& source, Progress& progress) {
  VrScene scene{.picture = source.rgb, .model = model_of(source), .distance = {}, .carried = {}};
  if (options_.level && !source.pose.isIdentity()) {
    scene.source_from_world = source.pose.transpose();
    spdlog::info("'{}': levelled; view.level=off leaves it tilted", source.path.string());
  }
  if (!needs_depth(options_.frame)) return scene;
  auto depth_options = options_.depth;
  depth_options.panorama.relative_median_m = median_for(options_, scene.model);
  const auto depth = options_.own ? use_own_depth(*options_.own, source, depth_options)
                                  : estimate_depth(source, networks_(), depth_options, progress);
  if (!depth.metric) {
    spdlog::info("'{}': depth has no scale of its own: the median is put at {:.2g} m (scale.*)",
                 source.path.string(),
                 depth_options.panorama.relative_median_m * depth_options.factor);
  }
  scene.distance = with_sky(depth);
  return scene;
}

VrScene VrPhotoJob::open_for(const SbsItem& item, const media::Picture& picture,
                             Progress& progress) {
  const auto source = open_source(item.input, options_.source);
  auto scene = open(source, progress);
  scene.carried = picture.blocks;
  const bool patched = options_.source.nadir.value() > 0.0;
  if (patched) return scene;
  const cv::Mat pixels = pixels_of(picture, keeps_16_bit(item.output));
  if (!source.resampled) {
    scene.picture = pixels;
    return scene;
  }
  // The eyes look at the file's own picture, so that each pixel is sampled once.
  const auto seen = recognise(item.input, pixels.size(), claims_of(picture.metadata),
                              asked_claims(options_.source));
  scene.picture = split_eyes(pixels, seen.eyes)[0];
  scene.model = eye_model(seen, options_.source.horizontal_fov, options_.source.fisheye_fov);
  if (!scene.distance.empty()) {
    scene.distance = distance_in(scene.model, scene.distance, source.window);
  }
  return scene;
}

std::vector<fs::path> VrPhotoJob::make(const SbsItem& item, Progress& progress) {
  check_writable(item.output);
  const auto pair = media::stereo_photo_format(item.output);
  const auto& frame_options = options_.frame;
  if (pair && frame_options.layout == VrLayout::kMono) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'{}' is a format of two eyes, and vr.layout=mono has one",
                            item.output.string()))
        .hint("end the name in .jpg, or give vr.layout=sbs");
  }
  const auto both = media::read_stereo_photo(item.input);
  const auto picture = both ? both->left : media::read_picture(item.input);
  if (auto made = make_pair(item.input, picture, both ? both->right.rgb : cv::Mat(),
                            keeps_16_bit(item.output), progress)) {
    if (options_.change_ipd) {
      made->baseline_m = frame_options.ipd_m;
    } else if (both) {
      made->baseline_m = both->baseline_m;
    }
    write(item, *made, picture.blocks);
    return {item.output};
  }
  const auto scene = open_for(item, picture, progress);
  progress.begin("making eyes", "frames", 1);
  cv::Mat frame;
  const auto maker = make_vr_frame(scene, frame_options, item.input.string(), frame);
  progress.advance();
  write(item, {scene.picture, frame, {maker.left(), maker.right()}, frame_options.ipd_m},
        scene.carried);
  return {item.output};
}

std::optional<VrPair> VrPhotoJob::open_pair(const fs::path& path, Progress& progress) const {
  const auto both = media::read_stereo_photo(path);
  const auto picture = both ? both->left : media::read_picture(path);
  return make_pair(path, picture, both ? both->right.rgb : cv::Mat(), /*deep=*/false, progress);
}

// Nothing where the photo shows one eye's picture alone. `right`: of files with two pictures.
std::optional<VrPair> VrPhotoJob::make_pair(const fs::path& path, const media::Picture& picture,
                                            const cv::Mat& right, bool deep,
                                            Progress& progress) const {
  const auto& asked = options_.source;
  const bool one_asked = asked.eyes && !asked.eyes->is_pair();
  const auto seen =
      recognise(path, picture.rgb.size(), claims_of(picture.metadata), asked_claims(asked));
  if (one_asked || (right.empty() && !seen.eyes.is_pair())) return std::nullopt;
  if (asked.nadir.value() > 0.0) {
    spdlog::warn(
        "'{}' shows both eyes, which stay as they are: mask.nadir_deg changes nothing here",
        path.string());
  }
  if (right.empty()) check_eyes(path, media::display_rgb8(picture), seen, asked_claims(asked));
  spdlog::info("'{}': {}{}", path.string(), describe(seen), right.empty() ? "" : ", two pictures");
  progress.begin("making eyes", "frames", 1);
  const EyeLayout eyes = right.empty() ? seen.eyes : EyeLayout{EyeLayout::Packing::kTwoPictures};
  VrRelayout maker(relayout_options(options_), eyes,
                   eye_models(seen, asked.horizontal_fov, asked.fisheye_fov));
  VrPair pair{.input = pixels_of(picture, deep), .frame = {}, .eyes = {}};
  if (right.empty()) {
    maker.make(pair.input, pair.frame);
  } else {
    maker.make(pair.input, pixels_of({.rgb = right, .alpha = {}, .metadata = {}}, deep),
               pair.frame);
  }
  progress.advance();
  pair.eyes = {maker.left(), maker.right()};
  return pair;
}

void VrPhotoJob::write(const SbsItem& item, const VrPair& made,
                       const media::PictureBlocks& carried) const {
  const auto spherical = spherical_tag(options_.frame);
  const auto handed_on = media::blocks_to_hand_on(carried, options_.metadata);
  if (const auto format = media::stereo_photo_format(item.output)) {
    media::StereoPhotoOptions write;
    write.quality = options_.jpeg_quality;
    write.spherical = spherical;
    if (!spherical) write.fov_x = options_.frame.fov;
    write.baseline_m = made.baseline_m;
    write.carried = handed_on;
    media::write_stereo_photo(item.output, made.eyes[0], made.eyes[1], *format, write);
    return;
  }
  media::WriteOptions write;
  write.jpeg_quality = options_.jpeg_quality;
  write.view.spherical = spherical;
  write.view.stereo = stereo_tag(options_.frame);
  write.carried = handed_on;
  media::write_picture(item.output, made.frame, write);
}

}  // namespace vergence::pipeline
