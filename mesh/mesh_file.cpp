// SPDX-License-Identifier: Apache-2.0
#include "mesh/mesh_file.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "mesh/file_writers.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace vergence::mesh {
namespace fs = std::filesystem;

namespace {}  // namespace

const std::vector<std::string>& mesh_extensions() {
  static const std::vector<std::string> extensions{".glb", ".gltf", ".fbx", ".obj", ".ply"};
  return extensions;
}

std::string plain_name(std::string_view text) {
  std::string name(text);
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && std::isalnum(byte) == 0 && c != '.' && c != '-') c = '_';
  }
  return name;
}

fs::path companion_path(const fs::path& main, std::string_view suffix) {
  return main.parent_path() / (plain_name(main.stem().string()) + std::string(suffix));
}

fs::path texture_path(const fs::path& main, const Texture& texture) {
  return companion_path(main, "_texture." + texture.format);
}

std::string_view bytes_of(const Texture& texture) {
  return {reinterpret_cast<const char*>(texture.bytes.data()), texture.bytes.size()};
}

std::vector<fs::path> write_mesh(const fs::path& path, const Mesh& mesh, const Texture* texture,
                                 const MeshFileOptions& options) {
  if (mesh.triangles.empty()) {
    throw Error(fmt::format("cannot write '{}': the mesh has no triangles", path.string()))
        .hint("cut less: raise the edge thresholds or keep small components");
  }
  const std::string extension = lower(path.extension().string());
  OutputSet files;
  if (extension == ".obj") {
    write_obj(files, path, mesh, texture, options);
  } else if (extension == ".ply") {
    write_ply(files, path, mesh, texture);
  } else if (extension == ".glb" || extension == ".gltf" || extension == ".fbx") {
    write_by_assimp(files, path, mesh, texture, options);
  } else {
    throw Error(ErrorCode::kUsage,
                fmt::format("cannot write '{}': '{}' is no mesh format that is known",
                            path.string(), extension))
        .hint("use " + quoted_list(mesh_extensions()));
  }
  files.commit();
  return files.paths();
}

}  // namespace vergence::mesh
