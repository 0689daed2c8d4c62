// SPDX-License-Identifier: Apache-2.0
// vergence vr180 INPUT... [-o OUT]
#include "cli/recording.hpp"
#include "cli/video_workers.hpp"
#include "cli/work.hpp"
#include "core/error.hpp"
#include "pipeline/options.hpp"
#include "pipeline/outputs.hpp"
#include "pipeline/sbs_files.hpp"
#include "pipeline/vr_job.hpp"
#include "pipeline/vr_options.hpp"
#include "pipeline/vr_preview.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>

namespace vergence::cli {
namespace {

using pipeline::SbsItem;
using pipeline::SbsKind;
namespace fs = std::filesystem;

class Vr180Command {
 public:
  explicit Vr180Command(const Work& work)
      : work_(work),
        options_(pipeline::vr_options(work.config)),
        preview_(work.config.boolean("output.preview_sheet")) {
    options_.container_may_change = !fs::path(work.output).has_extension();
  }

  void run() {
    const auto items = pipeline::plan_sbs(work_.inputs, work_.output, naming(),
                                          pipeline::sbs_batch_options(work_.config));
    options_.job.workers = video_workers(work_, items.size());
    photos_.emplace(options_, lazy_networks());
    for_each_input(work_, items.size(), [&](std::size_t i) {
      const auto paths = preview_ ? make_preview(items[i]) : make(items[i]);
      work_.progress.end();
      for (const auto& path : paths) {
        if (path != "-") work_.print(path.string());
      }
    });
  }

 private:
  [[nodiscard]] pipeline::LazyNetworks lazy_networks() {
    return [this]() -> std::span<const std::unique_ptr<DepthPredictor>> {
      if (networks_.empty()) networks_ = shared_networks(work_);
      return networks_;
    };
  }

  [[nodiscard]] pipeline::SbsNaming naming() const {
    auto names = pipeline::vr_naming(work_.config, options_.frame);
    if (!preview_) return names;
    names.suffix = work_.config.string("names.preview");
    names.photo_suffix.reset();
    names.photo_extension = ".png";
    names.sheet = true;
    return names;
  }

  std::vector<fs::path> make(const SbsItem& item) {
    if (item.kind == SbsKind::kPhoto) return photos_->make(item, work_.progress);
    return pipeline::make_vr_video(item, options_, lazy_networks(), work_.progress);
  }

  std::vector<fs::path> make_preview(const SbsItem& item) {
    pipeline::check_writable(item.output);
    return pipeline::write_preview(
        item.output, pipeline::preview_vr(item, options_, lazy_networks(), work_.progress));
  }

  const Work& work_;
  pipeline::VrOptions options_;
  bool preview_;
  std::vector<std::unique_ptr<DepthPredictor>> networks_;
  std::optional<pipeline::VrPhotoJob> photos_;
};

}  // namespace

void run_vr180(const Work& work) {
  Vr180Command(work).run();
}

}  // namespace vergence::cli
