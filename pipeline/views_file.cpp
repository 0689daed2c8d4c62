// SPDX-License-Identifier: Apache-2.0
#include "pipeline/views_file.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include <Eigen/LU>
#include <Eigen/SVD>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vergence::pipeline {
namespace {

using Json = nlohmann::ordered_json;
using projection::TangentView;

constexpr int kMaxSide = 32768;
constexpr std::size_t kMaxViews = 4096;
constexpr std::uintmax_t kMaxBytes = 16U << 20U;

// Where in the file a mistake is; makes the messages.
struct Place {
  std::string file;
  std::string what;  // "view 3" or ""

  [[nodiscard]] Error error(const std::string& why) const {
    return Error(fmt::format("'{}' is not a list of views: {}{}{}", file, what,
                             what.empty() ? "" : ": ", why))
        .hint("`vergence views` writes such files");
  }
};

const Json& member(const Json& object, const char* key, const Place& place) {
  if (!object.is_object()) throw place.error("it is not an object");
  const auto found = object.find(key);
  if (found == object.end()) throw place.error(fmt::format("there is no '{}'", key));
  return *found;
}

std::string text_of(const Json& object, const char* key, const Place& place) {
  const auto& value = member(object, key, place);
  if (!value.is_string()) throw place.error(fmt::format("'{}' is not a text", key));
  return value.get<std::string>();
}

int side_of(const Json& object, const char* key, const Place& place) {
  const auto& value = member(object, key, place);
  if (!value.is_number_integer() || value.get<double>() < 1 || value.get<double>() > kMaxSide) {
    throw place.error(fmt::format("'{}' is not a whole number from 1 to {}", key, kMaxSide));
  }
  return value.get<int>();
}

std::vector<double> numbers_of(const Json& object, const char* key, std::size_t count,
                               const Place& place) {
  const auto& value = member(object, key, place);
  const bool right = value.is_array() && value.size() == count &&
                     std::all_of(value.begin(), value.end(), [](const Json& item) {
                       return item.is_number() && std::isfinite(item.get<double>());
                     });
  if (!right) throw place.error(fmt::format("'{}' is not a list of {} numbers", key, count));
  return value.get<std::vector<double>>();
}

// The rotation nearest to what was written with few digits.
Eigen::Matrix3d rotation_of(const Json& object, const Place& place) {
  const auto numbers = numbers_of(object, "world_from_view", 9, place);
  const Eigen::Matrix3d written =
      Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>>(numbers.data());
  const double error = (written.transpose() * written - Eigen::Matrix3d::Identity()).norm();
  if (!(error < 1e-3) || written.determinant() < 0.0) {
    throw place.error("'world_from_view' is not a rotation");
  }
  const Eigen::JacobiSVD<Eigen::Matrix3d> svd(written, Eigen::ComputeFullU | Eigen::ComputeFullV);
  return svd.matrixU() * svd.matrixV().transpose();
}

// Names become file names in a folder: nothing may lead out of it.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= 200 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
         });
}

TangentView view_of(const Json& object, const Place& place) {
  TangentView view;
  view.name = text_of(object, "name", place);
  if (!is_plain_name(view.name)) throw place.error("'name' is not a plain name");
  view.width = side_of(object, "width", place);
  view.height = side_of(object, "height", place);
  const auto fov = numbers_of(object, "fov_deg", 2, place);
  for (const double angle : fov) {
    if (!(angle > 0.0 && angle < 180.0)) throw place.error("'fov_deg' is not between 0 and 180");
  }
  view.fov_x = Radians::from_degrees(fov[0]);
  view.fov_y = Radians::from_degrees(fov[1]);
  view.world_from_view = rotation_of(object, place);
  return view;
}

}  // namespace

std::string to_json(const ViewsFile& file) {
  Json root;
  root["projection"] = "equirectangular";
  root["width"] = file.width;
  root["height"] = file.height;
  root["views"] = Json::array();
  for (const auto& view : file.views) {
    Json entry;
    entry["name"] = view.name;
    entry["file"] = view.name + ".png";
    entry["width"] = view.width;
    entry["height"] = view.height;
    // Degrees that were whole stay so: 100, not 100.00000000000001.
    const auto degrees = [](Radians angle) { return std::round(angle.degrees() * 1e10) / 1e10; };
    entry["fov_deg"] = {degrees(view.fov_x), degrees(view.fov_y)};
    Json matrix = Json::array();
    for (int row = 0; row < 3; ++row) {
      for (int column = 0; column < 3; ++column) {
        matrix.push_back(view.world_from_view(row, column) + 0.0);  // no -0.0
      }
    }
    entry["world_from_view"] = matrix;
    root["views"].push_back(entry);
  }
  return root.dump(1) + "\n";
}

ViewsFile parse_views_json(std::string_view json, const std::string& name) {
  const Place place{name, ""};
  // Nesting deeper than the format's is refused while it is parsed: no recursion on hostile input.
  const auto too_deep = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > 16) throw place.error("it is nested too deeply");
    return true;
  };
  const auto root = Json::parse(json, too_deep, false);
  if (root.is_discarded()) throw place.error("it is not JSON");
  if (text_of(root, "projection", place) != "equirectangular") {
    throw place.error("'projection' is not \"equirectangular\"");
  }
  ViewsFile file;
  file.width = side_of(root, "width", place);
  file.height = side_of(root, "height", place);
  const auto& views = member(root, "views", place);
  if (!views.is_array() || views.empty() || views.size() > kMaxViews) {
    throw place.error(fmt::format("'views' is not a list of 1 to {} views", kMaxViews));
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const Place here{name, fmt::format("view {}", i)};
    file.views.push_back(view_of(views[i], here));
    if (!names.insert(file.views.back().name).second) {
      throw here.error(fmt::format("the name '{}' is there twice", file.views.back().name));
    }
  }
  return file;
}

ViewsFile read_views_json(const std::filesystem::path& path) {
  return parse_views_json(read_file(path, kMaxBytes), path.string());
}

}  // namespace vergence::pipeline
