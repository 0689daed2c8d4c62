// SPDX-License-Identifier: Apache-2.0
#include "pipeline/options.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "media/depth_file.hpp"
#include "pipeline/views_file.hpp"
#include "predictors/predictor_factory.hpp"
#include "stereo/convergence_keys.hpp"
#include "stereo/nearness.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace {

using config::Config;

Radians degrees(const Config& config, std::string_view key) {
  return Radians::from_degrees(config.number(key));
}

int integer(const Config& config, std::string_view key) {
  return static_cast<int>(config.integer(key));
}

// Defaults are nothing: what the file's sidecar or format tells goes before them.
std::optional<DepthKind> kind_at(const Config& config, std::string_view key) {
  if (!config.set_by_user(key)) return std::nullopt;
  return depth_kind_from_string(config.string(key));
}

std::optional<double> scale_at(const Config& config, std::string_view key) {
  if (!config.set_by_user(key)) return std::nullopt;
  return config.number(key);
}

float real(const Config& config, std::string_view key) {
  return static_cast<float>(config.number(key));
}

// 0 is nothing.
std::optional<double> positive_at(const Config& config, std::string_view key) {
  const double value = config.number(key);
  return value > 0.0 ? std::optional(value) : std::nullopt;
}

predictors::RunOptions run_options(const Config& config,
                                   const std::string& precision_key = "predictor.precision") {
  return {.device = config.string("device"),
          .threads = integer(config, "threads"),
          .precision = predictors::precision_from_string(config.string(precision_key))
                           .value_or(predictors::Precision::kAuto)};
}

constexpr double kSameView = 1e-4;  // radians

bool same_views(const std::vector<projection::TangentView>& a,
                const std::vector<projection::TangentView>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
    return one.name == other.name &&
           std::abs(one.fov_x.value() - other.fov_x.value()) < kSameView &&
           std::abs(one.fov_y.value() - other.fov_y.value()) < kSameView &&
           (one.world_from_view - other.world_from_view).norm() < kSameView;
  });
}

// Maps of other views than the job's have the same names and would land in wrong places.
void warn_of_other_views(const std::filesystem::path& folder, const ViewOptions& views) {
  const auto list = folder / "views.json";
  std::error_code ignored;
  if (!views.list.empty() || !std::filesystem::exists(list, ignored)) return;
  try {
    if (same_views(read_views_json(list).views, choose_views(views, 0))) return;
  } catch (const Error&) {
    return;  // not ours
  }
  spdlog::warn("'{}' lists other views than this job has; give predictor.views={} to use them",
               list.string(), list.string());
}

std::unique_ptr<DepthPredictor> make_files_predictor(const Config& config) {
  predictors::FilesOptions options;
  options.folder = config.string("predictor.path");
  warn_of_other_views(options.folder, depth_options(config).views);
  options.kind = depth_kind_from_string(config.string("predictor.kind")).value();
  options.metric = config.boolean("predictor.metric");
  options.read = [](const std::filesystem::path& path, DepthKind kind) {
    return media::read_depth(path, {.kind = kind, .scale = std::nullopt});
  };
  return predictors::make_files(options);
}

// Where a member of an ensemble keeps a setting: in a table of its own, else with the ensemble.
std::string key_of_member(const Config& config, std::size_t member, std::string_view name) {
  auto own = fmt::format("predictor.members.{}.{}", member, name);
  return config.contains(own) ? own : fmt::format("predictor.{}", name);
}

Network member_network(const Config& config, std::size_t member) {
  const auto key = fmt::format("predictor.members.{}", member);
  predictors::NetworkOptions options;
  if (config.contains(key + ".name")) {
    options.name = config.string(key + ".name");
    if (config.contains(key + ".path")) options.weights = config.string(key + ".path");
    if (config.contains(key + ".card")) options.card = config.string(key + ".card");
  } else {
    options.name = config.string(key);
  }
  options.size_px = integer(config, key_of_member(config, member, "size_px"));
  options.flip = config.boolean(key_of_member(config, member, "flip"));
  return {std::move(options), run_options(config, key_of_member(config, member, "precision"))};
}

