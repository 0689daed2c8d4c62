// SPDX-License-Identifier: Apache-2.0
// The kernels for x86-64 with AVX512.
#define VERGENCE_KERNELS avx512
#define VERGENCE_KERNELS_NAME "avx512"
#define VERGENCE_LANES 16
#define VERGENCE_TILE 14
#include "predictors/kernels/kernels_body.hpp"
