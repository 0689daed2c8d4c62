// SPDX-License-Identifier: Apache-2.0
#include "pipeline/depth_output.hpp"

#include "media/depth_file.hpp"
#include "media/picture.hpp"
#include "pipeline/outputs.hpp"

#include <optional>

namespace vergence::pipeline {
namespace {

// The distance at which most of the sky stands, if there is any; a skyline that blurs into it
// stands nearer.
std::optional<double> sky_distance(const DepthResult& result) {
  if (result.sky.empty() || cv::countNonZero(result.sky) == 0) return std::nullopt;
  double farthest = 0.0;
  cv::minMaxLoc(result.distance.values(), nullptr, &farthest, nullptr, nullptr, result.sky);
  const int there = cv::countNonZero((result.distance.values() == farthest) & result.sky);
  return 2 * there > cv::countNonZero(result.sky) ? std::optional(farthest) : std::nullopt;
}

media::DepthFileInfo info_of(const DepthResult& result, const std::string& source) {
  media::DepthFileInfo info;
  info.kind = DepthKind::kDistance;
  info.metric = result.metric;
  info.geometry = media::DepthGeometry::kRadial;
  info.projection =
      result.panorama ? media::DepthProjection::kEquirectangular : media::DepthProjection::kPinhole;
  if (!result.panorama) {
    info.horizontal_fov = result.fov_x;
    info.vertical_fov = result.fov_y;
  }
  info.model = result.model;
  info.source = source;
  info.report = result.report;
  if (result.panorama && !result.window.is_whole()) {
    const auto& window = result.window;
    info.report.push_back({"crop", media::DataTree::Table{{"full_width", window.full_width},
                                                          {"full_height", window.full_height},
                                                          {"left", window.left},
                                                          {"top", window.top}}});
  }
  if (const auto distance = sky_distance(result)) {
    info.report.push_back({"sky", media::DataTree::Table{{"distance", *distance}}});
  }
  return info;
}

}  // namespace

std::vector<std::filesystem::path> write_depth_result(const std::filesystem::path& path,
                                                      const DepthResult& result,
                                                      const std::string& source,
                                                      const DepthOutputOptions& options) {
  return write_together(path, "." + options.format, [&](const std::filesystem::path& place) {
    auto info = info_of(result, source);
    if (place.extension() == ".png" || place.extension() == ".PNG") info.scale = options.png_scale;
    media::write_depth(place, result.distance, info);
    if (options.preview && !is_device(path)) {
      const auto name = place.stem().string() + "_preview.png";
      media::write_picture(place.parent_path() / name,
                           media::colorize(result.distance, options.colors));
    }
  });
}

}  // namespace vergence::pipeline
