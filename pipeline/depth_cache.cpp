// SPDX-License-Identifier: Apache-2.0
#include "pipeline/depth_cache.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "predictors/sha256.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string_view>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <zlib.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMagic = "vergence depth 2";

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

template <class Value>
void put(std::string& bytes, Value value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// Throws Error where there are fewer bytes.
template <class Value>
Value take(std::string_view& bytes) {
  if (bytes.size() < sizeof(Value)) throw Error("it is cut off");
  Value value;
  std::memcpy(&value, bytes.data(), sizeof(Value));
  bytes.remove_prefix(sizeof(Value));
  return value;
}

std::string folder_name(std::span<const Setting> key) {
  std::string text;
  for (const auto& [name, value] : key) text += fmt::format("{}={}\n", name, value);
  predictors::Sha256 digest;
  digest.update(std::as_bytes(std::span(text)));
  return digest.hex().substr(0, 32);
}

struct FolderUse {
  fs::path path;
  fs::file_time_type used;
  std::uint64_t bytes = 0;
};

FolderUse use_of(const fs::path& folder) {
  std::error_code error;
  FolderUse use{.path = folder, .used = fs::last_write_time(folder, error)};
  for (auto it = fs::directory_iterator(folder, error); it != fs::directory_iterator();
       it.increment(error)) {
    const auto size = it->file_size(error);
    if (!error) use.bytes += size;
  }
  return use;
}

// Of all videos, the one used longest ago first.
std::vector<FolderUse> uses_in(const fs::path& root) {
  std::vector<FolderUse> uses;
  std::error_code error;
  for (auto it = fs::directory_iterator(root, error); it != fs::directory_iterator();
       it.increment(error)) {
    if (it->is_directory(error)) uses.push_back(use_of(it->path()));
  }
  std::sort(uses.begin(), uses.end(),
            [](const FolderUse& a, const FolderUse& b) { return a.used < b.used; });
  return uses;
}

}  // namespace

fs::path depth_cache_folder() {
  const auto from = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? fs::path() : fs::path(value);
  };
  if (const auto cache = from("XDG_CACHE_HOME"); cache.is_absolute()) {
    return cache / "vergence" / "depth";
  }
  const auto home = from("HOME");
  return home.empty() ? fs::path() : home / ".cache" / "vergence" / "depth";
}

DepthCache::DepthCache(const DepthCacheOptions& options, std::span<const Setting> key)
    : options_(options) {
  if (options_.folder.empty()) return;
  folder_ = options_.folder / folder_name(key);
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) {
    spdlog::warn("depth is not kept for later runs: cannot make '{}': {}", folder_.string(),
                 error.message());
    return;
  }
  writable_ = true;
  fs::last_write_time(folder_, fs::file_time_type::clock::now(), error);
  for (const auto& use : uses_in(options_.folder)) total_bytes_ += use.bytes;
}

fs::path DepthCache::path_of(std::int64_t number) const {
  return folder_ / fmt::format("{:08}.depth", number);
}

DepthCache::Group DepthCache::read(std::int64_t number) const {
  Group group{.number = number};
  const auto path = path_of(number);
  std::error_code error;
  if (!fs::exists(path, error)) return group;
  try {
    const std::string file = read_file(path, options_.max_bytes);
    std::string_view rest = file;
    if (!rest.starts_with(kMagic)) throw Error("it is not a file of depth");
    rest.remove_prefix(kMagic.size());
    if (take<std::uint32_t>(rest) != checksum(rest)) throw Error("it is damaged");
    while (!rest.empty()) {
      const auto size = take<std::uint64_t>(rest);
      if (size > rest.size()) throw Error("it is cut off");
      group.maps.emplace_back(rest.substr(0, static_cast<std::size_t>(size)));
      rest.remove_prefix(static_cast<std::size_t>(size));
    }
  } catch (const Error& failure) {
    spdlog::warn("kept depth in '{}' is not used: {}", path.string(), failure.what());
    group.maps.clear();
  }
  return group;
}

std::optional<DepthCodes> DepthCache::find(std::int64_t frame) {
  if (folder_.empty()) return std::nullopt;
  const std::int64_t number = frame / kFramesPerFile;
  if (found_.number != number) found_ = read(number);
  const auto place = static_cast<std::size_t>(frame % kFramesPerFile);
  if (place >= found_.maps.size()) return std::nullopt;
  try {
    return decompress_depth(found_.maps[place]);
  } catch (const Error& failure) {
    spdlog::warn("kept depth in '{}' is not used: {}", path_of(number).string(), failure.what());
    found_.maps.clear();
    return std::nullopt;
  }
}

void DepthCache::add(std::int64_t frame, const DepthCodes& depth) {
  if (!writable_) return;
  const std::int64_t number = frame / kFramesPerFile;
  const auto place = static_cast<std::size_t>(frame % kFramesPerFile);
  if (kept_.number != number) {
    flush();
    kept_ = {.number = number, .maps = {}};
  }
  // A file holds its first frames without gaps; a run that begins within one leaves it alone.
  if (place == kept_.maps.size()) kept_.maps.push_back(compress_depth(depth));
}

void DepthCache::flush() {
  if (writable_ && !kept_.maps.empty()) {
    try {
      write();
    } catch (const std::exception& failure) {
      spdlog::warn("depth is not kept for later runs: {}", failure.what());
      writable_ = false;
    }
  }
  kept_ = {};
}

void DepthCache::write() {
  if (read(kept_.number).maps.size() >= kept_.maps.size()) return;
  std::string content;
  for (const auto& map : kept_.maps) {
    put(content, std::uint64_t{map.size()});
    content += map;
  }
  std::string file(kMagic);
  put(file, checksum(content));
  file += content;
  if (!make_room(file.size())) {
    spdlog::info("the depth cache is full: depth of later frames is not kept");
    writable_ = false;
    return;
  }
  write_file(path_of(kept_.number), file);
  total_bytes_ += file.size();
}

bool DepthCache::make_room(std::uint64_t bytes) {
  if (total_bytes_ + bytes <= options_.max_bytes) return true;
  // Others may have written and removed meanwhile.
  total_bytes_ = 0;
  const auto uses = uses_in(options_.folder);
  for (const auto& use : uses) total_bytes_ += use.bytes;
  for (const auto& use : uses) {
    if (total_bytes_ + bytes <= options_.max_bytes) break;
    if (use.path == folder_) continue;
    std::error_code error;
    fs::remove_all(use.path, error);
    if (!error) total_bytes_ -= use.bytes;
  }
  return total_bytes_ + bytes <= options_.max_bytes;
}

}  // namespace vergence::pipeline
