// SPDX-License-Identifier: Apache-2.0
// views.json: the tangent views of a panorama, for networks that run elsewhere.
#pragma once

#include "projection/tangent_view.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::pipeline {

struct ViewsFile {
  int width = 0;  // of the whole panorama, pixels
  int height = 0;
  std::vector<projection::TangentView> views;
};

// {"projection":"equirectangular","width":W,"height":H,"views":[{"name":"view_00",
//  "file":"view_00.png","width":w,"height":h,"fov_deg":[fx,fy],"world_from_view":[9 numbers,
//  row-major]}]}; a view's file is its name and ".png".
[[nodiscard]] std::string to_json(const ViewsFile& file);

// Reads that form; `name` stands for it in messages. Further keys are ignored. Throws Error that
// names the view and the key: not JSON, a missing or misshapen value, sizes outside 1-32768 pixels,
// fields of view outside 0-180 degrees, a matrix that is no rotation (to 1e-3), a name that is not
// plain (letters, digits, "_", "-", "." but not in front), the same name twice, no view or more
// than 4096.
[[nodiscard]] ViewsFile parse_views_json(std::string_view json, const std::string& name);

[[nodiscard]] ViewsFile read_views_json(const std::filesystem::path& path);

}  // namespace vergence::pipeline