std::vector<Network> ensemble_members(const Config& config) {
  if (!config.contains("predictor.members")) (void)config.strings("predictor.members");  // tells so
  std::vector<Network> members;
  std::set<std::string> different;
  while (config.contains(fmt::format("predictor.members.{}", members.size()))) {
    members.push_back(member_network(config, members.size()));
    different.insert(members.back().options.name);
  }
  if (members.size() < 2 || different.size() < members.size()) {
    throw Error(ErrorCode::kUsage, "'predictor.members' must name at least two different networks")
        .hint("for example predictor.members=[nano,depth_anything_v2_small]");
  }
  return members;
}

// ---- sbs

// One of the eyes' formats that only videos or pairs of files have.
bool keeps_eyes_apart(const Config& config) {
  const auto layout = config.string("stereo.layout");
  return layout == "separate" || layout == "frame_sequential";
}

stereo::LayoutOptions layout_options(const Config& config) {
  stereo::LayoutOptions options;
  const bool apart = keeps_eyes_apart(config);
  options.layout = apart ? stereo::Layout::kFullSideBySide
                         : stereo::layout_from_string(config.string("stereo.layout")).value();
  if (!apart && config.string("stereo.first") == "right") options.first = Eye::kRight;
  options.anaglyph = stereo::anaglyph_from_string(config.string("stereo.anaglyph")).value();
  return options;
}

// "3840x2160"; an empty size for an empty text.
cv::Size size_at(const Config& config, std::string_view key) {
  const auto text = config.string(key);
  if (text.empty()) return {};
  int width = 0;
  int height = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, width);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == 'x') {
    const auto second = std::from_chars(first.ptr + 1, end, height);
    constexpr int kMost = 65536;
    if (second.ec == std::errc() && second.ptr == end && width >= 2 && height >= 2 &&
        width <= kMost && height <= kMost) {
      return {width, height};
    }
  }
  throw Error(ErrorCode::kUsage, fmt::format("'{}' is '{}', which is no size", key, text))
      .hint("give WIDTHxHEIGHT, for example 3840x2160");
}

// Both eyes' frames are twice as wide while they are made.
cv::Size eyes_apart(cv::Size size, bool apart) {
  return apart ? cv::Size(2 * size.width, size.height) : size;
}

std::array<int, 2> edge_dilation(const Config& config) {
  const auto passes = config.numbers("stereo.edge_dilation");
  if (passes.empty() || passes.size() > 2) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'stereo.edge_dilation' has {} numbers", passes.size()))
        .hint("give one number, or two: across and down, for example stereo.edge_dilation=[2,1]");
  }
  return {static_cast<int>(passes.front()), static_cast<int>(passes.back())};
}

stereo::Viewing viewing(const Config& config) {
  stereo::Viewing result;
  result.ipd_m = config.number("stereo.ipd_mm") / 1000.0;
  result.screen_width_m = config.number("stereo.screen_width_m");
  result.viewing_distance_m = config.number("stereo.viewing_distance_m");
  return result;
}

void set_method(const Config& config, StereoFrameOptions& options) {
  const auto method = config.string("stereo.method");
  const auto between = config.string("stereo.interpolation");
  if (between == "bicubic") options.interpolation = stereo::Interpolation::kBicubic;
  if (between == "lanczos") options.interpolation = stereo::Interpolation::kLanczos;
  options.map_width_px = integer(config, "stereo.map_width_px");
  options.warp_steps = integer(config, "stereo.warp_steps");
  if (method == "scanline") return;
  if (method == "forward_fill") {
    options.method = StereoMethod::kForwardFill;
  } else if (method == "backward") {
    options.method = StereoMethod::kBackward;
  } else {
    options.method = StereoMethod::kLearned;
    options.warp_network = predictors::make_warp_network(
        {.name = method, .weights = config.string("stereo.warp_path")}, run_options(config));
  }
}

