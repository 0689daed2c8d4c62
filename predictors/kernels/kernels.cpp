// SPDX-License-Identifier: Apache-2.0
#include "predictors/kernels/kernels.hpp"

#include <algorithm>

namespace vergence::predictors {

namespace avx512 {
extern const Kernels kKernels;
}

namespace avx2 {
extern const Kernels kKernels;
}

namespace portable {
extern const Kernels kKernels;
}

const Kernels& kernels() {
#ifdef __x86_64__
  static const Kernels& best = __builtin_cpu_supports("avx512f") ? avx512::kKernels
                               : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                                   ? avx2::kKernels
                                   : portable::kKernels;
  return best;
#else
  return portable::kKernels;
#endif
}

std::size_t packed_size(int depth, int columns) {
  const int panel = kernels().panel;
  const int panels = (columns + panel - 1) / panel;
  return static_cast<std::size_t>(panels) * static_cast<std::size_t>(panel) *
         static_cast<std::size_t>(depth);
}

void pack(const float* b, std::size_t depth_stride, std::size_t column_stride, int depth,
          int columns, float* packed) {
  const int panel = kernels().panel;
  for (int first = 0; first < columns; first += panel) {
    const int here = std::min(panel, columns - first);
    const float* from = b + static_cast<std::size_t>(first) * column_stride;
    for (int k = 0; k < depth; ++k, from += depth_stride, packed += panel) {
      for (int j = 0; j < here; ++j) packed[j] = from[static_cast<std::size_t>(j) * column_stride];
      std::fill(packed + here, packed + panel, 0.0F);
    }
  }
}

}  // namespace vergence::predictors
