// SPDX-License-Identifier: Apache-2.0
// The interface of the loadable module `open3d` (core/module.hpp).
#pragma once

#include <cstddef>
#include <cstdint>

namespace vergence::mesh {

struct InlierQuery {
  const float* xyz;  // [count, 3]
  std::size_t count;
  int neighbours;
  double std_ratio;
  std::uint8_t* keep;  // [count]: becomes 1 for the points to keep, zero-initialised by the caller
};

// Statistical outlier removal. Returns false, with the reason in `failure`, when it cannot be done.
using FindInliers = bool (*)(const InlierQuery* query, char* failure, std::size_t failure_size);

inline constexpr auto kFindInliersSymbol = "vergence_open3d_find_inliers";

}  // namespace vergence::mesh
