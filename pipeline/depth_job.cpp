// SPDX-License-Identifier: Apache-2.0
#include "pipeline/depth_job.hpp"

#include "alignment/photo_depth.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/rotation.hpp"
#include "media/depth_file.hpp"
#include "pipeline/flat_depth.hpp"
#include "pipeline/views_file.hpp"
#include "projection/resample.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace {

using projection::PictureKind;
using projection::SphereWindow;
using projection::TangentView;

constexpr float kSkyDistance = 1e9F;

struct RenderedViews {
  std::vector<TangentView> views;
  std::vector<PredictorInput> pictures;
  std::vector<cv::Mat> valid;
};

// The views that see something of the picture.
RenderedViews render_views(const Source& source, const std::vector<TangentView>& views,
                           Progress& progress) {
  const projection::PanoramaSampler sampler(source.rgb, source.window);
  // What the turned camera did not see is not seen by the views either.
  std::optional<projection::PanoramaSampler> seen;
  if (!source.valid.empty()) seen.emplace(source.valid, source.window);
  RenderedViews result;
  progress.begin("rendering views", "views", static_cast<std::int64_t>(views.size()));
  for (const auto& view : views) {
    auto rendered = sampler.render(view);
    if (seen) rendered.valid &= seen->render(view).picture >= 255;
    if (cv::countNonZero(rendered.valid) * 50 > static_cast<int>(rendered.valid.total())) {
      result.views.push_back(view);
      result.pictures.push_back({view.name, rendered.picture, view.focal_px()});
      result.valid.push_back(rendered.valid);
    }
    progress.advance();
  }
  return result;
}

cv::Mat read_mask(const std::filesystem::path& path) {
  cv::Mat grey;
  cv::cvtColor(media::display_rgb8(media::read_picture(path)), grey, cv::COLOR_RGB2GRAY);
  return grey > 127;
}

using Networks = std::span<DepthPredictor* const>;

media::DataTree::Array networks_of(const std::vector<alignment::NetworkReport>& networks) {
  media::DataTree::Array result;
  for (const auto& network : networks) {
    media::DataTree::Table table{{"name", network.name},
                                 {"leads", network.leads},
                                 {"share", network.share},
                                 {"strength", network.strength},
                                 {"refused_views", std::int64_t{network.refused_views}}};
    if (std::isfinite(network.inconsistency)) {
      table.push_back({"inconsistency", network.inconsistency});
    }
    result.emplace_back(std::move(table));
  }
  return result;
}

std::string joined_names(Networks networks) {
  std::string names;
  for (const auto* network : networks) {
    if (!names.empty()) names += " + ";
    names += network->info().name;
  }
  return names;
}

// What came of each network, and whether the leading one had to do alone.
void log_networks(const std::vector<alignment::NetworkReport>& networks) {
  if (networks.size() < 2) return;
  bool joined = false;
  for (const auto& network : networks) {
    const std::string_view role = network.leads             ? ", leads"
                                  : network.strength == 0.0 ? ", not used: it does not help here"
                                                            : "";
    spdlog::info("network '{}': {:.1f} % of the pixels{}", network.name, 100.0 * network.share,
                 role);
    joined = joined || (!network.leads && network.strength > 0.0);
  }
  if (!joined) {
    const auto lead = std::find_if(networks.begin(), networks.end(),
                                   [](const auto& network) { return network.leads; });
    spdlog::warn("no other network improves on '{}': the depth is that of '{}' alone", lead->name,
                 lead->name);
  }
}

media::DataTree::Table report_of(const alignment::AlignmentReport& report) {
  media::DataTree::Array views;
  for (const auto& view : report.views) {
    views.emplace_back(media::DataTree::Table{{"name", view.name},
                                              {"scale", view.scale},
                                              {"shift", view.shift},
                                              {"residual_before", view.residual_before},
                                              {"residual_after", view.residual_after},
                                              {"share", view.share},
                                              {"refused", view.refused}});
    if (report.networks.size() > 1) {
      std::get<media::DataTree::Table>(views.back().value).push_back({"network", view.network});
    }
  }
  media::DataTree::Table table{{"residual_before", report.residual_before},
                               {"residual_after", report.residual_after},
                               {"condition_number", report.condition_number},
                               {"weak_shift", report.weak_shift},
                               {"sky_share", report.sky_share},
                               {"covered_share", report.covered_share}};
  if (report.networks.size() > 1) {
    table.push_back({"held_out_ratio", report.held_out_ratio});
    table.push_back({"networks", networks_of(report.networks)});
  }
  table.push_back({"views", std::move(views)});
  return table;
}

