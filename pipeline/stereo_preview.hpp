// SPDX-License-Identifier: Apache-2.0
// Sheets to look at before a long job: what one frame comes to, and what other settings would make
// of it.
#pragma once

#include "media/video_reader.hpp"
#include "pipeline/sbs_job.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// What a scene looks like in 3D, CV_8UC3 RGB.
struct StereoPreview {
  cv::Mat sheet;                // picture, depth, both eyes, anaglyph, histogram of the parallax
  std::vector<cv::Mat> wiggle;  // both eyes in turn
};

// One picture of a sheet (CV_8UC3), and what stands above it.
struct PreviewPanel {
  cv::Mat picture;
  std::string caption;
};

// Panels of one width in rows, below a title.
[[nodiscard]] cv::Mat panel_sheet(std::span<const PreviewPanel> panels, int columns,
                                  const std::string& title);

// `title` stands above the sheet.
[[nodiscard]] StereoPreview preview_scene(const StereoScene& scene, const std::string& title);

// Writes NAME.png and beside it NAME.webp, the eyes in turn. Returns both paths.
std::vector<std::filesystem::path> write_preview(const std::filesystem::path& path,
                                                 const StereoPreview& preview);

// The parameters that a sweep knows, from "divergence,convergence". Throws Error(kUsage) for
// another one, or one that is named twice.
[[nodiscard]] std::vector<std::string> sweep_parameters(const std::string& names);

// The scene with several values of these parameters, one frame a cell, each labelled: the first
// parameter changes from left to right. CV_8UC3 RGB.
[[nodiscard]] cv::Mat sweep_scene(const StereoScene& scene,
                                  std::span<const std::string> parameters);

// Writes it. Returns the path.
std::vector<std::filesystem::path> write_sweep(const std::filesystem::path& path,
                                               const cv::Mat& sheet);

// The middle frame of a video. Throws Error naming the file.
[[nodiscard]] media::Picture middle_frame(const std::filesystem::path& video,
                                          const media::VideoReadOptions& options);

}  // namespace vergence::pipeline