void set_strength(const Config& config, StereoFrameOptions& options) {
  const auto strength = config.string("stereo.strength");
  if (strength == "parallax_px") options.strength = StereoStrength::kParallaxPx;
  if (strength == "metric") options.strength = StereoStrength::kMetric;
  options.parallax.divergence = real(config, "stereo.divergence");
  options.parallax.preserve_screen_border = config.boolean("stereo.preserve_screen_border");
  const auto view = config.string("stereo.synthetic_view");
  if (view == "left") options.parallax.synthetic_view = stereo::SyntheticView::kLeft;
  if (view == "right") options.parallax.synthetic_view = stereo::SyntheticView::kRight;
  options.parallax_px = real(config, "stereo.parallax_px");
  options.viewing = viewing(config);
  options.comfort = degrees(config, "stereo.comfort_deg");
  options.comfort_cap = config.boolean("stereo.comfort_cap");
  options.foreground_scale = real(config, "stereo.foreground_scale");
  options.mapper = config.string("stereo.mapper");
  options.mapper_type = config.string("stereo.mapper_type");
  options.convergence_is_mapped = config.string("stereo.convergence_mode") == "auto";
}

void check_mapper(const StereoFrameOptions& options) {
  cv::Mat probe(1, 1, CV_32FC1, cv::Scalar(0.5));
  try {
    stereo::map_nearness(mapper_of(options), probe);
  } catch (const Error& error) {
    throw Error(ErrorCode::kUsage, error.what());
  }
}

StereoFrameOptions stereo_frame_options(const Config& config) {
  StereoFrameOptions options;
  set_method(config, options);
  set_strength(config, options);
  options.edge_dilation = edge_dilation(config);
  // A pair's own parallax is exact: it is not touched unless the user says so.
  if (config.set_by_user("stereo.edge_dilation")) options.pair_dilation = options.edge_dilation;
  options.floating_window = config.boolean("stereo.floating_window");
  options.ipd_offset = real(config, "stereo.ipd_offset");
  options.layout = layout_options(config);
  const bool apart = keeps_eyes_apart(config);
  options.max_size = eyes_apart(
      {integer(config, "output.max_width_px"), integer(config, "output.max_height_px")}, apart);
  options.letterbox = eyes_apart(size_at(config, "output.letterbox"), apart);
  if (options.mapper != "auto" && config.set_by_user("stereo.foreground_scale")) {
    throw Error(ErrorCode::kUsage,
                "'stereo.mapper' and 'stereo.foreground_scale' both choose the curve from nearness "
                "to parallax")
        .hint("give one of them");
  }
  check_mapper(options);
  return options;
}

std::vector<stereo::ConvergenceKey> convergence_keys(const Config& config) {
  if (config.string("stereo.convergence_mode") != "keyframes") return {};
  const auto file = config.string("stereo.convergence_file");
  if (file.empty()) {
    throw Error(ErrorCode::kUsage, "'stereo.convergence_mode=keyframes' needs a file")
        .hint("give stereo.convergence_file=FILE, with lines of a time and a convergence");
  }
  return stereo::read_convergence_keys(file);
}

stereo::ConvergenceMode convergence_mode(const Config& config) {
  const auto mode = config.string("stereo.convergence_mode");
  if (mode == "auto") return stereo::ConvergenceMode::kAuto;
  if (mode == "keyframes") return stereo::ConvergenceMode::kKeyframes;
  return stereo::ConvergenceMode::kConstant;
}

