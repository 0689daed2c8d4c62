// SPDX-License-Identifier: Apache-2.0
// The two eyes of a stereo pair.
#pragma once

namespace vergence {

// With positive parallax (nearer than the screen) content stands further right in the left eye's
// picture than in the right eye's.
enum class Eye { kLeft, kRight };

}  // namespace vergence
