// SPDX-License-Identifier: Apache-2.0
#include "core/error.hpp"
#include "core/text.hpp"
#include "media/video_reader.hpp"
#include "media/video_tags.hpp"
#include "pipeline/panorama_video.hpp"
#include "pipeline/recognition.hpp"
#include "pipeline/stereo_preview.hpp"
#include "pipeline/vr_job.hpp"
#include "projection/sphere_sampler.hpp"

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
  EyeLayout eyes = {};  // of a pair, the model is of one eye's part of a picture
};

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

// What a pipe shows has to be said.
VideoView view_of_pipe(const SourceOptions& options) {
  if (!options.projection) {
    throw Error(ErrorCode::kUsage, "what a pipe shows cannot be looked up beforehand")
        .hint("give input.projection=flat or input.projection=equirectangular");
  }
  const auto kind = *options.projection;
  if (kind == projection::PictureKind::kFlat) return flat_view("-", options);
  return {true, [kind, fov = options.fisheye_fov](cv::Size size) {
            return PictureModel::of(kind, size, fov);
          }};
}

// FFmpeg does not know the box that says that the right eye lies on the left.
Claims claims_of_file(const fs::path& path, const media::VideoInfo& info) {
  Claims claims = claims_of(info);
  if (claims.eyes || info.container.find("mp4") == std::string::npos) return claims;
  constexpr int kRightLeft = 4;
  const auto boxes = media::read_video_tags(path);
  if (boxes && boxes->st3d == kRightLeft) {
    claims.eyes = EyeLayout{EyeLayout::Packing::kSideBySide, false, /*right_first=*/true};
    claims.evidence = "metadata";
  }
  return claims;
}

VideoView view_of(const fs::path& path, const SourceOptions& options,
                  const media::VideoReadOptions& read, const media::VideoInfo& info) {
  const auto seen = recognise(path, info.size, claims_of_file(path, info), asked_claims(options));
  spdlog::info("'{}': {}", path.string(), describe(seen));
  check_eyes(path, media::display_rgb8(middle_frame(path, read)), seen, asked_claims(options));
  VideoView view;
  if (seen.projection == projection::PictureKind::kFlat) {
    view = flat_view(path, options);
  } else {
    view = {true, eye_models(seen, options.horizontal_fov, options.fisheye_fov)};
  }
  view.eyes = seen.eyes;
  if (seen.eyes.is_pair()) {
    view.model = eye_models(seen, options.horizontal_fov, options.fisheye_fov);
  }
  return view;
}

