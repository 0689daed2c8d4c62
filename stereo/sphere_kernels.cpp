// SPDX-License-Identifier: Apache-2.0
#include "stereo/sphere_kernels.hpp"

namespace vergence::stereo {

namespace avx2 {
extern const SphereKernels kKernels;
}

namespace portable {
extern const SphereKernels kKernels;
}

const SphereKernels& sphere_kernels() {
#ifdef __x86_64__
  static const bool modern = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (modern) return avx2::kKernels;
#endif
  return portable::kKernels;
}

const SphereKernels& portable_sphere_kernels() {
  return portable::kKernels;
}

}  // namespace vergence::stereo
