// SPDX-License-Identifier: Apache-2.0
#include "pipeline/views_job.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/output_file.hpp"
#include "media/picture.hpp"
#include "pipeline/outputs.hpp"
#include "pipeline/views_file.hpp"
#include "projection/resample.hpp"

#include <algorithm>
#include <set>
#include <string>

#include <fmt/format.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

constexpr const char* kListName = "views.json";

// Pictures of an older list that the new one has no more; a list that is not ours says nothing.
std::vector<fs::path> stale_views(const fs::path& folder, const ViewsFile& now) {
  std::set<std::string> kept;
  for (const auto& view : now.views) kept.insert(view.name);
  std::vector<fs::path> stale;
  try {
    for (const auto& view : read_views_json(folder / kListName).views) {
      if (!kept.contains(view.name)) stale.push_back(folder / (view.name + ".png"));
    }
  } catch (const Error&) {
    return {};
  }
  return stale;
}

void render_into(const fs::path& folder, const Source& source, const ViewsFile& list,
                 Progress& progress) {
  const projection::PanoramaSampler sampler(source.rgb, source.window);
  progress.begin("writing views", "views", static_cast<std::int64_t>(list.views.size()));
  for (const auto& view : list.views) {
    throw_if_interrupted();
    media::write_picture(folder / (view.name + ".png"), sampler.render(view).picture);
    progress.advance();
  }
  write_file(folder / kListName, to_json(list));
}

}  // namespace

void check_views_folder(const fs::path& folder) {
  std::error_code ignored;
  if (fs::is_directory(folder, ignored) && !fs::is_empty(folder, ignored) &&
      !fs::exists(folder / kListName, ignored)) {
    throw Error(
        fmt::format("cannot write views to '{}': the folder holds other things", folder.string()))
        .hint("name a new folder with -o");
  }
  const OutputFolder probe(folder);
}

std::vector<fs::path> write_views(const Source& source, const fs::path& folder,
                                  const ViewOptions& options, Progress& progress) {
  if (!source.panorama) {
    throw Error(
        fmt::format("'{}' is a flat photo, and views are made of panoramas", source.path.string()))
        .hint("give input.projection=equirectangular if it is one");
  }
  check_views_folder(folder);
  const ViewsFile list{source.window.full_width, source.window.full_height,
                       choose_views(options, 0)};
  const auto stale = stale_views(folder, list);
  OutputFolder stage(folder);
  try {
    render_into(stage.path(), source, list, progress);
  } catch (const Error& error) {
    throw with_place(error, stage.path().string() + "/", (folder / "").string());
  }
  throw_if_interrupted();
  stage.commit(kListName);
  std::vector<fs::path> written{folder / kListName};
  for (const auto& view : list.views) written.push_back(folder / (view.name + ".png"));
  for (const auto& path : stale) {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
  return written;
}

}  // namespace vergence::pipeline
