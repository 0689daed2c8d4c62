// SPDX-License-Identifier: Apache-2.0
// The tangent views of a panorama as pictures, for networks that run elsewhere.
#pragma once

#include "core/progress.hpp"
#include "pipeline/depth_job.hpp"
#include "pipeline/source.hpp"

#include <filesystem>
#include <vector>

namespace vergence::pipeline {

// Writes NAME.png for every view and views.json. A folder that does not exist appears whole. In a
// folder that holds an older views.json, views of the same names are replaced, views that only the
// old list names are removed and everything else (the maps made from them) stays; a folder with
// other things in it is refused, as is a flat photo. Returns views.json, then the pictures in the
// order of the views.
std::vector<std::filesystem::path> write_views(const Source& source,
                                               const std::filesystem::path& folder,
                                               const ViewOptions& options, Progress& progress);

// Throws Error where write_views() would refuse the folder.
void check_views_folder(const std::filesystem::path& folder);

}  // namespace vergence::pipeline
