// SPDX-License-Identifier: Apache-2.0
#include "mesh/open3d_module.hpp"

#include <exception>
#include <tuple>

#include <fmt/format.h>
#include <open3d/geometry/PointCloud.h>
#include <open3d/utility/Logging.h>

// No exception leaves the module: its caller was not built against Open3D.
extern "C" bool vergence_open3d_find_inliers(const vergence::mesh::InlierQuery* query,
                                             char* failure, std::size_t failure_size) {
  try {
    const open3d::utility::VerbosityContextManager quiet(open3d::utility::VerbosityLevel::Error);
    open3d::geometry::PointCloud cloud;
    cloud.points_.reserve(query->count);
    for (std::size_t i = 0; i < query->count; ++i) {
      const float* point = query->xyz + 3 * i;
      cloud.points_.emplace_back(point[0], point[1], point[2]);
    }
    const auto kept = cloud.RemoveStatisticalOutliers(static_cast<std::size_t>(query->neighbours),
                                                      query->std_ratio);
    for (const std::size_t index : std::get<1>(kept)) query->keep[index] = 1;
    return true;
  } catch (const std::exception& error) {
    *fmt::format_to_n(failure, failure_size - 1, "{}", error.what()).out = '\0';
    return false;
  }
}
