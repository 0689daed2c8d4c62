// SPDX-License-Identifier: Apache-2.0
// The kernels for x86-64 with AVX2.
#define VERGENCE_KERNELS avx2
#define VERGENCE_KERNELS_NAME "avx2"
#define VERGENCE_LANES 8
#define VERGENCE_TILE 6
#include "predictors/kernels/kernels_body.hpp"