// The key of the group `names` for a layout.
std::string name_key(const Config& config) {
  const auto layout = config.string("stereo.layout");
  const bool right_first = config.string("stereo.first") == "right";
  if (layout == "separate") return "left_eye";
  if (layout == "anaglyph") {
    const auto kind = config.string("stereo.anaglyph");
    return kind == "amber_blue" || kind == "green_magenta" ? kind : "red_cyan";
  }
  if (layout == "full_sbs" && right_first) return "cross_eyed";
  if (layout == "cross_eyed" && right_first) return "full_sbs";
  const bool has_other = layout == "half_sbs" || layout == "full_tb" || layout == "half_tb";
  return has_other && right_first ? layout + "_right_first" : layout;
}

std::string extension_of_format(const std::string& format) {
  if (format == "jpeg") return ".jpg";
  if (format == "tiff") return ".tif";
  return "." + format;
}

}  // namespace

std::vector<Setting> settings_below(const Config& config, std::span<const std::string_view> tables,
                                    std::span<const std::string_view> without) {
  std::vector<Setting> settings;
  std::istringstream lines(config.to_toml());
  std::string table;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('[')) {
      table = line.substr(1, line.find(']') - 1);
      continue;
    }
    const auto equals = line.find(" = ");
    if (equals == std::string::npos) continue;
    const auto key = table.empty() ? line.substr(0, equals) : table + "." + line.substr(0, equals);
    const bool wanted = std::any_of(tables.begin(), tables.end(), [&](const auto& prefix) {
      return key == prefix || key.starts_with(std::string(prefix) + ".");
    });
    if (wanted && std::find(without.begin(), without.end(), key) == without.end()) {
      settings.emplace_back(key, line.substr(equals + 3));
    }
  }
  return settings;
}

namespace {

media::VideoReadOptions read_options(const Config& config) {
  media::VideoReadOptions options;
  if (!config.string("video.start").empty()) options.start_s = seconds_at(config, "video.start");
  if (!config.string("video.end").empty()) options.end_s = seconds_at(config, "video.end");
  if (options.end_s && *options.end_s <= options.start_s.value_or(0.0)) {
    throw Error(ErrorCode::kUsage, "'video.end' is not behind 'video.start'")
        .hint("give times from the beginning of the video");
  }
  options.filter = config.string("video.filter");
  options.max_fps = config.number("video.max_fps");
  options.keyframes_only = config.boolean("video.keyframes_only");
  options.keyframe_interval_s = config.number("video.keyframe_interval_s");
  if (const auto matrix = config.string("video.matrix"); matrix != "auto") options.matrix = matrix;
  const auto range = config.string("video.range");
  if (range != "auto") options.full_range = range == "full";
  return options;
}

// x265 knows levels among its own parameters alone.
void set_level(const std::string& level, media::EncodeOptions& options) {
  if (level.empty()) return;
  if (options.codec == "libx265") {
    options.extra["x265-params"] = "level-idc=" + level;
  } else {
    options.extra["level"] = level;
  }
}

media::EncodeOptions encode_options(const Config& config) {
  media::EncodeOptions options;
  options.codec = config.string("video.codec");
  if (const double crf = config.number("video.crf"); crf >= 0.0) options.crf = crf;
  options.bitrate_kbps = integer(config, "video.bitrate_kbps");
  if (options.crf && options.bitrate_kbps > 0) {
    throw Error(ErrorCode::kUsage, "'video.crf' and 'video.bitrate_kbps' contradict each other")
        .hint("give one of them");
  }
  if (const int most = integer(config, "video.max_bitrate_kbps"); most > 0) {
    if (!options.crf) {
      throw Error(ErrorCode::kUsage, "'video.max_bitrate_kbps' is a limit of constant quality")
          .hint("give video.crf too, or video.bitrate_kbps alone");
    }
    options.bitrate_kbps = most;
  }
  options.keyframe_interval_s = config.number("video.gop_s");
  set_level(config.string("video.level"), options);
  options.preset = config.string("video.preset");
  options.tune = config.string("video.tune");
  options.profile = config.string("video.profile");
  options.pixel_format = config.string("video.pixel_format");
  return options;
}

stereo::StabilizerOptions stabilizer_options(const Config& config) {
  stereo::StabilizerOptions options;
  const auto range = config.string("temporal.range");
  if (range == "ema") options.range = stereo::RangeMode::kEma;
  if (range == "frame") options.range = stereo::RangeMode::kFrame;
  options.ema.decay = real(config, "temporal.ema_decay");
  options.look_ahead = integer(config, "temporal.look_ahead");
  options.cuts = config.boolean("temporal.cuts");
  options.convergence_mode = convergence_mode(config);
  options.convergence = real(config, "stereo.convergence");
  options.keys = convergence_keys(config);
  options.convergence_slew_per_s = real(config, "stereo.convergence_slew_per_s");
  return options;
}

// What players are told.
void set_tags(const Config& config, VideoJobOptions& options) {
  const auto layout = config.string("stereo.layout");
  const bool cross = layout == "cross_eyed";
  if (layout == "full_sbs" || layout == "half_sbs" || cross) {
    options.stereo = media::StereoTag::kSideBySide;
  }
  if (layout == "full_tb" || layout == "half_tb") options.stereo = media::StereoTag::kTopBottom;
  if (layout == "row_interleaved") options.stereo = media::StereoTag::kRowInterleaved;
  if (layout == "column_interleaved") options.stereo = media::StereoTag::kColumnInterleaved;
  if (layout == "checkerboard") options.stereo = media::StereoTag::kCheckerboard;
  if (layout == "frame_sequential") options.stereo = media::StereoTag::kFrameSequential;
  options.squeezed = layout == "half_sbs" || layout == "half_tb";
  options.right_first = (config.string("stereo.first") == "right") != cross;
  if (layout == "separate") options.eye_frames = EyeFrames::kSeparate;
  if (layout == "frame_sequential") options.eye_frames = EyeFrames::kSequential;
}

}  // namespace

