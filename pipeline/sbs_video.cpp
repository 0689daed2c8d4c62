// SPDX-License-Identifier: Apache-2.0
#include "pipeline/sbs_video.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "media/depth_file.hpp"
#include "media/picture.hpp"
#include "media/video_reader.hpp"
#include "pipeline/depth_video.hpp"
#include "pipeline/iw3_export.hpp"
#include "pipeline/recognition.hpp"
#include "pipeline/sbs_files.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

// ---- Depth from a folder of maps

struct MapFolder {
  fs::path place;  // the folder, or its iw3_export.yml
  OwnDepth own;
  bool nearness = false;                             // of an export
  std::map<std::string, stereo::DepthRange> ranges;  // what its maps were, where that is known

  [[nodiscard]] AnyDepth map_of(const media::VideoFrame& frame) const {
    auto path = find_map(place, fmt::format("{:08}", frame.pts));
    if (path.empty()) path = find_map(place, fmt::format("{:08}", frame.index));
    if (path.empty()) {
      throw Error(
          fmt::format("there is no depth for frame {} in '{}'", frame.index, place.string()))
          .hint(
              fmt::format("put {:08}.png (16 bit) there: frames are named by time stamp or number",
                          frame.index));
    }
    if (nearness) return Disparity(restored(path));
    return media::read_depth(path, {.kind = own.kind, .scale = own.scale});
  }

 private:
  [[nodiscard]] cv::Mat restored(const fs::path& path) const {
    cv::Mat map = read_exported_nearness(path);
    const auto range = ranges.find(path.stem().string());
    if (range == ranges.end()) return map;
    const double span = static_cast<double>(range->second.max) - range->second.min;
    map.convertTo(map, -1, span, range->second.min);
    return map;
  }
};

fs::path export_of(const fs::path& path) {
  if (is_folder(path)) {
    std::error_code ignored;
    const auto file = path / kIw3ExportName;
    return fs::exists(file, ignored) ? file : fs::path();
  }
  return path.extension() == ".yml" || path.extension() == ".yaml" ? path : fs::path();
}

cv::Mat map_or_disparity(const AnyDepth& depth, const fs::path& file) {
  return kind_of(depth) == DepthKind::kPixelDisparity ? pair_disparity(depth, file)
                                                      : raw_nearness(depth);
}

DepthSource depth_of_video(const OwnDepth& own, StereoFrameOptions& frame) {
  const auto kind = own.kind.value_or(DepthKind::kDisparity);
  const double scale = own.scale.value_or(kind == DepthKind::kPixelDisparity ? 1.0 : 1.0 / 65535.0);
  frame.depth_kind = kind;
  // Ranges beside the video tell what its numbers mean, unless the user knows better.
  auto reader =
      std::make_shared<DepthVideoReader>(own.path, scale, /*use_ranges=*/!own.kind && !own.scale);
  DepthSource source;
  source.maps = [reader, kind, path = own.path](std::span<const media::VideoFrame> frames) {
    std::vector<cv::Mat> maps;
    for (const auto& each : frames) {
      maps.push_back(map_or_disparity(make_depth(kind, reader->map_of(each.index)), path));
    }
    return maps;
  };
  return source;
}

// Keeps the maps of all frames beside what is made of them.
class VideoDepthExporter {
 public:
  VideoDepthExporter(const fs::path& folder, const std::string& mapper) : folder_(folder) {
    write_iw3_export(folder, {.video = true,
                              .basename = folder.filename().string(),
                              .rgb_dir = "rgb",
                              .depth_dir = "depth",
                              .mapper = mapper});
  }

  void add(const media::VideoFrame& frame, const cv::Mat& raw) {
    double min = 0.0;
    double max = 0.0;
    cv::minMaxLoc(raw, &min, &max);
    const cv::Mat nearness =
        stereo::nearness_in_range(raw, {static_cast<float>(min), static_cast<float>(max)});
    const auto name = fmt::format("{:08}", frame.pts);
    media::write_picture(folder_ / "depth" / (name + ".png"), exported_steps(nearness));
    std::ofstream ranges(folder_ / kDepthRangesName, std::ios::app);
    ranges << fmt::format("{},{:.9g},{:.9g}\n", name, min, max);
    if (!ranges.flush()) {
      throw Error(fmt::format("cannot write '{}'", (folder_ / kDepthRangesName).string()))
          .hint("look whether the disk is full");
    }
  }

 private:
  fs::path folder_;
};

DepthSource exported(DepthSource source, const fs::path& input, const SbsVideoOptions& options,
                     Progress& progress) {
  if (options.depth_export.empty()) return source;
  if (options.frame.depth_kind == DepthKind::kPixelDisparity) {
    throw Error(ErrorCode::kUsage, "'output.depth_export' keeps depth, not a pair's own parallax");
  }
  if (media::is_video_file(options.depth_export)) {
    export_depth_video(input, options.depth_export, options.job, source, progress);
    StereoFrameOptions unchanged;  // the kind of depth is that of its source
    return depth_of_video({options.depth_export, std::nullopt, std::nullopt}, unchanged);
  }
  const auto exporter =
      std::make_shared<VideoDepthExporter>(options.depth_export, mapper_of(options.frame));
  source.cacheable = false;  // every map is to be seen here
  source.maps = [exporter, maps = source.maps](std::span<const media::VideoFrame> frames) {
    auto result = maps(frames);
    for (std::size_t i = 0; i < frames.size(); ++i) exporter->add(frames[i], result[i]);
    return result;
  };
  return source;
}

