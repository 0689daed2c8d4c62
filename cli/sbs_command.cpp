// SPDX-License-Identifier: Apache-2.0
// vergence sbs INPUT... [-o OUT]
#include "cli/recording.hpp"
#include "cli/video_workers.hpp"
#include "cli/work.hpp"
#include "core/error.hpp"
#include "pipeline/options.hpp"
#include "pipeline/outputs.hpp"
#include "pipeline/sbs_files.hpp"
#include "pipeline/sbs_job.hpp"
#include "pipeline/sbs_video.hpp"
#include "pipeline/stereo_preview.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include <fmt/format.h>

namespace vergence::cli {
namespace {

using pipeline::SbsItem;
using pipeline::SbsKind;
namespace fs = std::filesystem;

class SbsCommand {
 public:
  explicit SbsCommand(const Work& work)
      : work_(work),
        options_(pipeline::sbs_photo_options(work.config)),
        video_options_(pipeline::sbs_video_options(work.config, options_)) {
    video_options_.container_may_change = !fs::path(work.output).has_extension();
    if (!work.find_param.empty()) parameters_ = pipeline::sweep_parameters(work.find_param);
    sheet_ = !parameters_.empty() || work.config.boolean("output.preview_sheet");
    if (sheet_) options_.depth_export.clear();
  }

  void run() {
    const auto items = pipeline::plan_sbs(work_.inputs, work_.output, naming(),
                                          pipeline::sbs_batch_options(work_.config));
    // Exported depth is to be seen by one process.
    if (options_.depth_export.empty()) {
      video_options_.job.workers = video_workers(work_, items.size());
    }
    networks_ = networks_for(items);
    photos_.emplace(options_, networks_);
    for_each_input(work_, items.size(), [&](std::size_t i) {
      const auto paths = sheet_ ? make_sheet(items[i]) : make(items[i]);
      work_.progress.end();
      for (const auto& path : paths) {
        if (path != "-") work_.print(path.string());
      }
    });
  }

 private:
  // A sheet is one picture, whatever the layout and the input.
  [[nodiscard]] pipeline::SbsNaming naming() const {
    auto names = pipeline::sbs_naming(work_.config);
    if (!sheet_) return names;
    names.suffix = parameters_.empty() ? work_.config.string("names.preview") : "_find_param";
    names.second_suffix.clear();
    names.photo_extension = ".png";
    names.sheet = true;
    return names;
  }

  [[nodiscard]] std::vector<std::unique_ptr<DepthPredictor>> networks_for(
      const std::vector<SbsItem>& items) const {
    const bool needed =
        !options_.own && std::any_of(items.begin(), items.end(),
                                     [](const SbsItem& item) { return item.depth.empty(); });
    if (!needed) return {};
    return shared_networks(work_);
  }

  [[nodiscard]] pipeline::StereoScene open(const SbsItem& item) {
    if (item.kind == SbsKind::kPhoto) return photos_->open(item, work_.progress);
    const auto frame = pipeline::middle_frame(item.input, video_options_.job.read);
    return photos_->open(frame, item.input, work_.progress);
  }

  std::vector<fs::path> make_sheet(const SbsItem& item) {
    pipeline::check_writable(item.output);
    const auto scene = open(item);
    work_.progress.begin("drawing", "sheets", 1);
    if (parameters_.empty()) {
      return pipeline::write_preview(
          item.output, pipeline::preview_scene(scene, item.input.filename().string()));
    }
    if (!scene.disparity_px.empty()) {
      throw Error(ErrorCode::kUsage,
                  "'--find-param' changes nothing of a pair's own parallax (disparity_px)")
          .hint("give depth of another kind");
    }
    return pipeline::write_sweep(item.output, pipeline::sweep_scene(scene, parameters_));
  }

  std::vector<fs::path> make(const SbsItem& item) {
    if (item.kind == SbsKind::kVideo) {
      return pipeline::make_stereo_video(item, video_options_, networks_, work_.progress);
    }
    if (work_.config.string("stereo.layout") == "frame_sequential") {
      throw Error(ErrorCode::kUsage,
                  fmt::format("'{}' is a picture, and 'stereo.layout=frame_sequential' is for "
                              "videos",
                              item.input.string()))
          .hint("give another layout");
    }
    return photos_->make(item, work_.progress);
  }

  const Work& work_;
  pipeline::SbsPhotoOptions options_;
  pipeline::SbsVideoOptions video_options_;
  std::vector<std::string> parameters_;
  bool sheet_ = false;
  std::vector<std::unique_ptr<DepthPredictor>> networks_;
  std::optional<pipeline::SbsPhotoJob> photos_;
};

}  // namespace

void run_sbs(const Work& work) {
  SbsCommand(work).run();
}

}  // namespace vergence::cli
