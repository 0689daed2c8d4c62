// SPDX-License-Identifier: Apache-2.0
#include "stereo/sphere_kernels.hpp"

#include <array>

namespace vergence::stereo {

namespace avx512 {
extern const SphereKernels kKernels;
}

namespace avx2 {
extern const SphereKernels kKernels;
}

namespace portable {
extern const SphereKernels kKernels;
}

std::span<const SphereKernels* const> runnable_sphere_kernels() {
  static const std::array<const SphereKernels*, 3> all = {&avx512::kKernels, &avx2::kKernels,
                                                          &portable::kKernels};
#ifdef __x86_64__
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const std::size_t first = has_avx512 ? 0 : (has_avx2 ? 1 : 2);
#else
  const std::size_t first = 2;
#endif
  return std::span(all).subspan(first);
}

const SphereKernels& sphere_kernels() {
  static const SphereKernels& fastest = *runnable_sphere_kernels().front();
  return fastest;
}

}  // namespace vergence::stereo
