// SPDX-License-Identifier: Apache-2.0
#include "pipeline/vr_options.hpp"

#include "core/error.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <string>

#include <fmt/format.h>

namespace vergence::pipeline {
namespace {

using config::Config;
using projection::PictureKind;

Radians degrees(const Config& config, std::string_view key) {
  return Radians::from_degrees(config.number(key));
}

Radians field_of_view(const Config& config, PictureKind projection) {
  const double asked = config.number("vr.fov_deg");
  if (projection == PictureKind::kEquirectangular) {
    if (asked != 0.0 && asked != 360.0) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("'vr.fov_deg' is {:g}, and an equirectangular picture is 360 degrees "
                              "wide",
                              asked))
          .hint("give vr.projection=half_equirectangular for a part of it");
    }
    return Radians::from_degrees(360.0);
  }
  if (asked != 0.0) return Radians::from_degrees(asked);
  if (projection == PictureKind::kFisheye) return Radians::from_degrees(190.0);
  return Radians::from_degrees(projection == PictureKind::kFlat ? 90.0 : 180.0);
}

projection::SphereInterpolation interpolation(const Config& config) {
  const auto word = config.string("vr.interpolation");
  if (word == "bicubic") return projection::SphereInterpolation::kBicubic;
  if (word == "lanczos") return projection::SphereInterpolation::kLanczos;
  return projection::SphereInterpolation::kBilinear;
}

stereo::Surround surround(const Config& config) {
  const auto word = config.string("stereo.surround");
  if (word == "blur") return stereo::Surround::kBlur;
  if (word == "mirror") return stereo::Surround::kMirror;
  return stereo::Surround::kBlack;
}

VrFrameOptions frame_options(const Config& config) {
  VrFrameOptions options;
  options.projection = projection::picture_kind_from_string(config.string("vr.projection")).value();
  options.fov = field_of_view(config, options.projection);
  options.eye_px = static_cast<int>(config.integer("vr.eye_px"));
  options.max_eye_px = static_cast<int>(config.integer("vr.max_eye_px"));
  options.aspect = config.number("vr.aspect");
  options.layout = vr_layout_from_string(config.string("vr.layout")).value();
  options.ipd_m = config.number("stereo.ipd_mm") / 1000.0;
  options.nearest_m = config.number("vr.nearest_m");
  options.yaw = degrees(config, "view.yaw_deg");
  options.pitch = degrees(config, "view.pitch_deg");
  options.roll = degrees(config, "view.roll_deg");
  options.interpolation = interpolation(config);
  options.surround = surround(config);
  return options;
}

// "hevc 8192x4096@60".
DecoderLimit decoder_limit(const std::string& text) {
  DecoderLimit limit;
  const auto space = text.find(' ');
  const char* at = text.data() + (space == std::string::npos ? text.size() : space + 1);
  const char* const end = text.data() + text.size();
  limit.codec = text.substr(0, space);
  const std::array<int*, 3> numbers = {&limit.size.width, &limit.size.height, &limit.frame_rate};
  const std::array<char, 3> behind = {'x', '@', '\0'};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto [rest, error] = std::from_chars(at, end, *numbers.at(i));
    const bool ends = i + 1 == numbers.size() ? rest == end : rest != end && *rest == behind.at(i);
    if (error != std::errc() || *numbers.at(i) <= 0 || !ends) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("'limits.decodes' has '{}', which is no limit", text))
          .hint("write CODEC WIDTHxHEIGHT@FPS, for example hevc 8192x4096@60");
    }
    at = rest + 1;
  }
  return limit;
}

DeviceLimits device_limits(const Config& config) {
  DeviceLimits limits;
  limits.device = config.string("limits.device");
  for (const auto& text : config.strings("limits.decodes")) {
    limits.decoders.push_back(decoder_limit(text));
  }
  limits.audio = config.strings("limits.audio");
  return limits;
}