VideoJobOptions video_job_options(const Config& config) {
  VideoJobOptions options;
  options.read = read_options(config);
  options.encode = encode_options(config);
  const auto subtitles = config.string("video.subtitles");
  if (subtitles == "stereo") options.join.subtitles = media::SubtitleMode::kStereo;
  if (subtitles == "none") options.join.subtitles = media::SubtitleMode::kNone;
  options.join.metadata = handed_on(config);
  options.join.subtitle_parallax_px = config.number("video.subtitle_parallax_px");
  options.filter_depth = config.string("temporal.filter") != "none";
  options.stabilizer = stabilizer_options(config);
  if (config.boolean("temporal.background")) {
    options.background_frames = integer(config, "temporal.background_frames");
  }
  const auto container = config.string("video.container");
  if (container != "auto") options.pipe_container = "." + container;
  options.segment_s = config.number("video.segment_s");
  options.work_dir = config.string("video.work_dir");
  const auto resume = config.string("video.resume");
  if (resume == "fresh") options.resume = ResumeMode::kFresh;
  if (resume == "only") options.resume = ResumeMode::kOnly;
  constexpr std::array<std::string_view, 3> kOfDepth = {"predictor", "input", "output.autocrop"};
  options.depth_settings = settings_below(config, kOfDepth, {});
  constexpr std::array<std::string_view, 8> kOfResult = {"stereo",
                                                         "temporal",
                                                         "video",
                                                         "output.max_width_px",
                                                         "output.max_height_px",
                                                         "output.letterbox",
                                                         "output.autocrop",
                                                         "output.metadata"};
  // Segments are part of the result: each begins with a key frame.
  constexpr std::array<std::string_view, 5> kOfNoMatter = {
      "video.resume", "video.work_dir", "video.depth_cache", "video.depth_cache_dir",
      "video.depth_cache_max_mb"};
  options.settings = settings_below(config, kOfResult, kOfNoMatter);
  if (config.boolean("video.depth_cache")) {
    const std::filesystem::path own = config.string("video.depth_cache_dir");
    options.cache.folder = own.empty() ? depth_cache_folder() : own;
    options.cache.max_bytes = static_cast<std::uint64_t>(config.integer("video.depth_cache_max_mb"))
                              << 20U;
  }
  if (config.string("launcher.name") != "serial") {
    if (const auto task = config.string("launcher.task"); !task.empty()) {
      options.work = video_task_from_string(task);
      if (!options.work) {
        throw Error(ErrorCode::kUsage, fmt::format("'launcher.task' is '{}', which is none", task))
            .hint("leave it to launchers");
      }
    }
  }
  return options;
}