void log_report(const alignment::AlignmentReport& report) {
  spdlog::info(
      "aligned {} views: median disagreement {:.2f} % before, {:.2f} % after; sky {:.1f} %",
      report.views.size(), 100.0 * report.residual_before, 100.0 * report.residual_after,
      100.0 * report.sky_share);
  const bool several = report.networks.size() > 1;
  for (const auto& view : report.views) {
    const std::string name = several ? view.network + " " + view.name : view.name;
    spdlog::debug("{}: scale {:.4g}, shift {:.4g}, disagreement {:.2f} %{}", name, view.scale,
                  view.shift, 100.0 * view.residual_after, view.refused ? ", not used" : "");
    // With several networks, others see what this one got wrong.
    if (view.refused && !several) {
      spdlog::warn("'{}' contradicts its neighbours and is not used", view.name);
    }
  }
  log_networks(report.networks);
}

SphereWindow depth_window(const Source& source, int width_px) {
  const int width = width_px > 0 ? width_px : std::min(source.window.width, kUsualDepthWidth);
  return width == source.window.width ? source.window : source.window.resized(width);
}

// One scale for the whole panorama, from the floor where asked.
void fix_scale(alignment::PanoramaDepth& depth, const SphereWindow& window,
               const DepthOptions& options) {
  if (options.camera_height_m > 0.0) {
    const double height = alignment::camera_height(depth.distance, window);
    alignment::rescale(depth, options.camera_height_m / height);
    depth.relative = false;
  }
  if (options.factor != 1.0) alignment::rescale(depth, options.factor);
}

// What one network says about the views that see something of the picture.
void predict_views(const Source& source, DepthPredictor& network, const ViewOptions& options,
                   Progress& progress, std::vector<alignment::ViewDepth>& depths) {
  const auto& info = network.info();
  const auto rendered =
      render_views(source, choose_views(options, info.preferred_size_px), progress);
  progress.begin("predicting", "views", static_cast<std::int64_t>(rendered.pictures.size()));
  auto maps = network.predict(rendered.pictures, progress);
  for (std::size_t i = 0; i < maps.size(); ++i) {
    depths.push_back({.view = rendered.views[i],
                      .depth = std::move(maps[i]),
                      .valid = rendered.valid[i],
                      .network = info.name,
                      .in_metres = info.metric});
  }
}

DepthResult estimate_panorama(const Source& source, Networks networks, const DepthOptions& options,
                              Progress& progress) {
  auto fusion = options.panorama;
  if (!options.sky_mask.empty()) fusion.sky.mask = read_mask(options.sky_mask);
  std::vector<alignment::ViewDepth> depths;
  for (auto* network : networks) {
    predict_views(source, *network, options.views, progress, depths);
  }
  const auto window = depth_window(source, options.width_px);
  auto fused = alignment::fuse_views(depths, window, source.rgb, fusion, progress);
  fix_scale(fused, window, options);
  if (options.nadir.value() > 0.0) alignment::patch_nadir(fused, window, options.nadir);
  log_report(fused.report);

  DepthResult result;
  result.distance = fused.distance;
  result.distance.values().setTo(std::numeric_limits<float>::quiet_NaN(), fused.valid == 0);
  result.sky = fused.sky;
  result.metric = !fused.relative;
  result.panorama = true;
  result.window = window;
  result.model = joined_names(networks);
  result.report = {{"alignment", report_of(fused.report)}};
  return result;
}

// What all networks say about a flat photo; one alone is taken as it is.
alignment::PhotoDepth predict_photo(const Source& source, Networks networks, Progress& progress) {
  const double focal_px = source.rgb.cols / (2.0 * std::tan(source.fov_x.value() / 2.0));
  const PredictorInput picture{source.path.stem().string(), source.rgb, focal_px};
  std::vector<alignment::ViewDepth> maps;
  progress.begin("predicting", "pictures", static_cast<std::int64_t>(networks.size()));
  for (auto* network : networks) {
    auto predicted = network->predict(std::span(&picture, 1), progress);
    maps.push_back({.view = {.name = picture.name,
                             .width = source.rgb.cols,
                             .height = source.rgb.rows,
                             .fov_x = source.fov_x,
                             .fov_y = source.fov_y},
                    .depth = std::move(predicted.at(0)),
                    .valid = {},
                    .network = network->info().name,
                    .in_metres = network->info().metric});
  }
  if (maps.size() == 1) return {std::move(maps.front().depth), maps.front().in_metres, {}};
  return alignment::fuse_photo(maps, source.rgb);
}

