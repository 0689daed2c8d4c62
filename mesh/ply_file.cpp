// SPDX-License-Identifier: Apache-2.0
#include "mesh/file_writers.hpp"
#include "mesh/output_stream.hpp"

#include <bit>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

namespace vergence::mesh {
namespace fs = std::filesystem;

namespace {

static_assert(std::endian::native == std::endian::little, "PLY records are copied as they lie");

// Collects fixed-size binary records and hands them on in large pieces.
class RecordWriter {
 public:
  explicit RecordWriter(OutputStream& stream) : stream_(stream) { buffer_.reserve(kPiece + 256); }

  template <typename... Values>
  void add(const Values&... values) {
    (append(values), ...);
    if (buffer_.size() >= kPiece) flush();
  }

  void flush() {
    stream_.write(buffer_);
    buffer_.clear();
  }

 private:
  static constexpr std::size_t kPiece = std::size_t{1} << 20;

  template <typename Value>
  void append(const Value& value) {
    buffer_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }

  OutputStream& stream_;
  std::string buffer_;
};

std::string header(std::string_view comment) {
  return fmt::format("ply\nformat binary_little_endian 1.0\ncomment {}\n", comment);
}

void declare_floats(std::string& text, std::initializer_list<const char*> names) {
  for (const auto* name : names) text += fmt::format("property float {}\n", name);
}

// Sample standard of 3D Gaussian splatting: the constant spherical harmonic, 1 / (2 sqrt(pi)).
constexpr double kHarmonic0 = 0.28209479177387814;

float harmonic_from_color(std::uint8_t value) {
  return static_cast<float>((value / 255.0 - 0.5) / kHarmonic0);
}

}  // namespace

void write_ply(OutputSet& files, const fs::path& path, const Mesh& mesh, const Texture* texture) {
  OutputStream& main = files.add(path);
  std::string text = header("Vergence mesh: metres, +Y up, -Z forward; s, t from the lower left");
  if (texture != nullptr) {
    const fs::path picture = texture_path(path, *texture);
    files.add(picture).write(bytes_of(*texture));
    text += fmt::format("comment TextureFile {}\n", picture.filename().string());
  }
  text += fmt::format("element vertex {}\n", mesh.positions.size());
  declare_floats(text, {"x", "y", "z"});
  if (!mesh.normals.empty()) declare_floats(text, {"nx", "ny", "nz"});
  if (!mesh.uvs.empty()) declare_floats(text, {"s", "t"});
  text += fmt::format("element face {}\nproperty list uchar int vertex_indices\nend_header\n",
                      mesh.triangles.size());
  main.write(text);
  RecordWriter records(main);
  for (std::size_t i = 0; i < mesh.positions.size(); ++i) {
    records.add(mesh.positions[i]);
    if (!mesh.normals.empty()) records.add(mesh.normals[i]);
    if (!mesh.uvs.empty()) records.add(mesh.uvs[i].x(), 1.0F - mesh.uvs[i].y());
  }
  for (const auto& triangle : mesh.triangles) records.add(std::uint8_t{3}, triangle);
  records.flush();
}

void write_points(const fs::path& path, const PointCloud& cloud) {
  std::string text = header("Vergence points: metres, +Y up, -Z forward");
  text += fmt::format("element vertex {}\n", cloud.positions.size());
  declare_floats(text, {"x", "y", "z"});
  if (!cloud.normals.empty()) declare_floats(text, {"nx", "ny", "nz"});
  if (!cloud.colors.empty()) {
    text += "property uchar red\nproperty uchar green\nproperty uchar blue\n";
  }
  text += "end_header\n";
  OutputStream main(path);
  main.write(text);
  RecordWriter records(main);
  for (std::size_t i = 0; i < cloud.positions.size(); ++i) {
    records.add(cloud.positions[i]);
    if (!cloud.normals.empty()) records.add(cloud.normals[i]);
    if (!cloud.colors.empty()) records.add(cloud.colors[i]);
  }
  records.flush();
  main.commit();
}

void write_splats(const fs::path& path, const Splats& splats) {
  std::string text = header("Vergence splats: metres, +Y up, -Z forward");
  text += fmt::format("element vertex {}\n", splats.positions.size());
  declare_floats(text, {"x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity",
                        "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"});
  text += "end_header\n";
  OutputStream main(path);
  main.write(text);
  RecordWriter records(main);
  // Readers expect the columns of a normal; the format leaves them unused.
  const Eigen::Vector3f no_normal = Eigen::Vector3f::Zero();
  const float opacity = std::log(splats.opacity / (1.0F - splats.opacity));
  for (std::size_t i = 0; i < splats.positions.size(); ++i) {
    const auto& [red, green, blue] = splats.colors[i];
    const Eigen::Vector3f color(harmonic_from_color(red), harmonic_from_color(green),
                                harmonic_from_color(blue));
    const Eigen::Vector3f scales = splats.scales[i].array().log();
    records.add(splats.positions[i], no_normal, color, opacity, scales, splats.rotations[i]);
  }
  records.flush();
  main.commit();
}

}  // namespace vergence::mesh