SourceOptions source_options(const Config& config) {
  SourceOptions options;
  options.projection = projection::picture_kind_from_string(config.string("input.projection"));
  options.eyes = eye_layout_from_string(config.string("input.stereo"));
  if (const auto fov = positive_at(config, "input.hfov_deg")) {
    options.horizontal_fov = Radians::from_degrees(*fov);
  }
  if (config.set_by_user("input.fisheye_fov_deg")) {
    options.fisheye_fov = degrees(config, "input.fisheye_fov_deg");
  }
  options.yaw = degrees(config, "view.yaw_deg");
  options.pitch = degrees(config, "view.pitch_deg");
  options.roll = degrees(config, "view.roll_deg");
  options.level = config.string("view.level") == "on";
  options.nadir = degrees(config, "mask.nadir_deg");
  return options;
}

DepthOptions depth_options(const Config& config) {
  DepthOptions options;
  options.views.count = integer(config, "views.count");
  options.views.fov = degrees(config, "views.fov_deg");
  options.views.size_px = integer(config, "views.size_px");
  if (config.contains("predictor.views")) options.views.list = config.string("predictor.views");
  auto& alignment = options.panorama.alignment;
  alignment.num_samples = integer(config, "alignment.samples");
  alignment.rounds = integer(config, "alignment.rounds");
  alignment.scale_deviation = config.number("alignment.scale_deviation");
  alignment.grid = config.boolean("alignment.grid");
  alignment.grid_size = integer(config, "alignment.grid_size");
  alignment.grid_ridge = config.number("alignment.grid_ridge");
  options.panorama.fusion.gradients = config.boolean("fusion.gradients");
  options.panorama.fusion.screening = config.number("fusion.screening");
  options.panorama.sky.detect = config.string("sky.mode") == "auto";
  options.panorama.sky.far_factor = config.number("sky.far_factor");
  if (config.string("sky.mode") == "file") {
    options.sky_mask = config.string("sky.mask");
    if (options.sky_mask.empty()) {
      throw Error(ErrorCode::kUsage, "'sky.mode=file' needs a picture")
          .hint("give sky.mask=PICTURE, white where the sky is");
    }
  }
  options.panorama.relative_median_m = config.number("scale.median_m");
  options.width_px = integer(config, "fusion.width_px");
  options.camera_height_m = config.number("scale.camera_height_m");
  options.factor = config.number("scale.factor");
  options.nadir = degrees(config, "mask.nadir_deg");
  return options;
}

DepthOutputOptions depth_output_options(const Config& config) {
  DepthOutputOptions options;
  options.format = config.string("output.depth_format");
  options.png_scale = config.number("output.png_scale");
  options.preview = config.boolean("output.preview");
  options.colors.map = media::colormap_from_string(config.string("output.preview_colormap"))
                           .value_or(media::Colormap::kTurbo);
  options.colors.low_percentile = config.number("output.preview_percentile_low");
  options.colors.high_percentile = config.number("output.preview_percentile_high");
  if (!(options.colors.low_percentile < options.colors.high_percentile)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'output.preview_percentile_low' is {}, not below "
                            "'output.preview_percentile_high', {}",
                            options.colors.low_percentile, options.colors.high_percentile))
        .hint("give a lower share below the first colour than below the last");
  }
  return options;
}

