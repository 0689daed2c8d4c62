// SPDX-License-Identifier: Apache-2.0
// What of an input's own words about itself its outputs carry.
#pragma once

#include "media/picture.hpp"

namespace vergence::media {

// What players need to know of the output is written in any case.
enum class HandedOn {
  kAll,      // [all] camera, date, place, author, rights, titles
  kNoPlace,  // [no_place] without what tells where it was made
  kNothing,  // [none] of a photo its colours, of a video its streams' names and languages alone
};

// What of a photo's blocks is to be handed on. Place: the GPS of EXIF and XMP, and names of cities,
// countries and locations in XMP. Without it maker notes go too, and EXIF that is damaged.
[[nodiscard]] PictureBlocks blocks_to_hand_on(const PictureBlocks& blocks, HandedOn what);

}  // namespace vergence::media
