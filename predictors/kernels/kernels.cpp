// SPDX-License-Identifier: Apache-2.0
#include "predictors/kernels/kernels.hpp"

#include <algorithm>
#include <array>

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

std::span<const Kernels* const> runnable_kernels() {
  static const std::array<const Kernels*, 3> all = {&avx512::kKernels, &avx2::kKernels,
                                                    &portable::kKernels};
#ifdef __x86_64__
  static const std::size_t first = __builtin_cpu_supports("avx512f") ? 0
                                   : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                                       ? 1
                                       : 2;
#else
  static const std::size_t first = 2;
#endif
  return std::span(all).subspan(first);
}

const Kernels& kernels() {
  static const Kernels& fastest = *runnable_kernels().front();
  return fastest;
}

std::size_t packed_size(int depth, int columns) {
  const int panel = kernels().panel;
  const int panels = (columns + panel - 1) / panel;
  return static_cast<std::size_t>(panels) * static_cast<std::size_t>(panel) *
         static_cast<std::size_t>(depth);
}

void pack_rows(const float* rows, std::size_t stride, int depth, int columns, float* packed) {
  const Kernels& fast = kernels();
  for (int first = 0; first < columns; first += fast.panel) {
    fast.pack_panel(rows + static_cast<std::size_t>(first) * stride, stride,
                    std::min(fast.panel, columns - first), depth, packed);
    packed += static_cast<std::size_t>(fast.panel) * static_cast<std::size_t>(depth);
  }
}

void pack_matrix(const float* values, std::size_t stride, int depth, int columns, float* packed) {
  const int panel = kernels().panel;
  for (int first = 0; first < columns; first += panel) {
    const int here = std::min(panel, columns - first);
    const float* from = values + first;
    for (int k = 0; k < depth; ++k, from += stride, packed += panel) {
      std::copy_n(from, here, packed);
      std::fill(packed + here, packed + panel, 0.0F);
    }
  }
}

}  // namespace vergence::predictors