DepthResult estimate_photo(const Source& source, Networks networks, const DepthOptions& options,
                           Progress& progress) {
  if (options.camera_height_m > 0.0) {
    throw Error(ErrorCode::kUsage,
                fmt::format("scale.camera_height_m needs a panorama, and '{}' is a flat photo",
                            source.path.string()))
        .hint("give scale.factor or scale.median_m");
  }
  const auto photo = predict_photo(source, networks, progress);
  DepthResult result;
  result.fov_x = source.fov_x;
  result.fov_y = source.fov_y;
  result.distance = distance_in_photo(photo.depth, {source.fov_x, source.fov_y, source.rgb.size()});
  result.metric = photo.in_metres;
  result.model = joined_names(networks);
  if (photo.networks.size() > 1) {
    log_networks(photo.networks);
    result.report = {{"networks", networks_of(photo.networks)}};
  }
  if (!result.metric) set_median(result.distance, options.panorama.relative_median_m);
  if (options.factor != 1.0) result.distance.values() *= options.factor;
  return result;
}

void check_different(Networks networks) {
  std::vector<std::string> names;
  for (const auto* network : networks) {
    const auto& name = network->info().name;
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      throw Error(ErrorCode::kUsage, fmt::format("network '{}' is named twice", name))
          .hint("networks that work together must be different ones");
    }
    names.push_back(name);
  }
}

std::vector<DepthPredictor*> pointers_to(
    std::span<const std::unique_ptr<DepthPredictor>> networks) {
  std::vector<DepthPredictor*> pointers;
  for (const auto& network : networks) pointers.push_back(network.get());
  return pointers;
}

DepthResult estimate(const Source& source, Networks networks, const DepthOptions& options,
                     Progress& progress) {
  check_different(networks);
  return source.panorama ? estimate_panorama(source, networks, options, progress)
                         : estimate_photo(source, networks, options, progress);
}

// Nearest neighbours: a mean across an edge would be a distance at which there is nothing.
cv::Mat turned(const cv::Mat& map, const SphereWindow& window, const SphereWindow& target,
               const Eigen::Matrix3d& source_from_target) {
  cv::Mat result(target.height, target.width, CV_32FC1,
                 cv::Scalar(std::numeric_limits<float>::quiet_NaN()));
  parallel_for(0, target.height, [&](int first, int last) {
    for (int y = first; y < last; ++y) {
      for (int x = 0; x < target.width; ++x) {
        const Eigen::Vector3d direction =
            source_from_target * projection::direction_at(target, x + 0.5, y + 0.5);
        const auto at = projection::pixel_of(window, direction);
        auto column = static_cast<int>(std::floor(at.x()));
        if (window.wraps()) column = (column + map.cols) % map.cols;
        const auto row = static_cast<int>(std::floor(at.y()));
        if (column >= 0 && column < map.cols && row >= 0 && row < map.rows) {
          result.at<float>(y, x) = map.at<float>(row, column);
        }
      }
    }
  });
  return result;
}

void separate_sky(DepthResult& result, double far_factor) {
  cv::Mat& values = result.distance.values();
  result.sky = values >= kSkyDistance;
  if (cv::countNonZero(result.sky) == 0) return;
  values.setTo(std::numeric_limits<float>::quiet_NaN(), result.sky);
  const double far = quantile(values, 0.99);
  values.setTo(far > 0.0 ? far * far_factor : 1.0, result.sky);
}

const media::DataTree::Table* table_in(const media::DataTree::Table& table, std::string_view key) {
  for (const auto& entry : table) {
    if (entry.key == key) return std::get_if<media::DataTree::Table>(&entry.value.value);
  }
  return nullptr;
}

AnyDepth read_own(const OwnDepth& own) {
  return media::read_depth(own.path, {.kind = own.kind, .scale = own.scale});
}

