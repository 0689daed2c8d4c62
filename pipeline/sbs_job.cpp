// SPDX-License-Identifier: Apache-2.0
#include "pipeline/sbs_job.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "media/depth_file.hpp"
#include "media/sidecar.hpp"
#include "media/video_reader.hpp"
#include "pipeline/flat_depth.hpp"
#include "pipeline/outputs.hpp"
#include "pipeline/sbs_files.hpp"

#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

void refuse_panorama(const fs::path& path, cv::Size size, const media::PictureMetadata& metadata,
                     std::optional<projection::PictureKind> asked) {
  require_flat(path, claims_of(metadata), asked, "sbs");
  if (!asked && size.width == 2 * size.height) {
    spdlog::info("'{}' is twice as wide as high and is taken for a flat picture", path.string());
  }
}

void check_size(const fs::path& path, cv::Size size) {
  if (std::min(size.width, size.height) >= kMinPictureSide) return;
  throw Error(fmt::format("'{}' is only {}x{} pixels", path.string(), size.width, size.height))
      .hint(fmt::format("give a picture of at least {0}x{0}", kMinPictureSide));
}

// Colours over black, as all formats without opacity show them.
cv::Mat without_alpha(const media::Picture& picture) {
  if (picture.alpha.empty()) return picture.rgb;
  if (picture.rgb.depth() == CV_8U) return media::display_rgb8(picture);
  const double full = picture.rgb.depth() == CV_16U ? 65535.0 : 1.0;
  cv::Mat alpha;
  cv::merge(std::vector<cv::Mat>(3, picture.alpha), alpha);
  cv::Mat result;
  cv::multiply(picture.rgb, alpha, result, 1.0 / full);
  return result;
}

cv::Mat with_alpha(const media::Picture& picture) {
  if (picture.alpha.empty()) return picture.rgb;
  std::vector<cv::Mat> channels;
  cv::split(picture.rgb, channels);
  channels.push_back(picture.alpha);
  cv::Mat result;
  cv::merge(channels, result);
  return result;
}

// The pixels that are warped: as exact as the output can hold them.
cv::Mat pixels_for(const media::Picture& picture, const fs::path& output,
                   const StereoFrameOptions& frame) {
  const auto extension = lower(output.extension().string());
  const bool is_float = picture.rgb.depth() == CV_32F;
  const bool keeps_float = extension == ".exr" || extension == ".tif" || extension == ".tiff";
  if (extension == ".exr" && !is_float) {
    throw Error(fmt::format("'{}' would be an EXR file of whole numbers", output.string()))
        .hint("give another extension or output.stereo_format=png; EXR is for HDR pictures");
  }
  const bool anaglyph = frame.layout.layout == stereo::Layout::kAnaglyph;
  if (is_float && (!keeps_float || anaglyph)) return media::display_rgb8(picture);
  const bool keeps_alpha = (extension == ".png" || extension == ".webp") && !anaglyph &&
                           !stereo::shows_depth(frame.layout.layout);
  if (extension == ".jpg" || extension == ".jpeg" || extension == ".webp") {
    if (picture.rgb.depth() != CV_8U) {
      return media::display_rgb8(picture);
    }
  }
  return keeps_alpha ? with_alpha(picture) : without_alpha(picture);
}

Source source_of(const media::Picture& picture, const fs::path& name,
                 const SourceOptions& options) {
  Source source;
  source.path = name;
  source.rgb = media::display_rgb8(picture);
  source.fov_x = options.horizontal_fov.value_or(
      fov_from_exif(picture.metadata, source.rgb.size()).value_or(kUsualPhotoFov));
  source.fov_y = vertical_fov(source.fov_x, source.rgb.size());
  return source;
}

// Distances along the rays become distances along the view axis.
AnyDepth along_axis(const AnyDepth& depth, const Source& source) {
  const DepthKind kind = kind_of(depth);
  if (kind != DepthKind::kDistance && kind != DepthKind::kInverseDistance) return depth;
  const auto distance = kind == DepthKind::kDistance
                            ? std::get<RayDistance>(depth)
                            : distance_from_inverse_distance(std::get<InverseDistance>(depth));
  return planar_depth_in_photo(distance, {source.fov_x, source.fov_y, distance.values().size()});
}

// The part of a map that shows `part` of a picture.
cv::Mat same_part(const cv::Mat& map, const cv::Rect& part, cv::Size picture) {
  if (part.size() == picture) return map;
  const auto scaled = [](int value, int from, int to) {
    return static_cast<int>(std::lround(static_cast<double>(value) * to / from));
  };
  const int left = scaled(part.x, picture.width, map.cols);
  const int top = scaled(part.y, picture.height, map.rows);
  const int right = std::max(left + 1, scaled(part.x + part.width, picture.width, map.cols));
  const int bottom = std::max(top + 1, scaled(part.y + part.height, picture.height, map.rows));
  return map(cv::Range(top, std::min(bottom, map.rows)), cv::Range(left, std::min(right, map.cols)))
      .clone();
}

