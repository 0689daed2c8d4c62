// SPDX-License-Identifier: Apache-2.0
// vergence sbs INPUT... [-o OUT]
#include "cli/work.hpp"
#include "core/error.hpp"
#include "pipeline/options.hpp"
#include "pipeline/sbs_files.hpp"
#include "pipeline/sbs_job.hpp"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

namespace vergence::cli {
namespace {

using pipeline::SbsItem;
using pipeline::SbsKind;

std::vector<std::unique_ptr<DepthPredictor>> networks_for(const std::vector<SbsItem>& items,
                                                          const Work& work) {
  const bool needed = work.config.string("input.depth").empty() &&
                      std::any_of(items.begin(), items.end(),
                                  [](const SbsItem& item) { return item.depth.empty(); });
  if (!needed) return {};
  return pipeline::make_predictors(work.config);
}

void refuse_frame_sequential(const SbsItem& item, const Work& work) {
  if (work.config.string("stereo.layout") != "frame_sequential") return;
  throw Error(ErrorCode::kUsage,
              fmt::format("'{}' is a picture, and 'stereo.layout=frame_sequential' is for videos",
                          item.input.string()))
      .hint("give another layout");
}

}  // namespace

void run_sbs(const Work& work) {
  const auto options = pipeline::sbs_photo_options(work.config);
  const auto items = pipeline::plan_sbs(work.inputs, work.output, pipeline::sbs_naming(work.config),
                                        pipeline::sbs_batch_options(work.config));
  const auto networks = networks_for(items, work);
  pipeline::SbsPhotoJob photos(options, networks);
  for_each_input(work, items.size(), [&](std::size_t i) {
    const auto& item = items[i];
    refuse_frame_sequential(item, work);
    const auto paths = photos.make(item, work.progress);
    work.progress.end();
    for (const auto& path : paths) work.print(path.string());
  });
}

}  // namespace vergence::cli
