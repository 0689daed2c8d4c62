// SPDX-License-Identifier: Apache-2.0
// What a video job (video_job.hpp) needs to know about its input: where depth comes from, bars,
// interlacing.
#pragma once

#include "core/predictor.hpp"
#include "core/progress.hpp"
#include "pipeline/sbs_files.hpp"
#include "pipeline/sbs_job.hpp"
#include "pipeline/video_job.hpp"
#include "projection/picture_model.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

enum class Deinterlace { kAuto, kOn, kOff };

struct SbsVideoOptions {
  VideoJobOptions job;  // its maker and part are filled in
  StereoFrameOptions frame;
  Deinterlace deinterlace = Deinterlace::kAuto;
  std::optional<OwnDepth> own;  // a video of depth, a folder of maps or an iw3_export.yml
  bool keep_mapper = false;     // as SbsPhotoOptions
  std::optional<stereo::Autocrop> autocrop;
  std::optional<projection::PictureKind> projection;  // as SourceOptions; videos of the sphere are
                                                      // refused unless it says flat
  bool container_may_change = false;                  // the user named no extension
  std::filesystem::path depth_export;
};

// The user's own depth for the frames of a video. Maps of a folder are named by the frame's time
// stamp or its number (8 digits); of a video of depth, frames go by their number. Throws Error
// where there is no such thing. `frame` learns what the maps are.
[[nodiscard]] DepthSource own_video_depth(const OwnDepth& own, StereoFrameOptions& frame,
                                          bool keep_mapper);

// The part of a video without bars, from frames spread over it; nothing where it is the whole.
[[nodiscard]] std::optional<cv::Rect> find_video_part(const std::filesystem::path& video,
                                                      const media::VideoReadOptions& options,
                                                      stereo::Autocrop rule);

// Makes the video of an item. `networks`: one, or none with own depth. Returns what was written.
std::vector<std::filesystem::path> make_stereo_video(
    const SbsItem& item, SbsVideoOptions options,
    std::span<const std::unique_ptr<DepthPredictor>> networks, Progress& progress);

}  // namespace vergence::pipeline
