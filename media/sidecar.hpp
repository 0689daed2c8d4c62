// SPDX-License-Identifier: Apache-2.0
// What stands beside a depth file: FILE.toml says what its numbers mean and how they came about.
#pragma once

#include "core/angle.hpp"
#include "core/depth.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace vergence::media {

// A line of a table. (A template, so that it may be spoken of before DataTree is complete.)
template <class Value>
struct KeyAndValue {
  std::string key;
  Value value;

  bool operator==(const KeyAndValue&) const = default;
};

// A value as TOML or JSON know it: plain data, tables in the order in which they were filled.
struct DataTree {
  using Array = std::vector<DataTree>;
  using Table = std::vector<KeyAndValue<DataTree>>;
  std::variant<bool, std::int64_t, double, std::string, Array, Table> value = false;

  DataTree() = default;

  DataTree(bool flag) : value(flag) {}  // NOLINT(google-explicit-constructor)

  DataTree(int number) : value(std::int64_t{number}) {}  // NOLINT(google-explicit-constructor)

  DataTree(std::int64_t number) : value(number) {}  // NOLINT(google-explicit-constructor)

  DataTree(double number) : value(number) {}  // NOLINT(google-explicit-constructor)

  DataTree(const char* text) : value(std::string(text)) {}  // NOLINT(google-explicit-constructor)

  DataTree(std::string text) : value(std::move(text)) {}  // NOLINT(google-explicit-constructor)

  DataTree(Array items) : value(std::move(items)) {}  // NOLINT(google-explicit-constructor)

  DataTree(Table entries) : value(std::move(entries)) {}  // NOLINT(google-explicit-constructor)

  bool operator==(const DataTree&) const;
};

using DataEntry = KeyAndValue<DataTree>;

enum class DepthGeometry { kRadial, kPlanar };  // along the ray, or along the view axis
enum class DepthProjection { kEquirectangular, kPinhole };

// The meaning of a depth file's numbers.
struct DepthFileInfo {
  DepthKind kind = DepthKind::kDistance;
  // False: known up to one scale only; unit is then "relative" instead of "m" (or "1/m").
  bool metric = true;
  // What one stored step is worth: value = scale * stored. Formats that store floats are written
  // with 1. Nothing, when a PNG is written = 0.001 for distances and planar depths; for other
  // kinds, what brings the largest value to full scale.
  std::optional<double> scale;
  DepthGeometry geometry = DepthGeometry::kRadial;
  DepthProjection projection = DepthProjection::kEquirectangular;
  std::optional<Radians> horizontal_fov;  // pinhole only, edge to edge
  std::optional<Radians> vertical_fov;
  std::string model;       // name of the network, empty = none
  std::string source;      // file name of the picture, empty = none
  DataTree::Table report;  // anything more, written as the table [report]

  // Filled when written or read, whatever stood there before.
  int width = 0;
  int height = 0;
  std::optional<double> min;  // of the valid pixels
  std::optional<double> max;
};

// "room.exr" -> "room.exr.toml".
[[nodiscard]] std::filesystem::path sidecar_path(const std::filesystem::path& depth_file);

// The sidecar of `depth_file`, or nothing if there is none. Throws Error naming the sidecar and the
// key if it cannot be understood.
[[nodiscard]] std::optional<DepthFileInfo> read_sidecar(const std::filesystem::path& depth_file);

// Writes `info` beside `depth_file`.
void write_sidecar(const std::filesystem::path& depth_file, const DepthFileInfo& info);

}  // namespace vergence::media