// Sky that pipeline/depth_output.cpp noted keeps its place.
bool find_noted_sky(DepthResult& result, const media::DepthFileInfo& info, const OwnDepth& own) {
  if (own.kind || own.scale) return false;
  const auto* sky = table_in(info.report, "sky");
  if (sky == nullptr || sky->empty()) return false;
  const auto* distance = std::get_if<double>(&sky->front().value.value);
  if (distance == nullptr || !(*distance > 0.0)) return false;
  const bool in_steps = own.path.extension() == ".png" || own.path.extension() == ".PNG";
  const double slack = in_steps ? 0.51 * info.scale.value_or(0.0) : 1e-6 * *distance;
  cv::inRange(result.distance.values(), *distance - slack, *distance + slack, result.sky);
  return true;
}

// What the kind leaves open, and what all own depth has in common.
void finish_own(DepthResult& result, DepthKind kind, const OwnDepth& own,
                const DepthOptions& options) {
  result.model = own.path.filename().string();
  const bool relative = kind == DepthKind::kDisparity || kind == DepthKind::kLogDisparity ||
                        kind == DepthKind::kPlanarDepthAffine;
  const auto sidecar = media::read_sidecar(own.path);
  result.metric = !relative && (!sidecar || sidecar->metric);
  if (relative) {
    spdlog::warn("'{}' holds a relative {}: its offset is a guess, its median is set to {} m",
                 own.path.string(), to_string(kind), options.panorama.relative_median_m);
    set_median(result.distance, options.panorama.relative_median_m);
  }
  if (!sidecar || !find_noted_sky(result, *sidecar, own)) {
    separate_sky(result, options.panorama.sky.far_factor);
  }
  if (options.factor != 1.0) result.distance.values() *= options.factor;
}

// The part of the sphere that a map with the picture's edges covers, in the map's own pixels. Where
// the two differ in shape, degrees per pixel do too, and the full size must not be rounded.
SphereWindow window_for(const SphereWindow& picture, cv::Size map) {
  if (picture.is_whole()) return SphereWindow::whole(map.width, map.height);
  const double across = static_cast<double>(map.width) / picture.width;
  const double down = static_cast<double>(map.height) / picture.height;
  const auto scaled = [](int value, double factor) {
    return static_cast<int>(std::lround(value * factor));
  };
  return {scaled(picture.full_width, across),
          scaled(picture.full_height, down),
          scaled(picture.left, across),
          scaled(picture.top, down),
          map.width,
          map.height};
}

std::optional<int> whole_number(const media::DataTree::Table& table, std::string_view key) {
  for (const auto& entry : table) {
    const auto* number = std::get_if<std::int64_t>(&entry.value.value);
    if (entry.key == key && number != nullptr && *number >= 0 &&
        *number <= media::kMaxPictureWidth) {
      return static_cast<int>(*number);
    }
  }
  return std::nullopt;
}

// The part of the sphere that a depth file of ours shows, as pipeline/depth_output.cpp noted it.
std::optional<SphereWindow> noted_window(const media::DepthFileInfo& info, cv::Size size) {
  const auto* crop = table_in(info.report, "crop");
  if (crop == nullptr) return std::nullopt;
  const auto full_width = whole_number(*crop, "full_width");
  const auto full_height = whole_number(*crop, "full_height");
  const auto left = whole_number(*crop, "left");
  const auto top = whole_number(*crop, "top");
  if (full_width && full_height && left && top && *full_width >= size.width &&
      *top + size.height <= *full_height) {
    return SphereWindow{*full_width, *full_height, *left, *top, size.width, size.height};
  }
  return std::nullopt;
}

}  // namespace

bool is_depth_file(const std::filesystem::path& path) {
  const auto extension = path.extension();
  return extension == ".npy" || extension == ".npz" || extension == ".pfm" || extension == ".dpt" ||
         std::filesystem::exists(media::sidecar_path(path));
}

void warn_of_other_shape(const std::filesystem::path& path, cv::Size size,
                         const std::filesystem::path& other_path, cv::Size other_size) {
  const double ratio = static_cast<double>(size.width) * other_size.height /
                       (static_cast<double>(size.height) * other_size.width);
  if (std::abs(std::log(ratio)) < 0.03) return;
  spdlog::warn("'{}' is {}x{} and '{}' {}x{}: it is stretched to the same edges", path.string(),
               size.width, size.height, other_path.string(), other_size.width, other_size.height);
}

