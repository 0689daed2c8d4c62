// SPDX-License-Identifier: Apache-2.0
// The kernels for any machine.
#define VERGENCE_KERNELS portable
#define VERGENCE_KERNELS_NAME "portable"
#define VERGENCE_LANES 4
#define VERGENCE_TILE 6
#include "predictors/kernels/kernels_body.hpp"
