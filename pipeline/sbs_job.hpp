// SPDX-License-Identifier: Apache-2.0
// Photos become 3D photos.
#pragma once

#include "core/predictor.hpp"
#include "core/progress.hpp"
#include "media/handed_on.hpp"
#include "media/picture.hpp"
#include "pipeline/depth_job.hpp"
#include "pipeline/iw3_export.hpp"
#include "pipeline/sbs_files.hpp"
#include "pipeline/stereo_frame.hpp"
#include "stereo/autocrop.hpp"
#include "stereo/depth_stabilizer.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

struct SbsPhotoOptions {
  StereoFrameOptions frame;
  bool separate = false;  // two files; the layout is then full side by side
  SourceOptions source;
  std::optional<OwnDepth> own;  // a map, or a folder or iw3_export.yml with one for each photo
  bool keep_mapper = false;     // the user asked for a mapper: an export's own does not count
  stereo::ConvergenceMode convergence_mode = stereo::ConvergenceMode::kConstant;
  float convergence = 0.5F;
  std::vector<stereo::ConvergenceKey> convergence_keys;  // of which the first counts
  std::optional<stereo::Autocrop> autocrop;
  int jpeg_quality = 95;
  media::HandedOn metadata = media::HandedOn::kAll;
  std::filesystem::path depth_export;  // a folder; empty = none
};

// A picture and its depth, ready to be warped with any strength.
struct StereoScene {
  cv::Mat picture;       // RGB or RGBA; CV_8U, CV_16U or CV_32F
  cv::Rect part;         // without black bars; what follows is of this part
  cv::Mat raw;           // raw nearness, CV_32FC1 (stereo_frame.hpp), of any size ...
  cv::Mat disparity_px;  // ... or the pair's own parallax instead
  stereo::FrameDecision decision;
  StereoFrameOptions frame;  // as asked for, and as the depth has it
};

// One scene as one frame, by a maker of its own.
[[nodiscard]] StereoFrameMaker make_frame(const StereoScene& scene, cv::Mat& frame);

class SbsPhotoJob {
 public:
  // `networks` may be empty where the options have depth for all photos. Throws Error(kUsage) for
  // options that photos cannot have.
  SbsPhotoJob(const SbsPhotoOptions& options,
              std::span<const std::unique_ptr<DepthPredictor>> networks);

  // Reads a photo and finds its depth. Throws Error naming the file; also for a 360 picture, unless
  // it was said to be flat.
  [[nodiscard]] StereoScene open(const SbsItem& item, Progress& progress);

  // The same for a picture that is there already (a video's frame), called `name` in messages.
  [[nodiscard]] StereoScene open(const media::Picture& picture, const std::filesystem::path& name,
                                 Progress& progress);

  // Makes the file (or both) of an item. Returns what was written.
  std::vector<std::filesystem::path> make(const SbsItem& item, Progress& progress);

 private:
  [[nodiscard]] AnyDepth find_depth(const Source& source, const SbsItem& item, StereoScene& scene,
                                    Progress& progress);
  [[nodiscard]] StereoScene scene_of(const media::Picture& picture, const SbsItem& item,
                                     Progress& progress);
  void decide(const cv::Mat& rgb, StereoScene& scene) const;
  void keep_depth(const SbsItem& item, const StereoScene& scene, const cv::Mat& shown);

  SbsPhotoOptions options_;
  std::span<const std::unique_ptr<DepthPredictor>> networks_;
  std::optional<Iw3ExportWriter> exporter_;
};

}  // namespace vergence::pipeline
