// SPDX-License-Identifier: Apache-2.0
#include "pipeline/iw3_export.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "media/depth_file.hpp"
#include "media/picture.hpp"
#include "pipeline/outputs.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

constexpr double kFull = 65535.0;

[[noreturn]] void throw_bad(const fs::path& file, const std::string& why) {
  throw Error(fmt::format("'{}' is not an export of depth: {}", file.string(), why))
      .hint("give an iw3_export.yml as iw3 or `vergence sbs output.depth_export=DIR` writes it");
}

template <class T>
T value_or(const YAML::Node& root, const fs::path& file, const char* key, T otherwise) {
  const auto node = root[key];
  if (!node || node.IsNull()) return otherwise;
  try {
    return node.as<T>();
  } catch (const YAML::Exception&) {
    throw_bad(file, fmt::format("its key '{}' has a value of another type", key));
  }
}

YAML::Node load(const fs::path& file) {
  constexpr std::uintmax_t kMaxBytes = 1U << 20U;
  const auto text = read_file(file, kMaxBytes);
  try {
    auto root = YAML::Load(text);
    if (!root.IsMap()) throw_bad(file, "it is no table of keys");
    return root;
  } catch (const YAML::Exception& error) {
    throw_bad(file, fmt::format("line {}: {}", error.mark.line + 1, error.msg));
  }
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}  // namespace

Iw3Export read_iw3_export(const fs::path& file) {
  const auto root = load(file);
  Iw3Export result;
  const auto type = value_or<std::string>(root, file, "type", "");
  if (type != "video" && type != "images") {
    throw_bad(file, "its key 'type' is neither 'video' nor 'images'");
  }
  result.video = type == "video";
  const auto folder = [&](const char* key) {
    const auto name = value_or<std::string>(root, file, key, "");
    if (name.empty()) throw_bad(file, fmt::format("it has no key '{}'", key));
    return file.parent_path() / name;
  };
  result.rgb_dir = folder("rgb_dir");
  result.depth_dir = folder("depth_dir");
  result.basename = value_or<std::string>(root, file, "basename", "");
  result.mapper = value_or<std::string>(root, file, "mapper", "");
  result.skip_mapper = value_or<bool>(root, file, "skip_mapper", false);
  result.skip_edge_dilation = value_or<bool>(root, file, "skip_edge_dilation", false);
  return result;
}

void write_iw3_export(const fs::path& folder, const Iw3Export& content) {
  make_folder(folder / content.rgb_dir);
  make_folder(folder / content.depth_dir);
  YAML::Emitter yaml;
  yaml << YAML::BeginMap;
  yaml << YAML::Key << "type" << YAML::Value << (content.video ? "video" : "images");
  yaml << YAML::Key << "basename" << YAML::Value << content.basename;
  yaml << YAML::Key << "rgb_dir" << YAML::Value << content.rgb_dir.string();
  yaml << YAML::Key << "depth_dir" << YAML::Value << content.depth_dir.string();
  yaml << YAML::Key << "mapper" << YAML::Value << content.mapper;
  yaml << YAML::Key << "skip_mapper" << YAML::Value << content.skip_mapper;
  yaml << YAML::Key << "skip_edge_dilation" << YAML::Value << content.skip_edge_dilation;
  yaml << YAML::Key << "updated_at" << YAML::Value
       << fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::now()));
  yaml << YAML::EndMap;
  write_file(folder / kIw3ExportName, std::string(yaml.c_str()) + "\n");
}

std::vector<std::pair<fs::path, fs::path>> exported_pictures(const fs::path& file) {
  const auto exported = read_iw3_export(file);
  if (exported.video) {
    throw Error(fmt::format("'{}' is the export of a video", file.string()))
        .hint(fmt::format("give the video itself with input.depth={}", file.string()));
  }
  std::vector<std::pair<fs::path, fs::path>> pictures;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(exported.rgb_dir, error)) {
    const auto& path = entry.path();
    if (!entry.is_directory() && media::is_picture_file(path)) {
      pictures.emplace_back(path, exported.depth_dir / (path.stem().string() + ".png"));
    }
  }
  if (error) {
    throw Error(fmt::format("cannot read '{}': {}", exported.rgb_dir.string(),
                            reason_from_errno(error.value())));
  }
  if (pictures.empty()) {
    throw Error(fmt::format("there are no pictures in '{}'", exported.rgb_dir.string()));
  }
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

cv::Mat read_exported_nearness(const fs::path& map) {
  return values_of(media::read_depth(map, {.kind = DepthKind::kDisparity, .scale = 1.0 / kFull}));
}

std::map<std::string, stereo::DepthRange> read_depth_ranges(const fs::path& export_file) {
  std::map<std::string, stereo::DepthRange> ranges;
  const auto file = export_file.parent_path() / kDepthRangesName;
  if (!is_file(file)) return ranges;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string name;
    stereo::DepthRange range;
    char comma = 0;
    if (std::getline(fields, name, ',') && fields >> range.min >> comma >> range.max &&
        range.max >= range.min) {
      ranges[name] = range;
    }
  }
  return ranges;
}

fs::path find_map(const fs::path& folder_or_file, const std::string& name) {
  fs::path folder = folder_or_file;
  if (is_file(folder_or_file)) {
    folder = read_iw3_export(folder_or_file).depth_dir;
  } else if (is_file(folder_or_file / kIw3ExportName)) {
    folder = read_iw3_export(folder_or_file / kIw3ExportName).depth_dir;
  }
  for (const auto extension : media::depth_extensions()) {
    auto path = folder / (name + std::string(extension));
    if (is_file(path)) return path;
  }
  return {};
}

void apply_export(const fs::path& file, bool keep_mapper, StereoFrameOptions& frame) {
  const auto exported = read_iw3_export(file);
  if (exported.skip_mapper) {
    frame.mapper = "none";
  } else if (!keep_mapper && !exported.mapper.empty()) {
    frame.mapper = exported.mapper;
  }
  if (exported.skip_edge_dilation) frame.edge_dilation = {0, 0};
}

Iw3ExportWriter::Iw3ExportWriter(fs::path folder, std::string mapper)
    : folder_(std::move(folder)),
      mapper_(std::move(mapper)) {
  write_iw3_export(folder_, {.basename = folder_.filename().string(),
                             .rgb_dir = "rgb",
                             .depth_dir = "depth",
                             .mapper = mapper_});
}

fs::path Iw3ExportWriter::add(const std::string& name, const cv::Mat& picture,
                              const cv::Mat& nearness) {
  std::string free_name = name;
  for (int i = 2; !taken_.insert(free_name).second; ++i) {
    free_name = fmt::format("{}_{}", name, i);
  }
  auto map = folder_ / "depth" / (free_name + ".png");
  media::write_picture(folder_ / "rgb" / (free_name + ".png"), picture);
  media::write_picture(map, exported_steps(nearness));
  return map;
}

cv::Mat exported_steps(const cv::Mat& nearness) {
  cv::Mat steps(nearness.size(), CV_16UC1);
  for (int y = 0; y < nearness.rows; ++y) {
    const auto* from = nearness.ptr<float>(y);
    auto* to = steps.ptr<std::uint16_t>(y);
    for (int x = 0; x < nearness.cols; ++x) {
      to[x] = static_cast<std::uint16_t>(
          std::floor(std::clamp(static_cast<double>(from[x]), 0.0, 1.0) * kFull));
    }
  }
  return steps;
}

}  // namespace vergence::pipeline
