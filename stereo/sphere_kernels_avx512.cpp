// SPDX-License-Identifier: Apache-2.0
// The pixel loops for x86-64 with AVX-512.
#define VERGENCE_KERNELS avx512
#include "stereo/sphere_kernels_body.hpp"
