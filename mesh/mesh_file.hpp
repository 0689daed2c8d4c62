// SPDX-License-Identifier: Apache-2.0
// Writing meshes, points and splats. Every file appears whole or not at all; of several files the
// one that was asked for appears last.
#pragma once

#include "mesh/mesh.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vergence::mesh {

struct MeshFileOptions {
  std::string name = "panorama";  // of the object and its material inside the file
  bool unlit = true;  // glTF: show the picture as it is, without light (KHR_materials_unlit)
};

// The extensions that write_mesh() knows, with the dot, in the order in which help texts name them.
[[nodiscard]] const std::vector<std::string>& mesh_extensions();

// Writes a mesh in the format of the path's extension (any case); `texture` may be null. The
// picture's orientation is the same in all of them. Returns the paths written, `path` first.
//
// - .glb: by Assimp; picture embedded; double-sided, unlit, rough, not metallic.
// - .gltf: by Assimp; the same, with the picture inside and NAME.bin beside.
// - .fbx: by Assimp, then repaired (mesh/fbx_repair.hpp); picture embedded; 1 unit = 1 m.
// - .obj: our own; NAME.mtl and the picture beside; v runs up, as the format wants it.
// - .ply: our own, binary; picture beside, named in a TextureFile comment; s, t with t up.
//
// Throws Error for an unknown extension (kUsage) and when a file cannot be written.
std::vector<std::filesystem::path> write_mesh(const std::filesystem::path& path, const Mesh& mesh,
                                              const Texture* texture,
                                              const MeshFileOptions& options = {});

// Binary little-endian PLY: x y z, then nx ny nz and red green blue where the cloud has them.
// Throws Error when the file cannot be written.
void write_points(const std::filesystem::path& path, const PointCloud& cloud);

// The PLY of 3D Gaussian splatting viewers: x y z nx ny nz f_dc_0..2 opacity scale_0..2 rot_0..3,
// all float; opacity as logit, scales as natural logarithms, quaternions w first, f_dc = (c - 0.5)
// / 0.28209479. Throws Error when the file cannot be written.
void write_splats(const std::filesystem::path& path, const Splats& splats);

}  // namespace vergence::mesh
