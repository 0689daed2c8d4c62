// SPDX-License-Identifier: Apache-2.0
// GLB, glTF and FBX by Assimp. Assimp writes into memory: it does not notice a full disk.
#include "core/error.hpp"
#include "core/text.hpp"
#include "mesh/fbx_repair.hpp"
#include "mesh/file_writers.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>

#include <assimp/Exporter.hpp>
#include <assimp/IOStream.hpp>
#include <assimp/IOSystem.hpp>
#include <assimp/scene.h>
#include <fmt/format.h>

namespace vergence::mesh {
namespace fs = std::filesystem;

namespace {

class MemoryStream : public Assimp::IOStream {
 public:
  explicit MemoryStream(std::string& bytes) : bytes_(bytes) {}

  std::size_t Read(void* /*buffer*/, std::size_t /*size*/, std::size_t /*count*/) override {
    return 0;
  }

  std::size_t Write(const void* buffer, std::size_t size, std::size_t count) override {
    const std::size_t length = size * count;
    if (position_ + length > bytes_.size()) bytes_.resize(position_ + length);
    std::memcpy(bytes_.data() + position_, buffer, length);
    position_ += length;
    return count;
  }

  aiReturn Seek(std::size_t offset, aiOrigin origin) override {
    const std::size_t from = origin == aiOrigin_CUR   ? position_
                             : origin == aiOrigin_END ? bytes_.size()
                                                      : 0;
    position_ = from + offset;
    return aiReturn_SUCCESS;
  }

  [[nodiscard]] std::size_t Tell() const override { return position_; }

  [[nodiscard]] std::size_t FileSize() const override { return bytes_.size(); }

  void Flush() override {}

 private:
  std::string& bytes_;
  std::size_t position_ = 0;
};

// Collects what an exporter writes, by file name.
class MemoryFiles : public Assimp::IOSystem {
 public:
  explicit MemoryFiles(std::map<std::string, std::string>& files) : files_(files) {}

  bool Exists(const char* name) const override { return files_.contains(name); }

  char getOsSeparator() const override { return '/'; }

  Assimp::IOStream* Open(const char* name, const char* /*mode*/) override {
    auto& bytes = files_[name];
    bytes.clear();
    return new MemoryStream(bytes);
  }

  void Close(Assimp::IOStream* stream) override { delete stream; }

 private:
  std::map<std::string, std::string>& files_;
};

// Assimp's scene around our arrays: what it would delete but does not own is taken out again.
class Scene {
 public:
  Scene(const Mesh& mesh, const Texture* texture, const MeshFileOptions& options);
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  ~Scene();

  [[nodiscard]] const aiScene& scene() const { return scene_; }

 private:
  void add_mesh(const Mesh& mesh, const std::string& name);
  void add_texture(const Texture& texture);
  void add_material(const Texture* texture, const MeshFileOptions& options);

