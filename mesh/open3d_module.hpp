// SPDX-License-Identifier: Apache-2.0
// The interface of the loadable module `open3d` (core/module.hpp).
#pragma once

#include <cstddef>
#include <cstdint>

namespace vergence::mesh {

// Sets keep[i] to 1 for the points of `xyz` [count, 3] that statistical outlier removal keeps, to 0
// for the others. Returns false, with the reason in `failure`, when it cannot be done.
using FindInliers = bool (*)(const float* xyz, std::size_t count, int neighbours, double std_ratio,
                             std::uint8_t* keep, char* failure, std::size_t failure_size);

inline constexpr auto kFindInliersSymbol = "vergence_open3d_find_inliers";

}  // namespace vergence::mesh
