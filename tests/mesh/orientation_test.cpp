// SPDX-License-Identifier: Apache-2.0
// Every format, read back by Assimp's importer, shows the picture neither mirrored nor flipped, at
// the right size and with the right counts.
#include "core/output_file.hpp"
#include "mesh/mesh_file.hpp"
#include "tests/mesh/fixtures.hpp"
#include "tests/support/paths.hpp"

#include <cmath>
#include <random>

#include <assimp/Importer.hpp>
#include <assimp/material.h>
#include <assimp/postprocess.h>
#include <assimp/scene.h>
#include <gtest/gtest.h>

namespace vergence::mesh {
namespace {

using vergence::test::TemporaryFolder;

void collect(const aiScene& scene, const aiNode& node, const aiMatrix4x4& world_from_parent,
             Mesh& out) {
  const aiMatrix4x4 world_from_node = world_from_parent * node.mTransformation;
  for (unsigned int m = 0; m < node.mNumMeshes; ++m) {
    const aiMesh& mesh = *scene.mMeshes[node.mMeshes[m]];
    const auto base = static_cast<std::uint32_t>(out.positions.size());
    for (unsigned int i = 0; i < mesh.mNumVertices; ++i) {
      const aiVector3D p = world_from_node * mesh.mVertices[i];
      out.positions.emplace_back(p.x, p.y, p.z);
      const aiVector3D n = mesh.mNormals[i];
      out.normals.emplace_back(n.x, n.y, n.z);
      const aiVector3D uv = mesh.mTextureCoords[0][i];
      out.uvs.emplace_back(uv.x, 1.0F - uv.y);
    }
    for (unsigned int i = 0; i < mesh.mNumFaces; ++i) {
      const unsigned int* index = mesh.mFaces[i].mIndices;
      out.triangles.push_back({base + index[0], base + index[1], base + index[2]});
    }
  }
  for (unsigned int i = 0; i < node.mNumChildren; ++i) {
    collect(scene, *node.mChildren[i], world_from_node, out);
  }
}

class EveryMeshFormat : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryMeshFormat, ShowsThePictureUprightAtTheRightSize) {
  const TemporaryFolder folder;
  const Mesh mesh = mesh_from_depth(test::panorama_of(64, 32, test::room_distance),
                                    test::whole_sphere(), {.grid_width = 64});
  const Texture texture = test::uv_texture(64, 32);
  const auto written = write_mesh(folder / ("my room" + GetParam()), mesh, &texture);
  EXPECT_EQ(written.front().filename(), "my room" + GetParam());
  for (const auto& path : written) EXPECT_TRUE(std::filesystem::is_regular_file(path)) << path;

  Assimp::Importer importer;
  const aiScene* scene = importer.ReadFile(written.front().string(), 0);
  ASSERT_NE(scene, nullptr) << importer.GetErrorString();
  Mesh read;
  collect(*scene, *scene->mRootNode, {}, read);
  EXPECT_EQ(read.triangles.size(), mesh.triangles.size());
  Eigen::Vector3f highest = Eigen::Vector3f::Zero();
  for (const auto& position : read.positions) highest = highest.cwiseMax(position.cwiseAbs());
  EXPECT_NEAR(highest.x(), 3.0F, 0.02F);
  EXPECT_NEAR(highest.y(), 1.5F, 0.02F);
  EXPECT_NEAR(highest.z(), 4.0F, 0.02F);
  std::size_t num_outward = 0;
  for (std::size_t i = 0; i < read.positions.size(); ++i) {
    num_outward += read.normals[i].dot(read.positions[i]) > 0.0F ? 1 : 0;
  }
  EXPECT_EQ(num_outward, 0U);

  const auto whole = projection::SphereWindow::whole(1, 1);
  std::mt19937 random(4);
  std::uniform_real_distribution<double> u_of(0.02, 0.98);
  std::uniform_real_distribution<double> v_of(0.1, 0.9);
  for (int i = 0; i < 40; ++i) {
    const Eigen::Vector2d expected(u_of(random), v_of(random));
    const auto seen = test::uv_seen(read, direction_at(whole, expected.x(), expected.y()));
    ASSERT_TRUE(seen) << expected;
    EXPECT_LT((*seen - expected).norm(), 0.01) << *seen << " against " << expected;
  }
}

TEST_P(EveryMeshFormat, CarriesItsPicture) {
  const TemporaryFolder folder;
  const Mesh mesh = mesh_from_depth(test::panorama_of(16, 8, test::room_distance),
                                    test::whole_sphere(), {.grid_width = 16});
  const Texture texture = test::uv_texture(64, 32);
  const auto written = write_mesh(folder / ("my room" + GetParam()), mesh, &texture);
  Assimp::Importer importer;
  const aiScene* scene = importer.ReadFile(written.front().string(), 0);
  ASSERT_NE(scene, nullptr) << importer.GetErrorString();
  std::string picture;
  for (unsigned int i = 0; i < scene->mNumMaterials; ++i) {
    aiString path;
    if (scene->mMaterials[i]->GetTexture(aiTextureType_DIFFUSE, 0, &path) != aiReturn_SUCCESS) {
      continue;
    }
    if (const aiTexture* embedded = scene->GetEmbeddedTexture(path.C_Str())) {
      picture.assign(reinterpret_cast<const char*>(embedded->pcData), embedded->mWidth);
    } else {
      picture = read_file(folder / path.C_Str());
    }
  }
  EXPECT_EQ(picture, std::string(texture.bytes.begin(), texture.bytes.end()));
}

INSTANTIATE_TEST_SUITE_P(Formats, EveryMeshFormat, ::testing::ValuesIn(mesh_extensions()),
                         [](const auto& test) { return test.param.substr(1); });

}  // namespace
}  // namespace vergence::mesh
