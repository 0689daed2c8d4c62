// SPDX-License-Identifier: Apache-2.0
// A record with something in every field.
#pragma once

#include "runs/record.hpp"

namespace vergence::test {

[[nodiscard]] runs::Record sample_record(int number = 3);

}  // namespace vergence::test
