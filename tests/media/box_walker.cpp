// SPDX-License-Identifier: Apache-2.0
#include "tests/media/box_walker.hpp"

#include "core/output_file.hpp"

#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

namespace vergence::test {
namespace {

std::uint64_t number(std::string_view bytes, std::size_t at, int count) {
  std::uint64_t value = 0;
  for (int i = 0; i < count; ++i) {
    value = value * 256 + static_cast<unsigned char>(bytes.at(at + static_cast<std::size_t>(i)));
  }
  return value;
}

struct Part {
  std::string type;
  std::string_view payload;
};

std::vector<Part> parts(std::string_view bytes) {
  std::vector<Part> found;
  std::size_t at = 0;
  while (at + 8 <= bytes.size()) {
    std::uint64_t size = number(bytes, at, 4);
    std::size_t header = 8;
    if (size == 1) {
      size = number(bytes, at + 8, 8);
      header = 16;
    }
    if (size == 0) size = bytes.size() - at;
    if (size < header || size > bytes.size() - at) {
      throw std::runtime_error(fmt::format("a box at {} does not fit", at));
    }
    found.push_back({std::string(bytes.substr(at + 4, 4)),
                     bytes.substr(at + header, static_cast<std::size_t>(size) - header)});
    at += static_cast<std::size_t>(size);
  }
  return found;
}

// What stands before the children of a box of this type, inside of `parent`.
std::size_t fields_of(const std::string& type, const std::string& parent) {
  if (type == "stsd") return 8;
  if (parent == "stsd") return type == "mp4a" || type == "Opus" || type == "sowt" ? 28 : 78;
  return 0;
}

std::optional<std::string_view> find_box(std::string_view bytes, const std::string& path,
                                         const std::string& parent) {
  const auto slash = path.find('/');
  const std::string name = path.substr(0, slash);
  for (const Part& part : parts(bytes)) {
    if (part.type != name) continue;
    if (slash == std::string::npos) return part.payload;
    const auto children = part.payload.substr(fields_of(name, parent));
    if (const auto found = find_box(children, path.substr(slash + 1), name)) return found;
  }
  return std::nullopt;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// One track's samples.
std::string track_samples(std::string_view file, std::string_view table) {
  std::string_view chunks;
  std::string_view sizes;
  std::string_view runs;
  int width = 4;
  for (const Part& part : parts(table)) {
    if (part.type == "stco" || part.type == "co64") chunks = part.payload;
    if (part.type == "co64") width = 8;
    if (part.type == "stsz") sizes = part.payload;
    if (part.type == "stsc") runs = part.payload;
  }
  std::string all;
  const auto num_chunks = number(chunks, 4, 4);
  const auto num_runs = number(runs, 4, 4);
  std::size_t sample = 0;
  std::size_t run = 0;
  for (std::size_t chunk = 0; chunk < num_chunks; ++chunk) {
    while (run + 1 < num_runs && number(runs, 8 + 12 * (run + 1), 4) <= chunk + 1) ++run;
    auto at = number(chunks, 8 + chunk * static_cast<std::size_t>(width), width);
    for (auto left = number(runs, 8 + 12 * run + 4, 4); left > 0; --left, ++sample) {
      const auto fixed = number(sizes, 4, 4);
      const auto size = fixed > 0 ? fixed : number(sizes, 12 + 4 * sample, 4);
      all += file.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(size));
      at += size;
    }
  }
  return all;
}

}  // namespace

std::optional<std::string> box_hex(const std::filesystem::path& file, const std::string& path) {
  const std::string bytes = read_file(file);
  const auto found = find_box(bytes, path, "");
  return found ? std::optional<std::string>(hex(*found)) : std::nullopt;
}

std::vector<std::string> top_boxes(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  std::vector<std::string> types;
  for (const Part& part : parts(bytes)) types.push_back(part.type);
  return types;
}

std::string samples_of(const std::filesystem::path& file) {
  const std::string bytes = vergence::read_file(file);
  const auto moov = find_box(bytes, "moov", "");
  std::string all;
  for (const Part& part : parts(moov.value())) {
    if (part.type != "trak") continue;
    all += track_samples(bytes, find_box(part.payload, "mdia/minf/stbl", "trak").value());
  }
  return all;
}

std::string box(const std::string& type, const std::string& payload) {
  return be32(payload.size() + 8) + type + payload;
}

std::string be16(std::uint64_t value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}

std::string be32(std::uint64_t value) {
  return be16(value >> 16) + be16(value);
}

std::string be64(std::uint64_t value) {
  return be32(value >> 32) + be32(value);
}

}  // namespace vergence::test
