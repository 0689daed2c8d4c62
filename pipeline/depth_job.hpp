// SPDX-License-Identifier: Apache-2.0
// From a picture to distances: by a network on tangent views (360) or on the photo itself, or from
// the user's own depth file.
#pragma once

#include "alignment/panorama_depth.hpp"
#include "core/predictor.hpp"
#include "core/progress.hpp"
#include "media/sidecar.hpp"
#include "pipeline/source.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace vergence::pipeline {

struct ViewOptions {
  int count = 20;  // 20, 12 or 6
  Radians fov = Radians::from_degrees(100);
  int size_px = 0;                  // side; 0 = what the network likes best, else kUsualViewSize
  std::filesystem::path list = {};  // a views.json whose views are used instead; empty = none
};

inline constexpr int kUsualViewSize = 384;

// The widest depth map made unless asked for.
inline constexpr int kUsualDepthWidth = 4096;

struct DepthOptions {
  ViewOptions views;
  alignment::PanoramaDepthOptions panorama;
  std::filesystem::path sky_mask;  // white where the (levelled) picture shows sky; empty = none
  int width_px = 0;                // of a panorama's depth map; 0 = the picture's, at most 4096
  double camera_height_m = 0.0;    // fixes the scale by the floor; 0 = off
  double factor = 1.0;             // on all distances at the end
  Radians nadir;                   // of a panorama: the floor's plane is continued within this
};

// The user's own depth file.
struct OwnDepth {
  std::filesystem::path path;
  std::optional<DepthKind> kind;  // nothing: as its sidecar says, else distance
  std::optional<double> scale;    // value = scale * stored; nothing: as the sidecar or format says
};

struct DepthResult {
  RayDistance distance;  // NaN = unknown
  cv::Mat sky;           // CV_8UC1, 255 = sky; may be empty: none
  bool metric = false;   // false: metres up to one factor
  bool panorama = false;
  projection::SphereWindow window;  // of a panorama, in pixels of the depth map
  Radians fov_x;                    // of a flat photo
  Radians fov_y;
  std::string model;              // who said so: "nano", or the depth file's name
  media::DataTree::Table report;  // alignment, scale; for the sidecar
};

// Whether a file holds distances rather than a picture: .npy, .npz, .pfm and .dpt do, and whatever
// has a sidecar.
[[nodiscard]] bool is_depth_file(const std::filesystem::path& path);

// Warns where two maps of one picture differ in shape by more than rounding: the first is stretched
// to the edges of the second, which is right for a network's square output and wrong for a map of
// something else.
void warn_of_other_shape(const std::filesystem::path& path, cv::Size size,
                         const std::filesystem::path& other_path, cv::Size other_size);

// The views of a panorama: those of options.list, else a covering set of the given or the network's
// size.
[[nodiscard]] std::vector<projection::TangentView> choose_views(const ViewOptions& options,
                                                                int preferred_size_px);

// The depth that several networks give together (one is enough; none may be named twice). Throws
// Error naming the picture.
[[nodiscard]] DepthResult estimate_depth(const Source& source,
                                         std::span<const std::unique_ptr<DepthPredictor>> networks,
                                         const DepthOptions& options, Progress& progress);

// The same for one network.
[[nodiscard]] DepthResult estimate_depth(const Source& source, DepthPredictor& predictor,
                                         const DepthOptions& options, Progress& progress);

// What several networks (one is enough; none may be named twice) say together about a flat photo,
// of the kind that the leading one gives and of its size. Throws Error naming the picture.
struct PhotoPrediction {
  AnyDepth depth;
  bool in_metres = false;
  std::string model;  // "nano + midas_v21_small"
};

[[nodiscard]] PhotoPrediction predict_flat(
    const Source& source, std::span<const std::unique_ptr<DepthPredictor>> networks,
    Progress& progress);

// The user's own depth of a picture; the two need not have the same size, but the same edges. The
// map is turned as the picture was. Distances of 1e9 and more mean sky, which is put at
// options.panorama.sky.far_factor times the 99 % quantile of the others.
[[nodiscard]] DepthResult use_own_depth(const OwnDepth& own, const Source& source,
                                        const DepthOptions& options);

// The same without a picture: what the file shows is told by its sidecar, else as for a picture.
[[nodiscard]] DepthResult use_lone_depth(const OwnDepth& own, const SourceOptions& source_options,
                                         const DepthOptions& options);

}  // namespace vergence::pipeline