std::vector<TangentView> choose_views(const ViewOptions& options, int preferred_size_px) {
  if (!options.list.empty()) return read_views_json(options.list).views;
  int size = options.size_px;
  if (size == 0) size = preferred_size_px > 0 ? preferred_size_px : kUsualViewSize;
  return projection::covering_views(options.count, options.fov, size);
}

DepthResult estimate_depth(const Source& source,
                           std::span<const std::unique_ptr<DepthPredictor>> networks,
                           const DepthOptions& options, Progress& progress) {
  return estimate(source, pointers_to(networks), options, progress);
}

PhotoPrediction predict_flat(const Source& source,
                             std::span<const std::unique_ptr<DepthPredictor>> networks,
                             Progress& progress) {
  const auto pointers = pointers_to(networks);
  check_different(pointers);
  auto photo = predict_photo(source, pointers, progress);
  log_networks(photo.networks);
  return {std::move(photo.depth), photo.in_metres, joined_names(pointers)};
}

DepthResult estimate_depth(const Source& source, DepthPredictor& predictor,
                           const DepthOptions& options, Progress& progress) {
  DepthPredictor* const only = &predictor;
  return estimate(source, std::span(&only, 1), options, progress);
}

DepthResult use_own_depth(const OwnDepth& own, const Source& source, const DepthOptions& options) {
  const auto depth = read_own(own);
  const cv::Size size = values_of(depth).size();
  const auto& shown = source.original_window;
  warn_of_other_shape(own.path, size, source.path,
                      source.panorama ? cv::Size(shown.width, shown.height) : source.rgb.size());
  DepthResult result;
  result.panorama = source.panorama;
  if (source.panorama) {
    result.distance = distance_in_panorama(depth);
    result.window = window_for(source.original_window, size);
    if (source.turn) {
      const auto target =
          window_for(source.window, cv::Size(result.window.full_width, result.window.full_height));
      result.distance =
          RayDistance(turned(result.distance.values(), result.window, target, *source.turn));
      result.window = target;
    }
  } else {
    result.fov_x = source.fov_x;
    result.fov_y = source.fov_y;
    result.distance = distance_in_photo(depth, {source.fov_x, source.fov_y, size});
  }
  finish_own(result, kind_of(depth), own, options);
  return result;
}

DepthResult use_lone_depth(const OwnDepth& own, const SourceOptions& source_options,
                           const DepthOptions& options) {
  const auto depth = read_own(own);
  const cv::Size size = values_of(depth).size();
  auto asked = source_options.projection;
  std::optional<Radians> fov = source_options.horizontal_fov;
  if (asked && asked != PictureKind::kEquirectangular && asked != PictureKind::kFlat) {
    throw Error(ErrorCode::kUsage, fmt::format("a depth map by itself cannot be a {} picture",
                                               projection::to_string(*asked)))
        .hint("give input.projection=equirectangular or flat");
  }
  const auto sidecar = media::read_sidecar(own.path);
  if (sidecar && !asked) {
    const bool round = sidecar->projection == media::DepthProjection::kEquirectangular;
    asked = round ? PictureKind::kEquirectangular : PictureKind::kFlat;
    if (!fov) fov = sidecar->horizontal_fov;
  }
  if (kind_of(depth) == DepthKind::kPlanarDepth && !asked) {
    asked = PictureKind::kFlat;
  }
  const auto seen = recognise(own.path, size, media::PictureMetadata{}, asked);
  DepthResult result;
  result.panorama = seen.projection == PictureKind::kEquirectangular;
  if (result.panorama) {
    const auto noted = sidecar ? noted_window(*sidecar, size) : std::nullopt;
    result.window = noted.value_or(seen.window);
    result.distance = distance_in_panorama(depth);
  } else {
    if (!fov) {
      spdlog::warn("'{}' does not tell its field of view: {:.0f} degrees assumed",
                   own.path.string(), kUsualPhotoFov.degrees());
    }
    result.fov_x = fov.value_or(kUsualPhotoFov);
    result.fov_y = vertical_fov(result.fov_x, size);
    result.distance = distance_in_photo(depth, {result.fov_x, result.fov_y, size});
  }
  finish_own(result, kind_of(depth), own, options);
  return result;
}

}  // namespace vergence::pipeline
