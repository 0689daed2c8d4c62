// SPDX-License-Identifier: Apache-2.0
#include "core/error.hpp"
#include "core/text.hpp"
#include "media/video_reader.hpp"
#include "pipeline/panorama_video.hpp"
#include "pipeline/stereo_preview.hpp"
#include "pipeline/vr_job.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

using projection::PictureModel;

// What the pictures of a video show, at any size.
struct VideoView {
  bool panorama = false;
  SourceModel model;
};

media::PictureMetadata metadata_of(const media::VideoInfo& info) {
  media::PictureMetadata metadata;
  if (!info.spherical) return metadata;
  const auto& tag = *info.spherical;
  metadata.equirectangular = tag.projection == media::SphericalTag::Projection::kEquirectangular;
  if (!metadata.equirectangular) return metadata;
  const double across = 1.0 - tag.left - tag.right;
  const double down = 1.0 - tag.top - tag.bottom;
  const bool partial = across < 1.0 - 1e-6 || down < 1.0 - 1e-6;
  if (!partial || !(across > 0.01) || !(down > 0.01)) return metadata;
  const int full_width = static_cast<int>(std::lround(info.size.width / across));
  const int full_height = static_cast<int>(std::lround(info.size.height / down));
  metadata.crop = media::PanoramaCrop{full_width, full_height,
                                      static_cast<int>(std::lround(full_width * tag.left)),
                                      static_cast<int>(std::lround(full_height * tag.top))};
  return metadata;
}

VideoView flat_view(const fs::path& path, const SourceOptions& options) {
  const Radians fov = options.horizontal_fov.value_or(kUsualPhotoFov);
  if (!options.horizontal_fov) {
    spdlog::warn(
        "'{}' does not tell its field of view: {:.0f} degrees assumed; give "
        "input.hfov_deg",
        path.string(), fov.degrees());
  }
  return {false,
          [fov](cv::Size size) { return PictureModel::flat(size, fov, vertical_fov(fov, size)); }};
}

VideoView view_of(const fs::path& path, const SourceOptions& options,
                  const std::optional<media::VideoInfo>& info) {
  if (!info && !options.projection) {
    throw Error(ErrorCode::kUsage, "what a pipe shows cannot be looked up beforehand")
        .hint("give input.projection=flat or input.projection=equirectangular");
  }
  if (!info) {
    if (options.projection == projection::PictureKind::kFlat) return flat_view(path, options);
    return {true, [](cv::Size size) {
              return PictureModel::equirectangular(
                  projection::SphereWindow::whole(size.width, size.height));
            }};
  }
  const auto seen = recognise(path, info->size, metadata_of(*info), options.projection);
  if (seen.projection == projection::PictureKind::kFlat) return flat_view(path, options);
  spdlog::info("'{}': 360 video {}x{} ({})", path.string(), info->size.width, info->size.height,
               seen.evidence);
  return {true, [model = PictureModel::equirectangular(seen.window)](cv::Size size) {
            return model.resized(size);
          }};
}

// 3D and 360 tags need a container that has a place for them.
void check_container(const fs::path& output, const VrFrameOptions& frame) {
  const auto extension = lower(output.extension().string());
  const bool tagged = frame.layout != VrLayout::kMono || spherical_tag(frame).has_value();
  if (!tagged || (extension != ".mov" && extension != ".avi")) return;
  throw Error(ErrorCode::kUsage,
              fmt::format("'{}' cannot tell players that it is VR: the tags for 3D and 360 have no "
                          "agreed place in '{}' files",
                          output.string(), extension))
      .hint("end the name in .mp4 or .mkv");
}

void tell_limits(const VrOptions& options, const fs::path& output, const media::VideoInfo& info,
                 const PictureModel& source) {
  const VrFrameMaker maker(options.frame, [&](cv::Size) { return source; });
  const auto passed = passed_limit(options.limits, options.job.encode.codec,
                                   maker.frame_size(source.size()), info.frame_rate.value());
  if (!passed.empty()) spdlog::warn("'{}' {}", output.string(), passed);
  const auto& plays = options.limits.audio;
  for (const auto& stream : info.streams) {
    const bool known = plays.empty() || stream.kind != "audio" ||
                       std::find(plays.begin(), plays.end(), stream.codec) != plays.end();
    if (known) continue;
    spdlog::warn("'{}': its sound is {}, which {} may not play; it plays {}", info.path.string(),
                 stream.codec, options.limits.device, quoted_list(plays));
  }
}

struct Depth {
  DepthSource source;
  VideoDepthMeaning meaning;
};

Depth own_depth_of(const VrOptions& options) {
  Depth depth;
  StereoFrameOptions told;
  depth.source = own_video_depth(*options.own, told, /*keep_mapper=*/false);
  depth.meaning.kind = told.depth_kind;
  depth.meaning.in_metres = told.depth_kind == DepthKind::kDistance ||
                            told.depth_kind == DepthKind::kInverseDistance ||
                            told.depth_kind == DepthKind::kPlanarDepth;
  if (told.depth_kind == DepthKind::kPixelDisparity) {
    throw Error(ErrorCode::kUsage,
                "the parallax of a stereo pair (disparity_px) says nothing about distances")
        .hint("give depth of another kind, or use 'sbs'");
  }
  return depth;
}