  aiScene scene_;
};

static_assert(sizeof(aiVector3D) == sizeof(Eigen::Vector3f));

// Assimp takes no pointers to const, but only copies what an exporter is given.
aiVector3D* borrowed(const std::vector<Eigen::Vector3f>& vectors) {
  return reinterpret_cast<aiVector3D*>(const_cast<Eigen::Vector3f*>(vectors.data()));
}

Scene::Scene(const Mesh& mesh, const Texture* texture, const MeshFileOptions& options) {
  add_mesh(mesh, options.name);
  if (texture != nullptr) add_texture(*texture);
  add_material(texture, options);
  scene_.mMetaData = new aiMetadata;
  // FBX counts in centimetres: without this the object arrives a hundred times too small.
  scene_.mMetaData->Add("UnitScaleFactor", 100.0);
  // mFlags stays 0: AI_SCENE_FLAGS_NON_VERBOSE_FORMAT would have Assimp take all triangles apart
  // and join them again, for the same result at 1.6 times the memory.
}

Scene::~Scene() {
  aiMesh& mesh = *scene_.mMeshes[0];
  mesh.mVertices = nullptr;
  mesh.mNormals = nullptr;
  for (unsigned int i = 0; i < mesh.mNumFaces; ++i) mesh.mFaces[i].mIndices = nullptr;
  if (scene_.mNumTextures > 0) scene_.mTextures[0]->pcData = nullptr;
}

void Scene::add_mesh(const Mesh& mesh, const std::string& name) {
  auto* target = new aiMesh;
  scene_.mMeshes = new aiMesh* [1] { target };
  scene_.mNumMeshes = 1;
  target->mName = name;
  target->mPrimitiveTypes = aiPrimitiveType_TRIANGLE;
  target->mNumVertices = static_cast<unsigned int>(mesh.positions.size());
  target->mVertices = borrowed(mesh.positions);
  if (!mesh.normals.empty()) target->mNormals = borrowed(mesh.normals);
  if (!mesh.uvs.empty()) {
    target->mNumUVComponents[0] = 2;
    target->mTextureCoords[0] = new aiVector3D[mesh.uvs.size()];
    // Assimp's v runs up.
    std::transform(
        mesh.uvs.begin(), mesh.uvs.end(), target->mTextureCoords[0],
        [](const Eigen::Vector2f& uv) { return aiVector3D(uv.x(), 1.0F - uv.y(), 0.0F); });
  }
  target->mNumFaces = static_cast<unsigned int>(mesh.triangles.size());
  target->mFaces = new aiFace[mesh.triangles.size()];
  for (std::size_t i = 0; i < mesh.triangles.size(); ++i) {
    target->mFaces[i].mNumIndices = 3;
    target->mFaces[i].mIndices = const_cast<unsigned int*>(mesh.triangles[i].data());
  }
  // Under a child node, because a mesh at the root loses its name.
  scene_.mRootNode = new aiNode("root");
  auto* node = new aiNode(name);
  node->mNumMeshes = 1;
  node->mMeshes = new unsigned int[1]{0};
  scene_.mRootNode->addChildren(1, &node);
}

void Scene::add_texture(const Texture& texture) {
  auto* target = new aiTexture;
  scene_.mTextures = new aiTexture* [1] { target };
  scene_.mNumTextures = 1;
  target->mFilename = "pano." + texture.format;
  std::strncpy(target->achFormatHint, texture.format.c_str(), sizeof(target->achFormatHint) - 1);
  target->mWidth = static_cast<unsigned int>(texture.bytes.size());
  target->mHeight = 0;  // = encoded, mWidth bytes
  target->pcData = reinterpret_cast<aiTexel*>(const_cast<std::uint8_t*>(texture.bytes.data()));
}

void Scene::add_material(const Texture* texture, const MeshFileOptions& options) {
  auto* material = new aiMaterial;
  scene_.mMaterials = new aiMaterial* [1] { material };
  scene_.mNumMaterials = 1;
  const aiString name(options.name);
  const aiColor4D white(1.0F, 1.0F, 1.0F, 1.0F);
  const float rough = 1.0F;
  const float metallic = 0.0F;
  const int double_sided = 1;
  material->AddProperty(&name, AI_MATKEY_NAME);
  material->AddProperty(&white, 1, AI_MATKEY_COLOR_DIFFUSE);
  material->AddProperty(&rough, 1, AI_MATKEY_ROUGHNESS_FACTOR);
  material->AddProperty(&metallic, 1, AI_MATKEY_METALLIC_FACTOR);
  material->AddProperty(&double_sided, 1, AI_MATKEY_TWOSIDED);
  if (options.unlit) {
    // As this very type: an int is silently ignored.
    const aiShadingMode unlit = aiShadingMode_Unlit;
    material->AddProperty(&unlit, 1, AI_MATKEY_SHADING_MODEL);
  }
  if (texture != nullptr) {
    // By name, not as "*0": FBX readers would see two pictures, one of them missing.
    const aiString path(scene_.mTextures[0]->mFilename);
    material->AddProperty(&path, AI_MATKEY_TEXTURE(aiTextureType_DIFFUSE, 0));
  }
}

// The files that Assimp makes of the scene, under `name` and what it puts beside it.
std::map<std::string, std::string> exported(const aiScene& scene, const std::string& format,
                                            const std::string& name) {
  std::map<std::string, std::string> files;
  Assimp::Exporter exporter;
  exporter.SetIOHandler(new MemoryFiles(files));  // the exporter owns it
  if (exporter.Export(&scene, format, name) != aiReturn_SUCCESS || files[name].empty()) {
    throw Error(fmt::format("Assimp cannot make '{}': {}", name, exporter.GetErrorString()))
        .hint("choose another format");
  }
  return files;
}

}  // namespace

void write_by_assimp(OutputSet& files, const fs::path& path, const Mesh& mesh,
                     const Texture* texture, const MeshFileOptions& options) {
  // Opened first: a place that cannot be written is to fail before the work.
  OutputStream& main = files.add(path);
  const std::string extension = lower(path.extension().string());
  const std::string format = extension == ".glb" ? "glb2" : extension == ".gltf" ? "gltf2" : "fbx";
  const std::string name = companion_path(path, extension).filename().string();
  const Scene scene(mesh, texture, options);
  auto made = exported(scene.scene(), format, name);
  if (format == "fbx") made[name] = repair_fbx(made[name]);
  main.write(made[name]);
  made.erase(name);
  for (const auto& [beside, bytes] : made) files.add(path.parent_path() / beside).write(bytes);
}

}  // namespace vergence::mesh
