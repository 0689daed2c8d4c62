// SPDX-License-Identifier: Apache-2.0
// 360 and flat photos and videos become VR180, 360-3D and what else vr_frame.hpp makes.
#pragma once

#include "core/predictor.hpp"
#include "core/progress.hpp"
#include "media/handed_on.hpp"
#include "media/picture.hpp"
#include "pipeline/depth_job.hpp"
#include "pipeline/sbs_files.hpp"
#include "pipeline/sbs_video.hpp"
#include "pipeline/source.hpp"
#include "pipeline/video_job.hpp"
#include "pipeline/vr_frame.hpp"
#include "pipeline/vr_relayout.hpp"

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

// The largest video of a codec that a device decodes. Smaller ones may be faster.
struct DecoderLimit {
  std::string codec;  // FFmpeg's name: "hevc"
  cv::Size size;      // of a frame, either way round
  int frame_rate = 0;
};

struct DeviceLimits {
  std::string device;                  // "Meta Quest 3"; empty = any
  std::vector<DecoderLimit> decoders;  // empty = not known
  std::vector<std::string> audio;      // FFmpeg's names; empty = not known
};

struct VrOptions {
  VrFrameOptions frame;
  SourceOptions source;  // without its angles: the eyes are turned, not the picture
  bool level = true;     // turn the eyes back by Source::pose
  DepthOptions depth;
  // The median distance of a flat picture that has no scale of its own grows with its focal length:
  // what fills a picture of kUsualPhotoFov at that distance is farther away in a narrower one.
  bool scale_by_fov = true;
  std::optional<OwnDepth> own;
  int jpeg_quality = 95;
  media::HandedOn metadata = media::HandedOn::kAll;  // of photos; of videos in `job`
  DeviceLimits limits;
  // Of inputs that show both eyes: pipeline/vr_relayout.hpp.
  bool change_ipd = false;
  double input_ipd_m = 0.064;
  int panorama_keyframes = 8;  // PanoramaVideoOptions::keyframes
  VideoJobOptions job;         // its maker, tags and depth kind are filled in
  Deinterlace deinterlace = Deinterlace::kAuto;
  bool container_may_change = false;  // the user named no extension
};

// A picture and its distances, ready for the eyes.
struct VrScene {
  cv::Mat picture;  // RGB, CV_8U or CV_16U
  projection::PictureModel model;
  RayDistance distance;  // 1e9 and more = sky; empty for mono
  Eigen::Matrix3d source_from_world = Eigen::Matrix3d::Identity();  // see VrFrameOptions
  media::PictureBlocks carried = {};
};

// The median distance, metres, that a relative result for a picture of this model is given.
[[nodiscard]] double median_for(const VrOptions& options, const projection::PictureModel& source);

// How both eyes of an input become frames.
[[nodiscard]] VrRelayoutOptions relayout_options(const VrOptions& options);

// Whether any depth has to be found for such frames.
[[nodiscard]] bool needs_depth(const VrFrameOptions& frame);

// The networks, which are loaded when they are asked for first: pairs, frames of one eye and own
// depth need none.
using LazyNetworks = std::function<std::span<const std::unique_ptr<DepthPredictor>>()>;

// Both eyes of a photo, and the frame that is made of them.
struct VrPair {
  cv::Mat input;  // what the file shows; of two pictures the left one
  cv::Mat frame;
  std::array<cv::Mat, 2> eyes;            // as they lie in the frame; one and the same for mono
  std::optional<double> baseline_m = {};  // between the eyes, where that is known
};

class VrPhotoJob {
 public:
  VrPhotoJob(const VrOptions& options, LazyNetworks networks);

  // Reads a photo and finds its distances. Throws Error naming the file.
  [[nodiscard]] VrScene open(const std::filesystem::path& path, Progress& progress);

  // The same for what is read already.
  [[nodiscard]] VrScene open(const Source& source, Progress& progress);

  // Reads a photo and makes its frame where it shows both eyes, 8 bits deep; nothing where it shows
  // one eye's picture. Throws Error naming the file.
  [[nodiscard]] std::optional<VrPair> open_pair(const std::filesystem::path& path,
                                                Progress& progress) const;

  // Makes the file of an item. Returns what was written.
  std::vector<std::filesystem::path> make(const SbsItem& item, Progress& progress);

 private:
  [[nodiscard]] std::optional<VrPair> make_pair(const std::filesystem::path& path,
                                                const media::Picture& picture, const cv::Mat& right,
                                                bool deep, Progress& progress) const;
  void write(const SbsItem& item, const VrPair& made, const media::PictureBlocks& carried) const;
  [[nodiscard]] VrScene open_for(const SbsItem& item, const media::Picture& picture,
                                 Progress& progress);

  VrOptions options_;
  LazyNetworks networks_;
};

// Both eyes of a scene by a maker of its own, with what there is to tell the user.
[[nodiscard]] VrFrameMaker make_vr_frame(const VrScene& scene, const VrFrameOptions& options,
                                         const std::string& name, cv::Mat& frame);

// What of a device's limits a video passes, as a sentence; empty where nothing is. `codec`:
// FFmpeg's name of the encoder.
[[nodiscard]] std::string passed_limit(const DeviceLimits& limits, const std::string& codec,
                                       cv::Size size, double frame_rate);

// The middle frame of a video as a photo; the frames that the whole job would make.
struct VideoSample {
  Source source;  // of a pair only its path and the whole picture
  media::VideoInfo info;
  std::optional<VrRelayout> pair;  // makes its frames
};

[[nodiscard]] VideoSample sample_video(const std::filesystem::path& video,
                                       const VrOptions& options);

// Makes the video of an item, with one network where depth has to be found. Returns what was
// written.
std::vector<std::filesystem::path> make_vr_video(const SbsItem& item, VrOptions options,
                                                 const LazyNetworks& networks, Progress& progress);

}  // namespace vergence::pipeline