bool shows_whole_sphere(const PictureModel& model) {
  const auto window = model.window();
  return window && window->is_whole();
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
                 cv::Size frame) {
  const auto passed =
      passed_limit(options.limits, options.job.encode.codec, frame, info.frame_rate.value());
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

// Settings that would have to know every frame.
void tell_what_is_for_photos(const fs::path& path, const VrOptions& options) {
  std::vector<std::string> keys;
  if (options.source.nadir.value() > 0.0) keys.emplace_back("mask.nadir_deg");
  if (!options.depth.sky_mask.empty()) keys.emplace_back("sky.mask");
  if (keys.empty()) return;
  spdlog::warn("'{}' is a video: {} is for photos and changes nothing here", path.string(),
               fmt::join(keys, " or "));
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

// `size`: of the pictures; those of a pipe have none yet, but their field of view is known.
Depth depth_for(const VideoView& view, VrOptions& options, cv::Size size,
                const LazyNetworks& networks) {
  const auto model = view.model(size);
  if (shows_whole_sphere(model)) options.job.filter_picture = stereo::FilterPicture::kSphere;
  Depth depth;
  if (needs_depth(options.frame)) {
    depth = options.own ? own_depth_of(options) : predicted_depth_of(view, options, networks());
  }
  depth.meaning.factor = options.depth.factor;
  depth.meaning.median_m = median_for(options, model);
  return depth;
}

// As a window of the sphere, which not every model is.
void show_on_sphere(const PictureModel& model, Source& source) {
  source.window = model.window().value_or(projection::SphereWindow());
  if (!model.window()) {
    const int height = std::max(16, static_cast<int>(std::lround(kPi * model.pixels_per_radian())));
    source.window = projection::SphereWindow::whole(2 * height, height);
    cv::Mat seen;
    cv::Mat picture;
    projection::reproject(projection::SphereSampler(source.rgb, model),
                          PictureModel::equirectangular(source.window), Eigen::Matrix3d::Identity(),
                          picture, &seen);
    source.rgb = picture;
    source.valid = seen;
    source.resampled = true;
  }
  source.original_window = source.window;
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
  tell_what_is_for_photos(video, options);
  VideoSample sample;
  const auto& read = options.job.read;
  sample.info = media::VideoReader(video, read).info();
  const auto view = view_of(video, options.source, read, sample.info);
  auto& source = sample.source;
  source.path = video;
  source.rgb = media::display_rgb8(middle_frame(video, read));
  if (view.eyes.is_pair()) {
    sample.pair.emplace(relayout_options(options), view.eyes, view.model);
    return sample;
  }
  source.panorama = view.panorama;
  const auto model = view.model(source.rgb.size());
  if (view.panorama) {
    show_on_sphere(model, source);
  } else {
    source.fov_x = options.source.horizontal_fov.value_or(kUsualPhotoFov);
    source.fov_y = vertical_fov(source.fov_x, source.rgb.size());
  }
  return sample;
}

std::vector<fs::path> make_vr_video(const SbsItem& item, VrOptions options,
                                    const LazyNetworks& networks, Progress& progress) {
  check_container(item.output, options.frame);
  tell_what_is_for_photos(item.input, options);
  auto& job = options.job;
  std::optional<media::VideoInfo> info;
  VideoView view;
  if (item.input == "-") {
    view = view_of_pipe(options.source);
  } else {
    info = media::VideoReader(item.input, job.read).info();
    view = view_of(item.input, options.source, job.read, *info);
  }
  const bool interlaced = options.deinterlace == Deinterlace::kOn ||
                          (options.deinterlace == Deinterlace::kAuto && job.read.filter.empty() &&
                           info && info->interlaced);
  if (interlaced) {
    job.read.filter = job.read.filter.empty() ? "bwdif" : "bwdif," + job.read.filter;
  }
  Depth depth;
  if (view.eyes.is_pair()) {
    job.maker = [relayout = relayout_options(options), view] {
      return std::make_unique<VrRelayout>(relayout, view.eyes, view.model);
    };
  } else {
    depth = depth_for(view, options, info ? info->size : cv::Size(1920, 1080), networks);
    job.maker = [frame = options.frame, model = view.model, meaning = depth.meaning] {
      return std::make_unique<VrFrameMaker>(frame, model, meaning);
    };
  }
  // Metres are taken as they are: no frame has to wait, with its whole picture, for what is decided
  // from those that follow.
  if (depth.meaning.in_metres) {
    job.stabilizer = stereo::StabilizerOptions();
    job.stabilizer.look_ahead = 1;
    job.stabilizer.cuts = false;
  }
  if (info) tell_limits(options, item.output, *info, job.maker()->frame_size(info->size));
  job.task = "making VR frames";
  job.stereo = stereo_tag(options.frame);
  job.spherical = spherical_tag(options.frame);
  if (options.frame.projection == projection::PictureKind::kFlat) {
    job.hfov_deg = options.frame.fov.degrees();
  }
  // A pair's own distance between the eyes is not known.
  const bool made = needs_depth(options.frame) && (!view.eyes.is_pair() || options.change_ipd);
  if (made) job.baseline_m = options.frame.ipd_m;
  job.square_pixels = true;
  job.container_may_change = options.container_may_change;
  return run_video_job(item.input, item.output, job, depth.source, progress).outputs;
}

}  // namespace vergence::pipeline
