// SPDX-License-Identifier: Apache-2.0
#include "pipeline/options.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "media/depth_file.hpp"
#include "pipeline/views_file.hpp"
#include "predictors/predictor_factory.hpp"

#include <algorithm>
#include <cmath>
#include <set>
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

// 0 is nothing.
std::optional<double> positive_at(const Config& config, std::string_view key) {
  const double value = config.number(key);
  return value > 0.0 ? std::optional(value) : std::nullopt;
}

InputProjection projection_at(const Config& config, std::string_view key) {
  const auto word = config.string(key);
  if (word == "flat") return InputProjection::kFlat;
  if (word == "equirectangular") return InputProjection::kEquirectangular;
  if (word == "dual_fisheye") return InputProjection::kDualFisheye;
  return InputProjection::kAuto;
}

predictors::RunOptions run_options(const Config& config) {
  return {.device = config.string("device"),
          .threads = integer(config, "threads"),
          .precision = predictors::precision_from_string(config.string("predictor.precision"))
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

std::unique_ptr<DepthPredictor> make_network_predictor(const Config& config,
                                                       predictors::NetworkOptions options) {
  options.size_px = integer(config, "predictor.size_px");
  options.flip = config.boolean("predictor.flip");
  return predictors::make_network(options, run_options(config));
}

std::vector<std::string> ensemble_members(const Config& config) {
  auto members = config.strings("predictor.members");
  const std::set<std::string> different(members.begin(), members.end());
  if (members.size() < 2 || different.size() < members.size()) {
    throw Error(ErrorCode::kUsage, "'predictor.members' must name at least two different networks")
        .hint("for example predictor.members=[nano,depth_anything_v2_small]");
  }
  return members;
}

}  // namespace

SourceOptions source_options(const Config& config) {
  SourceOptions options;
  options.projection = projection_at(config, "input.projection");
  if (const auto fov = positive_at(config, "input.hfov_deg")) {
    options.horizontal_fov = Radians::from_degrees(*fov);
  }
  options.fisheye_fov = degrees(config, "input.fisheye_fov_deg");
  options.yaw = degrees(config, "view.yaw_deg");
  options.pitch = degrees(config, "view.pitch_deg");
  options.roll = degrees(config, "view.roll_deg");
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

std::vector<std::unique_ptr<DepthPredictor>> make_predictors(const Config& config) {
  std::vector<std::unique_ptr<DepthPredictor>> result;
  const auto name = config.string("predictor.name");
  if (name == "files") {
    result.push_back(make_files_predictor(config));
  } else if (name == "ensemble") {
    for (const auto& member : ensemble_members(config)) {
      result.push_back(make_network_predictor(config, {.name = member}));
    }
  } else {
    predictors::NetworkOptions options{.name = name};
    options.weights = config.string("predictor.path");
    if (config.contains("predictor.card")) options.card = config.string("predictor.card");
    result.push_back(make_network_predictor(config, std::move(options)));
  }
  return result;
}

void apply_machine_options(const Config& config) {
  set_thread_count(integer(config, "threads"));
}

}  // namespace vergence::pipeline
