// SPDX-License-Identifier: Apache-2.0
#include "pipeline/vr_job.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "media/stereo_photo.hpp"
#include "pipeline/outputs.hpp"

#include <algorithm>
#include <array>
#include <cmath>
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

cv::Mat pixels_of(const media::Picture& picture, const Source& source, bool deep) {
  const bool has_more = picture.rgb.depth() == CV_16U && picture.alpha.empty();
  return deep && has_more && picture.rgb.size() == source.rgb.size() ? picture.rgb : source.rgb;
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

bool needs_depth(const VrFrameOptions& frame) {
  return frame.layout != VrLayout::kMono;
}

VrFrameMaker make_vr_frame(const VrScene& scene, const VrFrameOptions& options,
                           const std::string& name, cv::Mat& frame) {
  VrFrameMaker maker(options, [model = scene.model](cv::Size size) { return model.resized(size); });
  maker.make(scene.picture, scene.distance, frame);
  report(name, options, maker);
  return maker;
}

VrPhotoJob::VrPhotoJob(const VrOptions& options,
                       std::span<const std::unique_ptr<DepthPredictor>> networks)
    : options_(options),
      networks_(networks) {}

VrScene VrPhotoJob::open(const fs::path& path, Progress& progress) {
  return open(open_source(path, options_.source), progress);
}

VrScene VrPhotoJob::open(const Source& source, Progress& progress) {
  VrScene scene{.picture = source.rgb, .model = model_of(source), .distance = {}, .carried = {}};
  if (!needs_depth(options_.frame)) return scene;
  auto depth_options = options_.depth;
  depth_options.panorama.relative_median_m = median_for(options_, scene.model);
  const auto depth = options_.own
                         ? use_own_depth(*options_.own, source, options_.source, depth_options)
                         : estimate_depth(source, networks_, depth_options, progress);
  if (!depth.metric) {
    spdlog::info("'{}': depth has no scale of its own: the median is put at {:.2g} m (scale.*)",
                 source.path.string(),
                 depth_options.panorama.relative_median_m * depth_options.factor);
  }
  scene.distance = with_sky(depth);
  return scene;
}

VrScene VrPhotoJob::open_for(const fs::path& path, const fs::path& output, Progress& progress) {
  const auto source = open_source(path, options_.source);
  const auto picture = media::read_picture(path);
  auto scene = open(source, progress);
  scene.picture = pixels_of(picture, source, keeps_16_bit(output));
  scene.carried = picture.blocks;
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
  const auto scene = open_for(item.input, item.output, progress);
  progress.begin("making eyes", "frames", 1);
  cv::Mat frame;
  const auto maker = make_vr_frame(scene, frame_options, item.input.string(), frame);
  progress.advance();
  auto spherical = spherical_tag(frame_options);
  if (pair) {
    media::StereoPhotoOptions write;
    write.quality = options_.jpeg_quality;
    write.spherical = spherical;
    if (!spherical) write.fov_x = frame_options.fov;
    write.baseline_m = frame_options.ipd_m;
    write.carried = scene.carried;
    media::write_stereo_photo(item.output, maker.left(), maker.right(), *pair, write);
    return {item.output};
  }
  media::WriteOptions write;
  write.jpeg_quality = options_.jpeg_quality;
  write.view.spherical = spherical;
  write.view.stereo = stereo_tag(frame_options);
  write.carried = scene.carried;
  media::write_picture(item.output, frame, write);
  return {item.output};
}

}  // namespace vergence::pipeline
