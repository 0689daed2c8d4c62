// SPDX-License-Identifier: Apache-2.0
#include "pipeline/vr_preview.hpp"

#include "media/colormap.hpp"
#include "pipeline/disk_space.hpp"
#include "stereo/anaglyph.hpp"

#include <chrono>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <spdlog/spdlog.h>

namespace vergence::pipeline {
namespace {

double megapixels(cv::Size size) {
  return 1e-6 * size.width * size.height;
}

// Time and disk of the whole video, from what one frame took.
void tell_outlook(const SbsItem& item, const VideoSample& sample, const VrOptions& options,
                  cv::Size frame, double seconds) {
  const auto& info = sample.info;
  const JobOutlook outlook{.num_frames = info.frame_count,
                           .input_megapixels = megapixels(info.size),
                           .output_megapixels = megapixels(frame),
                           .frame_rate = info.frame_rate.value(),
                           .codec = options.job.encode.codec,
                           .preset = options.job.encode.preset,
                           .bitrate_kbps = options.job.encode.bitrate_kbps,
                           .depth_seconds = seconds,
                           .other_bytes = 0};
  if (outlook.num_frames <= 0) return;
  const auto free = free_bytes(item.output.parent_path());
  spdlog::info("'{}': {} frames of {}x{}: {}", item.input.string(), outlook.num_frames, frame.width,
               frame.height,
               describe(guess_job(outlook), {.total_frames = outlook.num_frames}, free));
  const auto passed =
      passed_limit(options.limits, options.job.encode.codec, frame, info.frame_rate.value());
  if (!passed.empty()) spdlog::warn("'{}' {}", item.input.string(), passed);
}

cv::Mat depth_colors(const VrScene& scene) {
  if (scene.distance.empty()) return cv::Mat::zeros(scene.picture.size(), CV_8UC3);
  cv::Mat colors = media::colorize(scene.distance);
  cv::resize(colors, colors, scene.picture.size(), 0.0, 0.0, cv::INTER_LINEAR);
  return colors;
}

StereoPreview draw(const VrScene& scene, const VrFrameMaker& maker, const std::string& title) {
  cv::Mat anaglyph;
  stereo::make_anaglyph(maker.left(), maker.right(), stereo::Anaglyph::kDubois, anaglyph);
  const std::array<PreviewPanel, 5> panels = {
      PreviewPanel{maker.left(),
                   fmt::format("left eye {}x{}", maker.left().cols, maker.left().rows)},
      PreviewPanel{maker.right(), "right eye"},
      PreviewPanel{anaglyph, fmt::format("anaglyph, up to {:.2f} degrees of parallax",
                                         maker.comfort().nearest.degrees())},
      PreviewPanel{scene.picture,
                   fmt::format("input {}x{}", scene.picture.cols, scene.picture.rows)},
      PreviewPanel{depth_colors(scene), "distance"}};
  StereoPreview preview;
  preview.sheet = panel_sheet(panels, 3, title);
  for (const auto& eye : {maker.left(), maker.right()}) {
    cv::Mat frame;
    cv::resize(eye, frame, stereo::fit_within(eye.size(), {960, 960}), 0.0, 0.0, cv::INTER_AREA);
    preview.wiggle.push_back(frame);
  }
  return preview;
}

}  // namespace

StereoPreview preview_vr(const SbsItem& item, const VrOptions& options,
                         std::span<const std::unique_ptr<DepthPredictor>> networks,
                         Progress& progress) {
  const bool video = item.kind == SbsKind::kVideo;
  VideoSample sample;
  if (video) sample = sample_video(item.input, options);
  VrPhotoJob job(options, networks);
  const auto start = std::chrono::steady_clock::now();
  const auto scene = video ? job.open(sample.source, progress) : job.open(item.input, progress);
  progress.begin("making eyes", "frames", 1);
  cv::Mat frame;
  const auto maker = make_vr_frame(scene, options.frame, item.input.string(), frame);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  spdlog::info("'{}': one frame of {}x{} took {:.1f} s", item.input.string(), frame.cols,
               frame.rows, seconds);
  if (video) tell_outlook(item, sample, options, frame.size(), seconds);
  return draw(scene, maker, item.input.filename().string());
}

}  // namespace vergence::pipeline