Depth predicted_depth_of(const VideoView& view, const VrOptions& options,
                         std::span<const std::unique_ptr<DepthPredictor>> networks) {
  if (networks.size() != 1) {
    throw Error(ErrorCode::kUsage, "videos are made with one network at a time")
        .hint("give predictor=NAME");
  }
  if (view.panorama) {
    return {panorama_depth(*networks.front(), {.model = view.model,
                                               .depth = options.depth,
                                               .keyframes = options.panorama_keyframes}),
            {.kind = DepthKind::kInverseDistance, .in_metres = true}};
  }
  const auto& info = networks.front()->info();
  return {predicted_depth(*networks.front()), {.kind = info.kind, .in_metres = info.metric}};
}

std::string word_for(const std::string& encoder) {
  static const std::map<std::string, std::string> kWords = {{"libx264", "h264"},
                                                            {"libx265", "hevc"},
                                                            {"libsvtav1", "av1"},
                                                            {"libaom-av1", "av1"},
                                                            {"libvpx-vp9", "vp9"}};
  const auto found = kWords.find(encoder);
  return found == kWords.end() ? encoder.substr(0, encoder.find('_')) : found->second;
}

bool fits(cv::Size size, double frame_rate, const DecoderLimit& limit) {
  constexpr double kSlack = 1.001;  // 29.97 and 30
  const bool small =
      std::max(size.width, size.height) <= std::max(limit.size.width, limit.size.height) &&
      size.area() <= limit.size.area();
  const double most = static_cast<double>(limit.size.area()) * limit.frame_rate;
  return small && static_cast<double>(size.area()) * frame_rate <= most * kSlack;
}

}  // namespace

std::string passed_limit(const DeviceLimits& limits, const std::string& codec, cv::Size size,
                         double frame_rate) {
  const auto word = word_for(codec);
  if (limits.decoders.empty()) {
    // Level 5.2: what hardware decodes as a rule.
    const DecoderLimit usual{"h264", {4096, 2304}, 60};
    if (word != "h264" || fits(size, frame_rate, usual)) return {};
    return fmt::format(
        "will be {}x{} in H.264, which hardly any headset decodes beyond 4096x2304; "
        "give video.codec=libx265 or a smaller vr.eye_px",
        size.width, size.height);
  }
  std::vector<std::string> known;
  for (const auto& limit : limits.decoders) {
    if (limit.codec != word) continue;
    if (fits(size, frame_rate, limit)) return {};
    known.push_back(
        fmt::format("{}x{} at {}", limit.size.width, limit.size.height, limit.frame_rate));
  }
  if (known.empty()) {
    return fmt::format("will be {}, which {} does not decode in hardware", word, limits.device);
  }
  return fmt::format(
      "will be {}x{} at {:g} frames per second in {}, and {} decodes at most {}; "
      "give a smaller vr.eye_px or video.max_fps",
      size.width, size.height, frame_rate, word, limits.device, fmt::join(known, " or "));
}

VideoSample sample_video(const fs::path& video, const VrOptions& options) {
  if (video == "-") {
    throw Error(ErrorCode::kUsage, "a pipe has no middle frame to look at")
        .hint("give the file itself");
  }
  if (options.own) {
    throw Error(ErrorCode::kUsage, "'--preview' of a video shows the depth of a network")
        .hint("leave input.depth away, or try a part with video.start and video.end");
  }
  VideoSample sample;
  sample.info = media::VideoReader(video, options.job.read).info();
  const auto view = view_of(video, options.source, sample.info);
  auto& source = sample.source;
  source.path = video;
  source.rgb = media::display_rgb8(middle_frame(video, options.job.read));
  source.panorama = view.panorama;
  const auto model = view.model(source.rgb.size());
  if (view.panorama) {
    source.window = model.window().value();
    source.original_window = source.window;
  } else {
    source.fov_x = options.source.horizontal_fov.value_or(kUsualPhotoFov);
    source.fov_y = vertical_fov(source.fov_x, source.rgb.size());
  }
  return sample;
}

std::vector<fs::path> make_vr_video(const SbsItem& item, VrOptions options,
                                    std::span<const std::unique_ptr<DepthPredictor>> networks,
                                    Progress& progress) {
  check_container(item.output, options.frame);
  auto& job = options.job;
  std::optional<media::VideoInfo> info;
  if (item.input != "-") info = media::VideoReader(item.input, job.read).info();
  const bool interlaced = options.deinterlace == Deinterlace::kOn ||
                          (options.deinterlace == Deinterlace::kAuto && job.read.filter.empty() &&
                           info && info->interlaced);
  if (interlaced) {
    job.read.filter = job.read.filter.empty() ? "bwdif" : "bwdif," + job.read.filter;
  }
  const auto view = view_of(item.input, options.source, info);
  if (info) tell_limits(options, item.output, *info, view.model(info->size));
  Depth depth;
  if (needs_depth(options.frame)) {
    depth = options.own ? own_depth_of(options) : predicted_depth_of(view, options, networks);
  }
  depth.meaning.factor = options.depth.factor;
  // Pictures of a pipe have no size yet, but their field of view is known.
  const cv::Size size = info ? info->size : cv::Size(1920, 1080);
  depth.meaning.median_m = median_for(options, view.model(size));
  job.maker = [frame = options.frame, model = view.model, meaning = depth.meaning] {
    return std::make_unique<VrFrameMaker>(frame, model, meaning);
  };
  if (view.panorama) job.filter_picture = stereo::FilterPicture::kSphere;
  job.task = "making VR frames";
  job.stereo = stereo_tag(options.frame);
  job.spherical = spherical_tag(options.frame);
  job.square_pixels = true;
  job.container_may_change = options.container_may_change;
  return run_video_job(item.input, item.output, job, depth.source, progress).outputs;
}

}  // namespace vergence::pipeline
