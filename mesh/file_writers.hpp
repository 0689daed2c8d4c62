// SPDX-License-Identifier: Apache-2.0
// The writers behind mesh/mesh_file.hpp.
#pragma once

#include "mesh/mesh_file.hpp"
#include "mesh/output_stream.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace vergence::mesh {

// `text` with everything that means something in a URI or a material file turned into '_', so that
// no reader has to guess where a name ends.
[[nodiscard]] std::string plain_name(std::string_view text);

// Path of a file beside `main`: its plain stem, then `suffix`.
[[nodiscard]] std::filesystem::path companion_path(const std::filesystem::path& main,
                                                   std::string_view suffix);

// Path of the picture beside `main`: never NAME.jpg, which may well be the photo that the mesh is
// from.
[[nodiscard]] std::filesystem::path texture_path(const std::filesystem::path& main,
                                                 const Texture& texture);

[[nodiscard]] std::string_view bytes_of(const Texture& texture);

// Each fills `files`, whose first one is `path`, and leaves commit() to the caller.
void write_obj(OutputSet& files, const std::filesystem::path& path, const Mesh& mesh,
               const Texture* texture, const MeshFileOptions& options);
void write_ply(OutputSet& files, const std::filesystem::path& path, const Mesh& mesh,
               const Texture* texture);
// `.glb`, `.gltf` and `.fbx`, by the path's extension.
void write_by_assimp(OutputSet& files, const std::filesystem::path& path, const Mesh& mesh,
                     const Texture* texture, const MeshFileOptions& options);

}  // namespace vergence::mesh
