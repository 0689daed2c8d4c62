// SPDX-License-Identifier: Apache-2.0
// Stereo pairs in HEIF files: the entity group 'ster' (ISO/IEC 23008-12, 6.8), which libheif
// neither reads nor writes; not installed.
#pragma once

#include "media/codec.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace vergence::media::codec {

// The items of the left and the right picture of the first stereo pair that the file has; nothing
// where it has none, or is damaged.
[[nodiscard]] std::optional<std::array<std::uint32_t, 2>> heif_stereo_pair(Bytes file);

// The file with such a group; where items lie in the file (iloc) is put right. The file comes from
// encode_heif.
[[nodiscard]] std::vector<std::uint8_t> with_heif_stereo_pair(Bytes file, std::uint32_t left,
                                                              std::uint32_t right);

}  // namespace vergence::media::codec
