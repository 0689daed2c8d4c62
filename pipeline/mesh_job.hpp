// SPDX-License-Identifier: Apache-2.0
// From distances and a picture to a mesh, point cloud or splat file.
#pragma once

#include "core/progress.hpp"
#include "mesh/clean_up.hpp"
#include "mesh/mesh_from_depth.hpp"
#include "pipeline/depth_job.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

enum class MeshKind { kSurface, kPoints, kSplats };

struct MeshJobOptions {
  MeshKind kind = MeshKind::kSurface;  // points and splats are .ply files
  mesh::MeshOptions surface;           // grid_width counts for points and splats too
  bool keep_sky = true;                // as a surface of its own; false = left out
  std::size_t min_component_triangles = 0;
  std::size_t target_triangles = 0;  // 0 = no simplification
  int texture_max_px = 8192;         // longest side
  int texture_quality = 90;          // of a JPEG
  std::string texture_format = "jpg";
  std::optional<mesh::OutlierOptions> outliers;  // of points; nothing = all are kept
  float splat_opacity = 0.95F;
};

// The rays that belong to the pixels of a result.
[[nodiscard]] mesh::PictureRays rays_of(const DepthResult& result);

// The extensions that a mesh may have, with the dot.
[[nodiscard]] std::vector<std::string_view> mesh_output_extensions();

// Throws Error(kUsage) unless `path`'s format can hold that kind (a device can).
void check_mesh_output(const std::filesystem::path& path, MeshKind kind);

// Writes the mesh of `depth` to `path`, with what belongs to it (.mtl, .jpg, .bin) beside it. `rgb`
// is the picture (CV_8UC3, any size, the same edges), or empty: no texture. Returns the paths
// written, `path` first.
std::vector<std::filesystem::path> write_mesh_result(const std::filesystem::path& path,
                                                     const DepthResult& depth, const cv::Mat& rgb,
                                                     const MeshJobOptions& options,
                                                     Progress& progress);

}  // namespace vergence::pipeline