void report(const fs::path& input, const StereoScene& scene, const StereoFrameMaker& maker) {
  if (maker.parallax_px().empty()) return;
  double far = 0.0;
  double near = 0.0;
  cv::minMaxLoc(maker.parallax_px(), &far, &near);
  const bool both = scene.frame.parallax.synthetic_view == stereo::SyntheticView::kBoth;
  const auto comfort = maker.comfort();
  spdlog::info(
      "'{}': parallax {:+.1f} to {:+.1f} px of {} (+ = before the screen), {:+.2f} to {:+.2f} "
      "degrees",
      input.string(), far * (both ? 2.0 : 1.0), near * (both ? 2.0 : 1.0), scene.picture.cols,
      comfort.farthest.degrees(), comfort.nearest.degrees());
  if (comfort.share_beyond > 0.005) {
    spdlog::info("'{}': {:.1f} % of it lies beyond {:.2g} degrees and may tire the eyes",
                 input.string(), 100.0 * comfort.share_beyond, scene.frame.comfort.degrees());
  }
}

// What players are told of a frame; nothing where the right eye comes first.
media::PictureView view_of(const stereo::LayoutOptions& options) {
  media::PictureView view;
  if (options.first != Eye::kLeft) return view;
  switch (options.layout) {
    case stereo::Layout::kFullSideBySide:
    case stereo::Layout::kHalfSideBySide:
      view.stereo = media::StereoTag::kSideBySide;
      break;
    case stereo::Layout::kFullTopBottom:
    case stereo::Layout::kHalfTopBottom:
      view.stereo = media::StereoTag::kTopBottom;
      break;
    default:
      break;
  }
  view.squeezed = options.layout == stereo::Layout::kHalfSideBySide ||
                  options.layout == stereo::Layout::kHalfTopBottom;
  return view;
}

// What the photo carries goes on with its frame; a colour profile not with pictures of depth.
media::WriteOptions write_options(const media::Picture& picture, const SbsPhotoOptions& options) {
  media::WriteOptions write{.jpeg_quality = options.jpeg_quality,
                            .carried = media::blocks_to_hand_on(picture.blocks, options.metadata)};
  if (stereo::shows_depth(options.frame.layout.layout)) write.carried.icc.clear();
  return write;
}

bool is_export(const fs::path& path) {
  const auto extension = lower(path.extension().string());
  return extension == ".yml" || extension == ".yaml" || is_folder(path);
}

}  // namespace

StereoFrameMaker make_frame(const StereoScene& scene, cv::Mat& frame) {
  StereoFrameMaker maker(scene.frame);
  if (scene.part.size() != scene.picture.size()) maker.crop_to(scene.part);
  if (scene.disparity_px.empty()) {
    maker.make(scene.picture, scene.raw, scene.decision, frame);
  } else {
    maker.make_from_disparity(scene.picture, scene.disparity_px, frame);
  }
  return maker;
}

SbsPhotoJob::SbsPhotoJob(const SbsPhotoOptions& options,
                         std::span<const std::unique_ptr<DepthPredictor>> networks)
    : options_(options),
      networks_(networks) {
  // A video among the inputs has its depth kept as a video (depth_video.hpp).
  if (!options.depth_export.empty() && !media::is_video_file(options.depth_export)) {
    exporter_.emplace(options.depth_export, mapper_of(options.frame));
  }
}

AnyDepth SbsPhotoJob::find_depth(const Source& source, const SbsItem& item, StereoScene& scene,
                                 Progress& progress) {
  std::optional<OwnDepth> own = options_.own;
  if (!item.depth.empty()) own = OwnDepth{item.depth, std::nullopt, std::nullopt};
  if (!own) {
    auto predicted = predict_flat(source, networks_, progress);
    scene.frame.in_metres = predicted.in_metres;
    return std::move(predicted.depth);
  }
  fs::path export_file = item.export_file;
  if (item.depth.empty() && is_export(own->path)) {
    const auto map = find_map(own->path, item.input.stem().string());
    if (map.empty()) {
      throw Error(fmt::format("there is no depth for '{}' in '{}'", item.input.string(),
                              own->path.string()))
          .hint(fmt::format("put {0}.png (16 bit) or {0}.exr there", item.input.stem().string()));
    }
    export_file = is_folder(own->path) ? own->path / kIw3ExportName : own->path;
    own->path = map;
  }
  std::error_code ignored;
  const bool sidecar = fs::exists(media::sidecar_path(own->path), ignored);
  if (!export_file.empty() && !own->kind && !sidecar && fs::exists(export_file, ignored)) {
    apply_export(export_file, options_.keep_mapper, scene.frame);
    scene.decision.range = {0.0F, 1.0F};
    return Disparity(read_exported_nearness(own->path));
  }
  auto depth = media::read_depth(own->path, {.kind = own->kind, .scale = own->scale});
  warn_of_other_shape(own->path, values_of(depth).size(), source.path, source.rgb.size());
  const auto info = media::read_sidecar(own->path);
  scene.frame.in_metres = kind_of(depth) != DepthKind::kDisparity && (!info || info->metric);
  return along_axis(depth, source);
}