MeshJobOptions mesh_options(const Config& config) {
  MeshJobOptions options;
  const auto kind = config.string("mesh.kind");
  if (kind == "points") options.kind = MeshKind::kPoints;
  if (kind == "splats") options.kind = MeshKind::kSplats;
  options.surface.grid_width = integer(config, "mesh.grid_width");
  options.surface.cut_edges = config.string("mesh.edges") == "cut";
  options.surface.edge_rel = config.number("mesh.edge_rel");
  options.surface.edge_grazing = degrees(config, "mesh.edge_grazing_deg");
  options.surface.normals = config.boolean("mesh.normals");
  options.keep_sky = config.string("mesh.sky") == "keep";
  options.min_component_triangles =
      static_cast<std::size_t>(config.integer("mesh.min_component_triangles"));
  options.target_triangles = static_cast<std::size_t>(config.integer("mesh.target_triangles"));
  options.texture_max_px = integer(config, "mesh.texture.max_px");
  options.texture_quality = integer(config, "mesh.texture.quality");
  options.texture_format = config.string("mesh.texture.format");
  if (config.boolean("mesh.points.outliers")) {
    options.outliers = mesh::OutlierOptions{integer(config, "mesh.points.outlier_neighbours"),
                                            config.number("mesh.points.outlier_ratio")};
  }
  options.splat_opacity = static_cast<float>(config.number("mesh.splats.opacity"));
  return options;
}

std::optional<OwnDepth> own_depth(const Config& config) {
  const auto path = config.string("input.depth");
  if (path.empty()) return std::nullopt;
  return own_depth_at(path, config);
}

OwnDepth own_depth_at(const std::filesystem::path& path, const Config& config) {
  return {path, kind_at(config, "input.depth_kind"), scale_at(config, "input.depth_scale")};
}

double seconds_at(const Config& config, std::string_view key) {
  const auto text = config.string(key);
  double seconds = 0.0;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int parts = 0; parts < 3; ++parts) {
    double part = 0.0;
    const auto [rest, error] = std::from_chars(at, end, part);
    if (error != std::errc() || !(part >= 0.0 && part < 1e7)) break;
    seconds = 60.0 * seconds + part;
    if (rest == end) return seconds;
    if (*rest != ':') break;
    at = rest + 1;
  }
  throw Error(ErrorCode::kUsage, fmt::format("'{}' is '{}', which is no time", key, text))
      .hint("give seconds, m:ss or h:mm:ss, for example 1:23.5");
}

SbsPhotoOptions sbs_photo_options(const Config& config) {
  SbsPhotoOptions options;
  options.frame = stereo_frame_options(config);
  options.separate = config.string("stereo.layout") == "separate";
  options.source = source_options(config);
  options.own = own_depth(config);
  options.keep_mapper = config.set_by_user("stereo.mapper") ||
                        config.set_by_user("stereo.foreground_scale") ||
                        config.set_by_user("stereo.mapper_type");
  options.convergence_mode = convergence_mode(config);
  options.convergence = real(config, "stereo.convergence");
  options.convergence_keys = convergence_keys(config);
  options.autocrop = stereo::autocrop_from_string(config.string("output.autocrop"));
  options.jpeg_quality = integer(config, "output.jpeg_quality");
  options.metadata = handed_on(config);
  options.depth_export = config.string("output.depth_export");
  return options;
}

media::HandedOn handed_on(const Config& config) {
  const auto word = config.string("output.metadata");
  if (word == "no_place") return media::HandedOn::kNoPlace;
  return word == "none" ? media::HandedOn::kNothing : media::HandedOn::kAll;
}

SbsNaming sbs_naming(const Config& config) {
  SbsNaming naming;
  naming.suffix = config.string("names." + name_key(config));
  if (config.string("stereo.layout") == "separate") {
    naming.second_suffix = config.string("names.right_eye");
  }
  naming.photo_extension = extension_of_format(config.string("output.stereo_format"));
  naming.strip = config.strings("names.strip");
  for (const auto& key : config.keys()) {
    if (key.starts_with("names.") && key != "names.strip") {
      naming.known_suffixes.push_back(config.string(key));
    }
  }
  return naming;
}

