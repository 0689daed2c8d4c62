// SPDX-License-Identifier: Apache-2.0
// The pixel loops for any machine.
#define VERGENCE_KERNELS portable
#include "stereo/sphere_kernels_body.hpp"
