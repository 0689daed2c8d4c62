// SPDX-License-Identifier: Apache-2.0
// Makes the binary FBX of Assimp 5.2.5 valid: it leaves out the 25-byte null record that has to end
// every list of nested nodes, so that no reader accepts the file.
#pragma once

#include <string>
#include <string_view>

namespace vergence::mesh {

// The same node tree (binary FBX with 64-bit offsets, version 7500 and later) with its null
// records, recomputed offsets, compressed arrays and the standard footer. A file that has the null
// records already comes out just as valid. Throws Error when `file` is no such FBX or is cut short.
[[nodiscard]] std::string repair_fbx(std::string_view file);

}  // namespace vergence::mesh