void append(std::vector<Setting>& settings, std::vector<Setting> more) {
  for (auto& setting : more) settings.push_back(std::move(setting));
}

// What the result depends on besides what every video job does.
void add_settings(const Config& config, VideoJobOptions& job) {
  constexpr std::array<std::string_view, 7> kOfDepth = {"views", "alignment", "fusion",  "sky",
                                                        "scale", "mask",      "temporal"};
  constexpr std::array<std::string_view, 3> kOfResult = {"vr", "view", "output.apple"};
  append(job.depth_settings, settings_below(config, kOfDepth));
  append(job.settings, settings_below(config, kOfResult));
}

std::string photo_extension(const std::string& format) {
  if (format == "jpeg") return ".jpg";
  if (format == "vr_jpeg") return ".vr.jpg";
  if (format == "tiff") return ".tif";
  return "." + format;
}

// The key of the group `names`.
std::string name_key(const VrFrameOptions& frame, const std::string& layout) {
  switch (frame.projection) {
    case PictureKind::kEquirectangular:
      return "vr360_" + layout;
    case PictureKind::kFisheye:
      return "vr_fisheye_" + layout;
    case PictureKind::kFlat:
      return layout == "mono" ? "vr_flat_mono" : "full_" + layout;
    default:
      break;
  }
  const bool partial = std::abs(frame.fov.degrees() - 180.0) > 0.01;
  return (partial ? "vr_partial_" : "vr180_") + layout;
}

std::string with_fov(std::string suffix, Radians fov) {
  constexpr std::string_view kPlace = "{fov}";
  if (const auto at = suffix.find(kPlace); at != std::string::npos) {
    suffix.replace(at, kPlace.size(), fmt::format("{:.0f}", fov.degrees()));
  }
  return suffix;
}

}  // namespace

VrOptions vr_options(const Config& config) {
  VrOptions options;
  options.frame = frame_options(config);
  options.source = source_options(config);
  // The eyes are turned instead, so that each pixel is sampled once.
  options.source.yaw = options.source.pitch = options.source.roll = Radians{};
  options.source.level = false;
  options.level = config.string("view.level") != "off";
  options.depth = depth_options(config);
  options.scale_by_fov = !config.set_by_user("scale.median_m");
  options.own = own_depth(config);
  options.jpeg_quality = static_cast<int>(config.integer("output.jpeg_quality"));
  options.metadata = handed_on(config);
  options.change_ipd = config.set_by_user("stereo.ipd_mm");
  options.input_ipd_m = config.number("input.ipd_mm") / 1000.0;
  options.panorama_keyframes = static_cast<int>(config.integer("temporal.panorama_keyframes"));
  options.limits = device_limits(config);
  options.job = video_job_options(config);
  options.job.background_frames = 0;
  options.job.apple = config.boolean("output.apple");
  add_settings(config, options.job);
  const auto deinterlace = config.string("video.deinterlace");
  if (deinterlace == "on") options.deinterlace = Deinterlace::kOn;
  if (deinterlace == "off") options.deinterlace = Deinterlace::kOff;
  return options;
}

SbsNaming vr_naming(const Config& config, const VrFrameOptions& frame) {
  auto naming = sbs_naming(config);
  naming.second_suffix.clear();
  const auto format = config.string("vr.photo_format");
  naming.suffix =
      with_fov(config.string("names." + name_key(frame, config.string("vr.layout"))), frame.fov);
  naming.photo_extension = photo_extension(format);
  naming.photo_extensions = {".jpg",  ".jpeg", ".png", ".webp", ".tif",
                             ".tiff", ".avif", ".mpo", ".heic", ".heif"};
  // The extension .vr.jpg says it all.
  if (format == "vr_jpeg") naming.photo_suffix = "";
  if (format == "mpo" || format == "heic") naming.photo_suffix = config.string("names.vr_pair");
  return naming;
}

}  // namespace vergence::pipeline
