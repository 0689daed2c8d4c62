// SPDX-License-Identifier: Apache-2.0
// From a map of ray distances to a textured mesh, a point cloud or splats.
#pragma once

#include "core/angle.hpp"
#include "core/depth.hpp"
#include "mesh/mesh.hpp"
#include "projection/sphere_window.hpp"
#include "projection/tangent_view.hpp"

#include <variant>

#include <opencv2/core.hpp>

namespace vergence::mesh {

// The rays that the pixels of a map belong to: an equirectangular picture or part of one, or a flat
// photo. Only the field of view counts, not the numbers of pixels: the map may be smaller or larger
// than the picture, and covers it edge to edge.
using PictureRays = std::variant<projection::SphereWindow, projection::TangentView>;

struct MeshOptions {
  // Columns of the grid of vertices across the picture, at least 4 for a closed sphere and 2
  // otherwise; rows follow from square cells. 0 = one per pixel of the map.
  int grid_width = 1024;
  // Whether to leave out what joins a near surface to a far one: a triangle whose distances have
  // (max - min) / min > edge_rel AND atan((max - min) / (min * step)) > edge_grazing, where `step`
  // is the angle between neighbouring vertices.
  bool cut_edges = true;
  double edge_rel = 0.03;
  Radians edge_grazing = Radians::from_degrees(80);
  bool normals = true;
  // CV_8UC1 of the map's size, or empty: triangles never join zero with non-zero pixels (sky
  // against ground), cut_edges or not.
  cv::Mat segments{};
};

// A grid of vertices at the centres of cells, each at the distance that the map has there; a pixel
// that is not finite and > 0 is a hole. A coarser grid takes the mean inverse distance of the
// cell's majority surface, a finer one interpolates inverse distance within a surface, so that
// edges stay as sharp as the map has them.
//
// A closed sphere repeats column 0 as column W with u = 1, so that its seam welds; where the
// picture reaches a pole there is one vertex per column at the pole, all at the median distance of
// the ring next to it, with u between the two columns. Without cuts and holes the full sphere is
// closed, manifold and of Euler characteristic 2 after weld().
//
// Throws Error when the map has no valid pixel, or (kUsage) when an option is out of its range.
[[nodiscard]] Mesh mesh_from_depth(const RayDistance& distance, const PictureRays& rays,
                                   const MeshOptions& options = {});

struct PointOptions {
  // Columns of the grid of points, as in MeshOptions; 0 = one per pixel of the map.
  int grid_width = 0;
  // Whether rows of a panorama hold fewer points towards the poles, in proportion to their length,
  // so that points are evenly dense over the sphere.
  bool thin_poles = true;
  bool normals = true;
};

// One point per cell with a valid distance. `rgb` is CV_8UC3 of any size, edge to edge the same
// picture as the map; or empty: no colours. Throws Error as mesh_from_depth().
[[nodiscard]] PointCloud points_from_depth(const RayDistance& distance, const cv::Mat& rgb,
                                           const PictureRays& rays,
                                           const PointOptions& options = {});

// One flat disc per cell, lying on the surface: 1/1.2 of the distance to the neighbours wide, a
// tenth of that thick (the recipe of Depth-Anything-3's gsply_helpers.py). An empty `rgb` gives
// grey discs. Throws Error as mesh_from_depth(); options.normals is ignored.
[[nodiscard]] Splats splats_from_depth(const RayDistance& distance, const cv::Mat& rgb,
                                       const PictureRays& rays, const PointOptions& options = {});

}  // namespace vergence::mesh
