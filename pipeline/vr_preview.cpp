// SPDX-License-Identifier: Apache-2.0
#include "pipeline/vr_preview.hpp"

#include "media/colormap.hpp"
#include "pipeline/disk_space.hpp"
#include "stereo/anaglyph.hpp"

#include <chrono>
#include <string>
#include <vector>

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
  if (scene.distance.empty()) return {};
  cv::Mat colors = media::colorize(scene.distance);
  cv::resize(colors, colors, scene.picture.size(), 0.0, 0.0, cv::INTER_LINEAR);
  return colors;
}

// What a sheet shows.
struct Eyes {
  cv::Mat left;
  cv::Mat right;
  std::string parallax;  // in words; empty = not known
};

StereoPreview draw(const Eyes& eyes, const cv::Mat& input, const cv::Mat& depth,
                   const std::string& title) {
  cv::Mat anaglyph;
  stereo::make_anaglyph(eyes.left, eyes.right, stereo::Anaglyph::kDubois, anaglyph);
  std::vector<PreviewPanel> panels = {
      {eyes.left, fmt::format("left eye {}x{}", eyes.left.cols, eyes.left.rows)},
      {eyes.right, "right eye"},
      {anaglyph, "anaglyph" + eyes.parallax},
      {input, fmt::format("input {}x{}", input.cols, input.rows)}};
  if (!depth.empty()) panels.push_back({depth, "distance"});
  StereoPreview preview;
  preview.sheet = panel_sheet(panels, 3, title);
  for (const auto& eye : {eyes.left, eyes.right}) {
    cv::Mat frame;
    cv::resize(eye, frame, stereo::fit_within(eye.size(), {960, 960}), 0.0, 0.0, cv::INTER_AREA);
    preview.wiggle.push_back(frame);
  }
  return preview;
}

}  // namespace

StereoPreview preview_vr(const SbsItem& item, const VrOptions& options,
                         const LazyNetworks& networks, Progress& progress) {
  const bool video = item.kind == SbsKind::kVideo;
  const auto title = item.input.filename().string();
  VideoSample sample;
  if (video) sample = sample_video(item.input, options);
  VrPhotoJob job(options, networks);
  const auto start = std::chrono::steady_clock::now();
  const auto tell = [&](cv::Size frame) {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    spdlog::info("'{}': one frame of {}x{} took {:.1f} s", item.input.string(), frame.width,
                 frame.height, seconds);
    if (video) tell_outlook(item, sample, options, frame, seconds);
  };
  cv::Mat frame;
  if (video && sample.pair) {
    sample.pair->make(sample.source.rgb, frame);
    tell(frame.size());
    return draw({sample.pair->left(), sample.pair->right(), ""}, sample.source.rgb, {}, title);
  }
  if (!video) {
    if (const auto pair = job.open_pair(item.input, progress)) {
      tell(pair->frame.size());
      return draw({pair->eyes[0], pair->eyes[1], ""}, pair->input, {}, title);
    }
  }
  const auto scene = video ? job.open(sample.source, progress) : job.open(item.input, progress);
  progress.begin("making eyes", "frames", 1);
  const auto maker = make_vr_frame(scene, options.frame, item.input.string(), frame);
  tell(frame.size());
  return draw(
      {maker.left(), maker.right(),
       fmt::format(", up to {:.2f} degrees of parallax", maker.comfort().nearest.degrees())},
      scene.picture, depth_colors(scene), title);
}

}  // namespace vergence::pipeline
