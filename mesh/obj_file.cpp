// SPDX-License-Identifier: Apache-2.0
// Text is made in parallel blocks with std::to_chars: iostreams take ten times as long.
#include "core/parallel.hpp"
#include "mesh/file_writers.hpp"
#include "mesh/output_stream.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace vergence::mesh {
namespace fs = std::filesystem;

namespace {

// A growing text that numbers are appended to.
class Text {
 public:
  void add(char c) { bytes_ += c; }

  void add(std::string_view text) { bytes_ += text; }

  // The shortest digits that read back as the same float.
  void add(float value) {
    append([&](char* from, char* to) { return std::to_chars(from, to, value); });
  }

  void add(std::uint64_t value) {
    append([&](char* from, char* to) { return std::to_chars(from, to, value); });
  }

  // Six digits behind the point, without trailing zeros: plenty where the value is near 1.
  void add_fixed(float value) {
    constexpr std::int64_t kScale = 1'000'000;
    std::int64_t scaled = std::llround(static_cast<double>(value) * kScale);
    if (scaled < 0) {
      add('-');
      scaled = -scaled;
    }
    add(static_cast<std::uint64_t>(scaled / kScale));
    std::int64_t rest = scaled % kScale;
    if (rest == 0) return;
    std::array<char, 7> digits{'.'};
    std::size_t length = 1;
    for (std::int64_t place = kScale / 10; rest > 0; place /= 10) {
      digits[length++] = static_cast<char>('0' + rest / place);
      rest %= place;
    }
    bytes_.append(digits.data(), length);
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  template <typename Convert>
  void append(const Convert& convert) {
    std::array<char, 48> digits{};
    const auto end = convert(digits.data(), digits.data() + digits.size()).ptr;
    bytes_.append(digits.data(), end);
  }

  std::string bytes_;
};

// Writes the lines of items 0..count, `line(text, i)` each, block by block.
template <typename Line>
void write_lines(OutputStream& stream, std::size_t count, const Line& line) {
  constexpr std::size_t kBlock = 16384;
  constexpr std::size_t kBlocksAtOnce = 16;
  for (std::size_t begin = 0; begin < count; begin += kBlock * kBlocksAtOnce) {
    const std::size_t end = std::min(count, begin + kBlock * kBlocksAtOnce);
    const std::size_t num_blocks = (end - begin + kBlock - 1) / kBlock;
    std::vector<Text> blocks(num_blocks);
    parallel_for(
        0, static_cast<int>(num_blocks),
        [&](int first, int last) {
          for (int block = first; block < last; ++block) {
            auto& text = blocks[static_cast<std::size_t>(block)];
            const std::size_t from = begin + static_cast<std::size_t>(block) * kBlock;
            for (std::size_t i = from; i < std::min(end, from + kBlock); ++i) line(text, i);
          }
        },
        1);
    for (const auto& block : blocks) stream.write(block.bytes());
  }
}

void write_vertices(OutputStream& stream, const Mesh& mesh) {
  write_lines(stream, mesh.positions.size(), [&](Text& text, std::size_t i) {
    text.add('v');
    for (const float coordinate : mesh.positions[i]) {
      text.add(' ');
      text.add(coordinate);
    }
    text.add('\n');
  });
  write_lines(stream, mesh.uvs.size(), [&](Text& text, std::size_t i) {
    text.add("vt ");
    text.add_fixed(mesh.uvs[i].x());
    text.add(' ');
    text.add_fixed(1.0F - mesh.uvs[i].y());
    text.add('\n');
  });
  write_lines(stream, mesh.normals.size(), [&](Text& text, std::size_t i) {
    text.add("vn");
    for (const float coordinate : mesh.normals[i]) {
      text.add(' ');
      text.add_fixed(coordinate);
    }
    text.add('\n');
  });
}

void write_faces(OutputStream& stream, const Mesh& mesh) {
  write_lines(stream, mesh.triangles.size(), [&](Text& text, std::size_t i) {
    text.add('f');
    for (const auto vertex : mesh.triangles[i]) {
      const std::uint64_t number = vertex + std::uint64_t{1};
      text.add(' ');
      text.add(number);
      if (mesh.uvs.empty() && mesh.normals.empty()) continue;
      text.add('/');
      if (!mesh.uvs.empty()) text.add(number);
      if (mesh.normals.empty()) continue;
      text.add('/');
      text.add(number);
    }
    text.add('\n');
  });
}

}  // namespace

void write_obj(OutputSet& files, const fs::path& path, const Mesh& mesh, const Texture* texture,
               const MeshFileOptions& options) {
  OutputStream& main = files.add(path);
  const std::string name = plain_name(options.name);
  std::string head = "# Vergence: metres, +Y up, -Z forward\n";
  std::string use;
  if (texture != nullptr) {
    const fs::path material = companion_path(path, ".mtl");
    const fs::path picture = texture_path(path, *texture);
    head += fmt::format("mtllib {}\n", material.filename().string());
    use = fmt::format("usemtl {}\n", name);
    // Only the picture, no highlights; viewers that know "illum 0" show it without light.
    files.add(material).write(
        fmt::format("newmtl {}\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nd 1\nillum {}\nmap_Kd {}\n", name,
                    options.unlit ? 0 : 1, picture.filename().string()));
    files.add(picture).write(bytes_of(*texture));
  }
  main.write(head + fmt::format("o {}\n", name));
  write_vertices(main, mesh);
  main.write(use);
  write_faces(main, mesh);
}

}  // namespace vergence::mesh
