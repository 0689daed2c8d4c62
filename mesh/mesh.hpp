// SPDX-License-Identifier: Apache-2.0
// Meshes, pictures on them, point clouds and splats: plain data that the other headers make, clean
// and write. World frame: metres, +Y up, -Z forward, seen from the origin (core/rotation.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <Eigen/Core>

namespace vergence::mesh {

using Triangle = std::array<std::uint32_t, 3>;
using Rgb8 = std::array<std::uint8_t, 3>;

// An indexed triangle mesh. Triangles run counter-clockwise as seen from the origin, so their front
// faces, like the normals, look at the camera that took the picture.
struct Mesh {
  std::vector<Eigen::Vector3f> positions;
  std::vector<Eigen::Vector3f> normals;  // unit length, one per position; or empty
  // One per position, or empty; within [0, 1]. (0, 0) is the picture's top left corner and v runs
  // down, as in glTF.
  std::vector<Eigen::Vector2f> uvs;
  std::vector<Triangle> triangles;  // three valid, different indices into positions
};

// An encoded picture, embedded in the mesh file or written beside it.
struct Texture {
  std::vector<std::uint8_t> bytes;
  std::string format = "jpg";  // "jpg" or "png"
};

struct PointCloud {
  std::vector<Eigen::Vector3f> positions;
  std::vector<Eigen::Vector3f> normals;  // unit length, towards the origin; or empty
  std::vector<Rgb8> colors;              // sRGB; or empty
};

// Oriented Gaussians ("3D Gaussian splatting"), all in natural units; the writer encodes them.
struct Splats {
  std::vector<Eigen::Vector3f> positions;
  std::vector<Eigen::Vector3f> scales;     // standard deviations along the own axes, metres, > 0
  std::vector<Eigen::Vector4f> rotations;  // unit quaternions (w, x, y, z): world_from_splat
  std::vector<Rgb8> colors;                // sRGB
  float opacity = 0.95F;                   // of all, in (0, 1)
};

}  // namespace vergence::mesh