// What the file says of itself decides about filters and bars.
void look_at(const SbsItem& item, SbsVideoOptions& options) {
  auto& read = options.job.read;
  const bool pipe = item.input == "-";
  bool interlaced = options.deinterlace == Deinterlace::kOn;
  if (!pipe) {
    const auto info = media::VideoReader(item.input, read).info();
    require_flat(item.input, claims_of(info), options.projection, "sbs");
    if (info.stereo.value_or(media::StereoTag::kNone) != media::StereoTag::kNone) {
      spdlog::warn("'{}' says that it is 3D already: its frames are taken for flat pictures",
                   item.input.string());
    }
    if (options.deinterlace == Deinterlace::kAuto && read.filter.empty()) {
      interlaced = info.interlaced;
      if (interlaced) spdlog::info("'{}' is interlaced: deinterlaced", item.input.string());
    }
  }
  if (interlaced) read.filter = read.filter.empty() ? "bwdif" : "bwdif," + read.filter;
  if (!options.autocrop) return;
  if (pipe) {
    throw Error(ErrorCode::kUsage,
                "'output.autocrop' has to look into the video first, which a "
                "pipe does not allow")
        .hint("give the file itself, or video.filter=crop=W:H:X:Y");
  }
  options.job.part = find_video_part(item.input, read, *options.autocrop);
}

}  // namespace

DepthSource own_video_depth(const OwnDepth& own, StereoFrameOptions& frame, bool keep_mapper) {
  DepthSource source;
  if (media::is_video_file(own.path)) {
    source = depth_of_video(own, frame);
  } else {
    const auto file = export_of(own.path);
    if (file.empty() && !is_folder(own.path)) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("'{}' is depth of one picture, not of a video", own.path.string()))
          .hint("give a folder of maps, a video of depth or an iw3_export.yml");
    }
    const bool nearness = !file.empty() && !own.kind;
    if (nearness) apply_export(file, keep_mapper, frame);
    const MapFolder folder{
        file.empty() ? own.path : file, own, nearness,
        nearness ? read_depth_ranges(file) : std::map<std::string, stereo::DepthRange>()};
    frame.depth_kind = nearness ? DepthKind::kDisparity : own.kind.value_or(DepthKind::kDistance);
    source.maps = [folder](std::span<const media::VideoFrame> frames) {
      std::vector<cv::Mat> maps;
      for (const auto& each : frames) {
        maps.push_back(map_or_disparity(folder.map_of(each), folder.place));
      }
      return maps;
    };
  }
  source.name = own.path.filename().string();
  source.cacheable = false;
  return source;
}

std::optional<cv::Rect> find_video_part(const fs::path& video,
                                        const media::VideoReadOptions& options,
                                        stereo::Autocrop rule) {
  media::VideoReader reader(video, options);
  const auto& info = reader.info();
  stereo::BarFinder finder(rule);
  media::VideoFrame frame;
  const double first_s = options.start_s.value_or(0.0);
  const bool can_jump = info.duration_s > 0.0 && info.seekable;
  for (int i = 0; i < stereo::BarFinder::kMostFrames; ++i) {
    if (can_jump) {
      const double time_s = first_s + info.duration_s * (i + 0.5) / stereo::BarFinder::kMostFrames;
      reader.seek(
          info.start_pts + static_cast<std::int64_t>(std::floor(time_s / info.time_base.value())),
          0);
    }
    if (!reader.read(frame)) break;
    finder.add(frame.picture);
  }
  const auto part = finder.crop();
  if (finder.num_frames() == 0 || part.size() == info.size) return std::nullopt;
  spdlog::info("'{}': {}x{} at {},{} without its bars", video.string(), part.width, part.height,
               part.x, part.y);
  return part;
}

std::vector<fs::path> make_stereo_video(const SbsItem& item, SbsVideoOptions options,
                                        std::span<const std::unique_ptr<DepthPredictor>> networks,
                                        Progress& progress) {
  look_at(item, options);
  options.job.second_output = item.second_output;
  options.job.container_may_change = options.container_may_change;
  DepthSource depth;
  if (options.own) {
    depth = own_video_depth(*options.own, options.frame, options.keep_mapper);
    if (!is_folder(options.own->path)) {
      // Another file of the same name is another job.
      for (auto& fact : file_fingerprint(options.own->path, "input.depth")) {
        options.job.depth_settings.push_back(std::move(fact));
      }
    }
  } else {
    if (networks.size() != 1) {
      throw Error(ErrorCode::kUsage, "videos are made with one network at a time")
          .hint("give predictor=NAME");
    }
    const auto& info = networks.front()->info();
    depth = predicted_depth(*networks.front());
    options.frame.depth_kind = info.kind;
    options.frame.in_metres = info.metric;
  }
  options.job.maker = [frame = options.frame, part = options.job.part] {
    auto maker = std::make_unique<StereoFrameMaker>(frame);
    if (part) maker->crop_to(*part);
    return maker;
  };
  const auto result =
      run_video_job(item.input, item.output, options.job,
                    exported(std::move(depth), item.input, options, progress), progress);
  return result.outputs;
}

}  // namespace vergence::pipeline