StereoScene SbsPhotoJob::scene_of(const media::Picture& picture, const SbsItem& item,
                                  Progress& progress) {
  const cv::Size size = picture.rgb.size();
  check_size(item.input, size);
  refuse_panorama(item.input, size, picture.metadata, options_.source.projection);
  StereoScene scene;
  scene.frame = options_.frame;
  scene.picture = pixels_for(picture, item.output, options_.frame);
  auto source = source_of(picture, item.input, options_.source);
  scene.part = cv::Rect({0, 0}, size);
  if (options_.autocrop) {
    stereo::BarFinder finder(*options_.autocrop);
    finder.add(source.rgb);
    scene.part = finder.crop();
  }
  const bool predicted = !options_.own && item.depth.empty();
  if (predicted) source.rgb = source.rgb(scene.part).clone();
  scene.decision.range = {0.0F, 0.0F};  // not known yet
  const AnyDepth depth = find_depth(source, item, scene, progress);
  const auto shown = [&](const cv::Mat& map) {
    return predicted ? map : same_part(map, scene.part, size);
  };
  if (kind_of(depth) == DepthKind::kPixelDisparity) {
    scene.disparity_px = shown(pair_disparity(depth, item.input));
    return scene;
  }
  scene.frame.depth_kind = kind_of(depth);
  scene.raw = shown(raw_nearness(depth));
  decide(source.rgb.size() == scene.part.size() ? source.rgb : source.rgb(scene.part), scene);
  return scene;
}

void SbsPhotoJob::decide(const cv::Mat& rgb, StereoScene& scene) const {
  const bool known_range = scene.decision.range.max > scene.decision.range.min;
  const auto range = scene.decision.range;
  stereo::StabilizerOptions options;
  options.range = stereo::RangeMode::kFrame;
  options.look_ahead = 1;
  options.cuts = false;
  options.convergence_mode = options_.convergence_mode;
  options.convergence = options_.convergence;
  options.keys = options_.convergence_keys;
  stereo::DepthStabilizer stabilizer(options);
  auto decisions = stabilizer.push(stereo::frame_statistics(rgb, scene.raw, 0.0));
  if (decisions.empty()) decisions = stabilizer.flush();
  scene.decision = decisions.front();
  if (known_range) scene.decision.range = range;
}

StereoScene SbsPhotoJob::open(const SbsItem& item, Progress& progress) {
  return scene_of(media::read_picture(item.input), item, progress);
}

StereoScene SbsPhotoJob::open(const media::Picture& picture, const fs::path& name,
                              Progress& progress) {
  SbsItem item;
  item.input = name;
  item.output = "frame.png";
  return scene_of(picture, item, progress);
}

void SbsPhotoJob::keep_depth(const SbsItem& item, const StereoScene& scene, const cv::Mat& shown) {
  if (options_.depth_export.empty() || scene.raw.empty()) return;
  if (!exporter_) {
    throw Error(ErrorCode::kUsage, fmt::format("the depth of a photo cannot go into the video '{}'",
                                               options_.depth_export.string()))
        .hint("name a folder with output.depth_export");
  }
  cv::Mat nearness = stereo::nearness_in_range(scene.raw, scene.decision.range);
  if (scene.part.size() != scene.picture.size()) {
    cv::Mat whole = cv::Mat::zeros(scene.picture.size(), CV_32FC1);
    stereo::resize_nearness(nearness, scene.part.size()).copyTo(whole(scene.part));
    nearness = whole;
  }
  exporter_->add(item.input.stem().string(), shown, nearness);
}

std::vector<fs::path> SbsPhotoJob::make(const SbsItem& item, Progress& progress) {
  for (const auto& output : {item.output, item.second_output}) {
    if (!output.empty()) check_writable(output);
  }
  const auto picture = media::read_picture(item.input);
  const auto scene = scene_of(picture, item, progress);
  progress.begin("warping", "frames", 1);
  cv::Mat frame;
  const auto maker = make_frame(scene, frame);
  progress.advance();
  report(item.input, scene, maker);
  keep_depth(item, scene, media::display_rgb8(picture));
  const auto& layout = options_.frame.layout;
  auto write = write_options(picture, options_);
  if (item.second_output.empty()) {
    write.view = view_of(layout);
    media::write_picture(item.output, frame, write);
    return {item.output};
  }
  const int middle = frame.cols / 2;
  return write_together(item.output, ".png", [&](const fs::path& place) {
    media::write_picture(place.parent_path() / item.second_output.filename(),
                         frame.colRange(middle, frame.cols).clone(), write);
    media::write_picture(place, frame.colRange(0, middle).clone(), write);
  });
}

}  // namespace vergence::pipeline