SbsBatchOptions sbs_batch_options(const Config& config) {
  return {.recursive = config.boolean("batch.recursive"),
          .skip_existing = config.boolean("batch.skip_existing")};
}

SbsVideoOptions sbs_video_options(const Config& config, const SbsPhotoOptions& photo) {
  SbsVideoOptions options;
  options.job = video_job_options(config);
  set_tags(config, options.job);
  options.frame = photo.frame;
  const auto deinterlace = config.string("video.deinterlace");
  if (deinterlace == "on") options.deinterlace = Deinterlace::kOn;
  if (deinterlace == "off") options.deinterlace = Deinterlace::kOff;
  options.own = photo.own;
  options.keep_mapper = photo.keep_mapper;
  options.autocrop = photo.autocrop;
  options.projection = photo.source.projection;
  options.depth_export = photo.depth_export;
  return options;
}

EvalRequest eval_request(const std::filesystem::path& prediction,
                         const std::filesystem::path& ground_truth, const Config& config) {
  EvalRequest request;
  request.prediction = {prediction, kind_at(config, "eval.pred_kind"),
                        scale_at(config, "eval.pred_scale")};
  request.ground_truth = {ground_truth, kind_at(config, "eval.gt_kind"),
                          scale_at(config, "eval.gt_scale")};
  request.mask = config.string("eval.mask");
  request.options.align = evaluation::depth_align_from_string(config.string("eval.align"))
                              .value_or(evaluation::DepthAlign::kNone);
  request.options.sphere = config.boolean("eval.sphere");
  request.options.cap_m = config.number("eval.cap_m");
  return request;
}

StereoEvalRequest stereo_eval_request(std::span<const std::string> pictures, const Config& config) {
  if (pictures.size() != 3) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'eval --stereo' compares three pictures, not {}", pictures.size()))
        .hint("give LEFT RIGHT REF: the source, the view made from it and the real view");
  }
  StereoEvalRequest request{.left = pictures[0],
                            .right = pictures[1],
                            .reference = pictures[2],
                            .disparity = std::nullopt};
  if (const auto file = config.string("eval.disparity"); !file.empty()) {
    request.disparity =
        OwnDepth{file, DepthKind::kPixelDisparity, scale_at(config, "eval.disparity_scale")};
  }
  if (config.string("eval.synthesised") == "left") request.eye = Eye::kLeft;
  return request;
}

FetchRequest fetch_request(const Config& config) {
  FetchRequest request;
  request.folder = config.string("models.folder");
  request.url = config.string("models.url");
  request.force = config.boolean("models.force");
  request.accept_license = config.boolean("models.accept_license");
  request.stall_s = config.number("models.stall_s");
  request.tries = integer(config, "models.tries");
  return request;
}

std::vector<Network> networks(const Config& config) {
  const auto name = config.string("predictor.name");
  if (name == "files") return {};
  if (name == "ensemble") return ensemble_members(config);
  predictors::NetworkOptions options{.name = name};
  options.weights = config.string("predictor.path");
  if (config.contains("predictor.card")) options.card = config.string("predictor.card");
  options.size_px = integer(config, "predictor.size_px");
  options.flip = config.boolean("predictor.flip");
  return {{std::move(options), run_options(config)}};
}

std::vector<std::unique_ptr<DepthPredictor>> make_predictors(const Config& config) {
  std::vector<std::unique_ptr<DepthPredictor>> result;
  const auto wanted = networks(config);
  if (wanted.empty()) result.push_back(make_files_predictor(config));
  for (const auto& [options, run] : wanted) {
    result.push_back(predictors::make_network(options, run));
  }
  return result;
}

void apply_machine_options(const Config& config) {
  set_thread_count(integer(config, "threads"));
}

}  // namespace vergence::pipeline
