// SPDX-License-Identifier: Apache-2.0
#include "pipeline/mesh_job.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "media/picture.hpp"
#include "mesh/mesh_file.hpp"
#include "pipeline/outputs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace {

cv::Mat shrunk(const cv::Mat& rgb, int max_px) {
  const int side = std::max(rgb.cols, rgb.rows);
  if (side <= max_px) return rgb;
  const double factor = static_cast<double>(max_px) / side;
  const cv::Size size(std::max(1, static_cast<int>(std::lround(rgb.cols * factor))),
                      std::max(1, static_cast<int>(std::lround(rgb.rows * factor))));
  cv::Mat small;
  cv::resize(rgb, small, size, 0, 0, cv::INTER_AREA);
  return small;
}

mesh::Texture texture_of(const cv::Mat& rgb, const MeshJobOptions& options) {
  const auto format =
      options.texture_format == "png" ? media::PictureFormat::kPng : media::PictureFormat::kJpeg;
  return {media::encode_picture(shrunk(rgb, options.texture_max_px), format,
                                {.jpeg_quality = options.texture_quality}),
          options.texture_format};
}

mesh::Mesh surface_of(const RayDistance& distance, const mesh::PictureRays& rays,
                      const MeshJobOptions& options, const cv::Mat& sky) {
  auto surface_options = options.surface;
  if (options.keep_sky) surface_options.segments = sky;
  auto surface = mesh::mesh_from_depth(distance, rays, surface_options);
  throw_if_interrupted();
  if (options.min_component_triangles > 0) {
    surface = mesh::remove_small_components(surface, options.min_component_triangles);
  }
  throw_if_interrupted();
  if (options.target_triangles > 0) surface = mesh::decimate(surface, options.target_triangles);
  throw_if_interrupted();
  return surface;
}

void write_surface(const std::filesystem::path& path, const mesh::Mesh& surface, const cv::Mat& rgb,
                   const MeshJobOptions& options) {
  if (surface.triangles.empty()) {
    throw Error("nothing is left of the mesh")
        .hint("give mesh.edges=keep or a smaller mesh.min_component_triangles");
  }
  spdlog::info("mesh: {} vertices, {} triangles", surface.positions.size(),
               surface.triangles.size());
  if (rgb.empty()) {
    mesh::write_mesh(path, surface, nullptr);
    return;
  }
  const auto texture = texture_of(rgb, options);
  mesh::write_mesh(path, surface, &texture);
}

void write_cloud(const std::filesystem::path& path, const RayDistance& distance,
                 const mesh::PictureRays& rays, const cv::Mat& rgb, const MeshJobOptions& options) {
  const mesh::PointOptions points{.grid_width = options.surface.grid_width,
                                  .normals = options.surface.normals};
  if (options.kind == MeshKind::kSplats) {
    auto splats = mesh::splats_from_depth(distance, rgb, rays, points);
    splats.opacity = options.splat_opacity;
    spdlog::info("{} splats", splats.positions.size());
    mesh::write_splats(path, splats);
    return;
  }
  auto cloud = mesh::points_from_depth(distance, rgb, rays, points);
  throw_if_interrupted();
  if (options.outliers) cloud = mesh::remove_outliers(cloud, *options.outliers);
  spdlog::info("{} points", cloud.positions.size());
  mesh::write_points(path, cloud);
}

}  // namespace

mesh::PictureRays rays_of(const DepthResult& result) {
  if (result.panorama) return result.window;
  projection::TangentView view;
  view.width = result.distance.width();
  view.height = result.distance.height();
  view.fov_x = result.fov_x;
  view.fov_y = result.fov_y;
  return view;
}

std::vector<std::string_view> mesh_output_extensions() {
  const auto& known = mesh::mesh_extensions();
  return {known.begin(), known.end()};
}

void check_mesh_output(const std::filesystem::path& path, MeshKind kind) {
  if (kind == MeshKind::kSurface || is_device(path)) return;
  if (path.extension() == ".ply" || path.extension() == ".PLY") return;
  throw Error(ErrorCode::kUsage,
              fmt::format("points and splats are PLY files, but the output is '{}'", path.string()))
      .hint("end it in '.ply', or give mesh.kind=surface");
}

std::vector<std::filesystem::path> write_mesh_result(const std::filesystem::path& path,
                                                     const DepthResult& depth, const cv::Mat& rgb,
                                                     const MeshJobOptions& options,
                                                     Progress& progress) {
  check_mesh_output(path, options.kind);
  RayDistance distance = depth.distance;
  if (!options.keep_sky && !depth.sky.empty()) {
    distance = RayDistance(depth.distance.values().clone());
    distance.values().setTo(std::numeric_limits<float>::quiet_NaN(), depth.sky);
  }
  const auto rays = rays_of(depth);
  progress.begin("building the mesh", "steps", 2);
  if (options.kind != MeshKind::kSurface) {
    return write_together(path, ".ply", [&](const std::filesystem::path& place) {
      progress.advance();
      write_cloud(place, distance, rays, rgb, options);
      progress.advance();
    });
  }
  const auto surface = surface_of(distance, rays, options, depth.sky);
  progress.advance();
  auto written = write_together(path, ".glb", [&](const std::filesystem::path& place) {
    write_surface(place, surface, rgb, options);
    throw_if_interrupted();
  });
  progress.advance();
  return written;
}

}  // namespace vergence::pipeline
